"""Opening a store by its URL."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from admit.errors import ConfigurationError
from admit.stores import open_store
from admit.stores.memory import MemoryStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore

if TYPE_CHECKING:
    from pathlib import Path


def test_memory_is_new_each_time() -> None:
    """Two stores in memory have nothing in common."""
    assert isinstance(open_store("memory:"), MemoryStore)
    assert open_store("memory:") is not open_store("memory:")


def test_a_file_by_url_or_engine(tmp_path: Path) -> None:
    """An SQLite file is opened by its URL, and an application's engine is taken as it is."""
    url = f"sqlite:///{tmp_path}/app.db"
    engine = create_engine(url)
    for source in (url, engine):
        store = open_store(source, prefix="logins_")
        assert isinstance(store, SqlStore)
        store.close()
    engine.dispose()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "unix:///nowhere"])
def test_redis_is_not_asked_when_it_is_opened(url: str) -> None:
    """An application starts while its Redis is down: a connection is made when there is something to ask."""
    store = open_store(url, connect_timeout=0.1)
    assert isinstance(store, RedisStore)
    store.close()


def test_a_store_is_itself() -> None:
    """A store that somebody made is returned as it is."""
    store = MemoryStore()
    assert open_store(store) is store


@pytest.mark.parametrize(
    "source", [None, 5, {"url": "memory:"}, MemoryStore, object()], ids=["nothing", "number", "dict", "class", "object"]
)
def test_what_is_no_store_is_refused_at_once(source: Any) -> None:
    """A mistake in the set-up is told when the application starts, not at the first login."""
    with pytest.raises(ConfigurationError, match=r"is no store\. Give a URL"):
        open_store(source)


@pytest.mark.parametrize("url", ["mysql://ada:hunter2@host/app", "ada:hunter2@host", "", "app.db"])
def test_an_unknown_url_is_refused_without_showing_it(url: str) -> None:
    """The error names the forms that there are, and no password that may be in the URL."""
    with pytest.raises(ConfigurationError, match=r"Give a URL of one of these forms: memory:") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_no_driver_is_loaded_before_its_store() -> None:
    """The kernel and the store in memory need no driver and no framework."""
    code = (
        "import sys, admit, admit.stores; admit.stores.open_store('memory:');"
        "print({'flask', 'werkzeug', 'sqlalchemy', 'redis', 'psycopg', 'pytest'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "set()"
