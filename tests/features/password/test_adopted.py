"""Hashes that other programs made: each is verified as its own program did, at the same cost whatever comes of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import argon2
import bcrypt
import pytest
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import check_password_hash, generate_password_hash

from admit.errors import ConfigurationError, InvalidInput, Overloaded
from admit.features.password import Password, adopted
from admit.features.password.hashing import Hasher, Verdict
from admit.model import Account
from tests.features.conftest import Site

if TYPE_CHECKING:
    from collections.abc import Callable

RIGHT = "correct horse battery staple"
SALT = "a salt of the site"

#: What Django 5.2 made of the right password, at little cost.
DJANGO = {
    "Django pbkdf2_sha256": "pbkdf2_sha256$1000$Xvpm67jeSYoTFhAVsNsf5Y$bSxnER1McMwSMDPptfEYXWHNpZxnGTJYclkDHnTL6us=",
    "Django pbkdf2_sha1": "pbkdf2_sha1$1000$grDHjbNYmiVipbASPaIzyc$pmCXdIDZQusyNU8/Md/GsoScZdw=",
    "Django argon2": "argon2$argon2id$v=19$m=64,t=1,p=8$N0d4REJDRnczTEpDTm1McWlKN2tXbQ"
    "$xjrQ8a7jqNXksfKbINYOVr0tTIJRL/a6z/CEw+6d/e4",
    "Django bcrypt_sha256": "bcrypt_sha256$$2b$04$QFZJQfSGkrGeXMJCO/FJyeLhBTGIzbx7UrwEKlRZqEa2Z.i9c6c7S",
    "Django bcrypt": "bcrypt$$2b$04$BBnLaEyN1gFrq4gyMZNMbuHS0R6oUce.RYqrVgITpNfXeIOiYJGy2",
    "Django scrypt": "scrypt$1024$Z967zmZ57FQD0ZQu6SJyXq$8$5$o6C6KJ6uP049eNLQ+dLGFH1pU+lnmPtI+dza1/GxuskwZFx+C1F"
    "frKeljZ1Pq7JAwMtKJy9Q4733RAhrtFW5Pg==",
}
PASSLIB = {
    "pbkdf2_sha1": 1000,
    "pbkdf2_sha256": 1000,
    "pbkdf2_sha512": 1000,
    "scrypt": 4,
    "bcrypt": 4,
    "bcrypt_sha256": 4,
    "sha256_crypt": 1000,
    "sha512_crypt": 1000,
    "django_pbkdf2_sha256": 1000,
    "django_bcrypt": 4,
    "django_bcrypt_sha256": 4,
}
WERKZEUG = ("scrypt:1024:8:1", "scrypt", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000", "pbkdf2:sha1:1000")


def passlib(name: str, secret: str | bytes, cost: int) -> str:
    """Return what passlib makes of a secret."""
    return getattr(import_module("passlib.hash"), name).using(rounds=cost).hash(secret)


def cheap_bcrypt(secret: bytes, version: str = "2b") -> str:
    """Return what Flask-Bcrypt makes of a password, at little cost."""
    return bcrypt.hashpw(secret[:72], bcrypt.gensalt(4)).decode().replace("$2b$", f"${version}$")


@cache
def hashes() -> dict[str, str]:
    """Return the right password as every program that we know of stores it."""
    found = dict(DJANGO)
    found |= {f"Werkzeug {one}": generate_password_hash(RIGHT, one) for one in WERKZEUG}
    found |= {f"passlib {name}": passlib(name, RIGHT, cost) for name, cost in PASSLIB.items()}
    found |= {f"passlib without {one}": passlib(one, RIGHT, 5000) for one in ("sha256_crypt", "sha512_crypt")}
    found |= {f"bcrypt {one}": cheap_bcrypt(RIGHT.encode(), one) for one in ("2a", "2b", "2y")}
    cheap = {"time_cost": 1, "memory_cost": 64, "parallelism": 2}
    found |= {
        f"argon2 {kind}": argon2.PasswordHasher(**cheap, hash_len=length, type=kind).hash(RIGHT)
        for kind, length in ((Type.ID, 32), (Type.I, 16), (Type.D, 64))
    }
    return found


@cache
def hasher(salt: str | None = None) -> Hasher:
    """Return a hasher of the strength that is the least work."""
    return Hasher(memory_kib=7168, time_cost=5, flask_security_salt=salt)


def verify(password: str, stored: str | None, salt: str | None = None) -> Verdict:
    """Verify a hash of another program."""
    return hasher(salt).verify_beside(password, stored, adopted=True, example=None)


@pytest.mark.parametrize("origin", hashes())
def test_every_form_is_verified(origin: str) -> None:
    """The right password matches the hash of each program and gets one of ours; near misses do not (attack 59)."""
    matches, new_hash = verify(RIGHT, hashes()[origin])
    assert matches
    assert hasher().verify(RIGHT, new_hash) == Verdict(matches=True)
    for wrong in (RIGHT.upper(), f"{RIGHT} ", RIGHT[:-1], "x"):
        assert verify(wrong, hashes()[origin]) == Verdict(matches=False)


@pytest.mark.parametrize("origin", hashes())
def test_every_form_is_made_again(origin: str) -> None:
    """A hash alike has the form and the cost of its example, another salt, and the password that it was made of."""
    example = hashes()[origin]
    made = hasher().hash_alike("another password", example)
    assert len(made) == len(example)
    assert made[:3] == example[:3]
    assert made != hasher().hash_alike("another password", example) != example
    assert verify("another password", made).matches
    assert not verify(RIGHT, made).matches


def test_the_programs_read_what_is_made_again() -> None:
    """What is made in the form of Werkzeug, passlib, argon2-cffi and bcrypt is verified by these themselves."""
    for origin, example in hashes().items():
        made = hasher().hash_alike(RIGHT, example)
        if origin.startswith("Werkzeug"):
            assert check_password_hash(made, RIGHT)
        elif origin.startswith("passlib"):
            scheme = next(one for one in sorted(PASSLIB, key=len, reverse=True) if origin.endswith(one))
            assert getattr(import_module("passlib.hash"), scheme).verify(RIGHT, made)
        elif origin.startswith("argon2"):
            assert argon2.PasswordHasher().verify(made, RIGHT)
        elif origin.startswith("bcrypt"):
            assert bcrypt.checkpw(RIGHT.encode(), made.encode())


@pytest.mark.parametrize("stored", ["scrypt", "pbkdf2:sha256:1000"])
def test_a_trailing_nul_is_no_part_of_a_password(stored: str) -> None:
    """`pw` with a NUL behind it, which these algorithms take for `pw`, is refused (attack 57)."""
    encoded = generate_password_hash(RIGHT, stored)
    assert check_password_hash(encoded, f"{RIGHT}\0")  # there
    with pytest.raises(InvalidInput):
        verify(f"{RIGHT}\0", encoded)  # here
    with pytest.raises(InvalidInput):
        hasher().hash_alike(f"{RIGHT}\0", encoded)


def test_bcrypt_of_a_long_password() -> None:
    """Bcrypt saw 72 bytes when the password was chosen; from the first login on all of it counts (attack 58)."""
    long = "ü" * 40 + " and more"
    stored = cheap_bcrypt(long.encode())
    matches, new_hash = verify(long, stored)
    assert matches
    assert not verify("ü" * 35 + "x", stored).matches
    assert not hasher().verify(f"{long}!", new_hash).matches
    assert not hasher().verify("ü" * 36, new_hash).matches


def test_bcrypt_with_a_digest_before_it_sees_everything() -> None:
    """Django's and passlib's bcrypt_sha256 hash a digest, so that what follows 72 bytes counts."""
    long = "a" * 100
    for name in ("bcrypt_sha256", "django_bcrypt_sha256"):
        stored = passlib(name, long, 4)
        assert verify(long, stored).matches
        assert not verify(f"{long[:-1]}b", stored).matches


@pytest.mark.parametrize("password", [RIGHT, "ü" * 80, "cafe\u0301 \ufb01"])
@pytest.mark.parametrize("scheme", ["argon2", "bcrypt", "pbkdf2_sha512"])
def test_flask_security_keys_what_it_hashes(password: str, scheme: str) -> None:
    """With Flask-Security's salt its hashes are verified, and without it or with another one they are not."""
    keyed = base64.b64encode(
        hmac.new(SALT.encode(), normalize("NFKD", password).encode(), hashlib.sha512).digest()
    ).decode()
    stored = {
        "argon2": lambda: argon2.PasswordHasher(1, 64, 1).hash(keyed),
        "bcrypt": lambda: cheap_bcrypt(keyed.encode()),
        "pbkdf2_sha512": lambda: passlib("pbkdf2_sha512", keyed, 1000),
    }[scheme]()
    matches, new_hash = verify(password, stored, SALT)
    assert matches
    assert hasher().verify(password, new_hash).matches
    assert not verify(f"{password}x", stored, SALT).matches
    assert not verify(password, stored).matches
    assert not verify(password, stored, "another").matches
    assert verify(password, hasher(SALT).hash_alike(password, stored), SALT).matches


