"""Records of events in the memory of one process."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from admit.chain import Ends, sealed, without_personal
from admit.per_process import Mutex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from admit.chain import Link
    from admit.model import EventRecord

__all__ = ["MemoryEvents"]


class MemoryEvents:
    """Keeps records in a dictionary, by number."""

    def __init__(self) -> None:
        self._events_lock = Mutex()
        self._links: dict[int, Link] = {}
        self._ends = Ends()

    def add_event(self, record: EventRecord) -> None:
        """Append a record."""
        with self._events_lock:
            link = sealed(record, self._ends.head_number + 1, self._ends.head_hash)
            self._links[link.number] = link
            self._ends = replace(self._ends, head_number=link.number, head_hash=link.hash)

    def list_events(
        self, *, subject: str | None = None, session: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[Link]:
        """Return at most ``limit`` links, the latest first."""
        with self._events_lock:
            wanted = (
                link
                for link in reversed(self._links.values())
                if (before is None or link.number < before)
                and (subject is None or (link.record.subject == subject and not link.is_erased))
                and session in {None, link.record.session}
            )
            return list(islice(wanted, limit))

    def read_chain(self, *, after: int, limit: int = 1000) -> Sequence[Link]:
        """Return at most ``limit`` links whose number is higher than ``after``, in order."""
        with self._events_lock:
            return list(islice((link for link in self._links.values() if link.number > after), limit))

    def get_ends(self) -> Ends:
        """Return where the chain is said to begin and to end."""
        return self._ends

    def erase_events(self, subject: str) -> int:
        """Forget all that is personal in the records about a subject; return of how many."""
        with self._events_lock:
            found = [one for one in self._links.values() if one.record.subject == subject and not one.is_erased]
            for link in found:
                self._links[link.number] = replace(link, record=without_personal(link.record), salt=b"")
        return len(found)

    def purge_events(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` links from the old end of the chain; return how many were removed."""
        with self._events_lock:
            doomed = list(islice(takewhile(lambda link: link.record.at < before, self._links.values()), batch))
            for link in doomed:
                del self._links[link.number]
            if doomed:
                self._ends = replace(self._ends, base_number=doomed[-1].number, base_hash=doomed[-1].hash)
        return len(doomed)
