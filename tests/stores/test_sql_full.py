"""A database that is full or read-only: who is in is served, and what can be ended is."""

from __future__ import annotations

import errno
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError
from admit.features.activity import Activity
from admit.gate import Gate
from admit.model import Ending, EndReason
from admit.settings import SessionSettings
from admit.store import Stores
from admit.stores.sql import SqlStore
from admit.stores.sql_full import FullError
from admit.testing import Clock, a_session
from admit.testing.samples import NOW
from tests.services.postgres import private_postgres

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.postgres import PostgresServer

REVOKED = Ending(EndReason.REVOKED, NOW, "owner")
HOUR = timedelta(hours=1)
SETTINGS = SessionSettings(rotate_every=timedelta(minutes=10))


class FullStore(SqlStore):
    """A store whose file can be made unable to grow by a page, on every connection."""

    is_full = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        database: Any = self._database
        connect = database._connect

        def limited() -> sqlite3.Connection:
            connection: sqlite3.Connection = connect()
            if self.is_full:
                connection.execute("PRAGMA max_page_count = 1")
            return connection

        database._connect = limited

    def fill(self) -> None:
        """Let there be no room, and no page that is free."""
        self._database._writers.close()  # type: ignore[union-attr]
        self.is_full = True
        with suppress(FullError):
            while True:
                self.add_session(a_session(subject="filler"))


@pytest.fixture
def full(tmp_path: Path) -> Iterator[FullStore]:
    """Open a store in a file."""
    store = FullStore(f"sqlite:///{tmp_path}/app.db")
    yield store
    store.close()


def recorded(store: SqlStore, clock: Clock) -> Gate:
    """Return a gate whose events are recorded."""
    gate = Gate(store, SETTINGS, clock=clock, stores=Stores(store, events=store))
    Activity().watch(gate.events, Stores(store, events=store), lambda: None)
    return gate


def test_on_a_full_disk_sessions_end(full: FullStore, caplog: pytest.LogCaptureFixture) -> None:
    """When nothing can be added, sign-outs, revocations and the purge work; the log has what can't be recorded."""
    clock = Clock(NOW)
    gate = recorded(full, clock)
    first, second, *others = [gate.admit("ada", "password") for _ in range(20)]
    bob = gate.admit("bob", "password")
    full.fill()
    with pytest.raises(StoreError):
        gate.admit("ada", "password")
    assert gate.revoke(first.session.id)
    assert gate.resume(first.token).session is None
    assert gate.revoke_all("ada", keep=second.session.id) == len(others)
    assert [one.id for one in gate.sessions_of("ada")] == [second.session.id]
    assert gate.resume(bob.token).session is not None
    assert full.purge_events(before=NOW + HOUR)
    clock.advance(timedelta(days=400))
    assert gate.purge()
    assert full.count_sessions() == 0
    assert "A subscriber to SessionEnded failed" in caplog.text


def test_on_a_full_disk_everybody_is_served(full: FullStore) -> None:
    """A session that is due for a new secret, or to be confirmed, is served whether or not that can be written."""
    clock = Clock(NOW)
    gate = Gate(full, SETTINGS, clock=clock)
    admitted = gate.admit("ada", "password")
    full.fill()
    full._database.transaction = _refuse  # not even what is there can be changed
    for _ in range(3):
        clock.advance(HOUR)
        resumed = gate.resume(admitted.token)
        assert resumed.session is not None
        assert resumed.token is None
    del full._database.transaction
    resumed = gate.resume(admitted.token)
    assert resumed.token is not None
    full._database.transaction = _refuse
    assert gate.resume(resumed.token).session is not None, "the new secret can't be confirmed"
    assert gate.resume(admitted.token).token == resumed.token
    clock.advance(timedelta(days=400))
    ended = gate.resume(resumed.token)
    assert ended.session is None
    assert ended.ending is not None
    assert ended.ending.reason in {EndReason.IDLE, EndReason.ABSOLUTE}


def test_a_theft_that_can_not_be_written_is_no_way_in(full: FullStore) -> None:
    """Whoever brings a stolen secret is not served; the session ends as soon as that can be written."""
    clock = Clock(NOW)
    gate = Gate(full, SETTINGS, clock=clock)
    old = gate.admit("ada", "password").token
    token = old
    for _ in range(3):
        clock.advance(HOUR)
        token = gate.resume(token).token or token
        gate.resume(token)
    full._database.transaction = _refuse
    with pytest.raises(StoreError):
        gate.resume(old)
    del full._database.transaction
    assert gate.resume(old).session is None
    assert gate.resume(token).session is None


def _refuse() -> Any:
    message = "disk I/O error"
    raise StoreError(message) from OSError(errno.ENOSPC, "No space left on device")


def test_what_else_fails_ends_nothing_half(tmp_path: Path) -> None:
    """An error that is not about room is no reason to end a session without keeping why."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db")
    store.add_session(session := a_session())
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE admit_endings")
    with pytest.raises(StoreError) as caught:
        store.delete_session(session.id, ending=REVOKED)
    assert not isinstance(caught.value, FullError)
    assert store.get_session(session.id) == session
    store.close()


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def test_on_a_full_disk_of_postgres_sessions_end(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """When PostgreSQL has no room for the ending of a session, the session ends without it."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, connect_timeout=30, command_timeout=30)
    store.create()
    sessions = [a_session() for _ in range(3)]
    for session in sessions:
        store.add_session(session)
    postgres_server.ask(
        f"CREATE FUNCTION {postgres_schema}.no_room() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$"
    )
    postgres_server.ask(
        f"CREATE TRIGGER is_full BEFORE INSERT ON {postgres_schema}.admit_endings "
        f"EXECUTE FUNCTION {postgres_schema}.no_room()"
    )
    assert store.delete_session(sessions[0].id, ending=REVOKED)
    assert store.delete_sessions("ada", ending=REVOKED) == 2
    assert store.list_sessions("ada") == []
    with pytest.raises(FullError):
        store.replace_session(_added(store).id, a_session(), ending=REVOKED)
    store.close()


def _added(store: SqlStore) -> Any:
    store.add_session(session := a_session())
    return session


def test_a_database_that_is_read_only_serves_who_is_in() -> None:
    """While transactions are read-only, who is in is served, nobody gets in, and a revocation says that it failed."""
    with private_postgres() as server:
        store = SqlStore(server.url, connect_timeout=30, command_timeout=30)
        store.create()
        clock = Clock(NOW)
        gate = recorded(store, clock)
        admitted = gate.admit("ada", "password")
        server.ask("ALTER SYSTEM SET default_transaction_read_only = on")
        server.ask("SELECT pg_reload_conf()")
        store._database._idle.close()  # type: ignore[union-attr]
        clock.advance(HOUR)
        for _ in range(3):
            resumed = gate.resume(admitted.token)
            assert resumed.session is not None
            assert resumed.token is None
        assert [link.record.name for link in store.list_events()] == ["logged_in"]
        for refused in (lambda: gate.revoke(admitted.session.id), lambda: gate.admit("ada", "password")):
            with pytest.raises(StoreError, match="read-only"):
                refused()
        store.close()