def test_what_was_typed_is_hashed_as_it_is() -> None:
    """Other programs do not compose what they hash, so that it is compared as it was typed."""
    typed = "cafe\u0301 au lait"
    assert verify(typed, generate_password_hash(typed, "pbkdf2:sha256:1000")).matches


UNREADABLE = {
    "nothing": None,
    "blank": "",
    "Django's mark": "!mUxRS9mZ2mJzF3cDZ2hVwBGbfHUxHZ6mpRiRGvXz",
    "the password itself": RIGHT,
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "an old crypt": "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
    "an unknown method": "argon3$x$y",
    "scrypt of a terabyte": f"scrypt:1073741824:8:1$salt${'0' * 128}",
    "scrypt for an hour": f"scrypt:65536:8:99$salt${'0' * 128}",
    "scrypt of no power": f"scrypt:1000:8:1$salt${'0' * 128}",
    "scrypt of one": f"scrypt:1:8:1$salt${'0' * 128}",
    "scrypt beyond its block": f"scrypt:65536:1:1$salt${'0' * 128}",
    "rounds for a day": f"pbkdf2:sha256:99999999$salt${'0' * 64}",
    "rounds of crypt": f"$6$rounds=999999999$salt${'a' * 86}",
    "bcrypt for a day": f"$2b$31${'a' * 21}O{'a' * 31}",
    "bcrypt with the bug": f"$2x$04${'a' * 21}O{'a' * 31}",
    "argon2 of four gigabytes": "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "argon2 without memory": "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "no bytes": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb$" + "A" * 43,
    "a line end": f"scrypt:1024:8:1$salt${'0' * 128}\n",
    "digits of another script": f"scrypt:\u0661024:8:1$salt${'0' * 128}",
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_no_hash_matches_nothing(what: str) -> None:
    """A mark, a hash of no strength and one that would take the machine down are no hashes, and nothing breaks."""
    stored = UNREADABLE[what]
    assert not adopted.is_readable(stored)
    assert not adopted.matches(RIGHT.encode(), stored)
    assert verify(RIGHT, stored) == Verdict(matches=False)
    with pytest.raises(ValueError, match="no hash"):
        adopted.alike(b"x", str(stored))


# Of bits that should be nothing, the library warns whoever runs it.
@pytest.mark.filterwarnings("ignore:encountered a bcrypt (hash|salt)")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_hash_breaks_nothing(data: st.DataObject) -> None:
    """Whatever one character of a hash is changed to, it is no hash or another one's."""
    stored = data.draw(st.sampled_from([one for name, one in sorted(hashes().items()) if name != "Werkzeug scrypt"]))
    place = data.draw(st.integers(0, len(stored) - 1))
    other = data.draw(st.sampled_from("$:=,./+0159azAZ!~ é\0"))
    damaged = stored[:place] + other + stored[place + 1 :]
    costs = re.findall(r"\d+", damaged)
    if adopted.is_readable(damaged) and max(map(int, costs), default=0) < 100_000:
        adopted.matches(b"another", damaged)
        adopted.alike(b"another", damaged)


def test_without_the_extra_the_developer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that takes a package that is not there is an error of the installation, which says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "bcrypt", None)
    with pytest.raises(ConfigurationError, match=r"take bcrypt\. Install admit\[adopt\]\."):
        verify(RIGHT, hashes()["bcrypt 2b"])


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the hashes that are computed, by what computes them."""
    counted: Counter[str] = Counter()

    def noting(name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
        def note(*given: Any, **named: Any) -> Any:
            counted[name] += 1
            return compute(*given, **named)

        return note

    for name in ("hash", "verify"):
        monkeypatch.setattr(argon2.PasswordHasher, name, noting("ours", getattr(argon2.PasswordHasher, name)))
    monkeypatch.setattr(hashlib, "scrypt", noting("theirs", hashlib.scrypt))
    return counted


def test_every_login_costs_one_hash_of_each(computed: Counter[str]) -> None:
    """Where hashes were adopted, moved accounts, others, unknown ones and wrong passwords cost the same."""
    example = generate_password_hash(RIGHT, "scrypt:1024:8:1")
    ours = hasher().hash(RIGHT)
    for password in (RIGHT, "wrong"):
        for stored, is_adopted in ((example, True), (ours, False), (None, False), ("!unusable", True), (None, True)):
            computed.clear()
            hasher().verify_beside(password, stored, adopted=is_adopted, example=example)
            assert computed == {"ours": 1, "theirs": 1}


def test_without_memory_a_hash_is_not_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is out of memory says that it is busy."""

    def fail(*given: Any, **named: Any) -> bytes:
        raise MemoryError

    monkeypatch.setattr(hashlib, "scrypt", fail)
    with pytest.raises(Overloaded):
        verify(RIGHT, hashes()["Werkzeug scrypt:1024:8:1"])


