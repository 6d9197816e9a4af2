"""What a stored hash may cost: told by its text alone, before anything is computed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.foreign_hashes import argon2_is_affordable, cost_objection, read

B64, HEX, H64 = "A" * 43, "0" * 128, "a" * 31
SALT = "c29tZXNhbHRzb21lc2FsdA"


def argon2(m: int, t: int, p: int, kind: str = "argon2id", before: str = "") -> str:
    """Return what argon2-cffi or Django stores."""
    return f"{before}${kind}$v=19$m={m},t={t},p={p}${SALT}${B64}"


def bcrypt(cost: int, before: str = "") -> str:
    """Return what bcrypt or Django stores."""
    return f"{before}$2b${cost:02}${'a' * 21}O{H64}"


#: What real applications store, with the costs that their programs have by default or that they may have raised.
USUAL = {
    "Werkzeug": f"scrypt:32768:8:1$salt${HEX}",
    "Werkzeug, raised": f"scrypt:131072:8:4$salt${HEX}",
    "Werkzeug 2": f"pbkdf2:sha256:1000000$salt${HEX[:64]}",
    "Werkzeug, sha512": f"pbkdf2:sha512:2000000$salt${HEX}",
    "Werkzeug, the longest salt": f"scrypt:32768:8:1${'s' * 128}${HEX}",
    "Django 6": f"pbkdf2_sha256$1200000$salt${B64}=",
    "Django, raised": f"pbkdf2_sha256$4000000$salt${B64}=",
    "Django argon2": argon2(102400, 2, 8, before="argon2"),
    "Django scrypt": f"scrypt$16384$salt$8$5${'A' * 86}==",
    "Django bcrypt": bcrypt(12, "bcrypt$"),
    "Django bcrypt_sha256": bcrypt(12, "bcrypt_sha256$"),
    "argon2-cffi": argon2(65536, 3, 4),
    "argon2, much": argon2(262144, 10, 1),
    "argon2, a gigabyte": argon2(1048576, 2, 4),
    "bcrypt": bcrypt(15),
    "passlib pbkdf2_sha1": f"$pbkdf2$131000$salt${'a' * 27}",
    "passlib pbkdf2_sha256": f"$pbkdf2-sha256$29000$salt${'a' * 43}",
    "passlib pbkdf2_sha512": f"$pbkdf2-sha512$25000$salt${'a' * 86}",
    "passlib scrypt": f"$scrypt$ln=16,r=8,p=1${SALT}${B64}",
    "passlib sha512_crypt": f"$6$rounds=656000$salt${'a' * 86}",
    "passlib sha256_crypt": f"$5$salt${'a' * 43}",
    "passlib bcrypt_sha256": f"$bcrypt-sha256$v=2,t=2b,r=12${'a' * 21}O${H64}",
}
#: What asks for more than can be paid, by each of the numbers that a form has.
COSTLY = {
    "argon2 for minutes": argon2(1048576, 99, 1),
    "argon2, one pass more": argon2(262144, 11, 1),
    "argon2 of memory": argon2(1048577, 1, 1),
    "argon2 of terabytes": argon2(4_000_000_000, 1, 1),
    "argon2 of passes": argon2(64, 4_000_000_000, 1),
    "argon2 of threads": argon2(1024, 1, 65),
    "argon2i": argon2(1048576, 99, 1, "argon2i"),
    "argon2d": argon2(1048576, 99, 1, "argon2d"),
    "Django argon2": argon2(1048576, 99, 1, before="argon2"),
    "scrypt of n": f"scrypt:1048576:8:1$salt${HEX}",
    "scrypt of r": f"scrypt:32768:129:1$salt${HEX}",
    "scrypt of p": f"scrypt:32768:8:17$salt${HEX}",
    "scrypt of all": f"scrypt:2147483648:4000000000:4000000000$salt${HEX}",
    "Django scrypt": f"scrypt$1048576$salt$8$5${'A' * 86}==",
    "passlib scrypt": f"$scrypt$ln=99,r=99,p=1${SALT}${B64}",
    "pbkdf2": f"pbkdf2:sha256:4000001$salt${HEX[:64]}",
    "pbkdf2 of a long digest": f"pbkdf2:sha512:2000001$salt${HEX}",
    "pbkdf2, sha384": f"pbkdf2:sha384:2000001$salt${HEX[:96]}",
    "Django pbkdf2": f"pbkdf2_sha256$4000001$salt${B64}=",
    "Django pbkdf2_sha1": f"pbkdf2_sha1$9999999999$salt${'A' * 27}=",
    "passlib pbkdf2_sha256": f"$pbkdf2-sha256$4000001$salt${'a' * 43}",
    "passlib pbkdf2_sha512": f"$pbkdf2-sha512$2000001$salt${'a' * 86}",
    "bcrypt": bcrypt(16),
    "bcrypt for a day": bcrypt(31),
    "Django bcrypt": bcrypt(16, "bcrypt$"),
    "Django bcrypt_sha256": bcrypt(31, "bcrypt_sha256$"),
    "passlib bcrypt_sha256": f"$bcrypt-sha256$v=2,t=2b,r=16${'a' * 21}O${H64}",
    "sha256_crypt": f"$5$rounds=1000000$salt${'a' * 43}",
    "sha512_crypt": f"$6$rounds=999999999$salt${'a' * 86}",
}
#: What is no hash at all, whatever it costs.
NOTHING = {
    "nothing": None,
    "blank": "",
    "a mark": "!",
    "too long": f"scrypt:32768:8:1${'s' * 400}${HEX}",
    "too long a salt": f"scrypt:32768:8:1${'s' * 129}${HEX}",
    "half a byte": f"$argon2id$v=19$m=64,t=1,p=1${SALT[:-1]}AAAA${B64}AA",
    "a number without end": f"scrypt:{'9' * 300}:8:1$salt${HEX}",
    "lanes beyond the memory": argon2(8, 1, 2),
    "no power": f"scrypt:1000:8:1$salt${HEX}",
    "no bcrypt": bcrypt(3),
    "bcrypt beyond its own bound": bcrypt(32),
}


@pytest.mark.parametrize("origin", USUAL)
def test_what_applications_use_is_computed(origin: str) -> None:
    """The costs of real applications are within the bounds, with room for more."""
    found = read(USUAL[origin])
    assert found
    assert found.parts["salt"]
    assert cost_objection(USUAL[origin]) is None


@pytest.mark.parametrize("origin", COSTLY)
def test_what_costs_too_much_is_no_hash(origin: str) -> None:
    """Each number that a form has is bounded, and the sentence says which numbers the hash has, and no digest."""
    stored = COSTLY[origin]
    assert read(stored) is None
    sentence = cost_objection(stored)
    assert sentence is not None
    assert sentence.endswith("costs more than is computed here.")
    assert "=" in sentence
    assert stored.rpartition("$")[2] not in sentence


@pytest.mark.parametrize("origin", NOTHING)
def test_what_is_no_hash_costs_nothing(origin: str) -> None:
    """Of a text that is no hash nothing is said of its cost."""
    assert read(NOTHING[origin]) is None
    assert cost_objection(NOTHING[origin]) is None


@given(st.text("$:=,./+0159azAZ! ", max_size=2000) | st.sampled_from([*USUAL.values(), *COSTLY.values()]), st.data())
def test_whatever_is_stored_is_one_of_the_three(text: str, data: st.DataObject) -> None:
    """A text is a hash that is computed, one that costs too much, or none; never two of these."""
    place = data.draw(st.integers(0, len(text)))
    damaged = text[:place] + data.draw(st.text("$09aA", max_size=3)) + text[place:]
    assert read(damaged) is None or cost_objection(damaged) is None


def test_ours_are_bounded_alike() -> None:
    """The bound of argon2 is that of the setting and of our own hashes, too."""
    assert argon2_is_affordable(19456, 2, 1)
    assert not argon2_is_affordable(1 << 20, 3, 1)
    assert not argon2_is_affordable((1 << 20) + 1, 1, 1)
    assert not argon2_is_affordable(19456, 2, 65)
