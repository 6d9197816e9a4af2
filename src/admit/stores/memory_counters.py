"""Counters in the memory of one process."""

from __future__ import annotations

from datetime import timedelta
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from admit.per_process import Mutex

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["MemoryCounters"]

_NO_WAIT = timedelta(0)
# How many entries may be out of date, besides as many as there are counters, before they are swept out.
_STALE = 64


class MemoryCounters:
    """Keeps for each counter the time at which it will be at rest, and never more than ``max_counters`` of them."""

    def __init__(self, max_counters: int) -> None:
        self._max_counters = max_counters
        self._counters_lock = Mutex()
        self._rests: dict[str, datetime] = {}
        # Each change puts in another entry; one that is not what the dictionary says any more is skipped.
        self._next_rests: list[tuple[datetime, str]] = []

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Take one unit and return zero, or take none and return how long to wait until there is one."""
        with self._counters_lock:
            rest = max(self._rests.get(key, now), now) + interval
            wait = rest - now - burst * interval
            if wait > _NO_WAIT:
                return wait
            self._set_rest(key, rest)
            self._drop_rested(now, len(self._rests))
            while len(self._rests) > self._max_counters:
                self._drop_next()
            return _NO_WAIT

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Give one unit back."""
        with self._counters_lock:
            rest = self._rests.get(key)
            if rest is not None and rest - interval > now:
                self._set_rest(key, rest - interval)
            else:
                self._rests.pop(key, None)

    def reset_count(self, key: str) -> None:
        """Put the counter at rest."""
        with self._counters_lock:
            self._rests.pop(key, None)

    def _purge_counters(self, before: datetime, batch: int) -> int:
        with self._counters_lock:
            return self._drop_rested(before, batch)

    def _set_rest(self, key: str, rest: datetime) -> None:
        self._rests[key] = rest
        heappush(self._next_rests, (rest, key))
        if len(self._next_rests) > 2 * len(self._rests) + _STALE:
            self._next_rests = [(one, name) for name, one in self._rests.items()]
            heapify(self._next_rests)

    def _drop_rested(self, now: datetime, limit: int) -> int:
        dropped = 0
        while dropped < limit and self._next_rests and self._next_rests[0][0] < now:
            dropped += self._drop_next()
        return dropped

    def _drop_next(self) -> bool:
        rest, key = heappop(self._next_rests)
        stands = self._rests.get(key) == rest
        if stands:
            del self._rests[key]
        return stands
