"""Hashes that another program made: verified, and made anew in the same form (:mod:`admit.foreign_hashes`).

An attacker who can only log in hopes that a form hashes less than what was typed: bcrypt sees 72 bytes, as it did in
the program that the hash comes from, and from the first login on all of the password counts. NUL, which scrypt and
PBKDF2 of HMAC pad with, never gets here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from admit import foreign_hashes
from admit.adopting import Adopting
from admit.errors import ConfigurationError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

__all__ = ["alike", "example_of", "flask_security_secret", "is_readable", "matches"]

#: What Werkzeug makes without being told otherwise: for a table that has no hash yet.
_USUAL = f"scrypt:32768:8:1${'a' * 16}${'0' * 128}"

#: bcrypt takes no more, and the programs that these hashes come from cut off the rest.
_BCRYPT_BYTES = 72

_LETTERS = string.ascii_letters + string.digits


def is_readable(stored: str | None) -> bool:
    """Tell whether this is a hash that can be verified."""
    return foreign_hashes.read(stored) is not None


def example_of(store: object) -> str | None:
    """Return one of the hashes that an application has made, for their form and cost; ``None`` if it makes none.

    Args:
        store: Where its passwords may be.
    """
    examples = store.examples() if isinstance(store, Adopting) else None
    return None if examples is None else next(filter(is_readable, examples), _USUAL)


def matches(secret: bytes, stored: str | None) -> bool:
    """Tell whether a secret is the one that was hashed; whatever is no hash, or costs too much, matches none.

    Args:
        secret: What the other program hashed: all that was typed, in UTF-8.
        stored: What it has stored.

    Raises:
        ConfigurationError: The hash takes a package that is not installed.
    """
    read = foreign_hashes.read(stored)
    if read is None:
        return False
    form, found = read
    computed = _DIGESTS[form](secret, found, found["salt"])
    return hmac.compare_digest(computed.encode(), found["digest"].encode())


def alike(secret: bytes, example: str) -> str:
    """Return the hash of a secret in the form and at the cost of an example, with a salt of its own.

    Args:
        secret: What to hash, as for :func:`matches`.
        example: A hash that can be verified.

    Raises:
        ConfigurationError: The form takes a package that is not installed.
        ValueError: The example is no hash that can be verified.
    """
    read = foreign_hashes.read(example)
    if read is None:
        message = "This is no hash that can be verified."
        raise ValueError(message)
    form, found = read
    salt = _fresh(found["salt"])
    digest = _DIGESTS[form](secret, found, salt)
    return f"{example[: found.start('salt')]}{salt}{example[found.end('salt') : found.start('digest')]}{digest}"


def flask_security_secret(password: str, salt: str) -> bytes:
    """Return what Flask-Security hashes of a password: its NFKD, keyed by ``SECURITY_PASSWORD_SALT``.

    These are 88 bytes, of which bcrypt takes 72, there as here.
    """
    typed = normalize("NFKD", password).encode()
    return base64.b64encode(hmac.digest(salt.encode(), typed, "sha512"))


def _fresh(salt: str) -> str:
    # The last character may have to be one of few, where it stands for the last bits of whole bytes.
    return "".join(secrets.choice(_LETTERS) for _ in salt[1:]) + salt[-1:]


# -- digests ----------------------------------------------------------------------------------------------------------


def _pbkdf2(secret: bytes, found: re.Match[str], salt: str, *, spell: Callable[[bytes], str]) -> str:
    return spell(hashlib.pbkdf2_hmac(found["name"], secret, salt.encode(), int(found["rounds"])))


def _scrypt(secret: bytes, found: re.Match[str], salt: str, *, spell: Callable[[bytes], str]) -> str:
    n, r, p = (int(found[name]) for name in "nrp")
    room = 128 * r * (n + p + 2) + (1 << 16)
    return spell(hashlib.scrypt(secret, salt=salt.encode(), n=n, r=r, p=p, maxmem=room, dklen=64))


def _bcrypt(secret: bytes, found: re.Match[str], salt: str) -> str:
    hashed: bytes = _needed("bcrypt").hashpw(
        secret[:_BCRYPT_BYTES], f"${found['kind']}${found['cost']}${salt}".encode()
    )
    return hashed[-31:].decode()


def _bcrypt_sha256(secret: bytes, found: re.Match[str], salt: str) -> str:
    return _bcrypt(hashlib.sha256(secret).hexdigest().encode(), found, salt)


def _argon2(secret: bytes, found: re.Match[str], salt: str) -> str:
    argon2 = _needed("argon2.low_level")
    raw: bytes = argon2.hash_secret_raw(
        secret,
        _unpadded_decoded(salt),
        int(found["t"]),
        int(found["m"]),
        int(found["p"]),
        len(_unpadded_decoded(found["digest"])),
        argon2.Type[found["kind"].removeprefix("argon2").upper() or "D"],
        int(found["v"] or 16),
    )
    return _base64(raw).rstrip("=")


def _passlib(secret: bytes, found: re.Match[str], salt: str, *, name: str) -> str:
    """Compute by libpass what takes more than one call of the standard library."""
    scheme = getattr(_needed("passlib.hash"), name)
    config = scheme.from_string(found.string[: found.start("salt")] + salt + found.string[found.end("salt") :])
    costs = {
        key: getattr(config, key) for key in ("rounds", "block_size", "parallelism", "ident") if key in dir(config)
    }
    taken = {key: value for key, value in costs.items() if key in scheme.setting_kwds}
    return str(scheme.using(salt=config.salt, **taken).hash(secret)).rpartition("$")[2]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unpadded_decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        message = f"There are hashes of passwords here that take {module.partition('.')[0]}. Install admit[adopt]."
        raise ConfigurationError(message) from error


#: How what a hash of each form ends with is computed, of a secret, such a hash and a salt.
_DIGESTS: dict[str, Callable[[bytes, re.Match[str], str], str]] = {
    "scrypt of Werkzeug": partial(_scrypt, spell=bytes.hex),
    "pbkdf2 of Werkzeug": partial(_pbkdf2, spell=bytes.hex),
    "pbkdf2 of Django": partial(_pbkdf2, spell=_base64),
    "scrypt of Django": partial(_scrypt, spell=_base64),
    "argon2": _argon2,
    "bcrypt_sha256 of Django": _bcrypt_sha256,
    "bcrypt": _bcrypt,
    **{
        name: partial(_passlib, name=name)
        for name in (
            "pbkdf2_sha1",
            "pbkdf2_sha256",
            "pbkdf2_sha512",
            "scrypt",
            "bcrypt_sha256",
            "sha256_crypt",
            "sha512_crypt",
        )
    },
}
