"""Telling and hearing what changed in a store over SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.stores.sql_part import Part

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SqlAnnouncing"]


class SqlAnnouncing(Part):
    """The verbs of :class:`admit.store.Announcing` and :class:`admit.store.Listening`."""

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Call ``drop`` with what changed elsewhere; on SQLite always with ``None``, at most 0.05 s later."""
        return self._database.changes.subscribe(drop)

    def is_listening(self) -> bool:
        """Return whether this process hears of changes now."""
        return self._database.changes.are_heard

    def on_listening(self, tell: Callable[[bool], object]) -> None:
        """Call ``tell`` with ``True`` when this process begins to hear changes, with ``False`` at a try that fails."""
        self._database.changes.watch(tell)
