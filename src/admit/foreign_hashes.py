"""Hashes of passwords that another program made: what form each has, and whether it costs what can be paid.

An attacker who can write to one row of a table asks for a gigabyte and a hundred passes, and each try to sign in as
that user keeps everybody else waiting for minutes. So a hash that asks for more than about two seconds is not computed.
It takes no more to find that out: a text is looked at up to a length, by patterns that never try twice.

Forms: Werkzeug, Django, and the modular crypt format of passlib, pwdlib, Flask-Bcrypt, Flask-Security and argon2-cffi.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Found", "argon2_is_affordable", "cost_objection", "read"]

#: The longest text that is looked at; Werkzeug's with the longest salt has 286 characters.
_LONGEST = 512

#: The most memory of argon2, in KiB, and the most of it times the passes; the most lanes, each of which is a thread.
_MOST_KIB = 1 << 20
_MOST_KIB_PASSES = 10 << 18
_MOST_LANES = 64
#: The most of scrypt's n * r * p, which is in 128 bytes what it goes over: 512 MiB.
_MOST_SCRYPT = 1 << 22
#: The most rounds of PBKDF2; digests of 64 bits cost more than twice as much as others.
_MOST_ROUNDS = 4_000_000
_MOST_LONG_ROUNDS = 2_000_000
_MOST_BCRYPT = 15
_MOST_CRYPT_ROUNDS = 999_999

_Costs = dict[str, int]


class Found(NamedTuple):
    """A hash that can be computed: the form that it has, and its parts."""

    form: str
    parts: re.Match[str]


class _Form(NamedTuple):
    """How hashes of one kind look, whether one is possible, and whether it can be paid."""

    name: str
    pattern: re.Pattern[str]
    is_possible: Callable[[_Costs], bool]
    is_affordable: Callable[[_Costs], bool]


def read(stored: str | None) -> Found | None:
    """Return what a stored text is, if it is a hash that can be computed at a cost that can be paid.

    Args:
        stored: What a table holds for a password.

    .. versionadded:: 0.2
    """
    form, found = _matched(stored)
    if form is None or found is None:
        return None
    return Found(form.name, found) if form.is_affordable(_costs(found)) else None


def cost_objection(stored: str | None) -> str | None:
    """Return the sentence that says that a hash costs more than is computed; ``None`` for whatever else it is.

    Args:
        stored: What a table holds for a password.

    .. versionadded:: 0.2
    """
    form, found = _matched(stored)
    if form is None or found is None or form.is_affordable(_costs(found)):
        return None
    costs = ", ".join(f"{name}={value}" for name, value in _costs(found).items())
    return f"This hash ({form.name}, {costs}) costs more than is computed here."


def argon2_is_affordable(memory_kib: int, passes: int, lanes: int) -> bool:
    """Tell whether a hash of argon2 costs what can be paid.

    Args:
        memory_kib: Its memory in KiB.
        passes: How many times it goes over it.
        lanes: In how many threads.

    .. versionadded:: 0.2
    """
    return memory_kib <= _MOST_KIB and memory_kib * passes <= _MOST_KIB_PASSES and lanes <= _MOST_LANES


def _matched(stored: str | None) -> tuple[_Form, re.Match[str]] | tuple[None, None]:
    if stored is None or len(stored) > _LONGEST:
        return None, None
    for form in _FORMS:
        found = form.pattern.fullmatch(stored)
        if found is not None and _is_whole(found) and form.is_possible(_costs(found)):
            return form, found
    return None, None


def _is_whole(found: re.Match[str]) -> bool:
    """Tell whether what is in base64 without padding is whole bytes: one character alone can't be the end of any."""
    return all(len(text) % 4 != 1 for name, text in found.groupdict().items() if name.startswith("bytes"))


def _costs(found: re.Match[str]) -> _Costs:
    return {name: int(text) for name, text in found.groupdict().items() if name in _NUMBERS and text}


# -- costs ------------------------------------------------------------------------------------------------------------


def _any(_: Mapping[str, int]) -> bool:
    return True


def _argon2_is_possible(costs: Mapping[str, int]) -> bool:
    return 8 * costs["p"] <= costs["m"]


def _argon2(costs: Mapping[str, int]) -> bool:
    return argon2_is_affordable(costs["m"], costs["t"], costs["p"])


def _scrypt_is_possible(costs: Mapping[str, int]) -> bool:
    n = _n(costs)
    return n.bit_count() == 1 and 1 < n.bit_length() <= 16 * costs["r"]


def _scrypt(costs: Mapping[str, int]) -> bool:
    return _n(costs) * costs["r"] * costs["p"] <= _MOST_SCRYPT


def _n(costs: Mapping[str, int]) -> int:
    return costs["n"] if "n" in costs else 1 << costs["ln"]


def _short(costs: Mapping[str, int]) -> bool:
    return costs["rounds"] <= _MOST_ROUNDS


def _long(costs: Mapping[str, int]) -> bool:
    return costs["rounds"] <= _MOST_LONG_ROUNDS


def _bcrypt(costs: Mapping[str, int]) -> bool:
    return costs["cost"] <= _MOST_BCRYPT


