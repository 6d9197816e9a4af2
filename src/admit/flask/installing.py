"""Putting accounts into an application: their routes, their mails, and where guards send those whom they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from admit.errors import ConfigurationError
from admit.flask.accounts import Accounts
from admit.flask.answers import HEADERS
from admit.flask.blueprint import mount
from admit.flask.cors import answer_trusted_origins
from admit.flask.development import is_development
from admit.flask.mailing import DEVELOPMENT, NO_ADDRESS, NO_SENDER, Mailing, Unsent, public_url
from admit.flask.neighbours import Ours, mind_neighbours
from admit.flask.pages import Pages
from admit.flask.proxies import Proxies
from admit.flask.settings import AccountSettings
from admit.flask.starting import refuse_memory_for_many, refuse_weak_secrets
from admit.flask.state import state_of
from admit.flask.trying import mount_description
from admit.flask.unready import is_command, refuse_to_serve
from admit.mail import MailSettings, sender_of
from admit.throttle import ThrottleSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
    settings = AccountSettings.from_mapping(app.config)
    if not is_command():
        refuse_memory_for_many(stores)
    refuse_to_serve(app, list(_missing(app, settings, features, mail)))
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


def _missing(app: Flask, settings: AccountSettings, features: Mapping[str, Feature], mail: Any) -> Iterator[str]:
    """Return what an application lacks to be served: what is wrong, and what to do."""
    try:
        refuse_weak_secrets(app)
    except ConfigurationError as problem:
        yield str(problem)
    if any(feature.sends_mail for feature in features.values()):
        if public_url(app, settings) is None:
            yield NO_ADDRESS
        if not (mail or MailSettings.from_mapping(app.config).url):
            yield NO_SENDER


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
    base, mail_settings = public_url(app, settings), MailSettings.from_mapping(app.config)
    follows = base is None and is_development(app)
    if base is None and does_with_less:
        base = DEVELOPMENT
    source = mail or mail_settings.url or ("console:" if does_with_less else Unsent())
    name = settings.site_name or urlsplit(base or DEVELOPMENT).hostname or app.name
    return Mailing(app, sender_of(source, mail_settings), base=base, site_name=name, follows=follows)


def _send_the_refused_to_our_pages(app: Flask, accounts: Accounts) -> None:
    state, config = state_of(app), cast("dict[str, bool]", app.config)
    state.settings = replace(state.settings, problem_json=config.get("ADMIT_PROBLEM_JSON", True))
    names = [bound.name for bound in accounts.actions()]
    login = accounts.way_in()
    if login is not None:
        state.login_page = accounts.settings.prefix + _path(accounts, login)
    if "reauthenticate.show" in names:
        state.refresh_page = accounts.settings.prefix + _path(accounts, "reauthenticate.show")


def _path(accounts: Accounts, name: str) -> str:
    return next(bound.action.path for bound in accounts.actions() if bound.name == name)
