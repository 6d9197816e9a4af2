"""SQLite and PostgreSQL keep the contract, and what both have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Queue
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, create_engine, event, inspect, select, text
from sqlalchemy.pool import NullPool

from admit.errors import ConfigurationError, StoreError
from admit.model import Ending, EndReason
from admit.store import Announcing, SessionStore
from admit.stores import sql_tables
from admit.stores.migrations import scripts
from admit.stores.sql import _LEAST_STEP, SqlStore, _next_step, is_ours
from admit.stores.sql_rows import read_ending, read_session, row_of
from admit.stores.sql_tables import HEAD
from admit.testing import StoreContract, a_challenge, a_session, an_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.postgres import PostgresServer

NOW = datetime.now(UTC)
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")
PATIENCE = 30


def open_sqlite(path: Path) -> SqlStore:
    """Open a store that waits for a busy machine."""
    return SqlStore(f"sqlite:///{path}", command_timeout=PATIENCE)


def open_postgres(url: str, schema: str) -> SqlStore:
    """Open a store that waits for a busy machine."""
    return SqlStore(url, schema=schema, connect_timeout=PATIENCE, command_timeout=PATIENCE)


class TestSqlite(StoreContract):
    """A file keeps the contract."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], SqlStore]:
        """Open a store with a file of its own."""
        return partial(open_sqlite, tmp_path / "app.db")


class TestPostgres(StoreContract):
    """A server keeps the contract."""

    @pytest.fixture
    def opener(self, postgres_server: PostgresServer, postgres_schema: str) -> Callable[[], SqlStore]:
        """Open a store with a schema of its own."""
        store = open_postgres(postgres_server.url, postgres_schema)
        store.create()
        store.close()
        return partial(open_postgres, postgres_server.url, postgres_schema)


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SqlStore]:
    """Return what opens each kind of database in turn, with no tables in PostgreSQL yet."""
    if request.param == "sqlite":
        return partial(open_sqlite, tmp_path / "app.db")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return partial(open_postgres, server.url, request.getfixturevalue("postgres_schema"))


@pytest.fixture
def store(opener: Callable[[], SqlStore]) -> Iterator[SqlStore]:
    """Open an empty store on each kind of database."""
    store = opener()
    store.create()
    yield store
    store.close()


def test_it_is_what_the_protocols_say(store: SqlStore) -> None:
    """The store is a session store that announces changes."""
    assert isinstance(store, SessionStore)
    assert isinstance(store, Announcing)


def reflected(store: SqlStore) -> object:
    """Return what the database says of the tables, and what version is noted."""
    seen = inspect(store._engine)
    names = seen.get_table_names(schema=store._schema)
    tables = {
        name: (
            [(one["name"], str(one["type"]), one["nullable"]) for one in seen.get_columns(name, schema=store._schema)],
            seen.get_pk_constraint(name, schema=store._schema)["constrained_columns"],
            sorted(
                (one["name"], one["column_names"], one["unique"])
                for one in seen.get_indexes(name, schema=store._schema)
            ),
        )
        for name in names
        if is_ours(name, store._prefix)
    }
    version = f"{store._schema}.{store._prefix}alembic_version" if store._schema else f"{store._prefix}alembic_version"
    with store._engine.connect() as connection:
        versions = connection.execute(select(column("version_num")).select_from(text(version))).all()
    return tables, [tuple(row) for row in versions]


def drop_tables(store: SqlStore) -> None:
    """Remove all tables of the store."""
    place = f"{store._schema}." if store._schema else ""
    with store._engine.begin() as connection:
        for table in sql_tables._TABLES:
            connection.exec_driver_sql(f"DROP TABLE {place}{store._prefix}{table}")


def test_migrations_make_the_same_tables(store: SqlStore) -> None:
    """The tables of upgrade() are those of create(), to the column, and each may follow the other."""
    created = reflected(store)
    store.upgrade()
    assert reflected(store) == created
    drop_tables(store)
    store.upgrade()
    assert reflected(store) == created
    store.create()
    store.upgrade()
    assert reflected(store) == created
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session


