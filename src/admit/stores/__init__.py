"""The stores, and opening one by its URL. A driver is imported only when its store is opened."""

from __future__ import annotations

from typing import Any

from admit import errors
from admit.store import SessionStore
from admit.stores import memory

__all__ = ["open_store"]

_FORMS = "memory:, sqlite:///app.db, postgresql+psycopg://host/name, redis://host, redis+cluster://host:port"


def open_store(source: Any, **options: Any) -> SessionStore:
    """Return the store that ``source`` names.

    Args:
        source: A URL, an SQLAlchemy engine, or a store, which is returned as it is.
        options: What the store takes besides, such as ``schema``, ``prefix`` or timeouts.

    Raises:
        ConfigurationError: It names none; the message lists the forms of URLs.

    .. versionadded:: 0.1
    """
    if not isinstance(source, str):
        return _opened(source, options)
    scheme = source.partition(":")[0]
    if scheme == "memory":
        return memory.MemoryStore()
    if scheme in {"redis", "rediss", "redis+cluster", "rediss+cluster", "unix"}:
        from admit.stores.redis import RedisStore

        return RedisStore(source, **options)
    if scheme.partition("+")[0] in {"sqlite", "postgresql"}:
        return _sql(source, options)
    # Without the URL: it may hold a password.
    message = f"There is no store for {scheme!r}. Give a URL of one of these forms: {_FORMS}."
    raise errors.ConfigurationError(message)


def _opened(source: Any, options: dict[str, Any]) -> SessionStore:
    # A class has the methods too, and is not what anybody means.
    if isinstance(source, SessionStore) and not isinstance(source, type):
        return source
    if hasattr(source, "dialect"):
        return _sql(source, options)
    message = f"{type(source).__name__} is no store. Give a URL ({_FORMS}), an SQLAlchemy engine or a SessionStore."
    raise errors.ConfigurationError(message)


def _sql(source: Any, options: dict[str, Any]) -> SessionStore:
    from admit.stores.sql import SqlStore

    return SqlStore(source, **options)
