"""The policy of passwords: long enough, not tried first, and no other rules."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from admit.errors import InvalidInput
from admit.features.password.policy import BreachCheck, check, strength

WORDS = ["Wunderbar Shop", "ada.lovelace@example.org", "adalove"]


def refusal(password: str, minimum: int = 15, breach_check: BreachCheck | None = None) -> str | None:
    """Return why a password is refused, or `None` if it is good enough."""
    try:
        check(password, minimum=minimum, words=WORDS, breach_check=breach_check)
    except InvalidInput as error:
        assert [*error.fields] == ["password"]
        return error.fields["password"]
    return None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "the moon is made of green cheese",
        "dreiundzwanzig Äpfel im Garten",
        "日本語の長いパスフレーズは十五文字以上",
        "Tr0ub4dor&3 was his name",
        "   leading and trailing blanks   ",
        "kX9#mQ2$vL7@pR4!",
        "no upper case no digit no sign",
        "🦊🐻🐼🦁🐯🐨🐸🐵🐔🐧🐦🐤🦆🦅🦉",
        "x" * 5 + " marks the spot where we dug " + "y" * 900,
    ],
)
def test_good_ones(password: str) -> None:
    """Passphrases pass as they are: blanks, any script, no rules about characters, up to a thousand of them."""
    assert refusal(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "1234567890123456",
        "qwertyuiopqwertyuiop",
        "ada.lovelace@example.org",
        "AdaLovelace1815!!",
        "wunderbar-shop-2026",
        "adaloveadaloveadalove",
        "example.org-example.org",
        "ａｄａ.lovelace 1815 !",
    ],
)
def test_bad_ones(password: str) -> None:
    """Long but common, repeated, in a row on the keyboard, or made of one's own words: refused with a sentence."""
    reason = refusal(password)
    assert reason
    assert reason.endswith(".")


@pytest.mark.parametrize("password", ["password", "PASSWORD", "letmein1", "qwertyui", "iloveyou"])
def test_common_ones(password: str) -> None:
    """The most common ones are refused where eight characters would do, in whatever case."""
    assert refusal(password, minimum=8) is not None


@pytest.mark.parametrize(("count", "minimum"), [(14, 15), (7, 8)])
def test_short_ones(count: int, minimum: int) -> None:
    """One character too few is refused with how many there have to be."""
    password = "kX9#mQ2$vL7@pR4!"
    assert f"At least {minimum} characters" in str(refusal(password[:count], minimum))
    assert refusal(password[:minimum], minimum) is None


def test_characters_are_counted_as_people_do() -> None:
    """An accent that was typed as a character of its own is none: the count is the same from every keyboard."""
    composed = "é" * 5 + "kX9#mQ2$v"
    assert refusal(composed) == refusal(normalize("NFD", composed)) is not None


@pytest.mark.parametrize("password", ["", "a" * 1025, "nul \0 in the middle of it", "half \ud800 of a character"])
def test_impossible_ones(password: str) -> None:
    """Nothing, too much, NUL and half characters are refused before anything is computed."""
    assert refusal(password) is not None


class Breaches:
    """Knows one password."""

    def count(self, password: str) -> int:
        """Return three for the one that is known."""
        return 3 * (password == "correct horse battery staple")


def test_breached_ones() -> None:
    """A password that is known from a breach is refused when somebody is asked who knows."""
    assert "breach" in str(refusal("correct horse battery staple", breach_check=Breaches()))
    assert refusal("the moon is made of green cheese", breach_check=Breaches()) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
@example("")
@example("0" * 200)
def test_every_password_has_a_strength(password: str) -> None:
    """Whatever somebody types has a strength, quickly."""
    assert 0 <= strength(password, WORDS).score <= 4


def test_strength_knows_the_owner() -> None:
    """A word of one's own is no riddle; what is hard to guess has no warning."""
    assert strength("adalovelace", WORDS).score < strength("kX9#mQ2$vL7@pR4!", WORDS).score
    assert strength("password").warning
    assert strength("kX9#mQ2$vL7@pR4!").warning is None