# -- logging in -------------------------------------------------------------------------------------------------------


def site_with(stored: str, **options: Any) -> tuple[Site, Account]:
    """Return a site, and an account whose password another program has hashed."""
    password = Password(memory_kib=7168, time_cost=5, **options)
    site = Site(password)
    account = site.account("ada@example.org")
    credential = password.adopt(account, stored, site.clock())
    assert credential
    site.store.add_credential(credential)
    return site, account


def test_an_adopted_hash_moves_at_the_first_login() -> None:
    """Whoever signs in by an adopted hash has one of argon2id afterwards, and signs in by that (attack 65)."""
    site, account = site_with(generate_password_hash(RIGHT))
    for _ in range(2):
        client = site.client()
        client.send("/sign-in", identifier="ada@example.org", password=RIGHT)
        assert client.is_in
        moved = site.store.get_credential("password", account.id)
        assert moved
        assert moved.secret.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
        assert not moved.is_adopted


COSTLY = "$argon2id$v=19$m=1048576,t=99,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


@pytest.mark.parametrize("details", [{"adopted": "password"}, {}])
def test_a_hash_that_costs_too_much_is_not_computed(
    computed: Counter[str], caplog: pytest.LogCaptureFixture, details: dict[str, str]
) -> None:
    """It is answered like a wrong password, at the cost of one, and logged once without what the row holds."""
    site, account = site_with(hashes()["Werkzeug scrypt:1024:8:1"], adopted_like=hashes()["Werkzeug scrypt:1024:8:1"])
    kept = site.store.get_credential("password", account.id)
    assert kept
    assert site.store.replace_credential(kept, replace(kept, secret=COSTLY, details=details))
    for _ in range(2):
        computed.clear()
        answer = site.client().send("/sign-in", identifier="ada@example.org", password=RIGHT)
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_credentials")
        assert computed == {"ours": 1, "theirs": 1}
    [record] = [one for one in caplog.records if one.name == "admit.password"]
    assert f"Account {account.id} can't sign in by its password." in record.getMessage()
    assert "(argon2, m=1048576, t=99, p=1)" in record.getMessage()
    assert "c29tZXNhbHRzb21lc2FsdA" not in record.getMessage()


