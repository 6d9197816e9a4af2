"""What the doctor finds about a store that will not work for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from admit.flask import store_checks
from admit.flask.store_checks import store_findings
from admit.flask.store_health import health_findings
from admit.store import Stores
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from tests.flask.facts_of_tests import said, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.findings import Finding
    from tests.services.redis import RedisServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Return a store in a file."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db", command_timeout=30)
    yield store
    store.close()


def found_in(store: Any) -> list[Finding]:
    """Return what is found of a store."""
    return list(health_findings(store, type(store).__name__))


def test_a_store_without_a_clock_or_a_disk_has_nothing_to_say() -> None:
    """Of a store in memory there is nothing to find."""
    assert found_in(MemoryStore()) == []


def test_a_redis_that_is_nearly_full_is_told(redis_server: RedisServer) -> None:
    """From 80 % of its maxmemory on, a Redis is a warning; without a limit it is a note."""
    store = RedisStore(redis_server.url, connect_timeout=30, command_timeout=30)
    assert said(found_in(store))["space"] == "note"
    used = redis_server.ask("INFO", "memory")["used_memory"]
    redis_server.ask("CONFIG", "SET", "maxmemory", 10 * used)
    assert said(found_in(store))["space"] == "ok"
    redis_server.ask("CONFIG", "SET", "maxmemory", used * 100 // 90)
    [finding] = [one for one in found_in(store) if one.check == "space"]
    assert str(finding.severity) == "warning"
    assert "% full" in finding.sentence
    store.close()


def test_a_redis_that_does_not_tell_is_a_note(redis_server: RedisServer) -> None:
    """Whoever may not ask how full a server is has a note, and everything else is looked at."""
    redis_server.ask("ACL", "SETUSER", "app", "on", ">hunter2", "~*", "&*", "+@all", "-info")
    store = RedisStore(f"redis://app:hunter2@127.0.0.1:{redis_server.port}/0", command_timeout=30)
    assert said(found_in(store))["space"] == "note"
    store.close()


def test_a_redis_that_can_not_save_is_an_error(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that could not write to its disk is an error, because it may refuse all changes."""
    store = RedisStore(redis_server.url, connect_timeout=30, command_timeout=30)
    assert "disk" not in said(found_in(store))
    monkeypatch.setattr(
        store._nodes, "ask_each", lambda *_: [b"rdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\n"]
    )
    assert said(found_in(store))["disk"] == "error"
    store.close()


def test_a_redis_that_lets_nobody_publish_is_an_error(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who may not publish is told by the doctor that ends are not heard of."""
    redis_server.ask("ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all", "resetchannels")
    store = RedisStore(f"redis://app:hunter2@127.0.0.1:{redis_server.port}/0", command_timeout=30)
    monkeypatch.setattr(store_checks, "_PATIENCE", 0.5)
    near = NearStore(store)
    found = store_findings(stored(stores=Stores(sessions=near)), now=datetime.now(UTC))
    assert said(list(found))["near_cache"] == "error"
    near.close()


@pytest.mark.parametrize(("used", "expected"), [(79, None), (80, "warning"), (100, "warning")])
def test_a_disk_that_is_nearly_full_is_told(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, used: int, expected: str | None
) -> None:
    """From 80 % on, the disk of an SQLite file is a warning."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=100, used=used, free=100 - used))
    assert said(found_in(store)).get("space") == expected


@pytest.mark.parametrize(("apart", "expected"), [(0, None), (31, "warning"), (-7200, "warning")])
def test_clocks_that_differ_are_told(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, apart: int, expected: str | None
) -> None:
    """More than five seconds between the clocks of the machine and the store are a warning."""
    monkeypatch.setattr(store, "now", lambda: datetime.now(UTC) + timedelta(seconds=apart))
    assert said(found_in(store)).get("clock") == expected
