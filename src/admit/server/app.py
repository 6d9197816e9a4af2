"""The ready-made application: every feature that there is, and a page that says where to click."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask

from admit.errors import ConfigurationError, StoreError
from admit.features import everything
from admit.flask import LoginManager
from admit.flask.accounts import by_name
from admit.flask.development import is_loopback as is_loopback_address
from admit.flask.settings import AccountSettings
from admit.flask.sqlite_files import chosen, file_of
from admit.flask.starting import refuse_memory_for_many, refuse_weak_secret
from admit.mail import ConsoleSender, MailSettings
from admit.server.configuration import CONFIG, configuration, values_of
from admit.server.errors import answer_errors
from admit.server.hosts import refuse_unknown_hosts
from admit.server.https import demand_https
from admit.server.observing import observe_as_told
from admit.server.outbox import Outbox
from admit.server.pages import accounts_of, add_pages
from admit.server.secret_files import kept_secrets
from admit.server.settings import ServerSettings, known_settings
from admit.settings import refuse_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTBOX", "create_app", "has_public_url", "is_loopback"]

#: Where the application notes the address of its outbox, with the key that it takes.
OUTBOX = "admit_outbox"


def create_app(given: Mapping[str, Any] | None = None, *, serves: bool = True) -> Flask:
    """Return the ready-made application.

    Args:
        given: Its settings by key, such as ``{"ADMIT_DB": "sqlite:///app.db"}``; what the environment and the TOML
            file that ``ADMIT_CONFIG`` names say when they are missing, so that any WSGI server can serve
            ``admit.server:create_app()``.
        serves: Whether it is to serve. An operator's command on the same database sends no mail and needs less.

    Raises:
        ConfigurationError: A setting has a value that it can't have, there is no such setting, or it is not safe to
            serve like that.

    .. versionadded:: 0.2
    """
    values = _from_environment() if given is None else dict(given)
    refuse_unknown_keys(values, known_settings())
    server = _placed(ServerSettings.from_mapping(values))
    app = Flask("admit.server", instance_path=str(Path.cwd()))
    _refuse_debugging_in_public(server, is_debugging=server.dev or app.debug)
    own = set(ServerSettings.keys())
    app.config.from_mapping({key: value for key, value in values.items() if key not in own})
    app.config.from_mapping(_defaults(server, values, serves=serves))
    sender = ConsoleSender() if server.dev or (not serves and not _mail_url(values)) else None
    _open(app, server, sender)
    # A command too: it would look at a memory of its own, and not at that of a worker.
    refuse_memory_for_many(accounts_of(app).stores)
    if server.dev and values.get("ADMIT_PUBLIC_URL") is None:
        accounts_of(app).mailing.follows = True
    accounts = AccountSettings.from_mapping(app.config)
    answer_errors(app, accounts.api_prefix)
    if serves:
        refuse_unknown_hosts(app, server, accounts)
    outbox = _outbox(sender, values, accounts) if server.dev and sender is not None else None
    add_pages(app, outbox=outbox)
    if outbox is not None:
        app.extensions[OUTBOX] = f"{accounts.public_url}{outbox.printed}"
        if given is None and serves:
            # Another server than ours: nobody else prints it.
            sys.stderr.write(f"Mails are kept at {app.extensions[OUTBOX]}, because this is development.\n")
    if (accounts.public_url or "").startswith("https:"):
        demand_https(app, server, accounts)
    if serves:
        observe_as_told(app, server)
    return app


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens at ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def has_public_url(values: Mapping[str, Any]) -> bool:
    """Tell whether it is known where the site is served: it was said, or it is development."""
    return values.get("ADMIT_PUBLIC_URL") is not None or ServerSettings.from_mapping(values).dev


def _from_environment() -> dict[str, Any]:
    file = os.environ.get(CONFIG)
    return values_of(configuration({}, os.environ, Path(file) if file else None, known_settings()))


def _placed(server: ServerSettings) -> ServerSettings:
    """Return the settings with the files of SQLite where a Flask application in this folder has them."""
    here = Path.cwd()
    sessions = None if server.sessions is None else chosen(here, server.sessions)
    return replace(server, db=chosen(here, server.db), sessions=sessions)


def _refuse_debugging_in_public(server: ServerSettings, *, is_debugging: bool) -> None:
    if is_debugging and not is_loopback(server.host):
        message = (
            f"Development is for this machine only, and {server.host} is reached from others: they would read every "
            "mail. Leave out --dev, ADMIT_DEV and FLASK_DEBUG, or listen at 127.0.0.1."
        )
        raise ConfigurationError(message)


def _defaults(server: ServerSettings, values: Mapping[str, Any], *, serves: bool) -> dict[str, Any]:
    """Return the configuration that follows from the settings."""
    secret, *older = _secrets(server) or ("",)
    found: dict[str, Any] = {
        "SECRET_KEY": secret or None,
        "SECRET_KEY_FALLBACKS": older,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
    if values.get("ADMIT_PUBLIC_URL") is None and (server.dev or not serves):
        found["ADMIT_PUBLIC_URL"] = f"http://{_bracketed(server.host)}:{server.port}"
    if server.dev and values.get("ADMIT_SITE_NAME") is None:
        found["ADMIT_SITE_NAME"] = "Admit"  # which says more than the address of this machine
    if server.dev and values.get("ADMIT_API_DOCS") is None:
        found["ADMIT_API_DOCS"] = not _is_public(values)
    found["SESSION_COOKIE_SECURE"] = str(values.get("ADMIT_PUBLIC_URL")).startswith("https:")
    return found


def _is_public(values: Mapping[str, Any]) -> bool:
    """Tell whether others than this machine reach a site in development, by a tunnel or a proxy."""
    url = values.get("ADMIT_PUBLIC_URL")
    return bool(values.get("ADMIT_PROXIES")) or (url is not None and not is_loopback_address(urlsplit(str(url)).netloc))


def _outbox(sender: ConsoleSender, values: Mapping[str, Any], accounts: AccountSettings) -> Outbox:
    return Outbox(sender, f"{accounts.prefix}/outbox", is_public=_is_public(values))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _secrets(server: ServerSettings) -> list[str]:
    """Return the secret key and those of before, if there is one."""
    for secret in server.secret_key_fallbacks:
        refuse_weak_secret(ServerSettings.key("secret_key_fallbacks"), str(secret))  # a file may hold a number
    if server.secret_key is not None:
        refuse_weak_secret(ServerSettings.key("secret_key"), server.secret_key)
        return [server.secret_key, *server.secret_key_fallbacks]
    file = file_of(server.db)
    # Another machine that serves from the same database of a server would have another one.
    kept = [] if file is None else kept_secrets(file.with_name(f"{file.name}.secret"))
    return kept and [*kept, *server.secret_key_fallbacks]


def _mail_url(values: Mapping[str, Any]) -> str | None:
    return MailSettings.from_mapping(values).url


def _open(app: Flask, server: ServerSettings, sender: ConsoleSender | None) -> None:
    store = server.db if server.sessions is None else (server.db, server.sessions)
    features = by_name(everything(), app.config).values()
    try:
        LoginManager(app, store=store, features=features, mail=sender)
    except StoreError as error:
        # What the driver says names the file or the host, and never the password.
        message = f"The database can't be opened: {error}. Check ADMIT_DB, or give another by --db."
        raise ConfigurationError(message) from error