def test_how_often_that_is_logged_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever spoils a whole table fills no memory and no log."""
    password = Password()
    for number in range(1200):
        credential = password.adopt(account_named(str(number)), hashes()["bcrypt 2b"], datetime.now(UTC))
        assert credential
        password._tell_of_cost(replace(credential, secret=COSTLY))
    assert len(caplog.records) == 1000


def test_a_hash_that_costs_too_much_is_no_example() -> None:
    """It is neither taken over nor an example, and the developer is told why."""
    assert Password().adopt(account_named("ada"), COSTLY, datetime.now(UTC)) is None
    with pytest.raises(ConfigurationError, match=r"can't be verified\. This hash \(argon2, m=1048576.* Set it to one"):
        Password(adopted_like=COSTLY)


def account_named(name: str) -> Account:
    """Return an account."""
    return Account(name, (), datetime.now(UTC))


def test_a_wrong_password_moves_nothing() -> None:
    """An adopted hash stays as it is until its owner comes."""
    stored = generate_password_hash(RIGHT)
    site, account = site_with(stored, adopted_like=stored)
    assert site.client().send("/sign-in", identifier="ada@example.org", password="wrong").status_code == 401
    kept = site.store.get_credential("password", account.id)
    assert kept
    assert kept.is_adopted
    assert kept.secret == stored


def test_what_is_no_hash_is_not_adopted() -> None:
    """What can't be verified is no credential, and no example for others either."""
    site, account = site_with(generate_password_hash(RIGHT))
    assert Password().adopt(account, "!unusable", site.clock()) is None
    with pytest.raises(ConfigurationError, match=r"ADMIT_PASSWORD_ADOPTED_LIKE can't be verified\. Set it"):
        Password(adopted_like="!unusable")


