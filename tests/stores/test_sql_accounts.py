"""What is particular to accounts, challenges and counters in SQLite and PostgreSQL."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.errors import IdentifierTaken, StoreError
from admit.model import Identifier, IdentifierKind
from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore
from admit.stores.sql import SqlStore
from admit.stores.sql_counters import Bound
from admit.testing import a_challenge, a_credential, a_session, an_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.postgres import PostgresServer

NOW = datetime.now(UTC)
PATIENCE = 30
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., SqlStore]:
    """Return what opens a store on each kind of database in turn."""
    if request.param == "sqlite":
        return partial(SqlStore, f"sqlite:///{tmp_path}/app.db", command_timeout=PATIENCE)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    schema: str = request.getfixturevalue("postgres_schema")
    return partial(SqlStore, server.url, schema=schema, connect_timeout=PATIENCE, command_timeout=PATIENCE)


@pytest.fixture
def store(opener: Callable[..., SqlStore]) -> Iterator[SqlStore]:
    """Open an empty store."""
    store = opener()
    store.create()
    yield store
    store.close()


def test_it_is_what_the_protocols_say(store: SqlStore) -> None:
    """One store keeps everything."""
    for protocol in (AccountStore, CredentialStore, ChallengeStore, CounterStore):
        assert isinstance(store, protocol)


@pytest.mark.parametrize("text", ["\x00", "\ud800"])
def test_what_is_no_text_is_an_error_of_the_store_at_most(store: SqlStore, text: str) -> None:
    """A name with a character that a database can't keep raises nothing but StoreError, and the store works on."""
    account = an_account(identifiers=(Identifier(IdentifierKind.USERNAME, text, text),))
    verbs: list[Callable[[], object]] = [
        lambda: store.add_account(account),
        lambda: store.find_account(text),
        lambda: store.get_credential("password", text),
        lambda: store.add_credential(a_credential(key=text)),
        lambda: store.add_challenge(a_challenge(subject=text), alone=True),
        lambda: store.take_challenge(text),
        lambda: store.spend(text, now=NOW, interval=SECOND, burst=1),
        lambda: store.refund(text, now=NOW, interval=SECOND),
        lambda: store.reset_count(text),
    ]
    for verb in verbs:
        with suppress(StoreError):
            verb()
    store.add_account(an_account("ada"))
    assert store.find_account("ada") is not None


def test_a_taken_name_costs_no_connection(store: SqlStore) -> None:
    """A sign-up with a name that is taken uses the same connection as one with a free name, and so is as quick."""
    database: Any = store._database
    idle = getattr(database, "_writers", None) or database._idle
    store.add_account(an_account("ada"))
    before = [one for one, _ in idle._idle.get()]
    with pytest.raises(IdentifierTaken):
        store.add_account(an_account("grace", "ada"))
    assert [one for one, _ in idle._idle.get()] == before
    assert store.find_account("grace") is None


def test_an_account_that_is_there_is_not_overwritten(store: SqlStore) -> None:
    """An id that is used a second time is an error, and nothing of the second account is kept."""
    store.add_account(first := an_account("ada"))
    with pytest.raises(StoreError):
        store.add_account(an_account("grace", id=first.id))
    assert store.get_account(first.id) == first
    assert store.find_account("grace") is None


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("accounts", "roles", "'{'"),
        ("identifiers", "kind", "'phone'"),
        ("credentials", "details", "'5'"),
        ("challenges", "authentications", "'[[1]]'"),
        ("challenges", "expires_at", "9000000000000000000"),
    ],
)
def test_a_strange_row_is_an_error_of_the_store(store: SqlStore, table: str, column: str, value: str) -> None:
    """A row that somebody else wrote is refused as a whole."""
    store.add_account(account := an_account("ada"))
    store.add_credential(credential := a_credential())
    store.add_challenge(challenge := a_challenge())
    place = f"{store._schema}." if store._schema else ""
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {place}admit_{table} SET {column} = {value}")  # noqa: S608 -- our own words
    reads: dict[str, Callable[[], object]] = {
        "accounts": lambda: store.get_account(account.id),
        "identifiers": lambda: store.find_account("ada"),
        "credentials": lambda: store.get_credential("password", credential.key),
        "challenges": lambda: store.get_challenge(challenge.id),
    }
    with pytest.raises(StoreError, match="upgrade"):
        reads[table]()


