"""What is particular to PostgreSQL: a server that may be away, or there and silent."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import create_engine, event, text

from admit.errors import StoreError
from admit.model import Ending, EndReason
from admit.stores import open_store
from admit.stores.sql import SqlStore
from admit.stores.sql_rows import SESSION_COLUMNS, row_of
from admit.testing import a_session
from admit.testing.store_races import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.model import Session
    from admit.stores.sql_wire import Wire
    from tests.services.postgres import PostgresServer

PATIENCE = 30
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")


@pytest.fixture
def store(postgres_server: PostgresServer, postgres_schema: str) -> Iterator[SqlStore]:
    """Open a store with the timeouts that an application gets."""
    store = SqlStore(postgres_server.url, schema=postgres_schema)
    store.create()
    yield store
    store.close()


@pytest.fixture
def patient_store(postgres_server: PostgresServer, postgres_schema: str) -> Iterator[SqlStore]:
    """Open a store that waits for what takes long on a busy machine."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, connect_timeout=PATIENCE, command_timeout=PATIENCE)
    store.create()
    yield store
    store.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if what is done takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@contextmanager
def paused(server: PostgresServer) -> Iterator[None]:
    """Let the server keep its connections and say nothing, like a machine that hangs."""
    server.signal_all(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal_all(signal.SIGCONT)


def hang_up(server: PostgresServer) -> None:
    """Let the server close all other connections, as a restart would."""
    server.ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


def test_a_silent_server_is_given_up_within_a_second(store: SqlStore, postgres_server: PostgresServer) -> None:
    """A server that accepts and does not answer costs less than a second, on old and on new connections."""
    session = a_session()
    store.add_session(session)
    verbs: list[Callable[[], object]] = [
        lambda: store.get_session(session.id),
        lambda: store.get_session(session.id),  # the connection is gone, so this one begins anew
        lambda: store.delete_session(session.id, ending=REVOKED),
        store.count_sessions,
    ]
    with paused(postgres_server):
        for verb in verbs:
            with within(1.2), pytest.raises(StoreError) as caught:
                verb()
            assert caught.value.__cause__ is not None
    assert store.get_session(session.id) == session


def add_and_wait(store: SqlStore, session: Session, server: PostgresServer) -> None:
    """Write while the server answers, and then wait for it in vain."""
    with store._database.transaction() as run:
        run(store._statements.add, row_of(session))
        with paused(server):
            run("SELECT 1")


def test_a_silence_in_the_middle_of_a_transaction(store: SqlStore, postgres_server: PostgresServer) -> None:
    """A transaction that the server stops answering is undone."""
    session = a_session()
    with within(1.2), pytest.raises(StoreError):
        add_and_wait(store, session, postgres_server)
    assert store.get_session(session.id) is None
    store.add_session(session)


def test_a_server_that_comes_back_is_used_at_once(store: SqlStore, postgres_server: PostgresServer) -> None:
    """While the server is down there are errors at once; when it is back, everything works."""
    session = a_session()
    store.add_session(session)
    postgres_server.kill()
    for verb in (lambda: store.get_session(session.id), lambda: store.delete_session(session.id, ending=REVOKED)):
        with within(1.2), pytest.raises(StoreError):
            verb()
    postgres_server.start()
    assert store.get_session(session.id) == session
    assert store.delete_session(session.id, ending=REVOKED)


def test_a_connection_that_was_closed_costs_no_request(store: SqlStore, postgres_server: PostgresServer) -> None:
    """After a restart of the server, the first read and the first write work as if nothing had been."""
    session = a_session()
    store.add_session(session)
    hang_up(postgres_server)
    assert store.get_session(session.id) == session
    hang_up(postgres_server)
    assert store.delete_session(session.id, ending=REVOKED)


def test_a_question_of_any_size_is_asked(patient_store: SqlStore) -> None:
    """A question that the kernel does not take at once is sent piece by piece, and the next one gets its own answer."""
    ask_much_of(patient_store)


def ask_much_of(store: SqlStore) -> None:
    """Ask for a name of thirty million characters, and then for something else."""
    assert list(store.list_sessions("ada" * 10_000_000)) == []
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session


def test_an_answer_of_any_size_is_read(store: SqlStore) -> None:
    """An answer that comes in many pieces is read to its end, and the next question gets its own."""
    sessions = [a_session() for _ in range(500)]
    for session in sessions:
        store.add_session(session)
    assert {one.id for one in store.list_sessions("ada")} == {one.id for one in sessions}
    assert store.get_session(sessions[0].id) == sessions[0]


def test_a_system_without_poll_waits_otherwise(
    patient_store: SqlStore, store: SqlStore, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no poll(), questions of any size are answered, and a silent server is given up."""
    monkeypatch.setattr("admit.stores.sql_wire._poll", None)
    ask_much_of(patient_store)
    with paused(postgres_server), within(1.2), pytest.raises(StoreError):
        store.count_sessions()


def test_a_purge_does_not_read_the_whole_table(
    store: SqlStore, postgres_server: PostgresServer, postgres_schema: str
) -> None:
    """However few rows a step removes and whatever the server guesses of their number, it finds them by an index."""
    store.add_session(a_session())
    table = f'"{postgres_schema}"."admit_sessions"'
    names = [str(name) for name in SESSION_COLUMNS]
    new = {"id": "'x' || number", "expires_at": "expires_at + (random() * 1e12)::bigint"}
    copied = ", ".join(new.get(name, name) for name in names)
    many = f"INSERT INTO {table} ({', '.join(names)}) SELECT {copied} FROM {table}, generate_series(1, 20000) number"  # noqa: S608
    postgres_server.ask(many)
    postgres_server.ask(f"ANALYZE {table}")
    purge = store._statements.purge_sessions.replace("%s", "$1", 1).replace("%s", "$2", 1)
    with store._database.transaction() as run:
        run("SET LOCAL plan_cache_mode = force_generic_plan")
        run(f"PREPARE purge AS {purge}")
        plan = "\n".join(str(line) for (line,) in run("EXPLAIN EXECUTE purge(0, 20)"))
    assert "Seq Scan" not in plan
    assert "admit_sessions_expires_at" in plan


def test_a_second_failure_is_an_error(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection is tried once and no more."""
    connect = store._database._connect

    def closed() -> Wire:
        wire = connect()
        wire.close()
        return wire

    store.close()
    monkeypatch.setattr(store._database, "_connect", closed)
    with pytest.raises(StoreError):
        store.get_session("x")
    with pytest.raises(StoreError):
        store.add_session(a_session())


def test_a_lost_connection_drops_everything(store: SqlStore, postgres_server: PostgresServer) -> None:
    """Who listens is told that anything may have changed when the connection was lost, and hears again."""
    heard: Queue[str | None] = Queue()
    store.on_change(heard.put)
    assert heard.get(timeout=PATIENCE) is None
    hang_up(postgres_server)
    assert heard.get(timeout=PATIENCE) is None  # it was lost
    assert heard.get(timeout=PATIENCE) is None  # it is there again
    session = a_session()
    store.add_session(session)
    store.delete_session(session.id, ending=REVOKED)
    assert heard.get(timeout=PATIENCE) == session.id
    store.add_session(session)
    store.delete_sessions(session.subject, ending=REVOKED)
    assert heard.get(timeout=PATIENCE) is None


def test_a_silent_server_is_noticed_by_who_listens(store: SqlStore, postgres_server: PostgresServer) -> None:
    """Who listens asks whether anybody is there, because a dead connection is silent as well."""
    heard: Queue[str | None] = Queue()
    store.on_change(heard.put)
    assert heard.get(timeout=PATIENCE) is None
    with paused(postgres_server):
        assert heard.get(timeout=PATIENCE) is None
    assert heard.get(timeout=PATIENCE) is None


def test_after_a_silence_changes_are_still_heard(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking whether anybody is there loses no word."""
    monkeypatch.setattr("admit.stores.sql_postgres._SILENCE", -1.0)
    monkeypatch.setattr("admit.stores.sql_postgres._WAIT", 0.001)
    heard: Queue[str | None] = Queue()
    store.on_change(heard.put)
    assert heard.get(timeout=PATIENCE) is None
    for _ in range(100):
        store.add_session(session := a_session())
        store.delete_session(session.id, ending=REVOKED)
        assert heard.get(timeout=PATIENCE) == session.id


def test_only_what_is_committed_is_announced(store: SqlStore) -> None:
    """A change that is undone is not announced."""
    heard: Queue[str | None] = Queue()
    store.on_change(heard.put)
    heard.get(timeout=PATIENCE)
    with suppress(KeyboardInterrupt), store._database.transaction() as run:
        store._database.announce(run, "undone")
        raise KeyboardInterrupt
    with store._database.transaction() as run:
        store._database.announce(run, "done")
    assert heard.get(timeout=PATIENCE) == "done"


def test_the_end_of_all_includes_what_replaces_one(store: SqlStore) -> None:
    """A session that replaces another while all are ended does not outlive the end of all."""
    for _ in range(50):
        old, new = a_session(), a_session()
        store.add_session(old)
        rival = Thread(target=lambda: store.delete_sessions("ada", ending=REVOKED))
        rival.start()
        store.replace_session(old.id, new, ending=REVOKED)
        rival.join()
        assert list(store.list_sessions("ada")) == []


def test_the_engine_of_an_application(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """An engine's settings and listeners are used, and its own connections stay as they were."""
    engine = create_engine(
        postgres_server.url.replace("tests@", "nobody@"), connect_args={"application_name": "mine"}, pool_size=1
    )

    @event.listens_for(engine, "do_connect")
    def say_who(_: object, __: object, ___: object, options: dict[str, Any]) -> None:
        options["user"] = "tests"

    store = open_store(engine, schema=postgres_schema)
    assert isinstance(store, SqlStore)
    store.create()
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    settings = "SELECT current_setting('application_name'), current_setting('statement_timeout')"
    assert store._database.ask(settings, ()) == [("mine", "500ms")]
    with engine.connect() as connection:
        assert tuple(connection.execute(text(settings)).one()) == ("mine", "0")
    store.close()
    engine.dispose()


def test_an_engine_that_makes_its_connections_itself(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """An engine with a creator of its own has its connections made by that."""
    url = postgres_server.url.replace("+psycopg", "")
    store = SqlStore(
        create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url)), schema=postgres_schema
    )
    store.create()
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    store.close()


def test_a_statement_that_takes_too_long_is_stopped(store: SqlStore) -> None:
    """The server itself stops what takes longer than a command may, and the store works on."""
    with within(1.2), pytest.raises(StoreError):
        store._database.ask("SELECT pg_sleep(5)", ())
    assert store.count_sessions() == 0


def test_what_is_one_statement_survives_a_restart(store: SqlStore, postgres_server: PostgresServer) -> None:
    """A write of one statement that finds its idle connection closed is made on a new one."""
    spent = {"now": NOW, "interval": timedelta(minutes=1), "burst": 2}
    assert store.spend("door", **spent) == timedelta(0)
    hang_up(postgres_server)
    assert [store.spend("door", **spent) for _ in range(2)] == [timedelta(0), timedelta(minutes=1)]
