"""SQLite: short reads on connections of their own, one writer per process, and WAL so that they do not wait."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from admit.errors import StoreError
from admit.idle import Idle
from admit.listening import Changes
from admit.per_process import Mutex
from admit.stores.sql_full import FullError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from threading import Event

    from sqlalchemy import Engine

    from admit.listening import Tell
    from admit.stores.sql_rows import Row

__all__ = ["FAILURES", "SqliteDatabase"]

# How often it is asked whether another connection wrote (seconds).
_POLL = 0.05
_RETRY = 0.01
# How long a write waits for others of the same process that get on, in seconds; one that hangs is not waited for.
_LONGEST_QUEUE = 10
#: What the driver raises.
FAILURES: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeError)


class SqliteDatabase:
    """The file of an engine, opened by the driver itself: a read through SQLAlchemy takes several times as long.

    Args:
        engine: Whose file it is.
        timeout: How long a write waits for other writers, in seconds.
    """

    mark = "?"
    is_not_distinct_from = "IS"
    is_distinct_from = "IS NOT"
    is_among = "IN ({})"
    lock_rows = ""
    seals_later = False

    def __init__(self, engine: Engine, timeout: float) -> None:
        self._file, self._is_uri = _file_of(engine)
        self._timeout = timeout
        self._readers: Idle[sqlite3.Connection] = Idle(sqlite3.Connection.close)
        self._writers: Idle[sqlite3.Connection] = Idle(sqlite3.Connection.close)
        # SQLite's own waiting is a matter of luck when many wait; within a process a lock is fair and quick.
        self._lock = Mutex()
        self._writes = 0
        self.changes: Changes = Changes(self._hear)

    def ask(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Read rows."""
        connection = self._take(self._readers)
        try:
            rows = connection.execute(statement, values).fetchall()
        except FAILURES as error:
            connection.close()
            raise StoreError(str(error)) from error
        self._readers.put(connection)
        return rows

    def change(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Write by one statement."""
        with self.transaction() as run:
            return run(statement, values)

    @contextmanager
    def transaction(self) -> Generator[Callable[..., list[Row]]]:
        """Write in one transaction; whatever is raised within undoes it."""
        self._await_turn()
        try:
            yield from self._transaction()
        except FAILURES as error:
            raise _failure(error) from error
        finally:
            self._lock.release()

    def _await_turn(self) -> None:
        """Wait for the other writers of this process, as long as they get on."""
        deadline, seen = monotonic() + _LONGEST_QUEUE, self._writes
        while not self._lock.acquire(timeout=self._timeout):
            if seen == self._writes or monotonic() > deadline:
                message = "Too many writes wait for the database."
                raise StoreError(message)
            seen = self._writes

    def make_room(self) -> None:
        """Empty the log, whose space the next write uses again. It is as long as the disk was when it was not full."""
        with suppress(StoreError):
            self.ask("PRAGMA wal_checkpoint(RESTART)", ())

    def now(self) -> datetime:
        """Return the machine's time: all processes that share the file are on it."""
        return datetime.now(UTC)

    def lock_subject(self, run: Callable[..., list[Row]], subject: str) -> None:
        """Do nothing: there is one writer at a time."""

    def announce(self, run: Callable[..., list[Row]], session_id: str) -> None:
        """Do nothing: whoever polls sees that something was written."""

    def create(self, statements: Sequence[str]) -> None:
        """Make the file, if it is not there, for its owner only, and the tables that are not there."""
        if not self._is_uri:
            self._make_file()
        self._use_wal()
        with self.transaction() as run:
            for statement in statements:
                run(statement)

    def close(self) -> None:
        """Stop the thread and close the connections."""
        self.changes.stop()
        self.close_idle()

    def close_idle(self) -> None:
        """Close the connections that no thread is using."""
        self._readers.close()
        self._writers.close()

    def _make_file(self) -> None:
        try:
            # The files that SQLite puts beside it get the same mode.
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise StoreError(str(error)) from error

    def _use_wal(self) -> None:
        deadline = monotonic() + self._timeout
        while True:
            try:
                # The file remembers it. SQLite does not wait for others here, who mostly want the same.
                self.ask("PRAGMA journal_mode=WAL", ())
            except StoreError:
                if monotonic() > deadline:
                    raise
                time.sleep(_RETRY)  # until the process that holds the file has set it
            else:
                return

    def _take(self, idle: Idle[sqlite3.Connection]) -> sqlite3.Connection:
        found = idle.take()
        return self._connect() if found is None else found[0]

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self._file,
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,
                uri=self._is_uri,
            )
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def _transaction(self) -> Generator[Callable[..., list[Row]]]:
        connection = self._take(self._writers)

        def run(statement: str, values: Sequence[object] = ()) -> list[Row]:
            return connection.execute(statement, values).fetchall()

        try:
            connection.execute("BEGIN IMMEDIATE")
            yield run
            connection.execute("COMMIT")
            self._writes += 1
        except BaseException:
            connection.close()  # and the transaction is undone
            raise
        self._writers.put(connection)

    def _hear(self, stopped: Event, tell: Tell) -> None:
        connection = self._connect()
        try:
            version: Any = None
            while not stopped.is_set():
                last, version = version, connection.execute("PRAGMA data_version").fetchone()
                if version != last:
                    tell(None)
                stopped.wait(_POLL)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error
        finally:
            connection.close()


def _failure(error: Exception) -> StoreError:
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return FullError(str(error)) if is_full else StoreError(str(error))


def _file_of(engine: Engine) -> tuple[str, bool]:
    """Return the absolute path, or the URI, of the engine's file."""
    (name, *_), options = engine.dialect.create_connect_args(engine.url)
    return name, bool(options.get("uri"))
