"""Seeing what stores are asked for: every verb, once, and nothing else changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.errors import ConfigurationError
from admit.flask import LoginManager
from admit.flask.observing import keeper_and_stores, observe, store_name
from admit.store import Announcing, Recording, SessionStore, Stores
from admit.stores import open_store, open_stores
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.sql import SqlStore
from admit.testing.samples import a_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Slotted:
    """A store that has no room for anything."""

    __slots__ = ()


def noting(asked: list[tuple[str, str]], store: str, verb: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Note that a verb was used, and use it."""

    def noted(*args: Any, **options: Any) -> Any:
        asked.append((store, verb))
        return function(*args, **options)

    return noted


def test_every_verb_is_seen_and_the_store_stays_what_it_is(tmp_path: Path) -> None:
    """A store that is observed is of the same class and offers the same protocols, and its verbs do what they did."""
    stores = open_stores(f"sqlite:///{tmp_path}/app.db")
    asked: list[tuple[str, str]] = []
    observe(stores, asked, partial(noting, asked))
    store = stores.sessions
    assert isinstance(store, SqlStore)
    assert isinstance(store, Announcing)
    assert isinstance(store, Recording)
    assert isinstance(store, SessionStore)
    assert open_store(store) is store
    assert open_stores(store) == stores
    store.create()
    assert store.get_session("nobody") is None
    assert stores.counters is not None
    stores.counters.reset_count("nothing")
    assert asked == [("sql", "get_session"), ("sql", "reset_count")]
    stores.close()


def test_an_observer_sees_each_question_once() -> None:
    """However often an observer is put around a store, it is there once; another one is there besides."""
    store = MemoryStore()
    first: list[tuple[str, str]] = []
    second: list[tuple[str, str]] = []
    for asked in (first, first, second):
        observe(Stores(store, accounts=store), asked, partial(noting, asked))
    store.count_accounts()
    assert first == second == [("memory", "count_accounts")]


def test_the_near_cache_answers_unseen() -> None:
    """What the near cache answers by itself is no question to the store, and what it can't answer is one."""
    near = NearStore(MemoryStore())
    asked: list[tuple[str, str]] = []
    observe(Stores(near), asked, partial(noting, asked))
    session = a_session()
    near.add_session(session)
    for _ in range(3):
        assert near.get_session(session.id) == session
    assert asked == [("memory", "add_session"), ("memory", "get_session")]


def test_a_store_without_room_is_refused() -> None:
    """A store whose verbs can't be replaced is refused by name, with what to do."""
    stores = Stores(Slotted())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"Slotted can't be observed.+Give it a __dict__\."):
        observe(stores, "somebody", lambda *_: print)


@pytest.mark.parametrize(
    ("name", "called"), [("RedisStore", "redis"), ("ModelAccounts", "model_accounts"), ("Store", "store")]
)
def test_a_store_is_called_by_its_class(name: str, called: str) -> None:
    """What a store is called in labels and spans comes from its class, never from its address."""
    assert store_name(type(name, (), {})()) == called


def test_there_has_to_be_something_to_observe() -> None:
    """An application without a login manager, or with one that has no store, is refused with what to do."""
    app = Flask("early")
    with pytest.raises(ConfigurationError, match="no LoginManager yet"):
        keeper_and_stores(app)
    LoginManager(app)
    with pytest.raises(ConfigurationError, match="has no store"):
        keeper_and_stores(app)
