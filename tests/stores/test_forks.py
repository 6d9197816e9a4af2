"""Stores in the children of a fork in C, which runs no hook of Python's: each child has all that it uses for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, event, text

from admit import per_process, tokens
from admit.errors import StoreError
from admit.model import Ending, EndReason
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from admit.stores.sql_forks import keep_apart
from admit.testing import a_session
from tests.forks import child, in_child
from tests.services.redis import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.store import SessionStore
    from tests.services.postgres import PostgresServer

REVOKED = Ending(EndReason.REVOKED, datetime.now(UTC), "owner")
PATIENCE = 30
PATIENT = {"connect_timeout": PATIENCE, "command_timeout": PATIENCE}


@pytest.fixture(params=["sqlite", "postgresql", "redis", "redis+cluster"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SqlStore | RedisStore]:
    """Return what opens each kind of store in turn, always the same one."""
    if request.param == "sqlite":
        return partial(SqlStore, f"sqlite:///{tmp_path}/app.db", **PATIENT)
    if request.param == "postgresql":
        schema = request.getfixturevalue("postgres_schema")
        opener = partial(SqlStore, request.getfixturevalue("postgres_server").url, schema=schema, **PATIENT)
        with closing(opener()) as store:
            store.create()
        return opener
    url = request.getfixturevalue("redis_url" if request.param == "redis" else "redis_cluster_url")
    return partial(RedisStore, url, prefix=f"{tokens.new_id()}:", **PATIENT)


def test_children_answer_for_themselves(opener: Callable[[], SessionStore]) -> None:
    """Parent and children use one open store side by side; each answer is the one that was asked for."""
    with closing(opener()) as store:
        sessions = [a_session(subject=str(number)) for number in range(4)]
        for session in sessions:
            store.add_session(session)

        def look(rounds: int) -> None:
            for _ in range(rounds):
                assert [store.get_session(one.id) for one in sessions] == sessions
                store.add_session(a_session())

        look(1)
        with child(partial(look, 60)), child(partial(look, 60)):
            look(60)


def test_a_child_hears_what_others_end(opener: Callable[[], SessionStore]) -> None:
    """A child keeps nothing that its parent had at hand, and what it keeps is dropped by the push alone."""
    with closing(NearStore(opener(), max_age=3600)) as near, closing(opener()) as other:
        session, second, third = a_session(), a_session(), a_session()
        for one in (session, second, third):
            near.add_session(one)

        def hear(session_id: str) -> None:
            wait_until(lambda: near.get_session(session_id) is near.get_session(session_id))
            with closing(opener()) as another:
                another.delete_session(session_id, ending=REVOKED)
            wait_until(lambda: near.get_session(session_id) is None)

        in_child(partial(hear, session.id))
        wait_until(lambda: near.get_session(second.id) is near.get_session(second.id))
        in_child(partial(hear, third.id))
        other.delete_session(second.id, ending=REVOKED)
        wait_until(lambda: near.get_session(second.id) is None)


def test_locks_that_were_held_hold_up_no_child(tmp_path: Path) -> None:
    """A child uses stores whose locks its parent's threads held when it was forked."""
    sql, memory, session = SqlStore(f"sqlite:///{tmp_path}/app.db"), MemoryStore(), a_session()

    def use() -> None:
        for store in (sql, memory):
            store.add_session(session)
            assert store.get_session(session.id) == session

    with sql._database._lock, memory._lock:  # type: ignore[union-attr]
        in_child(use)
    assert sql.get_session(session.id) == session
    sql.close()


_FORKS = """
import sys, time
from admit.stores.near import NearStore
from admit.stores.sql import SqlStore
from tests.forks import in_child

for milliseconds in range(21):
    for asks in (False, True):
        store = SqlStore(sys.argv[1], schema=sys.argv[2], connect_timeout=30, command_timeout=30)
        near = NearStore(store)
        if asks:
            near.get_session("x" * 22)
        time.sleep(milliseconds / 1000)
        in_child(lambda: near.get_session("y" * 22), 60)
        near.close()
"""


