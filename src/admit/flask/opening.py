"""Opening the store of an application, and the gate in front of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from admit.flask.beginning import is_served
from admit.flask.settings import StoreSettings
from admit.gate import Gate
from admit.settings import SessionSettings
from admit.stores import open_stores
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from flask import Flask

    from admit.events import Events
    from admit.feature import Feature
    from admit.store import Stores

__all__ = ["gate_for", "open_for"]

_RELATIVE = "sqlite:///"


def open_for(app: Flask, source: Any) -> Stores:
    """Return the stores that ``source`` names for ``app``, with a near cache in front of the sessions.

    Args:
        app: The application. A relative path of SQLite is below its instance folder, as Flask-SQLAlchemy has it.
        source: A URL, an SQLAlchemy engine, a Flask-SQLAlchemy ``db``, a store, or two of those: one for accounts
            and one for sessions. Or :class:`admit.stores.sql_model.ModelAccounts`.
    """
    settings = StoreSettings.from_mapping(app.config)
    pair = list(cast("list[Any]", source)) if isinstance(source, tuple | list) else [source]
    found = [_source(app, one) for one in pair]
    with app.app_context():  # the session of an application's own models may want to know the application
        stores = open_stores(
            found if len(found) > 1 else found[0],
            connect_timeout=settings.connect_timeout.total_seconds(),
            command_timeout=settings.command_timeout.total_seconds(),
        )
    if isinstance(stores.sessions, MemoryStore) or not settings.near_entries:
        return stores
    from admit.stores.near import NearStore

    entries, max_age = settings.near_entries, settings.near_max_age.total_seconds()
    near = NearStore(stores.sessions, entries=entries, max_age=max_age, serves=is_served)
    return replace(stores, sessions=near)


def gate_for(  # noqa: PLR0913 -- what a gate stands on
    app: Flask,
    stores: Stores,
    features: Mapping[str, Feature],
    *,
    settings: SessionSettings | None,
    events: Events | None,
    clock: Callable[[], datetime] | None,
) -> Gate:
    """Return the gate of ``app``, which demands of a login what the features say.

    Args:
        app: The application, for the settings of sessions when they are missing.
        stores: What keeps what.
        features: The features by name.
        settings: How long sessions live.
        events: Who is told.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
    """
    graces = [one.reopens_within for one in features.values() if one.reopens_within is not None]
    return Gate(
        stores.sessions,
        settings or SessionSettings.from_mapping(app.config),
        events=events,
        clock=clock,
        stores=stores,
        second_factors=[name for name, feature in features.items() if feature.second_factor],
        verified_only=any(feature.demands_verified for feature in features.values()),
        grace=max(graces, default=None),
    )


def _source(app: Flask, source: Any) -> Any:
    # Asked of the class: Flask-SQLAlchemy's property itself wants to know the application first.
    if hasattr(cast("type[object]", type(source)), "engine") and hasattr(source, "init_app"):
        with app.app_context():
            return source.engine
    return _located(app, source) if isinstance(source, str) else source


def _located(app: Flask, url: str) -> str:
    path = url.removeprefix(_RELATIVE)
    if path == url or path.startswith("/") or not path:
        return url
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    return f"{_RELATIVE}{folder / path}"
