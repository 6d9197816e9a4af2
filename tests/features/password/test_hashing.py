"""Hashes of passwords: one verification on every path, all of the password, and nothing that is no password."""

from __future__ import annotations

import resource
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admit.errors import ConfigurationError, InvalidInput, Overloaded, Text
from admit.features.password.hashing import Hasher, Verdict, normalized, prepared
from admit.features.password.pool import Pool, on_behalf_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RIGHT = "correct horse battery staple"
SALT, DIGEST = "c29tZXNhbHRzb21lc2FsdA", "A" * 43
HEAD = "$argon2id$v=19$m=7168,t=5,p=1"


@cache
def hasher() -> Hasher:
    """Return a hasher of the strength that is the least work."""
    return Hasher(memory_kib=7168, time_cost=5)


@cache
def stored() -> str:
    """Return the hash of the right password."""
    return hasher().hash(RIGHT)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each verification that argon2 is asked for, and let it compute."""
    asked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noting(self: argon2.PasswordHasher, encoded: str, secret: bytes) -> bool:
        asked.append(encoded)
        return verify(self, encoded, secret)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noting)
    return asked


def test_a_hash_says_how_it_was_made() -> None:
    """A hash is argon2id with the parameters asked for, a salt of its own and 32 bytes of hash."""
    assert stored().startswith(f"{HEAD}$")
    assert [len(part) for part in stored().split("$")[-2:]] == [22, 43]
    assert hasher().hash(RIGHT) != stored()


def test_the_defaults_are_the_floor_of_owasp() -> None:
    """Without arguments a hash takes 19 MiB and two passes."""
    assert Hasher().hash(RIGHT).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("floor", [(47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5)])
def test_every_floor_of_owasp_is_accepted(floor: tuple[int, int]) -> None:
    """Each of the combinations that OWASP holds for equal is accepted, and what is a little less is not."""
    memory_kib, time_cost = floor
    Hasher(memory_kib=memory_kib, time_cost=time_cost)
    with pytest.raises(ConfigurationError, match="47104/1, 19456/2, 12288/3, 9216/4, 7168/5"):
        Hasher(memory_kib=memory_kib - 1, time_cost=time_cost)


@pytest.mark.parametrize(
    "bad",
    [
        {"parallelism": 0},
        {"parallelism": 2433},
        {"parallelism": 65},
        {"memory_kib": 1 << 21},
        {"memory_kib": 1 << 20, "time_cost": 3},
        {"time_cost": 0},
        {"time_cost": 1},
    ],
)
def test_what_is_weak_or_impossible_is_refused_at_once(bad: dict[str, int]) -> None:
    """Parameters that are too weak, or that no machine could compute, are refused when the application starts."""
    with pytest.raises(ConfigurationError, match=r"is too weak, or too much\. Set memory_kib"):
        Hasher(**bad)


def test_only_the_password_verifies() -> None:
    """The right password matches and needs no new hash."""
    assert hasher().verify(RIGHT, stored()) == Verdict(matches=True, new_hash=None)


@pytest.mark.parametrize(
    "near", [RIGHT.upper(), f"{RIGHT} ", f" {RIGHT}", RIGHT[:-1], RIGHT.replace(" ", ""), RIGHT.replace("o", "0")]
)
def test_a_near_miss_is_a_miss(near: str) -> None:
    """Case, blanks around and one character less make another password (attack 59)."""
    assert hasher().verify(near, stored()) == Verdict(matches=False)


def test_the_whole_password_counts() -> None:
    """A difference after 72 bytes, and after a thousand characters, is a difference (attack 58)."""
    long = "a" * 1023
    encoded = hasher().hash(f"{long}b")
    assert hasher().verify(f"{long}b", encoded).matches
    assert not hasher().verify(f"{long}c", encoded).matches
    assert not hasher().verify(long, encoded).matches


def test_both_spellings_of_an_accent_log_in() -> None:
    """What was composed when it was chosen may come decomposed, and the other way round (attack 61)."""
    composed, decomposed = "caf\u00e9 au lait, s'il vous pla\u00eet", "cafe\u0301 au lait, s'il vous plai\u0302t"
    assert hasher().verify(decomposed, hasher().hash(composed)).matches
    assert hasher().verify(composed, hasher().hash(decomposed)).matches


NO_HASHES = {
    "nothing": None,
    "blank": "",
    "a blank": " ",
    "an unusable mark": "!",
    "the password itself": RIGHT,
    "werkzeug's": "scrypt:32768:8:1$salt$00ff",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "bcrypt": "$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZP9Q3YFdP3e9V0oGZ4zpm9eW0T1uQK",
    "argon2i": f"$argon2i$v=19$m=7168,t=5,p=1${SALT}${DIGEST}",
    "an old version": f"$argon2id$v=16$m=7168,t=5,p=1${SALT}${DIGEST}",
    "no version": f"$argon2id$m=7168,t=5,p=1${SALT}${DIGEST}",
    "four terabytes": f"$argon2id$v=19$m=4294967295,t=5,p=1${SALT}${DIGEST}",
    "two gigabytes": f"$argon2id$v=19$m=2097152,t=1,p=1${SALT}${DIGEST}",
    "a gigabyte for minutes": f"$argon2id$v=19$m=1048576,t=99,p=1${SALT}${DIGEST}",
    "many passes": f"$argon2id$v=19$m=7168,t=1000000,p=1${SALT}${DIGEST}",
    "no passes": f"$argon2id$v=19$m=7168,t=0,p=1${SALT}${DIGEST}",
    "no memory for its lanes": f"$argon2id$v=19$m=8,t=1,p=2${SALT}${DIGEST}",
    "cut": f"{HEAD}${SALT}$",
    "no base64": f"{HEAD}${SALT}${'A' * 41}",
    "another spelling": f"{HEAD}${SALT}${'A' * 42}B",
    "a line end": f"{HEAD}${SALT}${DIGEST}\n",
    "digits of another script": f"$argon2id$v=19$m=7168,t=\u0665,p=1${SALT}${DIGEST}",
}


@pytest.mark.parametrize("what", NO_HASHES)
def test_whatever_is_stored_takes_one_verification(what: str, computed: list[str]) -> None:
    """Without a hash of ours nobody logs in, and one verification of the present cost is computed (attacks 75, 77)."""
    assert hasher().verify(RIGHT, NO_HASHES[what]) == Verdict(matches=False)
    assert [one[: len(HEAD)] for one in computed] == [HEAD]


def test_right_and_wrong_take_one_verification(computed: list[str]) -> None:
    """The right password and a wrong one take one verification each, of what is stored."""
    encoded = stored()
    hasher().verify(RIGHT, encoded)
    hasher().verify("wrong horse battery staple", encoded)
    assert computed == [encoded, encoded]


def test_nobody_knows_the_password_of_the_dummy() -> None:
    """The dummy is another one in each hasher, and what verifies without a stored hash is nothing."""
    hashers = [Hasher(), Hasher()]
    assert len({one._dummy for one in hashers}) == 2
    assert not hasher().verify(RIGHT, None).matches


def test_other_parameters_give_a_new_hash() -> None:
    """When parameters changed, the right password brings a hash with the present ones, and a wrong one does not."""
    risen = Hasher(memory_kib=9216, time_cost=4)
    matches, new_hash = risen.verify(RIGHT, stored())
    assert matches
    assert new_hash
    assert new_hash.startswith("$argon2id$v=19$m=9216,t=4,p=1$")
    assert risen.verify(RIGHT, new_hash) == Verdict(matches=True, new_hash=None)
    assert risen.verify("wrong", stored()) == Verdict(matches=False)


@pytest.mark.parametrize(
    "text",
    ["", "pass\0word", f"{RIGHT}\0", "\0", "\ud800", f"{RIGHT}\udfff", "a" * 1025, "\u00e9" * 1025, "a" * 1_000_000],
)
def test_what_no_keyboard_makes_is_refused(text: str, computed: list[str]) -> None:
    """Nothing, NUL, half a surrogate pair and more than 1,024 characters cost nothing (attacks 57, 60, 62)."""
    for ask in (lambda: hasher().hash(text), lambda: hasher().verify(text, None), lambda: prepared(text)):
        with pytest.raises(InvalidInput) as caught:
            ask()
        assert [*caught.value.fields] == ["password"]
        assert isinstance(caught.value.fields["password"], Text)
        assert "pass" not in caught.value.fields["password"].replace("a password", "").replace("This password", "")
    assert computed == []


def test_length_is_counted_in_composed_code_points() -> None:
    """1,024 code points are accepted however they are spelled, and however many bytes they take."""
    assert len(prepared("\U0001f40e" * 1024)) == 4096
    assert normalized("e\u0301" * 1024) == "\u00e9" * 1024


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300))
def test_prepared_is_nfc_and_whole(password: str) -> None:
    """What is hashed is the NFC of what came, nothing cut and nothing folded, alike for every spelling."""
    assert prepared(password).decode() == normalize("NFC", password)
    assert prepared(normalize("NFD", password)) == prepared(normalize("NFC", password))


@settings(max_examples=15)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80),
)
def test_a_hash_matches_its_password_alone(one: str, other: str) -> None:
    """Any two passwords match each other's hash only if they are the same in NFC."""
    encoded = hasher().hash(one)
    assert hasher().verify(one, encoded).matches
    assert hasher().verify(other, encoded).matches == (normalize("NFC", one) == normalize("NFC", other))


