"""Records are written with the change that they tell of, in one transaction: both, or neither."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from admit.chain import verify
from admit.errors import StoreError
from admit.features.activity import Activity
from admit.gate import Gate
from admit.model import Ending, EndReason
from admit.operations import lock_account, unlock_account
from admit.store import Recording, Stores
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.testing import Clock, a_session, an_account, an_event
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.postgres import PostgresServer

REVOKED = Ending(EndReason.REVOKED, NOW)
PATIENCE = 30


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SqlStore]:
    """Return what opens each kind of database in turn."""
    if request.param == "sqlite":
        return partial(SqlStore, f"sqlite:///{tmp_path}/app.db", command_timeout=PATIENCE)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    schema: str = request.getfixturevalue("postgres_schema")
    return partial(SqlStore, server.url, schema=schema, connect_timeout=PATIENCE, command_timeout=PATIENCE)


@pytest.fixture
def store(opener: Callable[[], SqlStore]) -> Iterator[SqlStore]:
    """Open a store with tables."""
    store = opener()
    store.create()
    yield store
    store.close()


def count(store: SqlStore) -> int:
    """Return how many records there are."""
    return store.get_ends().head_number


def test_each_change_takes_its_records_along(store: SqlStore) -> None:
    """What begins, replaces or ends sessions, makes an account or changes one writes all records of the block once."""
    assert isinstance(store, Recording)
    one, other, third = a_session(), a_session(), a_session()
    account = an_account("ada")
    changes: list[Callable[[], object]] = [
        lambda: store.add_session(one),
        lambda: store.replace_session(one.id, other, ending=REVOKED),
        lambda: store.delete_session(other.id, ending=REVOKED),
        lambda: store.add_session(third),
        lambda: store.delete_sessions("ada", ending=REVOKED),
        lambda: store.add_account(account),
        lambda: store.replace_account(account, replace(account, locked_at=NOW)),
    ]
    for number, change in enumerate(changes, 1):
        with store.recording([an_event(), an_event()]) as is_written:
            assert not is_written()
            change()
            assert is_written()
            store.add_session(a_session(subject="grace"))
        assert count(store) == 2 * number
    assert verify(store).holds


def test_what_changes_nothing_leaves_no_record(store: SqlStore) -> None:
    """A lost race is not recorded, and neither is what comes after the block."""
    session, account = a_session(), an_account("ada")
    store.add_account(account)
    for change in (
        lambda: store.replace_session("gone", session, ending=REVOKED),
        lambda: store.delete_session("gone", ending=REVOKED),
        lambda: store.delete_sessions("ada", ending=REVOKED),
        lambda: store.replace_account(replace(account, revision=7), account),
    ):
        with store.recording([an_event()]) as is_written:
            assert not change()
            assert not is_written()
    with pytest.raises(Exception, match="taken"), store.recording([an_event()]):
        store.add_account(an_account("ada"))
    other = an_account("grace")
    store.add_account(other)
    with pytest.raises(Exception, match="taken"), store.recording([an_event()]):
        store.replace_account(other, replace(other, identifiers=account.identifiers))
    store.add_session(session)
    assert count(store) == 0


def test_a_change_that_fails_leaves_no_record(store: SqlStore) -> None:
    """A session that can't be kept is not recorded."""
    store.add_session(session := a_session())
    with pytest.raises(StoreError), store.recording([an_event()]):
        store.add_session(session)
    assert count(store) == 0


def test_what_can_not_be_recorded_is_not_done(store: SqlStore) -> None:
    """Where the record can't be written, the session has neither begun nor ended."""
    session, kept = a_session(), a_session()
    store.add_session(kept)
    place = f'"{store._schema}".' if store._schema else ""
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {place}admit_events")
    with pytest.raises(StoreError), store.recording([an_event()]):
        store.add_session(session)
    with pytest.raises(StoreError), store.recording([an_event()]):
        store.delete_session(kept.id, ending=REVOKED)
    assert store.get_session(session.id) is None
    assert store.get_session(kept.id) == kept
    assert count(store) == 0


