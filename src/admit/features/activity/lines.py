"""One line for one thing: a list leaves out the records that another line tells of already.

What happens in one step is several events, and each is recorded: a refused sign-in has begun a session and ended it.
All of them stay in the chain. In front of people they would be three lines, of which the first says "You signed in."
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.events import LoggedIn, LoginFailed, Reauthenticated, SessionEnded, kinds, name_of
from admit.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from admit.chain import Link
    from admit.model import EventRecord

__all__ = ["Lines"]

_ENDED = name_of(SessionEnded)
_BEGINNINGS = {name_of(LoggedIn), name_of(Reauthenticated)}


class Lines:
    """Goes through records, the latest first, and says which of them are lines of their own."""

    def __init__(self) -> None:
        self._refused_at: set[datetime] = set()
        # The sessions whose beginning, and whose end, another line tells of.
        self._begun, self._ended = set[str | None](), set[str | None]()

    def marked(self, links: Iterable[Link]) -> Iterator[tuple[Link, bool]]:
        """Give each link, and whether it is a line of its own."""
        for link in links:
            yield link, not self._is_told(link.record)

    def _is_told(self, record: EventRecord) -> bool:
        """Tell whether a later record tells of this one, and note what it tells of those before it."""
        if record.name == _ENDED:
            return self._is_end_told(record)
        if record.name == name_of(LoginFailed):
            self._refused_at.add(record.at)
        kind = kinds().get(record.name)
        if record.name == name_of(Reauthenticated):
            self._ended.add(record.details.get("replaced_id"))
        elif kind is not None and kind.tells_login:
            self._begun.add(record.session)
            return False
        return record.name in _BEGINNINGS and record.session in self._begun

    def _is_end_told(self, record: EventRecord) -> bool:
        is_refused = record.at in self._refused_at and record.actor == "admission"
        if is_refused:
            self._begun.add(record.session)
        is_replaced = record.reason == EndReason.REPLACED
        return is_refused or (is_replaced and (record.session in self._ended or record.at in self._refused_at))
