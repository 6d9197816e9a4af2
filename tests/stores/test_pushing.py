"""Trying out whether a store tells what changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.stores.memory import MemoryStore
from admit.stores.pushing import seconds_until_heard
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.postgres import PostgresServer

NOW = datetime.now(UTC)


class Telling(MemoryStore):
    """A store that tells, as often as it is told to, of sessions that end."""

    def __init__(self, *, deaf_to: int = 0, tells: bool = True) -> None:
        super().__init__()
        self.deaf_to, self.tells = deaf_to, tells
        self.drops: list[Callable[[str | None], None]] = []

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Listen from now on, which is told first."""
        self.drops.append(drop)
        drop(None)
        return lambda: self.drops.remove(drop)

    def delete_session(self, session_id: str, **ending: object) -> bool:  # type: ignore[override] # as it is called
        """End a session and tell which, but for the first ones."""
        done = super().delete_session(session_id, **ending)  # type: ignore[arg-type] # as it is called
        self.deaf_to -= 1
        for drop in self.drops:
            drop(session_id if self.tells and self.deaf_to < 0 else None)
        return done


def test_a_store_that_tells() -> None:
    """The end of a session is heard, the word that listening has begun is none, and nothing is left behind."""
    store = Telling()
    seconds = seconds_until_heard(store, store, now=NOW)
    assert seconds is not None
    assert seconds >= 0
    assert store.count_sessions() == 0
    assert store.drops == []


def test_one_that_is_heard_late() -> None:
    """Whoever has missed the first is tried once more."""
    store = Telling(deaf_to=1)
    assert seconds_until_heard(store, store, now=NOW, patience=1) is not None


def test_one_that_is_never_heard() -> None:
    """Words without the session's id, as a link that breaks all the time gives them, are none."""
    store = Telling(tells=False)
    assert seconds_until_heard(store, store, now=NOW, patience=0.1) is None
    assert seconds_until_heard(store, store, now=NOW, patience=0.1, names_sessions=False) is not None


def test_sqlite(tmp_path: Path) -> None:
    """SQLite tells that something has changed."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    assert seconds_until_heard(store, store, now=NOW, patience=30, names_sessions=False) is not None
    assert store.count_sessions() == 0
    store.close()


def test_postgres(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """PostgreSQL tells which session."""
    store = SqlStore(postgres_server.url, schema=postgres_schema, connect_timeout=30, command_timeout=30)
    store.create()
    assert seconds_until_heard(store, store, now=NOW, patience=30) is not None
    store.close()


def test_redis(redis_url: str) -> None:
    """Redis tells which session, and whoever may not listen there hears of none."""
    store = RedisStore(redis_url, prefix=f"{tokens.new_id()}:", connect_timeout=30, command_timeout=30)
    assert seconds_until_heard(store, store, now=NOW, patience=30) is not None
    store.close()
    name, password = f"u{tokens.new_id()}", tokens.new_id()
    admin = pytest.importorskip("redis").Redis.from_url(redis_url)
    admin.execute_command("ACL", "SETUSER", name, "on", f">{password}", "~*", "&*", "+@all", "-subscribe")
    there = redis_url.replace("redis://", f"redis://{name}:{password}@")
    silent = RedisStore(there, prefix=f"{tokens.new_id()}:", connect_timeout=30, command_timeout=30)
    try:
        assert seconds_until_heard(silent, silent, now=NOW, patience=0.6) is None
    finally:
        silent.close()
        admin.execute_command("ACL", "DELUSER", name)
        admin.close()
