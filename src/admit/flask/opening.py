"""Opening the store of an application, and the gate in front of it."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from admit.adopting import Adopting, SharingKeys
from admit.errors import StoreError
from admit.events import Events
from admit.flask.beginning import is_served, note_beginnings
from admit.flask.clients import present_client
from admit.flask.gone_users import end_sessions_of_gone_users
from admit.flask.session_interface import watch_sessions
from admit.flask.settings import CookieSettings, StoreSettings
from admit.flask.sqlite_files import located
from admit.flask.standing import is_active_user
from admit.flask.state import close_with
from admit.flask.stored_login import StoredLogin
from admit.gate import Gate
from admit.settings import SessionSettings
from admit.stores import is_in_memory, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from flask import Flask

    from admit.feature import Feature
    from admit.flask.state import State
    from admit.store import Stores

__all__ = ["gate_for", "keep_in_store", "open_for"]

_logger = logging.getLogger("admit.flask")


def keep_in_store(  # noqa: PLR0913 -- what a login manager is told
    app: Flask,
    state: State,
    store: Any,
    features: Sequence[Feature],
    *,
    mail: Any,
    settings: SessionSettings | None,
    events: Events | None,
    clock: Callable[[], datetime] | None,
) -> None:
    """Have an application keep its logins in a store, and its accounts, if it has features.

    Args:
        app: The application.
        state: What it has of Admit, which is changed.
        store: What :func:`open_for` takes.
        features: What accounts can do.
        mail: Who sends mails.
        settings: How long sessions live; read from the configuration when they are missing.
        events: Who is told, in every application.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
    """
    stores = state.stores = open_for(app, store)
    if isinstance(stores.accounts, SharingKeys):
        stores.accounts.check_ids(state.login_manager.id_attribute)
        _log_findings(app, stores.accounts, features)
    named = _by_name(features, app)
    gate = gate_for(app, stores, named, settings=settings, events=events, clock=clock)
    keeper = state.keeper = StoredLogin(state.login_manager, gate, CookieSettings.from_mapping(app.config))
    gate.admission.lets_in = partial(is_active_user, keeper)
    if named:
        from admit.flask.installing import install

        install(app, keeper, stores=stores, features=named, mail=mail, clock=gate.clock)
    # After it was seen that the store keeps accounts.
    for feature in named.values():
        feature.watch(gate.events, stores, present_client)
    watch = partial(watch_sessions, app, lazy=state.settings.lazy_session)
    watch()
    note_beginnings(app, clock, at_first=watch)
    end_sessions_of_gone_users()
    _keep_from_migrations()


def _keep_from_migrations() -> None:
    """Keep our tables out of what "flask db migrate" writes, even if Flask-Migrate is imported after this."""
    if click.get_current_context(silent=True) is not None and "admit.stores.sql" in sys.modules:
        with suppress(ModuleNotFoundError):  # without Alembic there is nobody to keep them from
            sys.modules["admit.stores.sql"].keep_from_migrations()


def _log_findings(app: Flask, accounts: SharingKeys, features: Sequence[Feature]) -> None:
    """Log what nobody would notice before somebody can't get in. Without an answer of the database there is nothing."""
    mails_confirmed_only = any(one.mails_confirmed_only for one in features)
    with app.app_context(), suppress(StoreError):
        for sentence in accounts.start_findings(mails_confirmed_only=mails_confirmed_only):
            _logger.warning("%s", sentence)


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
    close_with(app, _opened(stores, found))
    if is_in_memory(stores.sessions) or not settings.near_entries:
        return stores
    from admit.stores.near import NearStore

    entries, max_age = settings.near_entries, settings.near_max_age.total_seconds()
    near = NearStore(stores.sessions, entries=entries, max_age=max_age, serves=is_served)
    return replace(stores, sessions=near)


def _opened(stores: Stores, given: list[Any]) -> list[Any]:
    """Return what was opened for one application. A store that somebody made is theirs, and may serve others."""
    # What is beside an application's users is closed with them, if it was opened there.
    is_alone = len(given) == 1 and isinstance(stores.accounts, Adopting)
    kept: list[Any] = [stores.accounts] if is_alone else [stores.accounts, stores.sessions]
    return [one for one in kept if one is not None and not any(one is other for other in given)]


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
        events: Who is told, in every application.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
    """
    graces = [one.reopens_within for one in features.values() if one.reopens_within is not None]
    return Gate(
        stores.sessions,
        settings or SessionSettings.from_mapping(app.config),
        # The subscribers of one application must not be told of what happens in another.
        events=Events(events),
        clock=clock,
        stores=stores,
        second_factors=[name for name, feature in features.items() if feature.second_factor],
        verified_only=any(feature.demands_verified for feature in features.values()),
        grace=max(graces, default=None),
    )


def _by_name(features: Sequence[Feature], app: Flask) -> Mapping[str, Feature]:
    if not features:
        return {}
    # What features need is imported with the first one, so that logins alone start sooner.
    from admit.flask.accounts import by_name

    return by_name(features, app.config)


def _source(app: Flask, source: Any) -> Any:
    # Asked of the class: Flask-SQLAlchemy's property itself wants to know the application first.
    if hasattr(cast("type[object]", type(source)), "engine") and hasattr(source, "init_app"):
        with app.app_context():
            return source.engine
    return located(Path(app.instance_path), source) if isinstance(source, str) else source
