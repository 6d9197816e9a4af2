"""What is particular to SQLite."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError
from admit.stores import open_store
from admit.stores.sql import SqlStore
from admit.testing import a_session
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a database may be."""
    return tmp_path / "app.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqlStore]:
    """Open a store that does not wait long."""
    store = SqlStore(f"sqlite:///{file}", command_timeout=0.05)
    yield store
    store.close()


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_the_file(store: SqlStore, file: Path) -> None:
    """The file that we make, and those that SQLite puts beside it, are nobody else's to read."""
    store.add_session(a_session())
    store.get_session("x")
    made = list(file.parent.iterdir())
    assert len(made) == 3
    assert {mode(path) for path in made} == {0o600}


def test_the_mode_of_a_file_that_was_there_stays(file: Path) -> None:
    """A file that the application made keeps the permissions that it was given."""
    file.touch()
    file.chmod(0o640)
    SqlStore(f"sqlite:///{file}").close()
    assert mode(file) == 0o640


def test_a_url_of_a_file_as_uri(file: Path) -> None:
    """SQLite's own form of a URL names a file as well."""
    store = SqlStore(f"sqlite:///file:{file}?mode=rwc&uri=true")
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    store.close()
    assert file.exists()


def test_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder that is not there, or a file that is none, is an error of the store at once."""
    with pytest.raises(StoreError):
        open_store(f"sqlite:///{tmp_path}/nowhere/app.db")
    with pytest.raises(StoreError):
        open_store(f"sqlite:///file:{tmp_path}/nowhere/app.db?uri=true", command_timeout=0.05)
    (tmp_path / "text.db").write_text("This is not a database, but it is long enough to be taken for one. " * 20)
    with pytest.raises(StoreError):
        open_store(f"sqlite:///{tmp_path}/text.db", command_timeout=0.05)


def test_another_writer_is_waited_for_but_not_long(store: SqlStore, file: Path) -> None:
    """While another program holds the file, reads go on, and writes fail within their time and then work again."""
    session = a_session()
    store.add_session(session)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get_session(session.id) == session
        began = time.monotonic()
        with pytest.raises(StoreError) as caught:
            store.add_session(a_session())
        assert time.monotonic() - began < 1
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    store.add_session(a_session())
    assert store.count_sessions() == 2


def test_another_thread_is_waited_for_but_not_long(store: SqlStore) -> None:
    """Threads of one process take turns, and one that waits for too long is told so."""
    begun, done = Event(), Event()

    def hold() -> None:
        with store._database.transaction():
            begun.set()
            done.wait(PATIENCE)

    thread = Thread(target=hold)
    thread.start()
    begun.wait(PATIENCE)
    with pytest.raises(StoreError, match="wait"):
        store.add_session(a_session())
    done.set()
    thread.join()
    store.add_session(a_session())


def test_many_processes_may_begin_at_once(file: Path) -> None:
    """Several workers that start on a file that is not there yet all find their tables."""
    code = f"from admit.stores.sql import SqlStore; SqlStore('sqlite:///{file}', command_timeout=30).count_sessions()"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]  # noqa: S603
    assert [process.wait(PATIENCE) for process in started] == [0] * 6


class Turns(Event):
    """Set when it was waited for three times."""

    left = 3

    def wait(self, timeout: float | None = None) -> bool:
        """Do not wait, but count."""
        self.left -= 1
        if not self.left:
            self.set()
        return self.is_set()


def test_nothing_is_said_while_nothing_changes(store: SqlStore) -> None:
    """Who listens is told to drop all at the beginning, and not again as long as nobody writes."""
    heard: list[str | None] = []
    store._database._hear(Turns(), heard.append)
    assert heard == [None]


def test_a_poll_that_fails_begins_again(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the file cannot be asked for changes, everything may have changed, and the thread tries again."""
    heard: Queue[str | None] = Queue()
    name = store._database._file
    stop = store.on_change(heard.put)
    heard.get(timeout=PATIENCE)
    stop()
    monkeypatch.setattr(store._database, "_file", f"{name}/nowhere")
    store.on_change(heard.put)
    heard.get(timeout=PATIENCE)
    monkeypatch.setattr(store._database, "_file", __file__)
    heard.get(timeout=PATIENCE)
    monkeypatch.setattr(store._database, "_file", name)
    heard.get(timeout=PATIENCE)


class Held:
    """A lock that others hold, who write something now and then."""

    def __init__(self, store: SqlStore, written: list[bool]) -> None:
        self._database: Any = store._database
        self._written = written

    def acquire(self, timeout: float) -> bool:
        """Wait in vain, while the others write or not; in the end, get it."""
        assert timeout > 0
        if not self._written:
            return True
        self._database._writes += self._written.pop(0)
        return False

    def release(self) -> None:
        """Let go."""


def test_writers_of_one_process_wait_as_long_as_the_others_get_on(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write waits through any number of others that are written, and not for one that hangs, nor for ever."""
    database: Any = store._database
    session = a_session()
    monkeypatch.setattr(database, "_lock", Held(store, [True] * 20))
    store.add_session(session)
    assert store.get_session(session.id) == session
    monkeypatch.setattr(database, "_lock", Held(store, [True, True, False]))
    with pytest.raises(StoreError, match="Too many writes"):
        store.add_session(a_session())
    monkeypatch.setattr("admit.stores.sql_sqlite._LONGEST_QUEUE", -1)
    monkeypatch.setattr(database, "_lock", Held(store, [True]))
    with pytest.raises(StoreError, match="Too many writes"):
        store.add_session(a_session())


def test_a_unit_that_is_given_back_meanwhile_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that somebody gives back between a refusal and the look at how long to wait is taken."""
    with closing(SqlStore(f"sqlite:///{tmp_path}/app.db")) as store:
        change, refusals = store._database.change, [True]
        monkeypatch.setattr(
            store._database, "change", lambda *asked: [] if refusals and refusals.pop() else change(*asked)
        )
        assert store.spend("door", now=NOW, interval=timedelta(minutes=1), burst=1) == timedelta(0)
        assert store.spend("door", now=NOW, interval=timedelta(minutes=1), burst=1) == timedelta(minutes=1)