def test_tables_of_the_first_version_are_brought_up_to_date(store: SqlStore) -> None:
    """A database with the tables of sessions alone gets the others, and keeps its sessions."""
    created = reflected(store)
    store.add_session(session := a_session())
    place = f"{store._schema}." if store._schema else ""
    with store._engine.begin() as connection:
        for table in set(sql_tables._TABLES) - {"sessions", "endings", "alembic_version"}:
            connection.exec_driver_sql(f"DROP TABLE {place}admit_{table}")
        connection.exec_driver_sql(f"UPDATE {place}admit_alembic_version SET version_num = '0001'")  # noqa: S608 -- our own words
    store.upgrade()
    assert reflected(store) == created
    assert store.get_session(session.id) == session


def without_epochs(store: SqlStore) -> None:
    """Put the tables back to where they were before accounts and challenges had epochs."""
    place = f"{store._schema}." if store._schema else ""
    with store._engine.begin() as connection:
        for table in ("accounts", "challenges"):
            connection.exec_driver_sql(f"ALTER TABLE {place}admit_{table} DROP COLUMN epoch")
        connection.exec_driver_sql(f"UPDATE {place}admit_alembic_version SET version_num = '0003'")  # noqa: S608 -- our own words


def test_accounts_from_before_epochs(store: SqlStore) -> None:
    """Accounts and challenges that were there before they had epochs are at the first one."""
    store.add_account(account := an_account())
    store.add_challenge(challenge := a_challenge())
    created = reflected(store)
    without_epochs(store)
    store.upgrade()
    assert reflected(store) == created
    assert store.get_account(account.id) == account
    assert store.get_challenge(challenge.id) == challenge


def test_a_file_of_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """A file of SQLite of an earlier version is upgraded when it is opened; one of a later version is left alone."""
    url = f"sqlite:///{tmp_path}/app.db"
    first = SqlStore(url)
    first.add_account(account := an_account())
    without_epochs(first)
    first.close()
    second = SqlStore(url)
    assert second.is_current()
    assert second.get_account(account.id) == account
    with second._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE admit_alembic_version SET version_num = '9999'")
    second.close()
    third = SqlStore(url)
    assert not third.is_current()
    assert third.get_account(account.id) == account
    third.close()


def test_an_engine_that_begins_by_itself(tmp_path: Path) -> None:
    """An engine of the application's whose transactions begin as SQLAlchemy advises for SQLite is upgraded, too."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    with closing(SqlStore(engine)) as store:
        without_epochs(store)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with closing(SqlStore(engine)) as store:
        assert store.is_current()
    engine.dispose()


def test_the_version_that_is_noted_is_the_last_one() -> None:
    """What create() notes is the last migration, so that an upgrade later begins at the right place."""
    assert scripts().get_heads() == [HEAD]


def test_tables_of_ours_are_told_from_others() -> None:
    """Exactly the tables under the prefix are ours, so that the application's migrations keep off them and no more."""
    described = {name.removeprefix("admit_") for name in sql_tables.tables(None, "admit_").tables}
    assert described == set(sql_tables._TABLES)
    assert all(is_ours(f"admit_{name}") for name in described)
    assert not any(is_ours(name) for name in ("sessions", "admit_requests", "alembic_version", None))
    assert is_ours("x_sessions", "x_")
    assert not is_ours("admit_sessions", "x_")


