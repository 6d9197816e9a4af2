"""Everything in SQLite or PostgreSQL, in tables of our own; see :mod:`admit.stores.sql_tables`."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from admit.errors import StoreError
from admit.stores import sql_rows as rows
from admit.stores.sql_accounts import AccountStatements, SqlAccounts
from admit.stores.sql_announcing import SqlAnnouncing
from admit.stores.sql_care import CareStatements, SqlCare
from admit.stores.sql_challenges import ChallengeStatements, SqlChallenges
from admit.stores.sql_counters import Bound, CounterStatements, SqlCounters
from admit.stores.sql_credentials import CredentialStatements
from admit.stores.sql_endings import ANY, EndingStatements, SqlEndings
from admit.stores.sql_events import EventStatements, SqlEvents
from admit.stores.sql_opening import check_names, database_of, engine_of
from admit.stores.sql_sqlite import SqliteDatabase
from admit.stores.sql_statements import Statements
from admit.stores.sql_tables import HEAD, ddl, is_ours, note_prefix, tables, version_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from admit.model import Ending, Session
    from admit.stores.sql_part import Run

__all__ = ["SqlStore", "is_ours", "keep_from_migrations"]

# How long a purge may keep others from writing, in seconds, and how many rows it removes in one go: fewer would take
# no less time, since what is slow then is the disk, and with more the disk alone might take too long.
_HOLD = 0.05
_LEAST_STEP, _FIRST_STEP, _LAST_STEP = 20, 100, 300


class SqlStore(SqlEvents, SqlEndings, SqlAccounts, SqlChallenges, SqlCounters, SqlAnnouncing, SqlCare):
    """Keeps sessions, accounts and all that belongs to them in an SQLite file or a PostgreSQL database.

    The tables of an SQLite file are made, and brought to this version, at once. Those in PostgreSQL are made by
    :meth:`upgrade` or :meth:`create`.

    Args:
        source: An SQLAlchemy engine, whose pool is left to the application, or a URL.
        schema: PostgreSQL's schema; without one, the first of the search path.
        prefix: What the names of the tables begin with.
        connect_timeout: How long connecting may take, in seconds.
        command_timeout: How long one command may take, or wait for another writer, in seconds.
        max_counters: How many counters are kept at most; beyond it those nearest to rest are forgotten.

    Raises:
        ConfigurationError: The source or a name can't be used; the message says what can.
        StoreError: The SQLite file can't be opened.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       Keeps more than sessions; ``max_counters``.
    """

    def __init__(  # noqa: PLR0913 -- each is an option of its own
        self,
        source: Engine | str,
        *,
        schema: str | None = None,
        prefix: str = "admit_",
        connect_timeout: float = 0.5,
        command_timeout: float = 0.5,
        max_counters: int = 100_000,
    ) -> None:
        check_names(schema, prefix)
        self._engine = engine_of(source)
        self._owns_engine = isinstance(source, str)
        self._schema, self._prefix = schema, prefix
        self._database = database_of(self._engine, schema, prefix, connect_timeout, command_timeout)
        self._statements = Statements(self._database, schema, prefix)
        self._for_accounts = AccountStatements(self._database, schema, prefix)
        self._for_credentials = CredentialStatements(self._database, schema, prefix)
        self._for_challenges = ChallengeStatements(self._database, schema, prefix)
        self._for_counters = CounterStatements(self._database, schema, prefix)
        self._for_events = EventStatements(self._database, schema, prefix)
        self._for_endings = EndingStatements(self._database, schema, prefix)
        self._for_care = CareStatements(self._database, schema, prefix)
        self._counters_bound = Bound(max_counters)
        self._step = _FIRST_STEP
        note_prefix(prefix)
        if "alembic" in sys.modules:  # the application may be about to write a migration
            keep_from_migrations()
        if isinstance(self._database, SqliteDatabase):
            self.create()
            if self._noted_version() < HEAD:  # a file of an earlier version of Admit
                self.upgrade()
            # What is open at a fork stays open in the child, and SQLite counts it there as a lock that the child has.
            self._database.close_idle()

    # -- tables ----------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the tables that are not there, without migrations.

        .. versionadded:: 0.1
        """
        statements = ddl(tables(self._schema, self._prefix), self._engine.dialect)
        self._database.create([*statements, self._statements.note_version(version_table(self._prefix), HEAD)])

    def upgrade(self) -> None:
        """Bring the tables to this version of Admit, by migrations; tables that :meth:`create` made are fine.

        .. versionadded:: 0.1
        """
        from admit.stores.migrations import upgrade

        if self.is_in_memory:  # made by this version
            return
        try:
            upgrade(self._engine, self._schema, self._prefix)
        except SQLAlchemyError as error:
            raise StoreError(str(error)) from error

    def is_current(self) -> bool:
        """Tell whether the tables are those of this version of Admit.

        .. versionadded:: 0.2
        """
        return self._noted_version() == HEAD

    def _noted_version(self) -> str:
        noted = self._database.ask(self._statements.noted_version(version_table(self._prefix)), ())
        return str(noted[0][0]) if noted else ""

    # -- sessions --------------------------------------------------------------------------------

    def add_session(self, session: Session) -> None:
        """Keep a new session."""
        with self._database.transaction() as run:
            run(self._statements.add, rows.row_of(session))
            self._record(run)

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        found = self._database.ask(self._statements.get, (session_id,))
        self._database.changes.keep_listening()
        return rows.read_session(found[0]) if found else None

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Note that the session was used; ``False`` if it is gone."""
        seen, expires = rows.microseconds(seen_at), rows.microseconds(expires_at)
        return self._change(session_id, self._statements.touch, (seen, expires, seen, seen, session_id))

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """End the session ``old_id`` and keep ``new``, in one step; ``False`` if the old one is gone."""
        with self._database.transaction() as run:
            self._database.lock_subject(run, new.subject)
            ended = self._end(run, old_id, ending)
            if ended:
                run(self._statements.add, rows.row_of(new))
                self._record(run)
        return ended

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write ``new``'s secret and what belongs to it if ``old``'s still stands."""
        written = (new.secret_hash, new.nonce, rows.microseconds(new.rotated_at), rows.optional(new.confirmed_at))
        standing = (old.id, old.secret_hash, rows.optional(old.confirmed_at))
        return self._change(old.id, self._statements.swap, (*written, *standing))

    def list_sessions(self, subject: str, *, limit: int | None = None) -> Sequence[Session]:
        """Return the subject's sessions, oldest ``created_at`` first, or the newest so many."""
        if limit is None:
            found = self._database.ask(self._statements.list, (subject,))
        else:
            found = self._database.ask(self._statements.list_newest, (subject, str(limit)))[::-1]
        return [rows.read_session(row) for row in found]

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session and keep why; ``True`` for exactly one caller."""
        return self._ending(lambda run, why: self._end_one(run, session_id, why), ending)

    def get_ending(self, session_id: str) -> Ending | None:
        """Return why the session ended; ``None`` if it lives, never lived or is forgotten."""
        found = self._database.ask(self._statements.get_ending, (session_id,))
        return rows.read_ending(found[0]) if found else None

    def count_sessions(self, subject: str | None = None) -> int:
        """Return how many sessions are kept, of one subject or of all."""
        if subject is None:
            found = self._database.ask(self._statements.count, ())
        else:
            found = self._database.ask(self._statements.count_of, (subject,))
        return int(found[0][0]) if found else 0

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` things whose time was over before ``before``, in short transactions."""
        removed = 0
        of_sessions = (self._statements.purge_sessions, self._statements.purge_endings)
        for statement in (*of_sessions, self._for_challenges.purge, self._for_counters.purge):
            removed += self._purge(statement, rows.microseconds(before), batch - removed)
        return removed

    def close(self) -> None:
        """Let go of the connections and of the thread that listens."""
        self._database.close()
        if self._owns_engine:
            self._engine.dispose()

    def _change(self, session_id: str, statement: str, values: tuple[object, ...]) -> bool:
        with self._database.transaction() as run:
            changed = bool(run(statement, values))
            if changed:
                self._database.announce(run, session_id)
        return changed

    def _end_one(self, run: Run, session_id: str, ending: Ending | None) -> bool:
        ended = self._end(run, session_id, ending)
        if ended and ending is not None:
            self._record(run)
        return ended

    def _end(self, run: Run, session_id: str, ending: Ending | None) -> bool:
        ended = run(self._statements.delete, (session_id,))
        if not ended:
            return False
        if ending is not None:
            run(self._statements.end, rows.end_row(session_id, ending, ended[0][0]))
        self._database.announce(run, session_id)
        return True

    def _purge(self, statement: str, before: int, limit: int) -> int:
        removed = 0
        while removed < limit:
            step = min(self._step, limit - removed)
            count, took = self._purge_step(statement, before, step)
            removed += count
            self._step = _next_step(self._step, took)
            if count < step:
                break
        return removed

    def _purge_step(self, statement: str, before: int, step: int) -> tuple[int, float]:
        with self._database.transaction() as run:
            began = monotonic()
            count = len(run(statement, (before, step)))
            if count and statement == self._statements.purge_sessions:
                self._database.announce(run, ANY)
        return count, monotonic() - began


def keep_from_migrations() -> None:
    """Have Alembic leave these tables out of the migrations that it writes for an application."""
    from admit.stores.migrations.autogenerate import leave_tables_alone

    leave_tables_alone()


def _next_step(step: int, took: float) -> int:
    """Return how many rows to remove next, given how long the last ones took."""
    if took > _HOLD / 2:
        return max(_LEAST_STEP, int(step * _HOLD / 2 / took))
    return min(step * 2, _LAST_STEP) if took < _HOLD / 4 else step
