"""What templates say: sentences, counts, times and spans of time, in the language of their reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from admit.errors import Text
from admit.flask.phrases import ago, counted, date, duration, hello, phrases, sentence, when
from admit.operations import new_account

AT = datetime(2026, 11, 24, 16, 40, 7, tzinfo=UTC)
TAGS = "<b>&\"'{0}{x.y}"


def test_a_sentence_has_its_parts() -> None:
    """The parts come into their places in the translation, too."""
    assert sentence("en", "Hello, {name}", name="Ada") == "Hello, Ada"
    assert sentence("de", "{browser} on {system}", browser="Firefox", system="Linux") == "Firefox unter Linux"


def test_a_sentence_without_parts_is_no_format() -> None:
    """Braces in what an error says are no places for parts."""
    assert sentence("en", TAGS) == TAGS
    assert sentence("de", Text("At most {count} characters, please.", count=3)) == "Bitte höchstens 3 Zeichen."


@given(st.text())
def test_what_is_beside_markup_is_escaped(name: str) -> None:
    """With markup among the parts the sentence is markup, and whatever else is in it is escaped."""
    said = sentence("en", "<{name}> {link}", name=name, link=Markup("<a>"))
    assert isinstance(said, Markup)
    assert said == Markup("&lt;") + name + Markup("&gt; <a>")


def test_without_markup_a_sentence_is_none() -> None:
    """Without markup among the parts it is for the template to escape."""
    assert not isinstance(sentence("en", "Hello, {name}", name=TAGS), Markup)


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 1, "You were signed out on 1 other device."),
        ("en", 2, "You were signed out on 2 other devices."),
        ("de", 1, "Sie wurden auf 1 anderen Gerät abgemeldet."),
        ("de", 2, "Sie wurden auf 2 anderen Geräten abgemeldet."),
    ],
)
def test_counts(language: str, count: int, said: str) -> None:
    """A number has the form of the sentence that goes with it."""
    one, many = "You were signed out on {count} other device.", "You were signed out on {count} other devices."
    assert counted(language, one, many, count) == said


def test_dates() -> None:
    """A time is in words, in UTC, whatever zone it comes in."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert date("en", elsewhere) == "24 November 2026, 16:40 UTC"
    assert date("de", AT) == "24. November 2026, 16:40 UTC"
    assert when("en", elsewhere) == (
        '<time datetime="2026-11-24T16:40:07Z" data-local>24 November 2026, 16:40 UTC</time>'
    )


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(hours=-1), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=3, seconds=10), "3 minutes ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=90), "3 months ago"),
    ],
)
def test_how_long_ago(past: timedelta, said: str) -> None:
    """The past is in words, and a clock that runs ahead makes no future of it."""
    assert ago("en", AT + past, AT) == f'<time datetime="2026-11-24T16:40:07Z">{said}</time>'
    assert "gerade eben" in ago("de", AT, AT)


def test_spans() -> None:
    """A span is in the largest unit of which it has at least two."""
    assert [duration("en", minutes=20), duration("en", hours=24), duration("en", hours=72)] == [
        "20 minutes",
        "24 hours",
        "3 days",
    ]
    assert duration("de", seconds=45) == "45 Sekunden"


def test_templates_get_them_by_name() -> None:
    """A page has all of them; a mail, which is read later, says not how long ago anything was."""
    assert phrases("de")["_"]("Sign in") == "Anmelden"
    assert phrases("de").keys() == {"_", "ngettext", "date", "when", "duration"}
    assert phrases("en", AT)["ago"](AT) == ago("en", AT, AT)


@pytest.mark.parametrize(
    ("email", "username", "verified", "said"),
    [
        ("ada@example.org", None, True, "Hello ada@example.org,"),
        ("ada@example.org", "first.last", True, "Hello first.last,"),
        ("ada@example.org", "claim-now.www.evil.example", True, "Hello,"),
        ("ada@example.org", "ada", False, "Hello,"),
        (None, "ada", True, "Hello,"),
    ],
)
def test_greetings(email: str | None, username: str | None, said: str, *, verified: bool) -> None:
    """A mail has a name in it only if its address is confirmed, and none that could be a link."""
    account = new_account(at=datetime(2026, 1, 1, tzinfo=UTC), email=email, username=username, verified=verified)
    assert hello("en", account) == said
