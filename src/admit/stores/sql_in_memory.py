"""SQLite in memory, as test suites use it: everybody shares the one connection of the application's engine.

The application may be in the middle of a transaction on that connection. So nothing here commits it or rolls it back:
each transaction of ours is a savepoint, which becomes part of the application's transaction if there is one.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from sqlite3 import OperationalError
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, StaticPool

from admit.errors import ConfigurationError, StoreError
from admit.stores.sql_sqlite import FAILURES, SqliteDatabase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from sqlalchemy import URL, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from admit.listening import Tell
    from admit.stores.sql_rows import Row

__all__ = ["InMemoryDatabase", "is_in_memory", "with_one_connection", "without_commits"]

_names = count()


def is_in_memory(engine: Engine) -> bool:
    """Tell whether this is an engine of an SQLite database in memory."""
    if engine.dialect.name != "sqlite":
        return False
    (name, *_), options = engine.dialect.create_connect_args(engine.url)
    return name in {"", ":memory:"} or (bool(options.get("uri")) and ("mode=memory" in name or ":memory:" in name))


class InMemoryDatabase(SqliteDatabase):
    """The database in memory of an application's engine.

    Args:
        engine: The engine. All of its users share one connection.
        timeout: How long a write waits for other threads, in seconds.

    Raises:
        ConfigurationError: Each connection of the engine has a database of its own.
    """

    def __init__(self, engine: Engine, timeout: float) -> None:
        _record_of(engine)
        super().__init__(engine, timeout)
        self._engine = engine
        self._statements: tuple[str, ...] = ()
        self._prepared: sqlite3.Connection | None = None

    def ask(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Read rows."""
        try:
            with _lock_of(self._engine):
                return _run(self._connection(), statement, values)
        except FAILURES as error:
            raise StoreError(str(error)) from error

    @contextmanager
    def transaction(self) -> Generator[Callable[..., list[Row]]]:
        """Write within one savepoint; whatever is raised within undoes it."""
        guest = _Guest(self._engine)
        try:
            connection = self._connection()
            with guest.savepoint():
                yield partial(_run, connection)
        except FAILURES as error:
            raise StoreError(str(error)) from error

    def create(self, statements: Sequence[str]) -> None:
        """Make the tables that are not there, now and whenever the engine has opened another database."""
        self._statements, self._prepared = tuple(statements), None
        self.ask("SELECT 1", ())

    def _connection(self) -> sqlite3.Connection:
        connection = _connection_of(self._engine)
        if connection is not self._prepared:
            # Made in the application's transaction they may be undone with it.
            lasts = not connection.in_transaction
            for statement in self._statements:
                _run(connection, statement)
            self._prepared = connection if lasts else None
        return connection

    def _hear(self, stopped: Event, tell: Tell) -> None:
        """Wait: nobody else can write here."""
        tell(None)
        stopped.wait()


def with_one_connection(url: URL) -> Engine:
    """Return an engine of its own for a database in memory, with one connection for all threads."""
    return create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})


def without_commits(engine: Engine) -> Engine:
    """Return an engine on the same database in memory whose transactions are savepoints."""
    noted = _record_of(engine).info
    if "admit_engine" not in noted:
        noted["admit_engine"] = create_engine(
            "sqlite://", creator=lambda: cast("Any", _Guest(engine)), poolclass=NullPool
        )
    return cast("Engine", noted["admit_engine"])


def _record_of(engine: Engine) -> ConnectionPoolEntry:
    """Return the one connection of an engine, without taking it out of the pool.

    The pool rolls back what is given back to it, and that would be the application's transaction.
    """
    pool = engine.pool
    if not isinstance(pool, StaticPool):
        message = (
            "This SQLite database is in memory, and each connection of its engine would open another one. "
            'Create the engine with poolclass=StaticPool and connect_args={"check_same_thread": False}, as '
            "Flask-SQLAlchemy does."
        )
        raise ConfigurationError(message)
    return pool.connection


def _connection_of(engine: Engine) -> sqlite3.Connection:
    return cast("sqlite3.Connection", _record_of(engine).driver_connection)


def _lock_of(engine: Engine) -> AbstractContextManager[bool]:
    lock: AbstractContextManager[bool] = _record_of(engine).info.setdefault("admit_lock", RLock())
    return lock


def _run(connection: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> list[Row]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(statement, values).fetchall()


class _Guest:
    """A connection that begins, commits and rolls back by savepoints, and leaves the connection behind it open.

    One thread at a time has a savepoint: they can only be released in the order in which they were made.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection = _connection_of(engine)
        self._savepoint = f"admit_{next(_names)}"
        self._turn = ExitStack()
        self._has_begun = False

    @contextmanager
    def savepoint(self) -> Generator[None]:
        self._begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def cursor(self) -> sqlite3.Cursor:
        self._begin()
        return self._connection.cursor()

    def commit(self) -> None:
        self._end("RELEASE {0}")

    def rollback(self) -> None:
        # What has undone the application's transaction meanwhile has undone this savepoint, too.
        with suppress(OperationalError):
            self._end("ROLLBACK TO {0}", "RELEASE {0}")

    def close(self) -> None:
        self.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _begin(self) -> None:
        if not self._has_begun:
            self._turn.enter_context(_lock_of(self._engine))
            self._has_begun = True
            self._connection.execute(f"SAVEPOINT {self._savepoint}")

    def _end(self, *statements: str) -> None:
        if self._has_begun:
            self._has_begun = False
            with self._turn.pop_all():
                for statement in statements:
                    self._connection.execute(statement.format(self._savepoint))