def test_no_child_hangs_whenever_it_was_forked(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """Children that are forked at any millisecond after opening or after the first look-up answer: 0 hang."""
    with closing(SqlStore(postgres_server.url, schema=postgres_schema, **PATIENT)) as store:
        store.create()
    # In a process of its own, which has no threads but those of the store.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKS, postgres_server.url, postgres_schema]
    subprocess.run(command, check=True, timeout=240, stdin=subprocess.DEVNULL)  # noqa: S603 -- our own words


def test_opening_leaves_no_connection_to_a_file_behind(tmp_path: Path) -> None:
    """A process that only opens an SQLite store leaves its children no connection: SQLite would count it as theirs."""
    file = tmp_path / "app.db"
    with closing(SqlStore(f"sqlite:///{file}")) as store:
        held = [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]
        assert not [one for one in held if one.startswith(str(file))]
        store.add_session(session := a_session())
        assert store.get_session(session.id) == session


def test_opening_starts_no_thread_that_connects(postgres_server: PostgresServer) -> None:
    """Neither opening a store nor a cache before it connects: a child would have half of a connection."""
    engine, opened = create_engine(postgres_server.url), []
    event.listen(engine, "do_connect", lambda *_: opened.append(1))
    with closing(NearStore(SqlStore(engine))) as near:
        assert near._stop is None
    assert opened == []
    engine.dispose()


# -- engines of applications ------------------------------------------------------------------------------------------


def test_a_child_leaves_the_connections_of_the_application_alone(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """A child takes no connection out of the pool of the application's engine that its parent has opened."""
    for url in (postgres_server.url, f"sqlite:///{tmp_path}/other.db"):
        engine = create_engine(url)
        SqlStore(engine).close()
        SqlStore(engine).close()  # once for an engine
        with engine.connect() as connection:
            parents = connection.connection.driver_connection

        def look(engine: object = engine, parents: object = parents) -> None:
            with engine.connect() as connection:  # type: ignore[attr-defined]
                assert connection.connection.driver_connection is not parents
                assert connection.execute(text("SELECT 7")).scalar() == 7
                childs = connection.connection.driver_connection
            with engine.connect() as connection:  # type: ignore[attr-defined]
                assert connection.connection.driver_connection is childs

        in_child(look)
        with engine.connect() as connection:
            assert connection.connection.driver_connection is parents
            assert connection.execute(text("SELECT 8")).scalar() == 8
        engine.dispose()


def test_a_connection_of_another_process_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection in the pool that another process has opened is neither used nor closed."""
    monkeypatch.setattr(per_process, "_abandoned", abandoned := [])
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    keep_apart(engine)
    with engine.connect() as connection:
        theirs = connection.connection.driver_connection
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with engine.connect() as connection:
        assert connection.connection.driver_connection is not theirs
    assert abandoned == [theirs]
    abandoned[0].close()
    engine.dispose()


# -- what nobody expected ---------------------------------------------------------------------------------------------


def test_what_is_no_id_is_survived(redis_url: str) -> None:
    """Bytes that are no text, published where the ids are, drop everything, and what comes later is heard."""
    store = RedisStore(redis_url, prefix=f"{tokens.new_id()}:", **PATIENT)
    heard: Queue[str | None] = Queue()
    with closing(store):
        states: Queue[bool] = Queue()
        store.on_listening(states.put)
        store.on_change(heard.put)
        assert heard.get(timeout=PATIENCE) is None
        assert states.get(timeout=PATIENCE) is True
        store._nodes.ask("PUBLISH", store._records.channel, b"\xff")
        assert heard.get(timeout=PATIENCE) is None
        assert heard.get(timeout=PATIENCE) is None
        wait_until(store.is_listening)
        store.add_session(session := a_session())
        store.delete_session(session.id, ending=REVOKED)
        assert heard.get(timeout=PATIENCE) == session.id
    assert not store.is_listening()


def test_a_listener_of_the_application_that_fails_is_survived(
    postgres_server: PostgresServer, postgres_schema: str
) -> None:
    """While the application's own do_connect fails the process is deaf; afterwards it hears again."""
    engine, fails, failures = create_engine(postgres_server.url), True, Queue[bool]()

    def connect(*_: object) -> None:
        if fails:
            message = "no password to be had"
            raise LookupError(message)

    event.listen(engine, "do_connect", connect, insert=True)
    store = SqlStore(engine, schema=postgres_schema, **PATIENT)
    heard: Queue[str | None] = Queue()
    with closing(store):
        store.on_listening(failures.put)
        store.on_change(heard.put)
        assert [failures.get(timeout=PATIENCE) for _ in range(3)] == [False] * 3
        assert not store.is_listening()
        with pytest.raises(StoreError, match="no password"):
            store.get_session("x")
        fails = False
        wait_until(store.is_listening)
        store.create()
        store.add_session(session := a_session())
        store.delete_session(session.id, ending=REVOKED)
        wait_until(lambda: session.id in heard.queue)
    engine.dispose()


# -- connections that nobody needs ------------------------------------------------------------------------------------


def test_connections_are_given_back(
    postgres_server: PostgresServer, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a burst the connections that nobody uses any more are closed, by who asks next or by who listens."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, **PATIENT)
    with closing(store):
        store.create()
        idle = store._database._idle  # type: ignore[union-attr]
        for _ in range(2):
            wires = [store._database._take() for _ in range(5)]  # type: ignore[union-attr]
            for wire in wires:
                idle.put(wire)
            monkeypatch.setattr(idle, "_longest", -1.0)
            if _:
                store.get_session("x")
            else:
                store.on_change(lambda _: None)
            wait_until(lambda: not idle._idle.get())
            assert all(wire.closed for wire in wires)
            store._database.changes.stop()
            monkeypatch.undo()
