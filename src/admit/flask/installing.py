"""Putting accounts into an application: their routes, their mails, and where guards send those whom they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from admit.errors import ConfigurationError
from admit.feature import way_in
from admit.flask.accounts import Accounts
from admit.flask.answers import HEADERS
from admit.flask.blueprint import mount
from admit.flask.cors import answer_trusted_origins
from admit.flask.development import is_development
from admit.flask.mailing import Mailing, public_url
from admit.flask.neighbours import Ours, mind_neighbours
from admit.flask.pages import Pages
from admit.flask.proxies import Proxies
from admit.flask.settings import AccountSettings
from admit.flask.starting import refuse_memory_for_many, refuse_weak_secrets
from admit.flask.state import state_of
from admit.flask.trying import mount_description
from admit.mail import MailSettings, sender_of
from admit.throttle import ThrottleSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from flask import Flask

    from admit.feature import Feature
    from admit.flask.stored_login import StoredLogin
    from admit.store import Stores

__all__ = ["install"]


def install(  # noqa: PLR0913 -- what accounts are made of
    app: Flask,
    keeper: StoredLogin,
    *,
    stores: Stores,
    features: Mapping[str, Feature],
    mail: Any,
    clock: Callable[[], datetime],
) -> Accounts:
    """Give an application the pages and the JSON API of its features.

    Raises:
        ConfigurationError: A feature lacks something; the message says what to add.
    """
    for feature in features.values():
        lacking = feature.missing(features)
        if lacking is not None:
            raise ConfigurationError(lacking)
    refuse_weak_secrets(app)
    refuse_memory_for_many(stores)
    settings = AccountSettings.from_mapping(app.config)
    if settings.proxies:
        app.wsgi_app = Proxies(app.wsgi_app, settings.proxies)  # type: ignore[method-assign]
    mailing = _mailing(app, settings, features, mail)
    throttle = ThrottleSettings.from_mapping(app.config)
    accounts = Accounts(keeper, stores, features, settings, mailing, throttle=throttle, clock=clock)
    pages = Pages(accounts)
    mailing.path = pages.place
    keeper.accounts = accounts
    before = set(app.view_functions)
    mount(app, accounts, pages)
    if is_development(app) if settings.api_docs is None else settings.api_docs:
        mount_description(app, accounts)
    remedies = {endpoint: _remedy(endpoint, settings) for endpoint in app.view_functions if endpoint not in before}
    mind_neighbours(app, Ours(frozenset({"admit", "admit_api"}), remedies, HEADERS))
    answer_trusted_origins(app, "admit", settings.trusted_origins)
    _send_the_refused_to_our_pages(app, accounts)
    return accounts


def _remedy(endpoint: str, settings: AccountSettings) -> str:
    """Return what to do if the application has the address of an endpoint of ours."""
    if endpoint.startswith("admit_api."):
        return f"Move yours, or set {settings.key('api_docs')} to False."
    if endpoint.startswith("admit."):
        name = settings.key("api_prefix" if endpoint.endswith("_json") else "prefix")
        return f"Move yours, or set {name} to another path."
    return "Remove yours: Admit's leads to its own page."


def _mailing(app: Flask, settings: AccountSettings, features: Mapping[str, Feature], mail: Any) -> Mailing:
    does_with_less = is_development(app) or not any(feature.sends_mail for feature in features.values())
    base = public_url(app, settings, is_development=does_with_less)
    mail_settings = MailSettings.from_mapping(app.config)
    source = mail or mail_settings.url
    if source is None and not does_with_less:
        message = (
            "There are features that send mails, and nobody who sends them. "
            'Set ADMIT_MAIL_URL, as in "smtp://user:password@mail.example:587".'
        )
        raise ConfigurationError(message)
    name = settings.site_name or str(urlsplit(base).hostname)
    return Mailing(app, sender_of(source or "console:", mail_settings), base=base, site_name=name)


def _send_the_refused_to_our_pages(app: Flask, accounts: Accounts) -> None:
    state, config = state_of(app), cast("dict[str, bool]", app.config)
    state.settings = replace(state.settings, problem_json=config.get("ADMIT_PROBLEM_JSON", True))
    names = [bound.name for bound in accounts.actions()]
    login = way_in(accounts.features)
    if login is not None:
        state.login_page = accounts.settings.prefix + _path(accounts, login)
    if "reauthenticate.show" in names:
        state.refresh_page = accounts.settings.prefix + _path(accounts, "reauthenticate.show")


def _path(accounts: Accounts, name: str) -> str:
    return next(bound.action.path for bound in accounts.actions() if bound.name == name)