def test_other_threads_write_their_own(store: SqlStore) -> None:
    """What one thread waits to record another one does not."""
    with ThreadPoolExecutor(1) as thread, store.recording([an_event()]) as is_written:
        thread.submit(store.add_session, a_session()).result()
        assert not is_written()
    assert count(store) == 0


def test_one_of_many_is_recorded(store: SqlStore) -> None:
    """Of many who end one session the one who did it leaves the one record."""
    gate = watched(store)
    for _ in range(5):
        session = gate.admit("ada", "password").session
        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(gate.revoke, [session.id] * 8)) == 1
    assert count(store) == 10
    assert verify(store).holds


def watched(store: SqlStore, events: SqlStore | MemoryStore | None = None) -> Gate:
    """Return a gate whose events are recorded, in the store of its sessions or in another one."""
    kept = store if events is None else events
    gate = Gate(store, clock=Clock(NOW), stores=Stores(store, store, store, store, store, kept))
    Activity().watch(gate.events, Stores(store, events=kept), lambda: None)
    return gate


def names(store: SqlStore | MemoryStore) -> list[str]:
    """Return what was recorded."""
    return [link.record.name for link in store.read_chain(after=0)]


@pytest.mark.parametrize("apart", [False, True], ids=["one store", "two stores"])
def test_each_event_of_a_gate_is_recorded_once(store: SqlStore, *, apart: bool) -> None:
    """Whether one store keeps both or two, every event has one record, in the order of what was done."""
    events = MemoryStore() if apart else store
    gate = watched(store, events)
    account = an_account("ada")
    store.add_account(account)
    first = gate.admit(account.id, "password").session
    second = gate.admit(account.id, "password", replacing=first).session
    gate.admit(account.id, "password", replacing=first)
    third = gate.reauthenticate(second, "password")
    assert third is not None
    gate.revoke(third.session.id)
    gate.admit(account.id, "password")
    lock_account(gate, store, account.id, at=NOW, by="admin:7")
    lock_account(gate, store, account.id, at=NOW, by="admin:7")
    unlock_account(gate, store, account.id, at=NOW)
    assert sorted(names(events)) == sorted(
        [
            *["logged_in"] * 4,
            *["session_ended"] * 5,
            "reauthenticated",
            *["account_locked"] * 2,
            "account_unlocked",
        ]
    )
    assert names(events)[:2] == ["logged_in", "session_ended"]
    assert verify(events).holds


def test_a_login_costs_no_transaction_more(tmp_path: Path) -> None:
    """Recording a login costs a record in the transaction that begins the session, and none of its own."""
    # The other one notes that the client is about to be answered.
    store = SqlStore(f"sqlite:///{tmp_path}/app.db")
    gate = watched(store)
    begun: list[None] = []
    transaction = store._database.transaction

    def counted() -> object:
        begun.append(None)
        return transaction()

    store._database.transaction = counted
    gate.admit("ada", "password")
    assert len(begun) == 2
    assert names(store) == ["logged_in"]
    store.close()


_LOOP = """
import sys
from tests.stores.test_sql_recording import SqlStore, watched
store = SqlStore(sys.argv[1])
gate = watched(store)
while True:
    session = gate.admit("ada", "password").session
    print(session.id, flush=True)
    gate.revoke(session.id)
"""


def test_a_kill_leaves_no_change_without_its_record(tmp_path: Path) -> None:
    """A process that is killed at any moment leaves a whole chain, with a record of each login and of each end."""
    url = f"sqlite:///{tmp_path}/app.db"
    for turn in range(3):
        process = subprocess.Popen([sys.executable, "-c", _LOOP, url], stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert process.stdout is not None
        for _ in range(15 + 7 * turn):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    store = SqlStore(url)
    assert verify(store).holds
    recorded = names(store)
    living = len(store.list_sessions("ada"))
    assert recorded.count("logged_in") - recorded.count("session_ended") == living
    engine = create_engine(url)
    with engine.connect() as connection:
        [ended] = connection.exec_driver_sql("SELECT count(*) FROM admit_endings").one()
    engine.dispose()
    assert recorded.count("session_ended") == ended
    store.close()
