"""What an examination finds, and how its parts are said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from admit.findings import Severity, at_most, error, in_words, note, ok, warning


def test_severities_have_an_order_and_a_name() -> None:
    """The worst of some findings is the highest, and each is called by a word."""
    made = [make("check", "It is so.", "Do that.") for make in (note, warning, error)]
    found = [ok("check", "It is well."), *made]
    assert found == sorted(found, key=lambda one: one.severity)
    assert [str(one.severity) for one in found] == ["ok", "note", "warning", "error"]
    assert max(one.severity for one in found) is Severity.ERROR
    assert found[0].advice == ""


@pytest.mark.parametrize(("value", "severity"), [(1, "ok"), (2, "ok"), (3, "warning"), (None, "warning")])
def test_a_time_that_is_too_long(value: int | None, severity: str) -> None:
    """A time up to the bound is fine; a longer one, and none, is a warning that says the harm and the bound."""
    time = None if value is None else timedelta(hours=value)
    found = at_most("check", "ADMIT_KEY", time, timedelta(hours=2), "and that is long")
    assert str(found.severity) == severity
    assert found.sentence.startswith(f"ADMIT_KEY is {in_words(time)}")
    assert ("and that is long" in found.sentence) == (severity != "ok")
    assert found.advice == ("" if severity == "ok" else "Set it to 2 hours or less.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86400 * 7, "7 days"),
        (86400, "1 day"),
        (7200, "2 hours"),
        (5400, "90 minutes"),
        (61, "61 seconds"),
        (1, "1 second"),
        (0.5, "0.5 seconds"),
        (0, "0 seconds"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """A time is said in the largest unit that it is whole in."""
    assert in_words(timedelta(seconds=seconds)) == words


def test_no_limit_in_words() -> None:
    """No time at all is said, too."""
    assert in_words(None) == "without limit"