@contextmanager
def little_memory() -> Iterator[None]:
    """Let this process have 64 MiB more than it has, and no gigabyte."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_without_memory_a_password_is_not_called_wrong() -> None:
    """A machine that is out of memory says that it is busy, and lets in whom it can verify, without a new hash."""
    large, encoded = Hasher(memory_kib=1 << 20, time_cost=1), stored()
    assert large._pool.run(lambda: bool(large._argon2))
    for ask in (lambda: large.hash(RIGHT), lambda: large.verify(RIGHT, None)):
        with little_memory(), pytest.raises(Overloaded) as caught:
            ask()
        assert isinstance(caught.value.__cause__, argon2.exceptions.Argon2Error)
    with little_memory():
        assert large.verify(RIGHT, encoded) == Verdict(matches=True, new_hash=None)


def test_a_full_pool_refuses() -> None:
    """Whoever finds no place in the pool hears so, for a hash and for a verification, known account or not."""
    pool = Pool(places=1)
    full = Hasher(pool=pool)
    pool._line.get().enter("ada", 0.0)
    for ask in (lambda: full.hash(RIGHT), lambda: full.verify(RIGHT, None), lambda: full.verify(RIGHT, stored())):
        with on_behalf_of("ada"), pytest.raises(Overloaded):
            ask()


def test_importing_it_is_cheap() -> None:
    """The packages that do the work are loaded with the first password, not with the application."""
    code = (
        "import sys, admit.features.password, admit.features.password.hashing as h, admit.features.password.policy;"
        "import admit.features.password.breaches;"
        "h.Hasher();"
        "print(sys.modules.keys() & {'argon2', 'zxcvbn', 'regex', 'concurrent.futures', 'urllib.request'})"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 -- our own words
    assert ran.stdout.strip() == "set()"
