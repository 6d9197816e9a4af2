"""Records of events in SQLite or PostgreSQL, and one row that says where their chain begins and ends."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from admit.chain import Ends, Link, sealed
from admit.errors import StoreError
from admit.model import Client, EventRecord, Outcome
from admit.stores.sql_outbox import BATCH, RECORD_COLUMNS, ROUNDS, OutboxStatements
from admit.stores.sql_part import Part
from admit.stores.sql_rows import UNREADABLE, microseconds, moment
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime

    from admit.stores.sql_part import Run
    from admit.stores.sql_rows import Row
    from admit.stores.sql_statements import Dialect

__all__ = ["EventStatements", "SqlEvents"]

_COLUMNS = ("number", *RECORD_COLUMNS, "salt", "personal_hash", "previous", "hash")
_ENDS = ("base_number", "base_hash", "head_number", "head_hash")
# Who purges or erases holds up everybody who appends, so they take so many in one go.
_STEP = 300
_HIGHEST = 2**63 - 1
#: What is returned of a record that can't be read; its hashes are those of none.
_STRANGE = EventRecord(moment(0), "", Outcome.FAILURE)


# What each thread has to record, and in which store. No threading.local: one that was made before gevent replaces it is
# shared by all greenlets, and events would be recorded with changes of other requests.
_recorded: ContextVar[tuple[object, list[EventRecord]]] = ContextVar("recorded", default=(None, []))


class EventStatements(Wording):
    """The statements about events."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        table, ends = self._table("events"), self._table("event_ends")
        columns = ", ".join(f'"{name}"' for name in _COLUMNS)
        # As text: the driver of PostgreSQL sends a number as wide as it is, and a question is prepared for one width.
        number = "CAST(? AS BIGINT)"
        latest = f"ORDER BY number DESC LIMIT {number}"
        self.add: str = self._insert(table, _COLUMNS)
        # Whoever takes the next number has the row of the ends, and with it the chain, until their transaction is over.
        self.advance: str = (
            f"UPDATE {ends} SET head_number = head_number + 1 WHERE id = 1 RETURNING head_number, head_hash"
        )
        self.note_head: str = self._marked(f"UPDATE {ends} SET head_hash = ? WHERE id = 1")
        self.hold: str = f"UPDATE {ends} SET base_number = base_number WHERE id = 1 RETURNING base_number"
        self.note_base: str = self._marked(f"UPDATE {ends} SET base_number = ?, base_hash = ? WHERE id = 1")
        self.begin: str = self._insert(ends, ("id", *_ENDS)) + " ON CONFLICT (id) DO NOTHING"
        self.ends: str = f"SELECT {', '.join(_ENDS)} FROM {ends} WHERE id = 1"
        self.last: str = f"SELECT number, hash FROM {table} ORDER BY number DESC LIMIT 1"
        self.read: str = self._marked(
            f"SELECT {columns} FROM {table} WHERE number > {number} ORDER BY number LIMIT {number}"
        )
        self.list: str = self._marked(f"SELECT {columns} FROM {table} WHERE number < {number} {latest}")
        self.list_of: dict[str, str] = {
            name: self._marked(f"SELECT {columns} FROM {table} WHERE {name} = ? AND number < {number} {latest}")
            for name in ("subject", "session")
        }
        self.list_of_both: str = self._marked(
            f"SELECT {columns} FROM {table} WHERE subject = ? AND session = ? AND number < {number} {latest}"
        )
        about = f"SELECT number FROM {table} WHERE subject = ? ORDER BY number LIMIT ?"
        self.erase: str = self._marked(
            f"UPDATE {table} SET subject = NULL, session = NULL, personal = NULL, salt = ?"
            f" WHERE number {dialect.is_among.format(about)} RETURNING 1"
        )
        self.oldest: str = self._marked(f"SELECT number, at, hash FROM {table} ORDER BY number LIMIT ?")
        self.delete: str = self._marked(f"DELETE FROM {table} WHERE number <= ?")
        self.outbox: OutboxStatements = OutboxStatements(dialect, schema, prefix, _COLUMNS)


