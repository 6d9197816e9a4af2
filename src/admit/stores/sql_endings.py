"""Ending many sessions of one subject in SQLite or PostgreSQL, in transactions that are short for whoever waits."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from admit.stores.sql_full import FullError
from admit.stores.sql_part import Part
from admit.stores.sql_rows import ENDING_COLUMNS, end_row
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from admit.model import Ending
    from admit.stores.sql_part import Run
    from admit.stores.sql_statements import Dialect

__all__ = ["ANY", "EndingStatements", "SqlEndings"]

#: What is announced when anything may have changed.
ANY = "*"
# So many end in one transaction; with each goes a record of an event, where events are kept.
_STEP = 50

_T = TypeVar("_T")


class EndingStatements(Wording):
    """The statements that end many sessions; each takes a whole step, so that there is one to prepare."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        sessions, endings = self._table("sessions"), self._table("endings")
        marks = ", ".join("?" * _STEP)
        self.find: str = self._marked(
            f"SELECT id FROM {sessions} WHERE subject = ? AND id {dialect.is_distinct_from} ?"
            f" ORDER BY created_at LIMIT {_STEP}"
        )
        self.delete: str = self._marked(
            f"DELETE FROM {sessions} WHERE subject = ? AND id IN ({marks}) RETURNING id, expires_at"
        )
        names = ", ".join(f'"{name}"' for name in ENDING_COLUMNS)
        row = f"({', '.join('?' * len(ENDING_COLUMNS))})"
        # An id that ended before would be one that somebody added twice: it has to end all the same.
        self.add: str = self._marked(
            f"INSERT INTO {endings} ({names}) VALUES {', '.join([row] * _STEP)} ON CONFLICT (session_id) DO NOTHING"
        )


class SqlEndings(Part):
    """The verb of :class:`admit.store.SessionStore` that ends many sessions."""

    _for_endings: EndingStatements

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """End all sessions of the subject but the one with the id ``keep``, or only some; return how many ended."""
        if only is not None:
            doomed = [one for one in only if one != keep]
            steps = (doomed[start : start + _STEP] for start in range(0, len(doomed), _STEP))
            return sum(self._end_step(subject, step, ending) for step in steps)
        ended = 0
        # One that takes the place of another is found by the next look, because the other is there until then.
        while found := self._database.ask(self._for_endings.find, (subject, keep)):
            ended += self._end_step(subject, [str(row[0]) for row in found], ending)
        return ended

    def _end_step(self, subject: str, session_ids: Sequence[str], ending: Ending) -> int:
        return self._ending(lambda run, why: self._end_some(run, subject, session_ids, why), ending)

    def _end_some(self, run: Run, subject: str, session_ids: Sequence[str], ending: Ending | None) -> int:
        # Two who end the same ones would wait for each other.
        self._database.lock_subject(run, subject)
        ended = run(self._for_endings.delete, (subject, *_filled(session_ids)))
        if ended:
            self._database.announce(run, ANY)
        if ended and ending is not None:
            rows = _filled([end_row(session_id, ending, expires_at) for session_id, expires_at in ended])
            run(self._for_endings.add, tuple(chain.from_iterable(rows)))
            self._record(run)
        return len(ended)

    def _ending(self, end: Callable[[Run, Ending | None], _T], ending: Ending) -> _T:
        """End sessions, and keep why. On a full disk they end all the same, and neither that nor a record is kept."""
        try:
            with self._database.transaction() as run:
                return end(run, ending)
        except FullError:
            self._database.make_room()
        with self._database.transaction() as run:
            return end(run, None)


def _filled(found: Sequence[_T]) -> list[_T]:
    """Return as many as a step has; the last one again and again does what it does once."""
    return [*found, *[found[-1]] * (_STEP - len(found))]
