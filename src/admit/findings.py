"""What an examination of an application finds: what is so, how bad that is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Finding", "Severity", "at_most", "error", "in_words", "note", "ok", "warning"]

_UNITS = ((24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second"))


class Severity(IntEnum):
    """How bad a finding is; the worse, the higher.

    .. versionadded:: 0.2
    """

    #: It is as it should be.
    OK = 0
    #: It may be meant, or could not be looked at.
    NOTE = 1
    #: It is weaker, slower or more fragile than it has to be.
    WARNING = 2
    #: It is not safe like that, or does not work.
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: What was looked at, a stable name in ``snake_case``.
        severity: How bad it is.
        sentence: What is so. It never holds a secret.
        advice: What to do about it; empty if there is nothing to do.

    .. versionadded:: 0.2
    """

    check: str
    severity: Severity
    sentence: str
    advice: str = ""


def ok(check: str, sentence: str) -> Finding:
    """Return the finding that something is as it should be.

    .. versionadded:: 0.2
    """
    return Finding(check, Severity.OK, sentence)


def note(check: str, sentence: str, advice: str) -> Finding:
    """Return the finding that something may be meant, or could not be looked at.

    .. versionadded:: 0.2
    """
    return Finding(check, Severity.NOTE, sentence, advice)


def warning(check: str, sentence: str, advice: str) -> Finding:
    """Return the finding that something is weaker, slower or more fragile than it has to be.

    .. versionadded:: 0.2
    """
    return Finding(check, Severity.WARNING, sentence, advice)


def error(check: str, sentence: str, advice: str) -> Finding:
    """Return the finding that something is not safe, or does not work.

    .. versionadded:: 0.2
    """
    return Finding(check, Severity.ERROR, sentence, advice)


def at_most(check: str, key: str, value: timedelta | None, most: timedelta, why: str) -> Finding:
    """Return whether a time is as short as it should be.

    Args:
        check: What is looked at.
        key: The setting.
        value: What it is; ``None`` for no limit.
        most: How long it should be at most.
        why: What the harm is, as the end of a sentence that begins with the setting.

    .. versionadded:: 0.2
    """
    sentence = f"{key} is {in_words(value)}"
    if value is not None and value <= most:
        return ok(check, f"{sentence}.")
    return warning(check, f"{sentence}, {why}.", f"Set it to {in_words(most)} or less.")


def in_words(time: timedelta | None) -> str:
    """Return how people say a length of time.

    Args:
        time: The time; ``None`` for no limit.

    .. versionadded:: 0.2
    """
    if time is None:
        return "without limit"
    seconds = time.total_seconds()
    for length, word in _UNITS:
        if seconds >= length and not seconds % length:
            return f"{seconds / length:g} {word}{'' if seconds == length else 's'}"
    return f"{seconds:g} seconds"
