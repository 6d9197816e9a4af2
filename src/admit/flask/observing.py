"""Seeing from outside what stores are asked for, without being in the way when nobody looks.

The verbs are replaced on the very object, so that it stays what it is for those who look: a store over SQL, one that
announces, one that records. A wrapper would have to pretend all of that, and whoever got hold of the store before would
not be seen. The near cache is looked behind: what it answers by itself costs nothing and is no question to a store.
"""

from __future__ import annotations

import re
from inspect import isfunction
from typing import TYPE_CHECKING, Any, cast

from admit.errors import ConfigurationError
from admit.flask.state import state_of
from admit.flask.stored_login import stored_keeper
from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore, EventStore, SessionStore
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from flask import Flask

    from admit.flask.stored_login import StoredLogin
    from admit.store import Stores

    #: Takes the kind of a store, the name of a verb and the verb; returns what takes its place.
    Around: TypeAlias = Callable[[str, str, Callable[..., Any]], Callable[..., Any]]

__all__ = ["is_first", "keeper_and_stores", "observe", "store_name"]

_PROTOCOLS = (SessionStore, AccountStore, CredentialStore, ChallengeStore, CounterStore, EventStore)
_START_OF_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def keeper_and_stores(app: Flask) -> tuple[StoredLogin, Stores]:
    """Return who keeps the logins of an application, and what keeps what.

    Raises:
        ConfigurationError: It has no LoginManager yet, or one without a store.
    """
    if vars(app).get("login_manager") is None:
        message = "This application has no LoginManager yet, so that there is nothing to observe. Make it first."
        raise ConfigurationError(message)
    state = state_of(app)
    return stored_keeper(state.keeper), cast("Stores", state.stores)


def observe(stores: Stores, observer: object, around: Around) -> None:
    """Put something around every verb of the stores, once for each observer however often it is asked for.

    Args:
        stores: What keeps what.
        observer: Who looks.
        around: Makes what takes the place of a verb.

    Raises:
        ConfigurationError: A store does not let its verbs be replaced.
    """
    behind = stores.sessions.store if isinstance(stores.sessions, NearStore) else stores.sessions
    kept = (behind, stores.accounts, stores.credentials, stores.challenges, stores.counters, stores.events)
    for store in {id(one): one for one in kept if one is not None}.values():
        if is_first(store, observer):
            for verb in _verbs(store):
                vars(store)[verb] = around(store_name(store), verb, getattr(store, verb))


def is_first(thing: object, observer: object) -> bool:
    """Tell whether an observer comes to a thing for the first time, and note that it came.

    Raises:
        ConfigurationError: The thing takes no notes.
    """
    try:
        observers: list[object] = vars(thing).setdefault("_admit_observers", [])
    except TypeError as error:  # it has no __dict__
        message = f"{type(thing).__name__} can't be observed, because of its __slots__. Give it a __dict__."
        raise ConfigurationError(message) from error
    if any(one is observer for one in observers):
        return False
    observers.append(observer)
    return True


def store_name(store: object) -> str:
    """Return what a kind of store is called: its class in snake case, without "store"; ``sql``."""
    return _START_OF_WORD.sub("_", type(store).__name__.removesuffix("Store")).lower().strip("_") or "store"


def _verbs(store: object) -> list[str]:
    offered = [protocol for protocol in _PROTOCOLS if isinstance(store, protocol)]
    names = {name for protocol in offered for name, part in vars(protocol).items() if isfunction(part)}
    return sorted(name for name in names if not name.startswith("_") and name != "close")
