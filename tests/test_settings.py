"""Settings: declared once, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar

import pytest

from admit.errors import ConfigurationError
from admit.settings import SessionSettings, Settings, refuse_unknown_keys, setting


@dataclass(frozen=True, kw_only=True)
class LinkSettings(Settings):
    """Settings as a feature would declare them."""

    section: ClassVar[str] = "link"

    lifetime: timedelta = setting(timedelta(minutes=15), "How long a link works.")
    subject: str | None = setting(None, "What the mail is called.")
    tries: int = setting(3, "How often it may be used.")
    enabled: bool = setting(default=True, doc="Whether there are links at all.")


def test_defaults_arguments_and_keys_agree() -> None:
    """A setting has its default, can be given by name, or comes from a mapping; seconds are a timedelta."""
    assert LinkSettings().lifetime == timedelta(minutes=15)
    assert LinkSettings(lifetime=60).lifetime == timedelta(minutes=1)  # type: ignore[arg-type]
    read = LinkSettings.from_mapping({"ADMIT_LINK_LIFETIME": 1.5, "ADMIT_LINK_SUBJECT": "Hello", "OTHER": 1})
    assert read == LinkSettings(lifetime=timedelta(seconds=1.5), subject="Hello")


def test_they_describe_themselves() -> None:
    """Every setting has a row with its key, what it takes, its default and its sentence."""
    rows = {row.key: row for row in LinkSettings.describe()}
    assert list(rows) == LinkSettings.keys()
    assert rows["ADMIT_LINK_LIFETIME"].kind == "a timedelta, or seconds"
    assert rows["ADMIT_LINK_SUBJECT"].kind == "a text or None"
    assert rows["ADMIT_LINK_TRIES"].default == 3
    assert rows["ADMIT_LINK_ENABLED"].doc == "Whether there are links at all."


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("lifetime", "15 minutes", "a timedelta, or seconds"),
        ("lifetime", True, "a timedelta, or seconds"),
        ("lifetime", None, "a timedelta, or seconds"),
        ("tries", "3", "a whole number"),
        ("tries", True, "a whole number"),
        ("enabled", 1, "True or False"),
        ("subject", 5, "a text or None"),
    ],
)
def test_a_wrong_type_is_named(name: str, value: Any, hint: str) -> None:
    """A value of the wrong type is an error that names the key and what it takes."""
    with pytest.raises(ConfigurationError, match=f"ADMIT_LINK_{name.upper()} is .*Set it to {hint}"):
        LinkSettings.from_mapping({f"ADMIT_LINK_{name.upper()}": value})


@pytest.mark.parametrize(
    ("key", "hint"),
    [("ADMIT_LINK_LIFETIM", "Did you mean ADMIT_LINK_LIFETIME?"), ("ADMIT_ZZZ", "The settings are ADMIT_LINK_ENABLED")],
)
def test_an_unknown_key_is_refused(key: str, hint: str) -> None:
    """A key of ours that nobody reads is an error that names the one that was meant."""
    with pytest.raises(ConfigurationError, match=f"There is no setting {key}") as caught:
        refuse_unknown_keys({key: 1}, [LinkSettings])
    assert hint in str(caught.value)
    refuse_unknown_keys({"ADMIT_LINK_TRIES": 1, "OTHER": 1}, [LinkSettings])


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"idle": None, "absolute": None}, "can't both be None"),
        ({"remembered_idle": None, "remembered_absolute": None}, "can't both be None"),
        ({"idle": timedelta(0)}, "ADMIT_SESSION_IDLE must be more than zero"),
        ({"touch_every": timedelta(seconds=-1)}, "must be more than zero"),
        ({"max_per_user": 0}, "ADMIT_SESSION_MAX_PER_USER must be more than zero"),
        ({"rotate_every": timedelta(seconds=30)}, "at least twice ADMIT_SESSION_ROTATION_GRACE"),
    ],
)
def test_sessions_have_to_end(changes: dict[str, Any], hint: str) -> None:
    """Settings that make no sense together are refused with both keys."""
    with pytest.raises(ConfigurationError, match=hint):
        SessionSettings(**changes)


def test_what_may_be_off() -> None:
    """One of the two times may be off, and so may rotation."""
    settings = SessionSettings(idle=None, remembered_absolute=None, rotate_every=None)
    assert settings.idle is None
    assert settings.absolute == timedelta(days=7)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf"), 1e300, 10**40])
def test_a_number_that_is_no_time(seconds: float) -> None:
    """Seconds that no timedelta holds are the developer's error, and named."""
    with pytest.raises(ConfigurationError, match=r"ADMIT_LINK_LIFETIME is .* no length of time. Set it to"):
        LinkSettings.from_mapping({"ADMIT_LINK_LIFETIME": seconds})


def test_a_time_that_no_date_can_hold() -> None:
    """A session can't be made to last longer than dates do, which would break every login."""
    with pytest.raises(ConfigurationError, match="ADMIT_SESSION_ABSOLUTE must be at most a hundred years"):
        SessionSettings(absolute=timedelta.max)


class Mode(StrEnum):
    """Who may do something."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class ChoiceSettings(Settings):
    """Settings with a choice and a list."""

    section: ClassVar[str] = "choice"

    mode: Mode = setting(Mode.OPEN, "Who may.")
    names: tuple[str, ...] = setting((), "Which ones.")


def test_choices_and_lists() -> None:
    """A choice can be given by its text, and a list for a tuple, as configuration files have them."""
    read = ChoiceSettings.from_mapping({"ADMIT_CHOICE_MODE": "closed", "ADMIT_CHOICE_NAMES": ["a", "b"]})
    assert read == ChoiceSettings(mode=Mode.CLOSED, names=("a", "b"))
    kinds = [row.kind for row in ChoiceSettings.describe()]
    assert kinds == ["'open' or 'closed'", "a tuple of texts"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "ajar"}, "ADMIT_CHOICE_MODE is 'ajar', which it can't be. Set it to 'open' or 'closed'."),
        ({"mode": 1}, "ADMIT_CHOICE_MODE is 1"),
        ({"names": "a"}, "ADMIT_CHOICE_NAMES is 'a', which it can't be. Set it to a tuple of texts."),
    ],
)
def test_no_such_choice(given: dict[str, Any], message: str) -> None:
    """A value that is none of the choices is refused with all of them."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        ChoiceSettings(**given)
