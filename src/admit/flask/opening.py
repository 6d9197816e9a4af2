"""Opening the store of an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from admit.flask.settings import StoreSettings
from admit.stores import open_store
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from flask import Flask

    from admit.store import SessionStore

__all__ = ["open_for"]

_RELATIVE = "sqlite:///"


def open_for(app: Flask, source: Any) -> SessionStore:
    """Return the store that ``source`` names for ``app``, with a near cache in front of it.

    Args:
        app: The application. A relative path of SQLite is below its instance folder, as Flask-SQLAlchemy has it.
        source: A URL, an SQLAlchemy engine, a Flask-SQLAlchemy ``db``, or a store.
    """
    settings = StoreSettings.from_mapping(app.config)
    # Asked of the class: Flask-SQLAlchemy's property itself wants to know the application first.
    if hasattr(cast("type[object]", type(source)), "engine") and hasattr(source, "init_app"):
        with app.app_context():
            source = source.engine
    store = _open(app, source, settings)
    if isinstance(store, MemoryStore) or not settings.near_entries:
        return store
    from admit.stores.near import NearStore

    return NearStore(store, entries=settings.near_entries, max_age=settings.near_max_age.total_seconds())


def _open(app: Flask, source: Any, settings: StoreSettings) -> SessionStore:
    if not isinstance(source, str) or source.startswith("memory"):
        return open_store(source)
    return open_store(
        _located(app, source),
        connect_timeout=settings.connect_timeout.total_seconds(),
        command_timeout=settings.command_timeout.total_seconds(),
    )


def _located(app: Flask, url: str) -> str:
    path = url.removeprefix(_RELATIVE)
    if path == url or path.startswith("/") or not path:
        return url
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    return f"{_RELATIVE}{folder / path}"