def test_a_purge_of_challenges_and_counters_forgets_no_session(
    opener: Callable[..., SqlStore], store: SqlStore
) -> None:
    """On PostgreSQL nobody drops what is cached of sessions because a challenge or a counter was purged."""
    if store._schema is None:
        return  # whoever polls sees that something was written
    heard: Queue[str | None] = Queue()
    store.on_change(heard.put)
    assert heard.get(timeout=PATIENCE) is None
    store.add_challenge(a_challenge())
    store.spend("k", now=NOW, interval=SECOND, burst=1)
    assert store.purge(before=NOW + timedelta(days=1)) == 2
    store.add_session(session := a_session())
    store.touch_session(session.id, seen_at=NOW + SECOND, expires_at=session.expires_at)
    assert heard.get(timeout=PATIENCE) == session.id
    with pytest.raises(Empty):
        heard.get_nowait()


# -- the bound on counters ---------------------------------------------------------------------------------------------


@given(st.integers(1, 1_000_000))
def test_looks_are_often_enough(limit: int) -> None:
    """Whatever the limit, something is left, each look drops more than came since the last one, and it stays under."""
    bound = Bound(limit)
    assert 0 < bound.left <= limit
    assert bound.step > bound.every
    assert bound.left + bound.every <= limit or limit < 2


def count(store: SqlStore) -> int:
    """Return how many counters are kept."""
    return int(store._database.ask(store._for_counters.count, ())[0][0])


def test_random_names_stay_under_the_bound(opener: Callable[..., SqlStore], store: SqlStore) -> None:
    """Whoever tries random names fills no table, and does not push out the counters that hold somebody off."""
    names, limit = (20_000, 1_000) if store._schema is None else (5_000, 500)
    bounded = opener(max_counters=limit)
    while not bounded.spend("held off", now=NOW, interval=timedelta(minutes=1), burst=5):
        pass
    most = 0
    for number in range(names):
        assert not bounded.spend(f"random {number}", now=NOW, interval=SECOND, burst=5)
        if number % 50 == 0:
            most = max(most, count(bounded))
    assert limit // 2 < most <= limit
    assert bounded.spend("held off", now=NOW, interval=timedelta(minutes=1), burst=5) == timedelta(minutes=1)
    bounded.close()


def test_what_is_at_rest_goes_first(opener: Callable[..., SqlStore], store: SqlStore) -> None:
    """Counters at rest are dropped when it is time to look, long before there are too many."""
    bounded = opener(max_counters=640)
    for number in range(30):
        bounded.spend(f"old {number}", now=NOW, interval=SECOND, burst=5)
    for _ in range(10):
        bounded.spend("new", now=NOW + timedelta(hours=1), interval=SECOND, burst=100)
    assert count(bounded) == 1
    bounded.close()


def test_many_at_once(store: SqlStore) -> None:
    """Many accounts are kept in one transaction; one whose name is taken leaves nothing, and the others are whole."""
    accounts = [an_account(name) for name in ("ada", "grace", "ada", "eve")]
    found = store.add_accounts((one, [a_credential(key=one.id, subject=one.id)]) for one in accounts)
    assert found == [True, True, False, True]
    assert [store.get_account(one.id) is not None for one in accounts] == found
    assert [len(store.list_credentials(one.id)) for one in accounts] == [1, 1, 0, 1]
    with pytest.raises(StoreError):
        store.add_accounts([(an_account("new"), []), (an_account("other", id=accounts[0].id), [])])
    assert store.find_account("new") is None
