"""What the ready-made application serves besides its features: its front page, its health, and the outbox."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from flask import Blueprint, render_template

from admit.errors import StoreError
from admit.feature import Shown
from admit.flask.answers import harden
from admit.flask.context import application, the_request
from admit.flask.headers import drop_what_is_too_long
from admit.flask.languages import best_language, said
from admit.flask.outages import log_outage
from admit.flask.pages import Link
from admit.flask.phrases import phrases
from admit.flask.redirects import mounted
from admit.flask.state import state_of
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from flask import Flask

    from admit.flask.accounts import Accounts
    from admit.server.outbox import Outbox
    from admit.store import Stores

__all__ = ["accounts_of", "add_pages", "close_stores", "render_page"]

_UNREADY = 503


def accounts_of(app: Flask) -> Accounts:
    """Return the accounts of the ready-made application."""
    return cast("Accounts", state_of(app).keeper.accounts)


def close_stores(app: Flask) -> None:
    """Let go of the stores of the ready-made application."""
    cast("Stores", state_of(app).stores).close()


def add_pages(app: Flask, *, outbox: Outbox | None) -> None:
    """Add the routes; ``outbox`` shows the mails of development."""
    accounts = accounts_of(app)
    pages = Blueprint("server", __name__, template_folder="templates")
    pages.before_request(lambda: drop_what_is_too_long(the_request()))
    pages.after_request(harden)
    pages.add_url_rule("/", "home", lambda: _home(accounts, None if outbox is None else outbox.link))
    pages.add_url_rule("/healthz", "health", lambda: {"status": "alive"})
    pages.add_url_rule("/readyz", "readiness", lambda: _readiness(accounts))
    if outbox is not None:
        pages.add_url_rule(
            outbox.path, "outbox", lambda: render_page("admit/outbox.html", accounts, messages=outbox.messages())
        )
    app.register_blueprint(pages)


def _home(accounts: Accounts, outbox_path: str | None) -> str:
    """Say what this is and where to click."""
    account, language = accounts.account(), best_language(the_request())
    wanted = Shown.GUESTS if account is None else Shown.MEMBERS
    links = [
        Link(one.name, said(one.action.title, language), _path(accounts, one.name), is_here=False)
        for one in accounts.offered_actions(account)
        if one.action.shown is wanted
    ]
    return render_page(
        "server/home.html",
        accounts,
        account=account,
        links=links,
        outbox=outbox_path,
        title=said("Welcome", language),
        describes_api="admit_api.description" in application().view_functions,
        tries_api="admit_api.docs" in application().view_functions,
    )


def _path(accounts: Accounts, name: str, **arguments: str) -> str:
    return mounted(accounts.mailing.path(name, **arguments))


def render_page(template: str, accounts: Accounts, **values: object) -> str:
    """Return a page in the layout of those of the features."""
    language = best_language(the_request())
    return render_template(
        template,
        **phrases(language),
        **values,
        features=accounts.offered(),
        language=language,
        path=partial(_path, accounts),
        site_name=accounts.mailing.site_name,
    )


def _readiness(accounts: Accounts) -> tuple[dict[str, str], int]:
    """Tell whether this process can serve. What is wrong goes to the log, and to nobody who asks."""
    sessions = accounts.keeper.gate.store
    stores = (sessions.store if isinstance(sessions, NearStore) else sessions, accounts.store)
    try:
        stores[0].get_session("")
        stores[1].get_account("")
        is_current = [getattr(store, "is_current", lambda: True)() for store in stores]
    except StoreError as error:
        log_outage(error)
        return {"status": "the store does not answer"}, _UNREADY
    if not all(is_current):
        log_outage(StoreError("no such table in this version: the tables are of another version of Admit"))
        return {"status": "the tables are of another version"}, _UNREADY
    return {"status": "ready"}, 200
