"""PostgreSQL: connections made as an engine makes its own, transactions, and changes that are announced."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import psycopg
import sqlalchemy.exc
from psycopg.conninfo import make_conninfo
from psycopg.errors import DiskFull
from sqlalchemy import event

from admit.errors import StoreError
from admit.idle import Idle
from admit.listening import Changes
from admit.per_process import PerProcess
from admit.stores.sql_full import FullError
from admit.stores.sql_rows import moment
from admit.stores.sql_wire import Wire, open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime
    from threading import Event

    from sqlalchemy import Engine
    from sqlalchemy.pool import Pool

    from admit.listening import Tell
    from admit.stores.sql_rows import Row

    Run: TypeAlias = Callable[..., list[Row]]

__all__ = ["PostgresDatabase", "unknown_option"]

# How long the listening thread waits in one go, and after how much silence it asks whether anybody is there.
_WAIT, _SILENCE = 0.2, 1.0
_FAILURES = (psycopg.Error, sqlalchemy.exc.SQLAlchemyError, OSError, UnicodeError)
_ALL = "*"
# Whatever the database's own default is: each statement has to see what was committed while it waited.
_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Who is connecting just now, so that connections that the application opens meanwhile are left to SQLAlchemy. No
# threading.local: gevent replaces that, and whoever had it before then shares it with all greenlets.
_connecting: ContextVar[object] = ContextVar("connecting", default=None)


def unknown_option(engine: Engine) -> str | None:
    """Return an option of an engine's URL that neither the driver nor PostgreSQL's library knows, if there is one."""
    _, options = engine.dialect.create_connect_args(engine.url)
    known = signature(psycopg.Connection.connect).parameters
    for name in options:
        if name not in known:
            try:
                make_conninfo(**{name: ""})
            except psycopg.ProgrammingError:
                return str(name)
    return None


class PostgresDatabase:
    """The database of an engine, reached with the engine's own settings.

    Args:
        engine: Whose database it is.
        channel: What changes are announced for: a text that names the schema and the tables.
        connect_timeout: How long connecting may take, in seconds.
        timeout: How long one command may take, in seconds.
    """

    mark = "%s"
    is_not_distinct_from = "IS NOT DISTINCT FROM"
    is_distinct_from = "IS DISTINCT FROM"
    # An array has its rows before anything is looked for. With IN, a plan that was prepared for any LIMIT reads the
    # whole table, however few the rows are.
    is_among = "= ANY (ARRAY({}))"
    lock_rows = "FOR UPDATE SKIP LOCKED"
    seals_later = True

    def __init__(self, engine: Engine, channel: str, connect_timeout: float, timeout: float) -> None:
        # A name may have 63 bytes at most, and a schema's alone may have as many.
        self._channel = f"admit_{hashlib.sha256(channel.encode()).hexdigest()[:32]}"
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        # Settings, listeners and passwords that change are the engine's; the connections are none of its pool's. A
        # pool has locks, one of them for its first connection, so each process has its own.
        self._engine = engine
        self._pool = PerProcess(self._new_pool)
        event.listen(engine, "do_connect", self._open)
        self._idle: Idle[Wire] = Idle(Wire.close)
        self.changes: Changes = Changes(self._hear)

    def ask(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Read rows; once more on a new connection if the old one was closed."""
        if any(isinstance(value, str) and "\x00" in value for value in values):
            return []  # no text in the database has one, and the driver refuses to ask for it
        wire = self._take()
        try:
            rows = wire.read(statement, values)
        except _FAILURES as error:
            wire = self._wire_after(wire, error)
            rows = self._last_try(wire, wire.read, statement, values)
        self._idle.put(wire)
        return rows

    def change(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Write by one statement, which is a transaction of its own: its locks are held for no round trip."""
        wire = self._take()
        if not wire.is_quiet():
            # It was closed, and nothing is lost yet.
            wire.close()
            self._idle.close()
            wire = self._connect()
        rows = self._last_try(wire, wire.run, statement, values)
        self._idle.put(wire)
        return rows

    @contextmanager
    def transaction(self) -> Generator[Run]:
        """Write in one transaction; whatever is raised within undoes it."""
        wire = self._take()
        try:
            wire.run(_BEGIN)
        except _FAILURES as error:
            # Nothing is lost yet, so that a server that was started again costs no request.
            wire = self._wire_after(wire, error)
            self._last_try(wire, wire.run, _BEGIN)
        try:
            yield wire.run
            wire.run("COMMIT")
        except _FAILURES as error:
            wire.close()
            raise (FullError if isinstance(error, DiskFull) else StoreError)(str(error)) from error
        except BaseException:
            wire.close()  # and the transaction is undone
            raise
        self._idle.put(wire)

    def make_room(self) -> None:
        """Do nothing: what is removed needs no room that the server has not got already."""

    def now(self) -> datetime:
        """Return the server's time."""
        return moment(self.ask(_NOW, ())[0][0])

    def lock_subject(self, run: Run, subject: str) -> None:
        """Let nobody else replace or end all of the subject's sessions until the transaction is over.

        Otherwise a session that replaces another one just then would outlive the end of all.
        """
        run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{self._channel}:{subject}",))

    def announce(self, run: Run, session_id: str) -> None:
        """Tell the others with the commit, and not without it."""
        run("SELECT pg_notify(%s, %s)", (self._channel, session_id))

    def create(self, statements: Sequence[str]) -> None:
        """Make the tables that are not there."""
        with self.transaction() as run:
            # Two that begin at once would both find nothing, and one would fail.
            self.lock_subject(run, "create")
            for statement in statements:
                run(statement)

    def close(self) -> None:
        """Stop the thread and close the connections."""
        self.changes.stop()
        self._idle.close()

    def _new_pool(self) -> Pool:
        return self._engine.pool.recreate()

    def _take(self) -> Wire:
        found = self._idle.take()
        return self._connect() if found is None else found[0]

    def _connect(self) -> Wire:
        before = _connecting.set(self)
        try:
            fairy = self._pool.get().connect()
        except Exception as error:  # whatever the application's own listeners of do_connect may raise
            raise StoreError(str(error)) from error
        finally:
            _connecting.reset(before)
        connection = cast("psycopg.Connection[Any]", fairy.driver_connection)
        fairy.detach()
        return Wire(connection, self._timeout)

    def _open(self, dialect: object, record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Open a connection for SQLAlchemy if we are the one who asked it to; leave all others to it."""
        del dialect, record
        if _connecting.get() is not self:
            return None
        plain = {name: value for name, value in options.items() if name != "context"}  # how SQLAlchemy wants values
        timeouts = {"connect_timeout": self._connect_timeout, "timeout": self._timeout}
        return open_connection("".join(arguments), plain, **timeouts)

    def _wire_after(self, wire: Wire, error: BaseException) -> Wire:
        """Return a new connection for one that was found closed; raise if it failed otherwise."""
        was_closed = wire.closed
        wire.close()
        if not was_closed:
            raise StoreError(str(error)) from error
        # The others are from the same time.
        self._idle.close()
        return self._connect()

    def _last_try(self, wire: Wire, act: Run, *arguments: object) -> list[Row]:
        try:
            return act(*arguments)
        except _FAILURES as error:
            wire.close()
            raise StoreError(str(error)) from error

    def _hear(self, stopped: Event, tell: Tell) -> None:
        wire = self._connect()
        try:
            wire.run(f"LISTEN {self._channel}")
            tell(None)  # nobody knows what was said before
            self._pass_on(wire, stopped, tell)
        except _FAILURES as error:
            raise StoreError(str(error)) from error
        finally:
            wire.close()

    def _pass_on(self, wire: Wire, stopped: Event, tell: Tell) -> None:
        wire.connection.add_notify_handler(lambda notice: tell(None if notice.payload == _ALL else notice.payload))
        heard_at = monotonic()
        while not stopped.is_set():
            if wire.await_news(_WAIT) or monotonic() - heard_at > _SILENCE:
                # Its answer brings along what was announced.
                wire.run("SELECT 1")
                heard_at = monotonic()
                # Where nobody asks any more, nobody else would give them back.
                self._idle.close_unused()
