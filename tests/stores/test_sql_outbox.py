"""Records that wait to be linked: no login waits for the chain, and the chain tells as much as before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from admit.chain import Flaw, verify
from admit.errors import StoreError
from admit.stores import sql_events
from admit.stores.sql import SqlStore
from admit.testing import a_session, an_event
from admit.testing.samples import NOW
from tests.stores.test_sql_recording import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.postgres import PostgresServer

PATIENT = {"connect_timeout": 30.0, "command_timeout": 30.0}


@pytest.fixture
def store(postgres_server: PostgresServer, postgres_schema: str) -> Iterator[SqlStore]:
    """Open a store with tables."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, **PATIENT)
    store.create()
    yield store
    store.close()


@pytest.fixture
def shell(postgres_server: PostgresServer, postgres_schema: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the tables past the store."""
    with psycopg.connect(postgres_server.url.replace("+psycopg", "")) as connection:
        connection.execute(f"SET search_path TO {postgres_schema}".encode())
        connection.commit()
        yield connection
        connection.rollback()


def waiting(shell: psycopg.Connection[Any]) -> int:
    """Return how many records wait."""
    found = shell.execute("SELECT count(*) FROM admit_event_outbox").fetchone()
    shell.rollback()
    assert found is not None
    return int(found[0])


def linked(shell: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    """Return the links as they are in the table, which nobody was asked to bring up to date."""
    found = shell.execute("SELECT number, subject FROM admit_events ORDER BY number").fetchall()
    shell.rollback()
    return found


def hold(shell: psycopg.Connection[Any]) -> None:
    """Hold the end of the chain, as whoever seals, purges or erases."""
    assert shell.execute("SELECT 1 FROM admit_event_ends WHERE id = 1 FOR UPDATE NOWAIT").fetchone()


def test_no_login_waits_for_the_chain(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """While somebody holds the chain, logins, sign-outs and other events go on; then their records are in it."""
    gate = watched(store)
    gate.admit("first", "password")
    hold(shell)
    patient = SqlStore(str(store._engine.url), schema=store._schema, **PATIENT)
    seal, sealed = patient._seal, list[int]()
    patient._seal = lambda hold: sealed.append(seal(hold)) or 0  # type: ignore[method-assign,func-returns-value]
    other = watched(patient)
    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(lambda name: other.admit(name, "password").session, map(str, range(20))))
        assert all(threads.map(lambda session: other.revoke(session.id), sessions))
    patient.add_event(an_event())
    patient.close()
    assert sealed == [0] * 41  # and none has failed because it had waited for too long
    shell.rollback()
    assert waiting(shell) == 41
    assert verify(store).checked == 42
    assert waiting(shell) == 0
    assert [link.record.name for link in store.list_events(subject="7")] == ["session_ended", "logged_in"]


def test_no_login_holds_the_chain(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """In the transaction of a login that is not over yet, nobody else is kept from the end of the chain."""
    gate = watched(store)
    gate.admit("first", "password")
    seen: list[int] = []
    record = store._record

    def looked(run: Any) -> None:
        record(run)
        hold(shell)
        shell.rollback()
        seen.append(1)

    store._record = looked  # type: ignore[method-assign]
    session = gate.admit("ada", "password").session
    gate.revoke(session.id)
    assert len(seen) == 2
    assert verify(store).checked == 3


def test_a_record_is_linked_right_after_its_commit(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """Nobody has to read the chain: each change links what it has recorded, and what others have left."""
    gate = watched(store)
    gate.admit("ada", "password")
    store.add_event(an_event(subject="bob"))
    assert linked(shell) == [(1, "ada"), (2, "bob")]
    hold(shell)
    gate.admit("grace", "password")
    shell.rollback()
    assert waiting(shell) == 1
    gate.admit("heidi", "password")
    assert linked(shell)[2:] == [(3, "grace"), (4, "heidi")]
    assert verify(store).holds


def test_whoever_seals_looks_once_more(
    store: SqlStore, shell: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that comes while another process seals is linked by that one, though nobody comes afterwards."""
    store.add_event(an_event(subject="first"))
    link = sql_events._linked
    late = SqlStore(str(store._engine.url), schema=store._schema, **PATIENT)

    def slow(*given: Any) -> Any:
        monkeypatch.undo()
        late.add_event(an_event(subject="late"))  # the chain is held, and so it leaves its record
        return link(*given)

    monkeypatch.setattr(sql_events, "_linked", slow)
    store.add_event(an_event(subject="second"))
    late.close()
    assert linked(shell) == [(1, "first"), (2, "second"), (3, "late")]


def test_one_login_does_not_seal_for_ever(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is written meanwhile, a login links a few batches and leaves the rest to the next."""
    store.add_event(an_event())
    rounds: list[int] = []
    monkeypatch.setattr(store, "_seal", lambda _: rounds.append(1) or 1)
    monkeypatch.setattr(store, "_waits", lambda: True)
    store.add_event(an_event())
    assert len(rounds) == sql_events.ROUNDS


def test_a_change_that_is_undone_leaves_nothing_waiting(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """The record of a change that fails waits no more than the change stands."""
    store.add_session(session := a_session())
    with pytest.raises(StoreError), store.recording([an_event()]):
        store.add_session(session)
    assert waiting(shell) == 0
    assert store.get_ends().head_number == 0


def test_a_chain_that_can_not_be_sealed_stops_nobody(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """Where sealing fails, logins and readers go on; what was linked before can be read and verified."""
    gate = watched(store)
    gate.admit("ada", "password")
    shell.execute("ALTER TABLE admit_events ADD CONSTRAINT none CHECK (number < 2)")
    shell.commit()
    gate.admit("bob", "password")
    assert [link.record.subject for link in store.list_events()] == ["ada"]
    assert verify(store).holds
    assert waiting(shell) == 1
    shell.execute("ALTER TABLE admit_events DROP CONSTRAINT none")
    shell.commit()
    assert [link.record.subject for link in store.list_events()] == ["bob", "ada"]


def test_what_was_forged_while_it_waited_is_found(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """A row that no Admit has written is linked in its place, and whoever verifies finds it."""
    store.add_event(an_event())
    shell.execute("INSERT INTO admit_event_outbox (at, name, outcome, personal) VALUES (1, 'x', 'strange', '{')")
    shell.commit()
    store.add_event(an_event())
    verdict = verify(store)
    assert (verdict.flaw, verdict.number) == (Flaw.EDITED, 2)


def test_each_value_comes_through(store: SqlStore) -> None:
    """A record that has waited is the same in every field, nothing and all kinds of text included."""
    records = [
        an_event(method=None, session=None, actor=None, subject=""),
        an_event(reason="'\"{},\\NULL", details={"a": "\x00", "b": "ü\ud800"}),
        *[an_event(subject=str(number)) for number in range(sql_events.BATCH)],
    ]
    with store.recording(records):
        store.add_session(a_session())
    assert [link.record for link in store.read_chain(after=0)] == records
    assert verify(store).holds


def test_erasing_and_purging_reach_what_waits(store: SqlStore, shell: psycopg.Connection[Any]) -> None:
    """What nobody has linked yet is erased and purged like the rest."""
    store.add_event(an_event(subject="first"))
    hold(shell)
    late = SqlStore(str(store._engine.url), schema=store._schema, connect_timeout=30, command_timeout=30)
    late.add_event(an_event(subject="ada"))
    late.close()
    shell.rollback()
    assert waiting(shell) == 1
    assert store.erase_events("ada") == 1
    assert store.list_events(subject="ada") == []
    shell.execute("INSERT INTO admit_event_outbox (at, name, outcome) VALUES (1, 'x', 'success')")
    shell.commit()
    assert store.purge_events(before=NOW.replace(year=NOW.year + 1)) == 3
    assert verify(store).holds


def test_processes_of_the_version_before_append_to_the_same_chain(
    store: SqlStore, shell: psycopg.Connection[Any]
) -> None:
    """While old and new processes run side by side, each appends in its own way, and there is one chain."""
    old = SqlStore(str(store._engine.url), schema=store._schema, **PATIENT)
    old._database.seals_later = False
    for number in range(5):
        (old if number % 2 else store).add_event(an_event(subject=str(number)))
    old.close()
    assert [subject for _, subject in linked(shell)] == ["0", "1", "2", "3", "4"]
    assert verify(store).checked == 5


def test_an_application_that_may_only_add_records_seals(
    store: SqlStore, shell: psycopg.Connection[Any], postgres_server: PostgresServer
) -> None:
    """A role that can't edit or delete records signs people in, and its records are linked."""
    role = f"app_{store._schema}"
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {store._schema} TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {store._schema} TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {store._schema} TO {role}",
        f"REVOKE UPDATE, DELETE ON {store._schema}.admit_events FROM {role}",
    ):
        postgres_server.ask(statement)
    app = SqlStore(postgres_server.url.replace("tests@", f"{role}@"), schema=store._schema, **PATIENT)
    gate = watched(app)
    gate.admit("ada", "password")
    gate.admit("bob", "password")
    app.close()
    assert linked(shell) == [(1, "ada"), (2, "bob")]
    postgres_server.ask(f"DROP OWNED BY {role}")
    postgres_server.ask(f"DROP ROLE {role}")