@pytest.mark.parametrize("name", ["a b", 'x"; DROP TABLE users; --', "", "1a", "é", "a" * 41])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    """A prefix or schema that could be more than a name never gets near a statement."""
    with pytest.raises(ConfigurationError, match="letters"):
        SqlStore("postgresql://h/n", prefix=name)
    with pytest.raises(ConfigurationError, match="letters"):
        SqlStore("postgresql://h/n", schema=name)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+pg8000://u:secret@h/n",
        "postgresql+psycopg_async://u:secret@h/n",
        "sqlite+pysqlcipher://u:secret@/x.db",
        "postgresql://u:secret@h:x/n",
        "nonsense",
        "sqlite+aiosqlite:///x.db",
    ],
)
def test_other_databases_are_refused(url: str) -> None:
    """A URL that we cannot use is refused, and its password is not in the message."""
    with pytest.raises(ConfigurationError) as caught:
        SqlStore(url)
    assert "secret" not in str(caught.value)


def test_a_schema_in_sqlite_is_refused(tmp_path: Path) -> None:
    """SQLite has no schemas, which is said rather than ignored."""
    with pytest.raises(ConfigurationError, match="schema"):
        SqlStore(f"sqlite:///{tmp_path}/app.db", schema="x")


def test_the_password_is_in_no_representation_of_the_cause(tmp_path: Path) -> None:
    """A server that is not there is an error of the store."""
    store = SqlStore("postgresql://u:secret@127.0.0.1:1/n")
    with pytest.raises(StoreError) as caught:
        store.get_session("x")
    assert caught.value.__cause__ is not None
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"
    with pytest.raises(StoreError):
        store.upgrade()


def test_without_tables_there_is_an_error(opener: Callable[[], SqlStore]) -> None:
    """Whatever the driver raises, of reads, writes and migrations, is an error of the store with a cause."""
    store = opener()
    store.create()
    drop_tables(store)
    for verb in (
        lambda: store.get_session("x"),
        lambda: store.add_session(a_session()),
        lambda: store.delete_session("x", ending=REVOKED),
    ):
        with pytest.raises(StoreError) as caught:
            verb()
        assert caught.value.__cause__ is not None
    store.close()


def test_what_is_raised_within_undoes_a_transaction(store: SqlStore) -> None:
    """A write that stops half-way leaves nothing, and the store works on."""
    session = a_session()
    with suppress(KeyboardInterrupt), store._database.transaction() as run:
        run(store._statements.add, row_of(session))
        raise KeyboardInterrupt
    assert store.get_session(session.id) is None
    store.add_session(session)
    with pytest.raises(StoreError):
        store.add_session(session)
    assert store.get_session(session.id) == session


def test_a_session_that_was_added_again_can_be_ended(store: SqlStore) -> None:
    """Ending works whatever is there already: nothing makes a session that cannot be revoked."""
    session = a_session()
    for _ in range(2):
        store.add_session(session)
        assert store.delete_session(session.id, ending=REVOKED)
    assert store.get_session(session.id) is None


@pytest.mark.parametrize("column", [5, 9, 12])
def test_a_strange_row_is_an_error_of_the_store(column: int) -> None:
    """A row that somebody else wrote is refused as a whole."""
    row = list(row_of(a_session())[:-1])
    row[column] = "strange"
    with pytest.raises(StoreError, match="upgrade"):
        read_session(tuple(row))
    with pytest.raises(StoreError, match="upgrade"):
        read_ending(("strange", 0, None))


@given(st.integers(1, 5000), st.floats(0.0001, 2))
def test_the_step_of_a_purge_follows_the_time_it_took(step: int, took: float) -> None:
    """A step that held the others up for too long is followed by a smaller one, but not by an ever smaller one."""
    following = _next_step(step, took)
    assert following >= min(step, _LEAST_STEP)
    if took > 0.05:
        assert following < step or following == _LEAST_STEP


def test_purges_in_several_steps(store: SqlStore) -> None:
    """A purge goes on until the batch is full or nothing is left."""
    store._step = 2
    for _ in range(9):
        store.add_session(a_session(idle=timedelta(seconds=1)))
    assert store.purge(before=NOW + timedelta(days=1), batch=5) == 5
    assert store.purge(before=NOW + timedelta(days=1)) == 4


