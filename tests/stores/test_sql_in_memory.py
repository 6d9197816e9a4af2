"""SQLite in memory, as test suites use it: one connection, which the application may be in a transaction on."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from admit.errors import ConfigurationError, IdentifierTaken, StoreError
from admit.stores import is_in_memory, open_store
from admit.stores.sql import SqlStore
from admit.testing import (
    AccountContract,
    ChallengeContract,
    CounterContract,
    CredentialContract,
    EventContract,
    StoreContract,
    a_session,
    an_account,
)
from tests.stores.conftest import HASH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from tests.stores.conftest import Place


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Return an engine as Flask-SQLAlchemy makes it for a database in memory."""
    made = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    yield made
    made.dispose()


class InMemory:
    """A database in memory of the test's own, which other processes do not see."""

    shared = False

    @pytest.fixture
    def opener(self, engine: Engine) -> Callable[[], SqlStore]:
        """Open a store on it."""
        return lambda: SqlStore(engine)


class TestSessions(InMemory, StoreContract):
    """Memory keeps sessions."""


class TestAccounts(InMemory, AccountContract):
    """Memory keeps accounts."""


class TestCredentials(InMemory, CredentialContract):
    """Memory keeps credentials."""


class TestChallenges(InMemory, ChallengeContract):
    """Memory keeps challenges."""


class TestCounters(InMemory, CounterContract):
    """Memory keeps counters."""


class TestEvents(InMemory, EventContract):
    """Memory keeps events."""


def test_u11_a_change_is_part_of_the_applications_transaction(engine: Engine) -> None:
    """What the application has not committed is neither committed nor undone by us, and it can undo what we wrote."""
    store = SqlStore(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE post (title TEXT)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO post VALUES ('draft')"))
        store.add_session(session := a_session())
        assert store.count_sessions() == 1
        with pytest.raises(StoreError):
            store.add_session(session)
        assert connection.execute(text("SELECT count(*) FROM post")).scalar() == 1
        connection.rollback()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM post")).scalar() == 0
    assert store.count_sessions() == 0
    store.add_session(a_session())
    with engine.connect() as connection:
        connection.rollback()
    assert store.count_sessions() == 1
    store.close()


def test_u11_users_are_read_and_written_in_the_applications_transaction(
    open_place: Callable[..., Place], engine: Engine
) -> None:
    """A user whom the application has only flushed is an account, and stays or goes with the application's decision."""
    place = open_place(engine=engine)
    accounts = place.store()
    with place.sessions() as session:
        session.add(user := place.user(login="ada", secret=HASH))
        session.flush()
        assert accounts.get_account(str(user.number))
        bob = accounts.add_account(an_account("Bob"))
        with pytest.raises(IdentifierTaken):
            accounts.add_account(an_account("bob"))
        assert session.query(place.user).count() == 2
        assert accounts.delete_account(bob.id)
        session.rollback()
    assert accounts.count_accounts() == 0
    accounts.add_account(an_account("Eve"))
    with place.sessions() as session:
        session.rollback()
    assert accounts.count_accounts() == 1


def test_u11_a_rollback_of_the_application_in_between_is_an_error_of_the_store(engine: Engine) -> None:
    """If the application's transaction is undone while we write, nothing was written and the store says so."""
    store = SqlStore(engine)

    def write(then: Callable[[], object]) -> None:
        with store._database.transaction() as run:
            run("SELECT 1")
            then()

    connection = engine.raw_connection()
    with pytest.raises(StoreError):
        write(connection.rollback)

    def fail() -> None:
        connection.rollback()
        raise LookupError

    with pytest.raises(LookupError):
        write(fail)
    connection.close()
    store.add_session(a_session())
    assert store.count_sessions() == 1
    store.close()


def test_u11_a_new_database_gets_the_tables(engine: Engine) -> None:
    """An engine that was disposed of opens another database, which gets our tables when it is first used."""
    store = SqlStore(engine)
    store.add_session(a_session())
    engine.dispose()
    assert store.count_sessions() == 0
    store.add_session(a_session())
    store.upgrade()
    assert store.is_current()
    assert store.file is None
    store.close()


def test_u11_rows_are_plain_whatever_the_application_makes_of_its_own(engine: Engine) -> None:
    """A row factory of the application's connection does not reach our rows."""
    connection: Any = engine.raw_connection()
    connection.row_factory = lambda cursor, row: {"row": row}
    connection.close()
    store = SqlStore(engine)
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_u11_a_url_of_a_database_in_memory_is_a_store(url: str) -> None:
    """The store opens one connection of its own, for all threads, and closes it."""
    store = open_store(url)
    assert isinstance(store, SqlStore)
    assert is_in_memory(store)
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    store.close()


def test_u11_an_engine_with_a_database_for_each_connection_is_refused() -> None:
    """The message says how the engine is to be made."""
    engine = create_engine("sqlite://")
    with pytest.raises(ConfigurationError, match="StaticPool"):
        SqlStore(engine)
    engine.dispose()


def test_u11_a_failure_is_an_error_of_the_store(engine: Engine) -> None:
    """What the driver says to a read is told like any failure of a store."""
    store = SqlStore(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE admit_sessions"))
    with pytest.raises(StoreError, match="no such table"):
        store.count_sessions()
    store.close()


def test_u11_nobody_else_is_heard(engine: Engine) -> None:
    """Whoever listens is told once that anything may have changed, and then nothing comes: nobody else writes here."""
    store = SqlStore(engine)
    heard: list[str | None] = []
    stopped = Event()
    stopped.set()
    store._database._hear(stopped, heard.append)
    assert heard == [None]
    store.close()