class SqlEvents(Part):
    """The verbs of :class:`admit.store.EventStore`."""

    _for_events: EventStatements

    @contextmanager
    def recording(self, records: Sequence[EventRecord]) -> Generator[Callable[[], bool]]:
        """Append the records with the first change that this thread makes in the block: both, or neither."""
        waiting = list(records)
        before = _recorded.set((self, waiting))
        try:
            yield lambda: not waiting
        finally:
            _recorded.reset(before)
            is_written = not waiting
            if is_written and records:
                self._seal_some()

    def add_event(self, record: EventRecord) -> None:
        """Append a record."""
        with self._database.transaction() as run:
            self._append(run, record)
        self._seal_some()

    def list_events(
        self, *, subject: str | None = None, session: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[Link]:
        """Return at most ``limit`` links, the latest first."""
        self._seal_all()
        below = (str(_HIGHEST if before is None else before), str(limit))
        if subject is not None and session is not None:
            return self._links(self._for_events.list_of_both, subject, session, *below)
        if subject is not None:
            return self._links(self._for_events.list_of["subject"], subject, *below)
        if session is not None:
            return self._links(self._for_events.list_of["session"], session, *below)
        return self._links(self._for_events.list, *below)

    def read_chain(self, *, after: int, limit: int = 1000) -> Sequence[Link]:
        """Return at most ``limit`` links whose number is higher than ``after``, in order."""
        self._seal_all()
        return self._links(self._for_events.read, str(after), str(limit))

    def get_ends(self) -> Ends:
        """Return where the chain is said to begin and to end."""
        self._seal_all()
        found = self._database.ask(self._for_events.ends, ())
        return Ends(*found[0]) if found else Ends()

    def erase_events(self, subject: str) -> int:
        """Forget all that is personal in the records about a subject; return of how many."""
        self._seal_all()
        erased, count = 0, _STEP
        while count == _STEP:
            with self._database.transaction() as run:
                # Before its rows, as a purge does, or the two could wait for each other.
                run(self._for_events.hold)
                count = len(run(self._for_events.erase, (b"", subject, _STEP)))
            erased += count
        return erased

    def purge_events(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` links from the old end of the chain, in short transactions."""
        self._seal_all()
        removed = 0
        while removed < batch:
            step = min(_STEP, batch - removed)
            count = self._purge_oldest(microseconds(before), step)
            removed += count
            if count < step:
                break
        return removed

    def _record(self, run: Run) -> None:
        store, waiting = _recorded.get()
        if store is self:
            for record in waiting:
                self._append(run, record)
            waiting.clear()

    def _append(self, run: Run, record: EventRecord) -> None:
        if self._database.seals_later:
            run(self._for_events.outbox.add, _told(record))
            return
        [(number, previous)] = run(self._for_events.advance) or self._begin_chain(run)
        link = sealed(record, number, previous)
        run(self._for_events.add, _row(link))
        run(self._for_events.note_head, (link.hash,))

    def _begin_chain(self, run: Run) -> list[Row]:
        """Make the row of the ends where there is none, and advance it."""
        self._make_ends(run)
        return run(self._for_events.advance)

    def _make_ends(self, run: Run) -> None:
        # If somebody removed it, people must be able to log in all the same; whoever verifies finds out.
        last = run(self._for_events.last) or [(0, Ends().head_hash)]
        run(self._for_events.begin, (1, 0, Ends().base_hash, *last[0]))

    # -- sealing ---------------------------------------------------------------------------------

    def _seal_some(self) -> None:
        """Link what waits, unless another one is at it. Nobody's login fails or waits because of it.

        Looks once more after each round, with the lock given back: whoever has written in the meantime, and has found
        the lock taken, leaves it to us.
        """
        with suppress(StoreError):
            for _ in range(ROUNDS):
                if not self._seal(self._for_events.outbox.try_to_hold) or not self._waits():
                    return

    def _seal_all(self) -> None:
        """Link what waits, before the chain is read. Where that can't be written, what is linked can still be read."""
        with suppress(StoreError):
            while self._waits() and self._seal(self._for_events.outbox.hold):
                pass

    def _waits(self) -> bool:
        return self._database.seals_later and bool(self._database.ask(self._for_events.outbox.look, ()))

    def _seal(self, hold: str) -> int:
        if not self._database.seals_later:
            return 0
        with self._database.transaction() as run:
            head = run(hold)
            if not head and not run(self._for_events.ends):
                self._make_ends(run)
                head = run(hold)
            # The order of RETURNING is any.
            taken = sorted(run(self._for_events.outbox.take, (BATCH,))) if head else []
            if taken:
                rows = _linked(taken, *head[0])
                columns = [list(column) for column in zip(*rows, strict=True)]
                run(self._for_events.outbox.link, (rows[-1][0], rows[-1][-1], *columns))
        return len(taken)

    def _purge_oldest(self, before: int, limit: int) -> int:
        with self._database.transaction() as run:
            run(self._for_events.hold)
            doomed = run(self._for_events.oldest, (limit,))
            count = next((place for place, (_, at, _) in enumerate(doomed) if at >= before), len(doomed))
            if count:
                number, _, last_hash = doomed[count - 1]
                run(self._for_events.delete, (number,))
                run(self._for_events.note_base, (number, last_hash))
        return count

    def _links(self, statement: str, *values: object) -> list[Link]:
        return [_read(row) for row in self._database.ask(statement, values)]


def _linked(taken: Sequence[Row], number: int, previous: bytes) -> list[Row]:
    """Return the rows of links for records that waited; they follow the link that is the last one so far."""
    rows: list[Row] = []
    for _, *told in taken:
        number += 1
        try:
            record = _record(*told)
        except (*UNREADABLE, LookupError):
            # Somebody else wrote it. It is linked as it is, and its hash is not its own: whoever verifies finds it.
            record = _STRANGE
        link = sealed(record, number, previous)
        rows.append((number, *told, link.salt, link.personal_hash, link.previous, link.hash))
        previous = link.hash
    return rows


def _row(link: Link) -> Row:
    about = _told(link.record)
    # Nobody is named in an erased one.
    told = (*about[:5], None, None, None) if link.is_erased else about
    return (link.number, *told, link.salt, link.personal_hash, link.previous, link.hash)


def _told(record: EventRecord) -> Row:
    return (
        microseconds(record.at),
        record.name,
        record.outcome.value,
        record.method,
        record.reason,
        record.subject,
        record.session,
        json.dumps([record.actor, record.client.address, record.client.user_agent, dict(record.details)]),
    )


def _read(row: Row) -> Link:
    number, *told, salt, personal_hash, previous, last = row
    try:
        record = _record(*told)
    except (*UNREADABLE, LookupError):
        record = None
    if record is None or not all(isinstance(one, bytes) for one in (salt, personal_hash, previous, last)):
        return _strange(number)
    link = Link(number, record, salt, personal_hash, previous, last)
    # The columns in the one way in which they are written here: what else they may hold is covered by no hash.
    return link if tuple(row) == _row(link) else _strange(number)


def _strange(number: int) -> Link:
    # Somebody else wrote it. It is no error of the store: whoever verifies is to find it in its place.
    return Link(number, _STRANGE, b"", b"", b"", b"")


def _record(  # noqa: PLR0913, PLR0917 -- the columns
    at: int,
    name: str,
    outcome: str,
    method: str | None,
    reason: str | None,
    subject: str | None,
    session: str | None,
    personal: str | None,
) -> EventRecord:
    found: list[Any] = [None, None, None, {}] if personal is None else json.loads(personal)
    actor, address, user_agent = found[:3]
    details: dict[str, str] = dict(found[3])
    told = (method, reason, subject or "", actor, session, Client(address, user_agent), details)
    return EventRecord(moment(at), name, Outcome(outcome), *told)