def test_changes_are_announced_to_others(opener: Callable[[], SqlStore]) -> None:
    """Each kind of change made through one object is heard by another one, until it stops listening."""
    writer, reader = opener(), opener()
    writer.create()
    heard: Queue[str | None] = Queue()
    stop = reader.on_change(heard.put)
    assert heard.get(timeout=PATIENCE) is None  # it listens now
    session = a_session()
    writer.add_session(session)
    rotated = replace(session, secret_hash=b"r" * 32)
    for change in (
        lambda: writer.touch_session(session.id, seen_at=NOW + timedelta(1), expires_at=session.expires_at),
        lambda: writer.replace_secret(session, rotated),
        lambda: writer.replace_session(session.id, rotated, ending=REVOKED),
        lambda: writer.delete_sessions("ada", ending=REVOKED),
    ):
        while not heard.empty():
            heard.get()
        change()
        assert heard.get(timeout=PATIENCE) in {None, session.id}
    other = reader.on_change(heard.put)
    other()
    other()
    stop()
    assert reader._database.changes._ears.get().thread is None
    reader.on_change(heard.put)
    reader.close()
    writer.close()


def kind_of(opener: partial[SqlStore]) -> str:
    """Return which kind of database is opened."""
    return "sqlite" if opener.func is open_sqlite else "postgres"


_LOOP = """
import sys
from contextlib import suppress
from dataclasses import replace
from tests.stores.test_sql import REVOKED, a_session, open_postgres, open_sqlite
kind, *where = sys.argv[1:]
store = (open_sqlite if kind == "sqlite" else open_postgres)(*where)
old = a_session()
store.add_session(old)
while True:
    new = a_session()
    store.replace_session(old.id, new, ending=REVOKED)
    print(old.id, new.id, flush=True)
    old = new
"""


def test_a_kill_leaves_exactly_one_session(opener: partial[SqlStore], store: SqlStore) -> None:
    """A process that is killed while it replaces sessions leaves one session, and an ending of each other one."""
    for turn in range(3):
        command = [sys.executable, "-c", _LOOP, kind_of(opener), *map(str, opener.args)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(20 + 7 * turn)]
        os.kill(process.pid, signal.SIGKILL)
        lines += [line.split() for line in process.communicate()[0].splitlines() if len(line.split()) == 2]
        [left] = store.list_sessions("ada")
        for old, _ in lines:
            assert store.get_session(old) is None
            assert store.get_ending(old) == Ending(REVOKED.reason, store.get_ending(old).at, "owner")
        assert store.delete_session(left.id, ending=REVOKED)


_FORK = """
import os, sys
from queue import Queue
from tests.stores.test_sql import PATIENCE, REVOKED, a_session, open_postgres, open_sqlite
kind, *where = sys.argv[1:]
store = (open_sqlite if kind == "sqlite" else open_postgres)(*where)
session = a_session()
store.add_session(session)
heard = Queue()
store.on_change(heard.put)
assert heard.get(timeout=PATIENCE) is None
pid = os.fork()
if not pid:
    works = store.get_session(session.id) == session and heard.get(timeout=PATIENCE) is None
    os._exit(0 if works and store.delete_session(session.id, ending=REVOKED) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert store.get_session(session.id) is None
store.add_session(session)
store.close()
"""


def test_a_child_has_connections_of_its_own(opener: partial[SqlStore], store: SqlStore) -> None:
    """After a fork, parent and child use one store side by side, and the child hears of changes."""
    # In a process of its own: a fork of this one would take pytest's threads' locks along.
    command = [sys.executable, "-c", _FORK, kind_of(opener), *map(str, opener.args)]
    subprocess.run(command, check=True, timeout=PATIENCE)  # noqa: S603


def test_an_engine_is_used_and_left_alone(tmp_path: Path) -> None:
    """The application's engine says where the database is; its pool stays the application's."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db", poolclass=NullPool)
    store = SqlStore(engine)
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    store.close()
    assert inspect(engine).has_table("admit_sessions")
