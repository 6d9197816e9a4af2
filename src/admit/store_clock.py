"""The time of a store: one clock for all machines that share it.

Machines disagree about the time: by seconds where nobody looks after them, by hours where somebody has set a clock or a
time zone by hand. Two that share a store would then take each other's new secrets for old ones, forget each other's
counters, or purge each other's sessions. So the time that is handed to a store is its own. It is asked for once a
minute, and not at each request; in between, a clock counts that nobody can set.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from admit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StoreClock", "Timed", "clock_of"]

#: After how many seconds the store is asked again, and how soon after it did not answer.
_EVERY, _RETRY = 60.0, 1.0
#: By how many seconds this machine's two clocks may come apart: then it has slept, or somebody has set its time.
_JUMP = 1.0


@runtime_checkable
class Timed(Protocol):
    """A store that has a clock.

    .. versionadded:: 0.2
    """

    def now(self) -> datetime:
        """Return the time of the store, aware and UTC."""
        ...


class _Measured(NamedTuple):
    """What the store's time was, and what this machine's clocks said at that moment."""

    at: datetime
    ticks: float
    wall: float


class StoreClock:
    """Tells the time of a store. While the store has never answered, it tells the machine's.

    Args:
        ask: Asks the store for its time.
        ticks: A clock that nobody can set, in seconds.
        wall: This machine's time, in seconds since 1970.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        ask: Callable[[], datetime],
        *,
        ticks: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._ticks = ticks
        self._wall = wall
        self._measured: _Measured | None = None
        self._due = ticks()

    def __call__(self) -> datetime:
        """Return the present time, aware and UTC."""
        ticks, wall = self._ticks(), self._wall()
        if ticks >= self._due or self._has_jumped(ticks, wall):
            self._measure(ticks)
            ticks, wall = self._ticks(), self._wall()
        measured = self._measured or _Measured(datetime.fromtimestamp(wall, UTC), ticks, wall)
        return measured.at + timedelta(seconds=ticks - measured.ticks)

    def _has_jumped(self, ticks: float, wall: float) -> bool:
        measured = self._measured
        return measured is not None and abs((wall - measured.wall) - (ticks - measured.ticks)) > _JUMP

    def _measure(self, began: float) -> None:
        # First, so that others go on with the time that they have, and do not all ask at the same moment.
        self._due = began + _RETRY
        try:
            at = self._ask()
        except StoreError:
            # With the wall clock as it is now: a jump is noticed once, and not at each call until the store answers.
            self._measured = self._measured and self._measured._replace(
                at=self._measured.at + timedelta(seconds=began - self._measured.ticks), ticks=began, wall=self._wall()
            )
            return
        ended = self._ticks()
        # The store has looked at its clock about half-way between question and answer.
        self._measured = _Measured(at, (began + ended) / 2, self._wall() - (ended - began) / 2)
        self._due = ended + _EVERY


def clock_of(store: object) -> Callable[[], datetime]:
    """Return what tells the time that a store goes by: its own if it has a clock, and else the machine's.

    .. versionadded:: 0.2
    """
    behind = getattr(store, "store", store)  # a near cache is in front of it
    return StoreClock(behind.now) if isinstance(behind, Timed) else _machine_time


def _machine_time() -> datetime:
    return datetime.now(UTC)
