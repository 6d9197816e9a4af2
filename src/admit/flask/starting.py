"""What an application with accounts refuses to start with, because nobody would notice until it is too late."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from admit.errors import ConfigurationError
from admit.flask.development import is_development
from admit.stores import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Flask

    from admit.store import Stores

__all__ = [
    "HOW_TO_MAKE_ONE",
    "refuse_memory_for_many",
    "refuse_weak_secret",
    "refuse_weak_secrets",
    "weakness_of",
    "workers",
]

#: The fewest bytes of a secret: as long as what signs with it gives out (RFC 2104, section 3).
_LEAST = 32

#: What tutorials, templates and answers on the web show as a secret, without what stands between its words. Whoever
#: knows the secret signs what they like, and these are the first that anybody tries.
_SHOWN = """
    09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7
    192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf 5791628bb0b13ce0c676dfde280ba245
    5y2lf4q8znxec 5y2lf4q8z\xec a0zr98j3yxrxhhjmnlwxrt change changeinproduction changeme changethis default dev
    development flask foobar hardtoguessstring insecure insertrandomsecretkeyhere key mykey mysecret mysecretkey
    password replaceme secret secretkey secretstring supersecret supersecretkey test thisisasecret thisisnotsecret
    thisissecret topsecret youwillneverguess yourkey yoursecret yoursecretkey yoursecretkeyhere
"""
_KNOWN = frozenset(_SHOWN.split())
_MEANINGLESS = re.compile(r"[\W_]+")
#: What to do about a weak secret.
HOW_TO_MAKE_ONE: str = (
    """Make one by python -c "import secrets; print(secrets.token_hex())" and keep it out of the code."""
)

_WORKERS = re.compile(r"(?:^|\s)(?:-w|--workers)[=\s]*(\d+)")


def refuse_weak_secrets(app: Flask) -> None:
    """Refuse a secret key that others could know, the older ones that are still believed included.

    Development and tests may do with any. An application without one has nothing to refuse.

    Raises:
        ConfigurationError: It is too short, or known.
    """
    if is_development(app):
        return
    config = cast("dict[str, Any]", app.config)
    older: Sequence[Any] = config.get("SECRET_KEY_FALLBACKS") or ()
    for key, secret in [("SECRET_KEY", app.secret_key), *(("SECRET_KEY_FALLBACKS", one) for one in older)]:
        if secret:
            refuse_weak_secret(key, secret)


def refuse_weak_secret(key: str, secret: str | bytes) -> None:
    """Refuse a secret that is too short or that others know.

    Args:
        key: What the secret is called where it is set.
        secret: The secret; no message holds it.

    Raises:
        ConfigurationError: It is one of those.
    """
    weakness = weakness_of(secret)
    if weakness is not None:
        message = f"{key} {weakness}. {HOW_TO_MAKE_ONE}"
        raise ConfigurationError(message)


def weakness_of(secret: str | bytes) -> str | None:
    """Return what is wrong with a secret, as the end of a sentence, or ``None`` if it is a good one.

    Args:
        secret: The secret; what is returned does not hold it.
    """
    text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
    if _is_known(text):
        return "is known from a tutorial, so that anybody can forge what it signs"
    if len(text.encode()) < _LEAST:
        return f"is shorter than {_LEAST} bytes, so that it can be guessed"
    if len(set(text)) < _LEAST // 4:
        return "repeats a few characters, so that it can be guessed"
    return None


def _is_known(secret: str) -> bool:
    plain = _MEANINGLESS.sub("", secret).casefold()
    # "secret" written four times is still "secret".
    whole = re.fullmatch(r"(.{2,}?)\1*", plain)
    return plain in _KNOWN or (whole is not None and whole[1] in _KNOWN)


def refuse_memory_for_many(stores: Stores, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a store in memory where several processes serve: each would have accounts and logins of its own.

    Raises:
        ConfigurationError: It is so.
    """
    kept = (stores.sessions, stores.accounts, stores.credentials, stores.challenges, stores.counters)
    count = workers(environment, sys.argv)
    if count > 1 and any(is_in_memory(store) for store in kept):
        message = (
            f"There are {count} workers, and each would have a store in memory of its own. "
            "Use sqlite:///app.db or another store that they share, or run one worker."
        )
        raise ConfigurationError(message)


def workers(environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Return how many processes serve, as far as gunicorn and the environment tell.

    Args:
        environment: Of this process; gunicorn takes ``WEB_CONCURRENCY`` and ``GUNICORN_CMD_ARGS`` from it.
        arguments: The command line, the program first. It wins over the environment.
    """
    told = environment.get("GUNICORN_CMD_ARGS", "")
    if arguments and Path(arguments[0]).stem == "gunicorn":
        told = f"{told} {' '.join(arguments[1:])}"
    found = _WORKERS.findall(told) or re.findall(r"^\s*(\d+)\s*$", environment.get("WEB_CONCURRENCY", ""))
    return int(found[-1]) if found else 1
