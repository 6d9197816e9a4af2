"""Hashes that another program made: told apart by how they look, verified, and made anew in the same form.

An attacker who can write to a row sends the machine away to compute for hours, so that costs are bounded. One who
can only log in hopes that a form hashes less than what was typed: bcrypt sees 72 bytes, as it did in the program that
the hash comes from, and from the first login on all of the password counts. NUL, which scrypt and PBKDF2 of HMAC pad
with, never gets here.

Forms: Werkzeug, Django, and the modular crypt format of passlib, pwdlib, Flask-Bcrypt and argon2-cffi.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import normalize

from admit.adopting import Adopting
from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["alike", "example_of", "flask_security_secret", "is_readable", "matches"]

#: What Werkzeug makes without being told otherwise: for a table that has no hash yet.
_USUAL = f"scrypt:32768:8:1${'a' * 16}${'0' * 128}"

#: The most memory that a stored hash may ask for, in bytes, and the most work of scrypt in its own unit.
_MOST_MEMORY = 1 << 30
_MOST_SCRYPT = 1 << 24
#: bcrypt takes no more, and the programs that these hashes come from cut off the rest.
_BCRYPT_BYTES = 72

_LETTERS = string.ascii_letters + string.digits


class _Form(NamedTuple):
    """How hashes of one kind look, and how what they end with is computed of a secret, such a hash and a salt."""

    pattern: re.Pattern[str]
    digest: Callable[[bytes, re.Match[str], str], str]


def is_readable(stored: str | None) -> bool:
    """Tell whether this is a hash that can be verified."""
    return _found(stored) is not None


def example_of(store: object) -> str | None:
    """Return one of the hashes that an application has made, for their form and cost; ``None`` if it makes none.

    Args:
        store: Where its passwords may be.
    """
    examples = store.examples() if isinstance(store, Adopting) else None
    return None if examples is None else next(filter(is_readable, examples), _USUAL)


def matches(secret: bytes, stored: str | None) -> bool:
    """Tell whether a secret is the one that was hashed; whatever is no hash matches none.

    Args:
        secret: What the other program hashed: all that was typed, in UTF-8.
        stored: What it has stored.

    Raises:
        ConfigurationError: The hash takes a package that is not installed.
    """
    read = _found(stored)
    if read is None:
        return False
    form, found = read
    computed = form.digest(secret, found, found["salt"])
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
    read = _found(example)
    if read is None:
        message = "This is no hash that can be verified."
        raise ValueError(message)
    form, found = read
    salt = _fresh(found["salt"])
    digest = form.digest(secret, found, salt)
    return f"{example[: found.start('salt')]}{salt}{example[found.end('salt') : found.start('digest')]}{digest}"


def flask_security_secret(password: str, salt: str) -> bytes:
    """Return what Flask-Security hashes of a password: its NFKD, keyed by ``SECURITY_PASSWORD_SALT``.

    These are 88 bytes, of which bcrypt takes 72, there as here.
    """
    typed = normalize("NFKD", password).encode()
    return base64.b64encode(hmac.digest(salt.encode(), typed, "sha512"))


def _found(stored: str | None) -> tuple[_Form, re.Match[str]] | None:
    for form in _FORMS:
        found = form.pattern.fullmatch(stored or "")
        if found is not None:
            return (form, found) if _is_bounded(found) else None
    return None


def _is_bounded(found: re.Match[str]) -> bool:
    """Tell whether the costs that a hash names are some that can be paid, and that its algorithm takes."""
    costs = {name: int(text) for name, text in found.groupdict().items() if name in _COSTS and text}
    if "m" in costs:
        return 8 * costs["p"] <= costs["m"] <= _MOST_MEMORY >> 10
    n = costs.get("n") or 1 << costs.get("ln", 1)
    r, p = costs.get("r", 1), costs.get("p", 1)
    is_possible = n.bit_count() == 1 and 1 < n < 1 << 16 * r
    return is_possible and 128 * n * r <= _MOST_MEMORY and n * r * p <= _MOST_SCRYPT


_COSTS = {"n", "ln", "r", "p", "m"}


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


# -- forms ------------------------------------------------------------------------------------------------------------

_B64 = r"[A-Za-z0-9+/]"
_H64 = r"[A-Za-z0-9./]"
#: Whole bytes in base64 without padding: one character alone can't be the end of any.
_BYTES = rf"(?:{_B64}{{4}}){{2,21}}(?:{_B64}{{2,3}})?"
_BYTES_64 = rf"(?:{_H64}{{4}}){{0,21}}(?:{_H64}{{2,3}})?"
#: Salts of Werkzeug and Django: text, in which a dollar sign would end it.
_SALT = r"(?P<salt>[!-#%-~]{1,128})"
_BCRYPT = rf"\$(?P<kind>2[aby])\$(?P<cost>0[4-9]|1[0-6])\$(?P<salt>{_H64}{{21}}[.Oeu])(?P<digest>{_H64}{{31}})"
_ARGON2 = (
    r"\$(?P<kind>argon2(?:id|i|d))\$(?:v=(?P<v>16|19)\$)?m=(?P<m>[1-9]\d{0,6}),t=(?P<t>[1-9]\d?),p=(?P<p>[1-9]\d?)"
    rf"\$(?P<salt>{_BYTES})\$(?P<digest>{_BYTES})"
)


def _form(pattern: str, digest: Callable[..., str], **options: Any) -> _Form:
    return _Form(re.compile(pattern, re.ASCII), partial(digest, **options))


_FORMS = (
    # Werkzeug
    _form(
        rf"scrypt:(?P<n>[1-9]\d{{0,7}}):(?P<r>[1-9]\d?):(?P<p>[1-9]\d?)\${_SALT}\$(?P<digest>[0-9a-f]{{128}})",
        _scrypt,
        spell=bytes.hex,
    ),
    _form(
        rf"pbkdf2:(?P<name>sha1|sha224|sha256|sha384|sha512):(?P<rounds>[1-9]\d{{0,6}})\${_SALT}\$(?P<digest>[0-9a-f]{{40,128}})",
        _pbkdf2,
        spell=bytes.hex,
    ),
    # Django
    _form(
        rf"pbkdf2_(?P<name>sha256|sha1)\$(?P<rounds>[1-9]\d{{0,6}})\${_SALT}\$(?P<digest>{_B64}{{27,43}}=)",
        _pbkdf2,
        spell=_base64,
    ),
    _form(
        rf"scrypt\$(?P<n>[1-9]\d{{0,7}})\${_SALT}\$(?P<r>[1-9]\d?)\$(?P<p>[1-9]\d?)\$(?P<digest>{_B64}{{86}}==)",
        _scrypt,
        spell=_base64,
    ),
    _form(rf"argon2{_ARGON2}", _argon2),
    _form(rf"bcrypt_sha256\${_BCRYPT}", _bcrypt_sha256),
    _form(rf"bcrypt\${_BCRYPT}", _bcrypt),
    # The modular crypt format
    _form(_ARGON2, _argon2),
    _form(_BCRYPT, _bcrypt),
    *(
        _form(
            rf"\$pbkdf2{dash}\$(?P<rounds>[1-9]\d{{0,6}})\$(?P<salt>{_BYTES_64})\$(?P<digest>{_H64}{{27,86}})",
            _passlib,
            name=name,
        )
        for dash, name in (("", "pbkdf2_sha1"), ("-sha256", "pbkdf2_sha256"), ("-sha512", "pbkdf2_sha512"))
    ),
    _form(
        rf"\$scrypt\$ln=(?P<ln>[1-9]|1\d|2[0-3]),r=(?P<r>[1-9]\d?),p=(?P<p>[1-9]\d?)\$(?P<salt>{_BYTES})\$(?P<digest>{_B64}{{43}})",
        _passlib,
        name="scrypt",
    ),
    _form(
        rf"\$bcrypt-sha256\$v=2,t=2b,r=(?P<cost>[4-9]|1[0-6])\$(?P<salt>{_H64}{{21}}[.Oeu])\$(?P<digest>{_H64}{{31}})",
        _passlib,
        name="bcrypt_sha256",
    ),
    *(
        _form(
            rf"\${number}\$(?:rounds=[1-9]\d{{3,5}}\$)?(?P<salt>{_H64}{{1,16}})\$(?P<digest>{_H64}{{{length}}})",
            _passlib,
            name=name,
        )
        for number, length, name in ((5, 43, "sha256_crypt"), (6, 86, "sha512_crypt"))
    ),
)
