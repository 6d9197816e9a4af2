"""Hashes of passwords: argon2id, one verification on every path, in a bounded pool.

Sources: RFC 9106; OWASP, Password Storage Cheat Sheet; NIST SP 800-63B-4, section 3.1.1.2.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar
from unicodedata import normalize

from admit.errors import ConfigurationError, InvalidInput, Overloaded, Text
from admit.features.password import adopted as adoption
from admit.features.password.pool import Pool
from admit.foreign_hashes import argon2_is_affordable

if TYPE_CHECKING:
    from collections.abc import Callable

    from argon2 import PasswordHasher

__all__ = ["LONGEST", "Hasher", "Verdict", "normalized", "prepared"]

_T = TypeVar("_T")

#: Code points. More protect nobody, and hashing them costs the more, the more there are.
LONGEST = 1024
# No code point takes more than four before it is composed.
_LONGEST_TYPED = 4 * LONGEST

#: What OWASP holds for equally strong: KiB of memory, passes. Lanes don't count.
_FLOOR = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))

_SALT_BYTES = 16
_HASH_BYTES = 32
_OURS = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})",
    re.ASCII,
)


class Verdict(NamedTuple):
    """Whether a password is the right one, and the hash that should be stored instead, if one should."""

    matches: bool
    new_hash: str | None = None


class Hasher:
    """Hashes and verifies passwords with argon2id.

    Args:
        memory_kib: The memory that one hash takes, in KiB.
        time_cost: How many times it goes over it.
        parallelism: How many lanes it has; each takes a processor, so one is right for a server.
        pool: Where hashes are computed.
        flask_security_salt: What Flask-Security keyed the adopted passwords with, if it was that.

    Raises:
        ConfigurationError: It would be weaker than OWASP's floor.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        *,
        memory_kib: int = 19456,
        time_cost: int = 2,
        parallelism: int = 1,
        pool: Pool | None = None,
        flask_security_salt: str | None = None,
    ) -> None:
        strong = any(memory_kib >= memory and time_cost >= passes for memory, passes in _FLOOR)
        is_possible = 1 <= parallelism <= memory_kib // 8
        if not strong or not is_possible or not argon2_is_affordable(memory_kib, time_cost, parallelism):
            raise ConfigurationError(_refusal(memory_kib, time_cost, parallelism))
        self._parameters = (memory_kib, time_cost, parallelism)
        self._pool = pool or Pool()
        self._flask_security_salt = flask_security_salt
        # Nobody knows the password of it, and it takes as long as any other.
        self._dummy = self._encoded(secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_HASH_BYTES))

    def hash(self, password: str) -> str:
        """Return what to store of a password.

        Raises:
            InvalidInput: It can't be a password.
            Overloaded: Too many hashes are being computed.
        """
        secret = prepared(password)
        return self._pool.run(lambda: self._hash(secret))

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Tell whether a password is the one whose hash is stored; without one, in the same time, that it is not.

        Exactly one verification is computed whether the account is known, has a password, or neither, so that time
        tells nothing (Django's CVE-2024-39329). A hash with other parameters than the present ones gets a successor.

        Args:
            password: What the client sent.
            stored: The hash; ``None``, or anything that is no hash of argon2id, matches no password.

        Raises:
            InvalidInput: It can't be a password.
            Overloaded: Too many hashes are being computed.
        """
        secret = prepared(password)
        return self._pool.run(lambda: self._verify(secret, stored))

    # -- what another program has hashed ---------------------------------------------------------

    def verify_beside(self, password: str, stored: str | None, *, adopted: bool, example: str | None) -> Verdict:
        """Verify a password where some hashes are another program's, so that time does not tell which are.

        Each time one of its hashes is computed and one of ours: what is verified, and another for nothing. A password
        that matches an adopted hash gets one of ours.

        Args:
            password: What the client sent.
            stored: The hash; ``None``, or anything that is none, matches no password.
            adopted: Whether it is another program's.
            example: One of the other program's hashes, for their form and cost; ``None`` to compute none for nothing.

        Raises:
            InvalidInput: It can't be a password.
            Overloaded: Too many hashes are being computed.
            ConfigurationError: An adopted hash takes a package that is not installed.
        """
        secret, typed = prepared(password), self._typed(password)
        if adopted:
            return self._pool.run(lambda: self._adopt(secret, typed, stored, example))
        return self._pool.run(lambda: self._verify_or_waste(secret, typed, stored, example))

    def hash_alike(self, password: str, example: str) -> str:
        """Return the hash that the program whose hash ``example`` is would store of a password.

        Raises:
            InvalidInput: It can't be a password.
            Overloaded: Too many hashes are being computed.
            ConfigurationError: It takes a package that is not installed.
        """
        prepared(password)
        typed = self._typed(password)
        return self._pool.run(lambda: _enough_memory(lambda: adoption.alike(typed, example)))

    def _typed(self, password: str) -> bytes:
        # Other programs hash what was typed as it is, composed or not.
        if self._flask_security_salt is not None:
            return adoption.flask_security_secret(password, self._flask_security_salt)
        return password.encode()

    def _adopt(self, secret: bytes, typed: bytes, stored: str | None, example: str | None) -> Verdict:
        if not adoption.is_readable(stored):
            return self._verify_or_waste(secret, typed, None, example)
        matches = _enough_memory(lambda: adoption.matches(typed, stored))
        # Also of a wrong password: otherwise time would tell a hash that was adopted from one that is ours.
        new_hash = self._hash_again(secret)
        return Verdict(matches, new_hash if matches else None)

    def _verify_or_waste(self, secret: bytes, typed: bytes, stored: str | None, example: str | None) -> Verdict:
        if example is not None:
            _enough_memory(lambda: adoption.alike(typed, example))
        return self._verify(secret, stored)

    # -- steps -----------------------------------------------------------------------------------

    def _verify(self, secret: bytes, stored: str | None) -> Verdict:
        parameters = _parameters_of(stored)
        matches = self._matches(secret, stored if stored and parameters else self._dummy)
        if not matches or not parameters:
            return Verdict(matches=False)
        return Verdict(matches=True, new_hash=None if parameters == self._parameters else self._hash_again(secret))

    def _hash_again(self, secret: bytes) -> str | None:
        # Whoever gave the right password is let in. There will be another login to hash at.
        with suppress(Overloaded):
            return self._hash(secret)
        return None

    def _hash(self, secret: bytes) -> str:
        from argon2.exceptions import HashingError

        try:
            return self._argon2.hash(secret)
        except HashingError as error:
            raise Overloaded(1) from error

    def _matches(self, secret: bytes, encoded: str) -> bool:
        from argon2.exceptions import VerificationError, VerifyMismatchError

        try:
            return self._argon2.verify(encoded, secret)
        except VerifyMismatchError:
            return False
        except VerificationError as error:
            # The form of the hash was checked, so there is not enough memory. That says nothing about the password.
            raise Overloaded(1) from error

    @cached_property
    def _argon2(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        memory_kib, time_cost, parallelism = self._parameters
        return PasswordHasher(time_cost, memory_kib, parallelism, _HASH_BYTES, _SALT_BYTES)

    def _encoded(self, salt: bytes, digest: bytes) -> str:
        memory_kib, time_cost, parallelism = self._parameters
        return f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${_base64(salt)}${_base64(digest)}"


def _enough_memory(compute: Callable[[], _T]) -> _T:
    from argon2.exceptions import HashingError

    try:
        return compute()
    except (MemoryError, HashingError) as error:
        raise Overloaded(1) from error


def prepared(password: str) -> bytes:
    """Return what is hashed of a password: its NFC in UTF-8, all of it.

    Raises:
        InvalidInput: As :func:`normalized` does.
    """
    return normalized(password).encode()


def normalized(password: str) -> str:
    """Return a password in NFC, so that it is the same from every keyboard.

    Raises:
        InvalidInput: It is empty, has more than 1,024 code points, or holds NUL or half of a surrogate pair, which no
            keyboard makes and some algorithms take for nothing.
    """
    if not password:
        _refuse(Text("Please enter a password."))
    # The first bound is for what would take long to normalize.
    if len(password) > _LONGEST_TYPED or len(composed := normalize("NFC", password)) > LONGEST:
        _refuse(Text("At most {count} characters, please.", count=LONGEST))
    if re.search("[\0\ud800-\udfff]", composed):
        _refuse(Text("This password holds a character that no keyboard has."))
    return composed


def _refuse(reason: Text) -> NoReturn:
    raise InvalidInput({"password": reason})


def _refusal(memory_kib: int, time_cost: int, parallelism: int) -> str:
    floor = ", ".join(f"{memory}/{passes}" for memory, passes in _FLOOR)
    return (
        f"argon2id with memory_kib={memory_kib}, time_cost={time_cost}, parallelism={parallelism} is too weak, or too "
        f"much. Set memory_kib and time_cost to at least one of {floor}, memory_kib to at most 1048576, memory_kib "
        "times time_cost to at most 2621440, and parallelism to 1."
    )


def _parameters_of(stored: str | None) -> tuple[int, int, int] | None:
    """Return memory, passes and lanes of a hash that can be computed, or ``None`` for whatever else is stored."""
    found = _OURS.fullmatch(stored or "")
    if not found or not _is_base64(found[4]) or not _is_base64(found[5]):
        return None
    memory_kib, time_cost, parallelism = int(found[1]), int(found[2]), int(found[3])
    # A row that somebody could write to must not take down the machine.
    is_bounded = 8 * parallelism <= memory_kib and argon2_is_affordable(memory_kib, time_cost, parallelism)
    return (memory_kib, time_cost, parallelism) if is_bounded else None


def _is_base64(text: str) -> bool:
    # In its one spelling: argon2 refuses others before it has computed anything, which would be seen.
    return len(text) % 4 != 1 and _base64(b64decode(text + "=" * (-len(text) % 4))) == text


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")
