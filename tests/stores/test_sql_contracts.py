"""SQLite and PostgreSQL keep accounts, credentials, challenges, counters and events as the contracts say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from admit.stores.sql import SqlStore
from admit.testing import AccountContract, ChallengeContract, CounterContract, CredentialContract, EventContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.postgres import PostgresServer

PATIENCE = 30


def open_sqlite(path: Path) -> SqlStore:
    """Open a store that waits for a busy machine."""
    return SqlStore(f"sqlite:///{path}", command_timeout=PATIENCE)


def open_postgres(url: str, schema: str) -> SqlStore:
    """Open a store that waits for a busy machine."""
    return SqlStore(url, schema=schema, connect_timeout=PATIENCE, command_timeout=PATIENCE)


class InSqlite:
    """A file of the test's own."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], SqlStore]:
        """Open a store on it."""
        return partial(open_sqlite, tmp_path / "app.db")


class InPostgres:
    """A schema of the test's own."""

    @pytest.fixture
    def opener(self, postgres_server: PostgresServer, postgres_schema: str) -> Callable[[], SqlStore]:
        """Open a store on it."""
        store = open_postgres(postgres_server.url, postgres_schema)
        store.create()
        store.close()
        return partial(open_postgres, postgres_server.url, postgres_schema)


class TestAccountsInSqlite(InSqlite, AccountContract):
    """A file keeps accounts."""


class TestAccountsInPostgres(InPostgres, AccountContract):
    """A server keeps accounts."""


class TestCredentialsInSqlite(InSqlite, CredentialContract):
    """A file keeps credentials."""


class TestCredentialsInPostgres(InPostgres, CredentialContract):
    """A server keeps credentials."""


class TestChallengesInSqlite(InSqlite, ChallengeContract):
    """A file keeps challenges."""


class TestChallengesInPostgres(InPostgres, ChallengeContract):
    """A server keeps challenges."""


class TestCountersInSqlite(InSqlite, CounterContract):
    """A file keeps counters."""


class TestCountersInPostgres(InPostgres, CounterContract):
    """A server keeps counters."""


class TestEventsInSqlite(InSqlite, EventContract):
    """A file keeps events."""


class TestEventsInPostgres(InPostgres, EventContract):
    """A server keeps events."""
