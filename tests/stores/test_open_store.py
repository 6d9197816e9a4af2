"""Opening a store by its URL."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from admit.errors import ConfigurationError, StoreError
from admit.store import AccountStore, SessionStore
from admit.stores import open_store, open_stores
from admit.stores.memory import MemoryStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore

if TYPE_CHECKING:
    from pathlib import Path

    from admit.store import Stores


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


# -- what keeps what ---------------------------------------------------------------------------------------------------


def kept(stores: Stores) -> list[object]:
    """Return what keeps accounts, credentials, events, sessions, challenges and counters."""
    people = [stores.accounts, stores.credentials, stores.events]
    return [*people, stores.sessions, stores.challenges, stores.counters]


def test_one_store_keeps_all_that_it_can(tmp_path: Path) -> None:
    """A URL or a store stands for everything that it keeps, and Redis alone keeps no accounts."""
    for source in ("memory:", f"sqlite:///{tmp_path}/app.db", MemoryStore()):
        stores = open_stores(source)
        assert kept(stores) == [stores.sessions] * 6
        stores.close()
    stores = open_stores("redis://127.0.0.1:1/0", connect_timeout=0.1)
    assert isinstance(stores.sessions, RedisStore)
    assert kept(stores) == [None, None, None, *[stores.sessions] * 3]


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_pair_shares_the_work(tmp_path: Path, kind: Any) -> None:
    """Of a pair the first keeps accounts, credentials and events, and the second the rest; options are for both."""
    stores = open_stores(kind([f"sqlite:///{tmp_path}/app.db", "redis://127.0.0.1:1/0"]), prefix="x_", max_counters=9)
    people, sessions = stores.accounts, stores.sessions
    assert isinstance(people, SqlStore)
    assert isinstance(sessions, RedisStore)
    assert kept(stores) == [people, people, people, sessions, sessions, sessions]
    assert (people._prefix, sessions._prefix) == ("x_", "x_")
    stores.close()


class Fewer:
    """Passes the verbs of some protocol on, and has no others."""

    def __init__(self, protocol: type, store: Any) -> None:
        for name in vars(protocol):
            if not name.startswith("_"):
                setattr(self, name, getattr(store, name))


def test_what_a_store_does_not_keep_is_none() -> None:
    """A store of sessions alone, and one of accounts alone, are taken for what they are."""
    people, sessions = Fewer(AccountStore, MemoryStore()), Fewer(SessionStore, MemoryStore())
    assert kept(open_stores(sessions)) == [None, None, None, sessions, None, None]
    assert kept(open_stores((people, sessions))) == [people, None, None, sessions, None, None]
    both = MemoryStore()
    assert open_stores((people, both)).events is both


@pytest.mark.parametrize("sources", [(), ("memory:",), ["memory:"] * 3])
def test_other_numbers_are_refused(sources: Any) -> None:
    """There are one or two stores."""
    with pytest.raises(ConfigurationError, match=rf"^{len(sources)} stores were given\. Give one, or two"):
        open_stores(sources)


@pytest.mark.parametrize("first", ["redis://127.0.0.1:1/0", Fewer(SessionStore, MemoryStore())], ids=["URL", "store"])
def test_a_pair_begins_with_accounts(first: Any) -> None:
    """Who has the two the wrong way round is told so."""
    with pytest.raises(ConfigurationError, match=r"keeps no accounts\. Put a store over SQL first"):
        open_stores((first, "memory:"))


def test_a_class_is_no_store_of_accounts() -> None:
    """A class has the methods too, and is not what anybody means."""
    with pytest.raises(ConfigurationError, match="is no store"):
        open_stores((MemoryStore, "memory:"))


class Closing(MemoryStore):
    """Counts how often it was closed."""

    closed = 0

    def close(self) -> None:
        """Count, and fail."""
        self.closed += 1
        raise StoreError


def test_each_is_closed_once() -> None:
    """A store that keeps several things is closed once, the other one too if that fails, and some need no closing."""
    first, second = Closing(), Closing()
    with pytest.raises(StoreError):
        open_stores((first, second)).close()
    assert (first.closed, second.closed) == (1, 1)
    people = Fewer(AccountStore, MemoryStore())
    assert not hasattr(people, "close")
    open_stores((people, "memory:")).close()


def test_no_driver_is_loaded_before_its_store() -> None:
    """The kernel and the store in memory need no driver and no framework."""
    code = (
        "import sys, admit, admit.stores; admit.stores.open_store('memory:');"
        "print({'flask', 'werkzeug', 'sqlalchemy', 'redis', 'psycopg', 'pytest'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "set()"
