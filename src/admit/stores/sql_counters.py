"""Counters in SQLite or PostgreSQL: one row each, which says when the counter will be at rest."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from admit.stores.sql_part import Part
from admit.stores.sql_rows import microseconds
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from admit.stores.sql_statements import Dialect

__all__ = ["Bound", "CounterStatements", "SqlCounters"]

_MICROSECOND = timedelta(microseconds=1)
_LOCK = "counters"


class CounterStatements(Wording):
    """The statements about counters."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        table = self._table("counters")
        # (key, tat of one that was at rest, now, interval, the latest tat at which one may still spend)
        self.spend: str = self._marked(
            f"INSERT INTO {table} AS c (key, tat) VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
            f" SET tat = CASE WHEN c.tat > ? THEN c.tat + ? ELSE excluded.tat END WHERE c.tat <= ? RETURNING 1"
        )
        self.get: str = self._marked(f"SELECT tat FROM {table} WHERE key = ?")
        self.refund: str = self._marked(
            f"UPDATE {table} SET tat = CASE WHEN tat - ? > ? THEN tat - ? ELSE ? END WHERE key = ? AND tat > ?"
        )
        self.reset: str = self._marked(f"DELETE FROM {table} WHERE key = ?")
        self.count: str = f"SELECT count(*) FROM {table}"
        self.purge: str = self._purge(table, "key", "tat")
        nearest = f"SELECT key FROM {table} ORDER BY tat LIMIT ? {dialect.lock_rows}"
        self.drop_nearest: str = self._marked(f"DELETE FROM {table} WHERE key IN ({nearest})")


class Bound:
    """When to look whether there are too many counters, and how many to leave.

    Counting at each spend would cost more than the spend. So every object looks once in a while, and leaves so few
    that they stay under the limit even if eight more look as rarely.

    Args:
        limit: How many counters are kept at most.
    """

    def __init__(self, limit: int) -> None:
        self.every: int = min(max(limit // 64, 1), 1000)
        self.left: int = limit - min(8 * self.every, limit // 2)
        # More than can have come since the last look, and few enough to hold nobody up.
        self.step: int = 9 * self.every
        self._spends: Iterator[int] = count(1)

    def is_time(self) -> bool:
        """Tell, at each spend, whether to look."""
        return next(self._spends) % self.every == 0


class SqlCounters(Part):
    """The verbs of :class:`admit.store.CounterStore`."""

    _for_counters: CounterStatements
    _counters_bound: Bound

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Take one unit and return zero, or take none and return how long to wait until there is one."""
        at, step = microseconds(now), interval // _MICROSECOND
        latest = at + (burst - 1) * step
        # All who sign in from one address spend of one row. So each does it by one statement, which does not keep the
        # row locked for a round trip.
        while not self._database.change(self._for_counters.spend, (key, at + step, at, step, latest)):
            found = self._database.ask(self._for_counters.get, (key,))
            wait = int(found[0][0]) - latest if found else 0
            if wait > 0:
                return wait * _MICROSECOND
            # Somebody has given a unit back since it was refused.
        if self._counters_bound.is_time():
            self._trim_counters(at)
        return timedelta(0)

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Give one unit back."""
        at, step = microseconds(now), interval // _MICROSECOND
        self._database.change(self._for_counters.refund, (step, at, step, at, key, at))

    def reset_count(self, key: str) -> None:
        """Put the counter at rest."""
        self._database.change(self._for_counters.reset, (key,))

    def _trim_counters(self, now: int) -> None:
        step = self._counters_bound.step
        with self._database.transaction() as run:
            # Two who count at once would both drop what is too much.
            self._database.lock_subject(run, _LOCK)
            run(self._for_counters.purge, (now, step))
            surplus = run(self._for_counters.count)[0][0] - self._counters_bound.left
            if surplus > 0:
                run(self._for_counters.drop_nearest, (min(surplus, step),))
