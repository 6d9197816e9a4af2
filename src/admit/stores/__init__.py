"""The stores, and opening one by its URL. A driver is imported only when its store is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit import errors
from admit.stores import memory

if TYPE_CHECKING:
    from admit.store import SessionStore

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
        return _sql(source, options) if hasattr(source, "dialect") else source
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


def _sql(source: Any, options: dict[str, Any]) -> SessionStore:
    from admit.stores.sql import SqlStore

    return SqlStore(source, **options)
