"""The stores, and opening one by its URL. A driver is imported only when its store is opened."""

from __future__ import annotations

from typing import Any, TypeGuard

from admit import errors
from admit.adopting import Adopting, Binding
from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore, EventStore, SessionStore, Stores
from admit.stores import memory

__all__ = ["is_in_memory", "open_store", "open_stores"]

_PAIR = 2
_FORMS = (
    "memory:, sqlite:///app.db, postgresql+psycopg://host/name, redis://host, redis+cluster://host:port, "
    "redis+sentinel://host:port/service"
)


def open_store(source: Any, **options: Any) -> SessionStore:
    """Return the store that ``source`` names.

    Args:
        source: A URL, an SQLAlchemy engine, a client of redis-py, or a store, which is returned as it is.
        options: What the store takes besides, such as ``schema``, ``prefix`` or timeouts.

    Raises:
        ConfigurationError: It names none; the message lists the forms of URLs.

    .. versionadded:: 0.1
    """
    if not isinstance(source, str):
        return _opened(source, options)
    scheme = source.partition(":")[0]
    if scheme == "memory":
        if source not in {"memory:", "memory://"}:
            message = "A store in memory has no options. Write memory: and nothing behind it."
            raise errors.ConfigurationError(message)
        return memory.MemoryStore()
    if scheme.partition("+")[0] in {"redis", "rediss", "unix"}:
        from admit.stores.redis import RedisStore

        return RedisStore(source, **options)
    if scheme.partition("+")[0] in {"sqlite", "postgresql"}:
        return _sql(source, options)
    # Without the URL: it may hold a password.
    message = f"There is no store for {scheme!r}. Give a URL of one of these forms: {_FORMS}."
    raise errors.ConfigurationError(message)


def open_stores(source: Any, **options: Any) -> Stores:
    """Return what keeps sessions, accounts, credentials, challenges, counters and events, as far as it is kept.

    Args:
        source: What :func:`open_store` takes: one store for all that it can keep. Or a pair of those: the first is for
            accounts, credentials and events, and need not keep anything but accounts; the second is for the rest, and
            for events if the first keeps none. The one for accounts may be an
            :class:`admit.stores.sql_model.ModelAccounts`.
        options: What the stores take besides; of a pair, both. Where they differ, open the stores before.

    Raises:
        ConfigurationError: A source names no store, or the first of a pair keeps no accounts.

    .. versionadded:: 0.2
    """
    if not isinstance(source, tuple | list):
        if _is_adopting(source):
            source = _bound(source, options)
            return _stores(source.open(), source)
        store = open_store(source, **options)
        return _stores(store, store)
    parts: list[Any] = [*source]
    if len(parts) != _PAIR:
        message = f"{len(parts)} stores were given. Give one, or two: for accounts, and for sessions."
        raise errors.ConfigurationError(message)
    people = parts[0] if _keeps_accounts(parts[0]) else open_store(parts[0], **options)
    if not _keeps_accounts(people):
        message = (
            f"{type(people).__name__} keeps no accounts. Put a store over SQL first, and the one for sessions second."
        )
        raise errors.ConfigurationError(message)
    if _is_adopting(people):
        people = _bound(people, options)
    return _stores(open_store(parts[1], **options), people)


def is_in_memory(store: object) -> bool:
    """Tell whether what a store keeps is gone with this process.

    Args:
        store: The store.

    .. versionadded:: 0.2
    """
    return isinstance(store, memory.MemoryStore) or bool(getattr(store, "is_in_memory", False))


def _stores(store: SessionStore, people: object) -> Stores:
    return Stores(
        sessions=store,
        accounts=people if isinstance(people, AccountStore) else None,
        credentials=people if isinstance(people, CredentialStore) else None,
        challenges=store if isinstance(store, ChallengeStore) else None,
        counters=store if isinstance(store, CounterStore) else None,
        events=next((one for one in (people, store) if isinstance(one, EventStore)), None),
    )


def _bound(source: Adopting, options: dict[str, Any]) -> Adopting:
    """Return a store beside an application's own users, opened for the database of this application."""
    if isinstance(source, Binding):
        return source.bound(**options)
    source.open(**options)
    return source


def _is_adopting(source: object) -> TypeGuard[Adopting]:
    return isinstance(source, Adopting) and not isinstance(source, type)


def _keeps_accounts(source: object) -> bool:
    return isinstance(source, AccountStore) and not isinstance(source, type)


def _opened(source: Any, options: dict[str, Any]) -> SessionStore:
    # A class has the methods too, and is not what anybody means.
    if isinstance(source, SessionStore) and not isinstance(source, type):
        return source
    if hasattr(source, "dialect"):
        return _sql(source, options)
    client: Any = source
    if _is_of_redis(client):
        from admit.stores.redis import RedisStore

        return RedisStore(client, **options)
    kinds = "an SQLAlchemy engine, a client of redis-py or a SessionStore"
    message = f"{type(source).__name__} is no store. Give a URL ({_FORMS}), {kinds}."
    raise errors.ConfigurationError(message)


def _is_of_redis(source: Any) -> bool:
    """Return whether this is an object of redis-py, or of a class derived from one; the driver is not imported."""
    return any(kind.__module__.partition(".")[0] == "redis" for kind in type(source).__mro__)


def _sql(source: Any, options: dict[str, Any]) -> SessionStore:
    from admit.stores.sql import SqlStore

    return SqlStore(source, **options)
