"""A clock that stands still until it is told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from admit.per_process import Mutex

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Clock"]


class Clock:
    """Hand it to a ``Gate`` as its clock, and time passes when a test says so.

    Args:
        now: Where it starts; aware.

    .. versionadded:: 0.1
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self._lock = Mutex()

    def __call__(self) -> datetime:
        """Return the present time."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Let time pass, and return the new time; any number of threads may do so at once."""
        with self._lock:
            self._now += by
            return self._now
