"""Writes events down, where they stay, and to the log."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from admit import tokens
from admit.events import Refused, Throttling
from admit.features.activity.records import line_of, record_of
from admit.model import Client, Outcome
from admit.store import Recording
from admit.throttle import network

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from admit.events import Event
    from admit.model import EventRecord
    from admit.store import CounterStore, EventStore

__all__ = ["Recorder"]

_logger = logging.getLogger("admit.events")

#: What strangers can make happen as often as they like, for nothing: so many records of one kind, from one place and
#: about one subject, and then one in each interval.
_CHEAP = (Refused, Throttling)
_BURST, _INTERVAL = 10, timedelta(minutes=1)


class Recorder:
    """The keeper of all events (:class:`admit.events.Keeper`).

    Args:
        store: Where records are kept.
        counters: What counts those that could be too many.
        present: Returns what is known of the client of the present request, if there is one.
        leave_out: The names of events that are not recorded.
        addresses: Whether addresses and user agents are recorded.
    """

    def __init__(
        self,
        store: EventStore,
        counters: CounterStore | None,
        present: Callable[[], Client | None],
        *,
        leave_out: Collection[str],
        addresses: bool,
    ) -> None:
        self._store = store
        self._counters = counters
        self._present = present
        self._leave_out = frozenset(leave_out)
        self._addresses = addresses

    @contextmanager
    def with_change(self, events: Sequence[Event]) -> Generator[Callable[[], bool]]:
        """Write the events with the change that is made in the block, where one store keeps both."""
        if not isinstance(self._store, Recording):
            yield lambda: False
            return
        records = [self._shown(record_of(event, self._present())) for event in events]
        with self._store.recording([one for one in records if one.name not in self._leave_out]) as is_written:
            yield is_written

    def keep(self, event: Event, *, is_written: bool) -> None:
        """Log an event, and write it down unless that was done with the change."""
        record = record_of(event, self._present())
        if record.name in self._leave_out or (isinstance(event, _CHEAP) and self._is_one_of_many(record)):
            return
        record = self._shown(record)
        _logger.log(logging.WARNING if record.outcome is Outcome.FAILURE else logging.INFO, "%s", line_of(record))
        if not is_written:
            self._store.add_event(record)

    def _shown(self, record: EventRecord) -> EventRecord:
        return record if self._addresses else replace(record, client=Client())

    def _is_one_of_many(self, record: EventRecord) -> bool:
        if self._counters is None:
            return False
        what = tokens.short_hash("\0".join([record.name, record.subject, network(record.client.address)]))
        return bool(self._counters.spend(f"events:{what}", now=record.at, interval=_INTERVAL, burst=_BURST))