def test_the_first_readable_example_counts() -> None:
    """An application with marks among its hashes has the first real one for an example, or else Werkzeug's."""

    class Asked:
        def __init__(self, *kept: str) -> None:
            self.kept: tuple[str, ...] | None = kept

        def examples(self) -> tuple[str, ...] | None:
            return self.kept

        def load_user(self, account_id: str) -> None:
            return None

        def open(self, **options: Any) -> Any:
            return None

    bcrypted = hashes()["bcrypt 2b"]
    assert adopted.example_of(Asked("", "!", bcrypted, DJANGO["Django scrypt"])) == bcrypted
    assert str(adopted.example_of(Asked())).startswith("scrypt:32768:8:1$")
    nothing = Asked()
    nothing.kept = None
    assert adopted.example_of(nothing) is adopted.example_of(object()) is None


def test_a_new_password_comes_without_an_echo() -> None:
    """Where nobody else reads passwords, nothing is hashed in another form."""
    site, account = site_with(generate_password_hash(RIGHT), adopted_like=generate_password_hash("x"))
    client = site.client()
    client.send("/sign-in", identifier="ada@example.org", password=RIGHT)
    client.send("/password", old_password=RIGHT, password="the moon is made of green cheese")
    kept = site.store.get_credential("password", account.id)
    assert kept
    assert kept.details == {}
    assert replace(kept, details={"adopted": ""}).is_adopted
