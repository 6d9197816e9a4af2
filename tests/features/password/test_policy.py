"""What may be a password: long enough, not what others try first, and otherwise whatever somebody likes."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admit.errors import InvalidInput, Text
from admit.features.password.policy import check, strength
from admit.identifiers import canonical

WORDS = ["Ada Lovelace", "ada.lovelace@mail.example.org", "Analytical Shop", "shop.example.com"]


def refusal(password: str, *, minimum: int = 15, words: list[str] = WORDS) -> str | None:
    """Return why a password is refused, or nothing."""
    reasons: dict[str, str] = {}
    try:
        check(password, minimum=minimum, words=words)
    except InvalidInput as error:
        reasons = error.fields
    assert reasons.keys() <= {"password"}
    assert all(isinstance(reason, Text) for reason in reasons.values())
    return reasons.get("password")


@pytest.mark.parametrize(
    "password",
    [
        *("correct horse battery staple", "correcthorsebatterystaple", "trombone vanish copper", "the quick brown fox"),
        *("vier rote autos hupen", "   blanks   at both ends   ", "THREE SHOUTED WORDS", "tab\tand\nline, as pasted"),
        *(
            "\u79c1\u306f\u6bce\u671d\u30b3\u30fc\u30d2\u30fc\u3092\u98f2\u307f\u307e\u3059\u3002\u306f\u3044",
            "\u0441\u043e\u0440\u043e\u043a \u0442\u044b\u0441\u044f\u0447 \u043e\u0431\u0435\u0437\u044c\u044f\u043d",
        ),
        *(
            "\U0001f40e\U0001f50b\U0001f4ce\u2705 horse battery",
            "xKq9#mZ2$vL8@pW4",
            "f3b9c2d1a0e84756",
            "83749283740192834",
        ),
        *("8374-cat-9283-2938", "the lovelace horse battery", "'; DROP TABLE users; --", "${jndi:ldap://x} {{7*7}}"),
        *("only lower case letters", "x" * 500 + " and something else", "a1" * 30 + "jd83hf7dkq0dk3" * 5),
    ],
)
def test_good_passphrases_are_accepted(password: str) -> None:
    """Words with blanks, any script, any sign and any length are fine, without rules of composition (attack 64)."""
    assert refusal(password) is None


@pytest.mark.parametrize("minimum", [8, 15])
def test_length_is_asked_for(minimum: int) -> None:
    """A password of one code point less than asked for is refused with the number, and one of as many is not."""
    long = "kq7vzm2xwj9tbf4"[:minimum]
    assert f"At least {minimum} " in str(refusal(long[:-1], minimum=minimum))
    assert refusal(long, minimum=minimum) is None


def test_length_is_counted_after_composing() -> None:
    """A letter with an accent counts once, however it was typed, and a character of four bytes counts once too."""
    assert "At least 15" in str(refusal("e\u0301" * 3 + "kq7vzm2xwj9"))
    assert refusal("e\u0301" * 3 + "kq7vzm2xwj9t") is None
    assert "At least 8" in str(refusal("\U0001f40e\U0001f50b\U0001f4ce\u2705", minimum=8))


@pytest.mark.parametrize("password", ["", "pass\0word pass\0word", "\ud800" * 20, "a" * 1025, "long " * 200_000])
def test_what_can_not_be_a_password_is_refused(password: str) -> None:
    """Nothing, NUL, half a surrogate pair and more than 1,024 characters are refused (attacks 57, 60, 62)."""
    assert refusal(password)


@pytest.mark.parametrize(
    ("minimum", "password"),
    [
        *((8, text) for text in ["password", "PASSWORD", "Passw0rd", "p@$$w0rd", "trustno1", "sunshine1", "letmein!"]),
        *(
            (8, text)
            for text in ["11111111", "12345678", "qwertyuiop", "baseball", "1password1", "password!!!!!!!!!!!"]
        ),
        *((8, text) for text in ["\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "jonathan", "mountain"]),
        *((15, text) for text in ["password12345678", "passwordpassword", "P@ssw0rd P@ssw0rd", "Password1!Password1!"]),
        *((15, text) for text in ["monkey-monkey-monkey", "iloveyou iloveyou", "admin12345678901", "Summer2024!!!!!"]),
        *((15, text) for text in ["internationalization", "1qaz2wsx3edc4rfv", "changemechangeme", "qwerty123456789"]),
    ],
)
def test_common_passwords_are_refused(minimum: int, password: str) -> None:
    """Common passwords and words are refused and called so, also doubled, decorated or in signs (attack 63)."""
    assert "common password or word" in str(refusal(password, minimum=minimum))


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("aaaaaaaaaaaaaaaa", "Repeats"),
        ("abcabcabcabcabcabc", "Repeats"),
        (" " * 15, "Repeats"),
        ("abcdefghijklmno", "Sequences"),
        ("][poiuytrewq';/.", "Rows of keys"),
        ("1234567890123456", "easy to guess"),
        ("qwertyuiopasdfghjkl", "easy to guess"),
        ("ab" * 500, "Repeats"),
    ],
)
def test_patterns_are_refused(password: str, reason: str) -> None:
    """Repeats, sequences and rows of keys are refused and called so, however long (attack 63)."""
    assert reason in str(refusal(password))


@pytest.mark.parametrize(
    "password",
    [
        *(
            "ada.lovelace@mail.example.org",
            "adalovelace12345",
            "ADA LOVELACE 1815",
            "LovelaceLovelace",
            "lovelace19991231",
        ),
        *(
            "4d4 L0vel@ce 1815",
            "adaadaadaadaada",
            "AnalyticalShop2026",
            "shop.example.com",
            "!!!lovelace!!!!!",
            "mailmailmailmail",
        ),
        *("ada-lovelace-ada-lovelace", "exampleexample1", "\uff2c\uff4f\uff56\uff45\uff4c\uff41\uff43\uff45 20262026"),
    ],
)
def test_the_account_s_own_words_are_refused(password: str) -> None:
    """Names, the address and the site are refused and called so, repeated, decorated and in signs too (attack 63)."""
    assert "name of yours or of this site" in str(refusal(password))


def test_without_words_they_are_no_reason() -> None:
    """What is a name here is none elsewhere."""
    assert refusal("Lovelace meets Babbage", words=[]) is None
    assert refusal("Lovelace Babbage", words=["Babbage"]) is None
    assert refusal("Lovelace Babbage", words=["Babbage", "Lovelace"])


def test_words_are_not_taken_apart_into_others() -> None:
    """Taking one word out does not make another of what was around it."""
    assert refusal("lovemailelace kq7v zm2x wj", words=["mail", "lovelace"]) is None


@pytest.mark.parametrize("words", [[""], [" ", "@", "--"], ["a" * 100_000], ["\ud800\0"], ["x@"], ["1"]])
def test_odd_words_do_no_harm(words: list[str]) -> None:
    """Words of nothing, of signs and of enormous length neither raise nor refuse what is good."""
    assert refusal("correct horse battery staple", words=words) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_any_text_is_refused_in_words_or_accepted(password: str, words: list[str]) -> None:
    """Whatever comes, there is a reason for people or none, and a low strength has one too."""
    refusal(password, minimum=8, words=words)
    score, warning = strength(password, words)
    assert 0 <= score <= 4
    assert (warning is None) == (score > 2)


@given(TEXTS.filter(lambda text: len(text) >= 4), st.integers(1, 3), st.text("0123456789", max_size=4))
def test_a_name_with_digits_is_never_accepted(name: str, times: int, digits: str) -> None:
    """The name itself, in capitals, repeated or with digits, is refused whatever the name is, if it has letters."""
    if sum(one.isascii() and one.isalpha() for one in name) < 4:
        name = f"zyxw{name}"
    assert refusal(name * times + digits, minimum=1, words=[name])
    assume(canonical(name.upper()) == canonical(name))
    assert refusal(name.upper(), minimum=1, words=[name])


@pytest.mark.parametrize(
    ("password", "score", "warning"),
    [
        ("password", 0, "Common words"),
        ("aaaaaaaaaa", 0, "Repeats"),
        ("abcdefghij", 0, "Sequences"),
        ("zxcvbnm,./", 1, "Rows of keys"),
        ("1997", 0, "Years"),
        ("13.05.1997", 1, "Dates"),
        ("x7q", 0, "A few words"),
        ("correct horse battery staple", 4, None),
    ],
)
def test_strength_says_why_it_is_low(password: str, score: int, warning: str | None) -> None:
    """The strength of a weak password comes with a sentence for people, and that of a strong one without."""
    found = strength(password)
    assert found.score == score
    assert (found.warning is None) if warning is None else (warning in str(found.warning))


def test_strength_knows_the_account_s_words() -> None:
    """A name that is hard to guess for strangers is not for those who know it."""
    assert strength("Xanthippe Quux").score > strength("Xanthippe Quux", ["xanthippe quux"]).score


@pytest.mark.parametrize(
    "password",
    ["4@8({[<3691!|70$5+7%2" * 48, "@({[<!|$+%" * 100, "a4@8({[<3691!|70$5+7%2" * 4, "0123456789" * 100, "aA1!" * 250],
)
def test_a_hostile_password_is_estimated_in_few_readings(password: str) -> None:
    """However many signs may stand for letters, few readings are tried, where all would take seconds (attack 60)."""
    from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

    from admit.features.password.guesses import _readable

    text = _readable(password[:72])
    assert len(text) == len(password[:72])
    assert len(enumerate_l33t_subs(relevant_l33t_subtable(text, L33T_TABLE))) <= 8
    strength(password)


def test_few_signs_are_read_as_letters() -> None:
    """The signs of a usual password are left as they are."""
    from admit.features.password.guesses import _readable

    assert _readable("P@ssw0rd!") == "P@ssw0rd!"


def test_the_words_of_one_account_are_not_noted_for_others() -> None:
    """An estimate leaves nothing of an account's words behind in the lists of the package."""
    strength("Xanthippe Quux", ["xanthippe"])
    from zxcvbn.matching import RANKED_DICTIONARIES

    assert not any("xanthippe" in words for words in RANKED_DICTIONARIES.values())
