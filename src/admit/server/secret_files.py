"""A secret key that is made once and kept in a file that only its owner can read.

An attacker reads it from a file that is open to all, or puts one of their own there before the first start. So it is
made with the narrowest rights, appears at its place in one step, and is refused where others may read or write it.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from admit.errors import ConfigurationError
from admit.flask.starting import refuse_weak_secret

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["kept_secrets"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kept_secrets(path: Path) -> list[str]:
    """Return the secrets in a file, one a line: the first signs, and those below it are older and still believed.

    The file is made if it is not there; of two that make it at once, one wins.

    Raises:
        ConfigurationError: The file can't be made or read, others can read it, or it holds no good secret.
    """
    try:
        if not path.exists() and not path.is_symlink():
            _make(path)
        kept = _read(path)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        message = f"The secret key can't be kept in {path}: {why}. Set ADMIT_SECRET_KEY, or mend that."
        raise ConfigurationError(message) from error
    for secret in kept or [""]:
        refuse_weak_secret(str(path), secret)
    return kept


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex())
        with suppress(FileExistsError):  # another process was first, and its secret counts
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _read(path: Path) -> list[str]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor) as file:
        state = os.fstat(file.fileno())
        if state.st_mode & _OTHERS or state.st_uid != os.geteuid():
            message = (
                f"Others than its owner can use the secret key in {path}. Remove the file, so that another is made."
            )
            raise ConfigurationError(message)
        return [line.strip() for line in file if line.strip()]
