"""The secret key that is kept in a file."""

from __future__ import annotations

import os
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from admit.errors import ConfigurationError
from admit.server.secret_files import kept_secrets

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_once(folder: Path) -> None:
    """The secret is the same each time, is long, and leaves no draft behind."""
    [secret] = kept_secrets(folder / "key")
    assert kept_secrets(folder / "key") == [secret]
    assert len(bytes.fromhex(secret)) == 32
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_nobody_else_can_read_it(folder: Path) -> None:
    """The file has the narrowest rights from the beginning, whatever the mask says."""
    before = os.umask(0)
    try:
        kept_secrets(folder / "key")
    finally:
        os.umask(before)
    assert (folder / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622], ids=oct)
def test_a_file_that_others_can_use_is_refused(folder: Path, mode: int) -> None:
    """A secret that others can read, or could have written, is none."""
    kept_secrets(folder / "key")
    (folder / "key").chmod(mode)
    with pytest.raises(ConfigurationError, match="Others than its owner"):
        kept_secrets(folder / "key")


def test_a_link_is_not_followed(folder: Path) -> None:
    """A link in its place, to a file that somebody else knows or to nowhere, is refused."""
    kept_secrets(folder / "known")
    for target in ("known", "nowhere"):
        (folder / "key").symlink_to(folder / target)
        with pytest.raises(ConfigurationError, match="can't be kept"):
            kept_secrets(folder / "key")
        (folder / "key").unlink()
    assert not (folder / "nowhere").exists()


@pytest.mark.parametrize("content", [b"", b"dev", b"\xff\xfe"])
def test_a_file_with_something_else_is_refused(folder: Path, content: bytes) -> None:
    """An empty file, a weak secret and what is no text are refused."""
    (folder / "key").touch(0o600)
    (folder / "key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="key"):
        kept_secrets(folder / "key")


def test_two_at_once_have_one(folder: Path) -> None:
    """However many processes start at the same time, all have the same secret."""
    together, found = Barrier(8), list[str]()

    def start() -> None:
        together.wait()
        found.extend(kept_secrets(folder / "key"))

    threads = [Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_folder_that_can_not_be_written(folder: Path) -> None:
    """Where no file can be made, the message says what else would do."""
    with pytest.raises(ConfigurationError, match="Set ADMIT_SECRET_KEY"):
        kept_secrets(folder / "nowhere" / "key")


def test_older_secrets_stand_below(folder: Path) -> None:
    """A new secret on top signs, those below it are believed, and a weak one anywhere is refused."""
    old = kept_secrets(folder / "key")
    (folder / "key").write_text(f"{'0123456789abcdef' * 2}\n\n{old[0]}\n")
    assert kept_secrets(folder / "key") == ["0123456789abcdef" * 2, *old]
    (folder / "key").write_text(f"{old[0]}\ndev\n")
    with pytest.raises(ConfigurationError, match="known from a tutorial"):
        kept_secrets(folder / "key")