def _crypt(costs: Mapping[str, int]) -> bool:
    return costs.get("rounds", 0) <= _MOST_CRYPT_ROUNDS


# -- forms ------------------------------------------------------------------------------------------------------------

_NUMBERS = ("m", "t", "n", "ln", "r", "p", "rounds", "cost")
_NUMBER = r"[1-9]\d{0,9}"
_B64 = r"[A-Za-z0-9+/]"
_H64 = r"[A-Za-z0-9./]"
#: Salts of Werkzeug and Django: text, in which a dollar sign would end it.
_SALT = r"(?P<salt>[!-#%-~]{1,128})"
#: Whole bytes in base64 without padding (see _is_whole).
_SALT_BYTES = rf"(?P<salt>(?P<bytes_of_salt>{_B64}{{8,87}}))"
_SALT_BYTES_64 = rf"(?P<salt>(?P<bytes_of_salt>{_H64}{{0,87}}))"
_BCRYPT = rf"\$(?P<kind>2[aby])\$(?P<cost>0[4-9]|[12]\d|3[01])\$(?P<salt>{_H64}{{21}}[.Oeu])(?P<digest>{_H64}{{31}})"
_ARGON2 = (
    rf"\$(?P<kind>argon2(?:id|i|d))\$(?:v=(?P<v>16|19)\$)?m=(?P<m>{_NUMBER}),t=(?P<t>{_NUMBER}),p=(?P<p>{_NUMBER})"
    rf"\${_SALT_BYTES}\$(?P<digest>(?P<bytes>{_B64}{{8,87}}))"
)


def _form(
    name: str, pattern: str, is_affordable: Callable[[_Costs], bool], is_possible: Callable[[_Costs], bool] = _any
) -> _Form:
    return _Form(name, re.compile(pattern, re.ASCII), is_possible, is_affordable)


_FORMS = (
    # Werkzeug
    _form(
        "scrypt of Werkzeug",
        rf"scrypt:(?P<n>{_NUMBER}):(?P<r>{_NUMBER}):(?P<p>{_NUMBER})\${_SALT}\$(?P<digest>[0-9a-f]{{128}})",
        _scrypt,
        _scrypt_is_possible,
    ),
    *(
        _form(
            "pbkdf2 of Werkzeug",
            rf"pbkdf2:(?P<name>{names}):(?P<rounds>{_NUMBER})\${_SALT}\$(?P<digest>[0-9a-f]{{40,128}})",
            is_affordable,
        )
        for names, is_affordable in (("sha1|sha224|sha256", _short), ("sha384|sha512", _long))
    ),
    # Django
    _form(
        "pbkdf2 of Django",
        rf"pbkdf2_(?P<name>sha256|sha1)\$(?P<rounds>{_NUMBER})\${_SALT}\$(?P<digest>{_B64}{{27,43}}=)",
        _short,
    ),
    _form(
        "scrypt of Django",
        rf"scrypt\$(?P<n>{_NUMBER})\${_SALT}\$(?P<r>{_NUMBER})\$(?P<p>{_NUMBER})\$(?P<digest>{_B64}{{86}}==)",
        _scrypt,
        _scrypt_is_possible,
    ),
    _form("argon2", rf"argon2{_ARGON2}", _argon2, _argon2_is_possible),
    _form("bcrypt_sha256 of Django", rf"bcrypt_sha256\${_BCRYPT}", _bcrypt),
    _form("bcrypt", rf"bcrypt\${_BCRYPT}", _bcrypt),
    # The modular crypt format
    _form("argon2", _ARGON2, _argon2, _argon2_is_possible),
    _form("bcrypt", _BCRYPT, _bcrypt),
    *(
        _form(
            name,
            rf"\$pbkdf2{dash}\$(?P<rounds>{_NUMBER})\${_SALT_BYTES_64}\$(?P<digest>{_H64}{{27,86}})",
            is_affordable,
        )
        for dash, name, is_affordable in (
            ("", "pbkdf2_sha1", _short),
            ("-sha256", "pbkdf2_sha256", _short),
            ("-sha512", "pbkdf2_sha512", _long),
        )
    ),
    _form(
        "scrypt",
        rf"\$scrypt\$ln=(?P<ln>[1-9]\d?),r=(?P<r>{_NUMBER}),p=(?P<p>{_NUMBER})\${_SALT_BYTES}\$(?P<digest>{_B64}{{43}})",
        _scrypt,
        _scrypt_is_possible,
    ),
    _form(
        "bcrypt_sha256",
        rf"\$bcrypt-sha256\$v=2,t=2b,r=(?P<cost>[4-9]|[12]\d|3[01])\$(?P<salt>{_H64}{{21}}[.Oeu])\$(?P<digest>{_H64}{{31}})",
        _bcrypt,
    ),
    *(
        _form(
            name,
            rf"\${number}\$(?:rounds=(?P<rounds>[1-9]\d{{3,9}})\$)?(?P<salt>{_H64}{{1,16}})\$(?P<digest>{_H64}{{{length}}})",
            _crypt,
        )
        for number, length, name in ((5, 43, "sha256_crypt"), (6, 86, "sha512_crypt"))
    ),
)
