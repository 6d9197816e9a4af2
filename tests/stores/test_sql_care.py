"""What an operator asks of a store over SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.errors import StoreError
from admit.stores.sql import SqlStore
from admit.testing import a_challenge, a_session
from admit.testing.samples import NOW, REVOKED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.postgres import PostgresServer

DAY = timedelta(days=1)


def fill(store: SqlStore) -> None:
    """Add three of each kind: two are over, and one is not."""
    for days in (1, 2, 9):
        store.add_session(a_session(idle=days * DAY, ends_at=NOW + 100 * DAY))
        ended = a_session(idle=days * DAY, ends_at=NOW + 100 * DAY)
        store.add_session(ended)
        store.delete_session(ended.id, ending=REVOKED)
        store.add_challenge(a_challenge(expires_at=NOW + days * DAY))


def check(store: SqlStore) -> None:
    """Count what is overdue, at several times, and with a bound."""
    assert store.count_overdue(before=NOW) == 0
    fill(store)
    assert store.count_overdue(before=NOW + DAY) == 0
    assert store.count_overdue(before=NOW + 3 * DAY) == 6
    assert store.count_overdue(before=NOW + 3 * DAY, limit=1) == 3
    assert store.purge(before=NOW + 3 * DAY) == 6
    assert store.count_overdue(before=NOW + 3 * DAY) == 0


def test_overdue_in_sqlite(tmp_path: Path) -> None:
    """What a purge would remove is counted, and no more than are asked for."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    check(store)
    assert store.file == tmp_path / "app.db"
    store.close()


def test_overdue_in_postgres(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """The same is counted in PostgreSQL, which has no file; without tables it is an error of the store."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, connect_timeout=30, command_timeout=30)
    with pytest.raises(StoreError):
        store.count_overdue(before=NOW)
    store.create()
    check(store)
    assert store.file is None
    store.close()
