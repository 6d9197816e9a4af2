"""The description of the JSON API as it is served, and a page on which to try it.

The page is Swagger UI, whose files are in the package ``flask-swagger-ui``. Where that is not installed there is no
such page.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, current_app, render_template, send_from_directory, url_for
from werkzeug.exceptions import NotFound

from admit.flask.answers import REFUSALS, as_problem, harden, is_of_others, problem_of
from admit.flask.context import the_request
from admit.flask.cross_site import refuse_cross_site
from admit.flask.headers import drop_what_is_too_long
from admit.flask.languages import best_language
from admit.flask.openapi import describe
from admit.flask.redirects import root
from admit.flask.session_cookie import cookie_name

if TYPE_CHECKING:
    from flask import Flask, Response

    from admit.flask.accounts import Accounts

__all__ = ["mount_description"]

_PACKAGE = "flask_swagger_ui"
#: What of that package is served: nothing in it that was not meant for it.
_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_OWN = Path(__file__).parent / "api"


def mount_description(app: Flask, accounts: Accounts) -> None:
    """Add the description of the API beside it, and the page on which to try it."""
    place = accounts.settings.api_prefix.rpartition("/")[0]
    blueprint = Blueprint(
        "admit_api",
        __name__,
        url_prefix=place or None,
        template_folder=str(_OWN / "templates"),
        static_folder=str(_OWN / "static"),
        static_url_path="/docs/own",
    )
    blueprint.before_request(lambda: drop_what_is_too_long(the_request()))
    blueprint.before_request(lambda: refuse_cross_site(the_request(), accounts.settings.trusted_origins))
    blueprint.after_request(harden)
    for kind in REFUSALS:
        blueprint.register_error_handler(kind, _refusing(accounts))
    blueprint.add_url_rule("/openapi.json", "description", _described(accounts))
    folder = _swagger()
    if folder is not None:
        _add_page(blueprint, accounts, folder)
    app.register_blueprint(blueprint)


def _described(accounts: Accounts) -> Any:
    # The cookie is called so on https and otherwise on this machine, and features don't change. A proxy that hands on
    # any prefix must not fill the memory.
    @lru_cache(maxsize=8)
    def document(cookie: str, server: str) -> bytes:
        return msgspec.json.encode(describe(accounts, cookie=cookie, server=server))

    def view() -> Response:
        body = document(cookie_name(accounts.keeper.cookie, the_request()), root() or "/")
        return current_app.response_class(body, mimetype="application/json")

    return view


def _add_page(blueprint: Blueprint, accounts: Accounts, folder: Path) -> None:
    def page() -> str:
        return render_template(
            "admit_api/docs.html",
            title=accounts.mailing.site_name,
            description=url_for("admit_api.description"),
        )

    def file(name: str) -> Response:
        if name not in _FILES:
            raise NotFound
        return send_from_directory(folder, name)

    blueprint.add_url_rule("/docs", "docs", page)
    blueprint.add_url_rule("/docs/<name>", "file", file)


def _swagger() -> Path | None:
    """Return the folder of Swagger UI's files, without importing the package around them."""
    found = find_spec(_PACKAGE)
    return None if found is None or found.origin is None else Path(found.origin).parent / "dist"


def _refusing(accounts: Accounts) -> Any:
    def refuse(error: Exception) -> Response | Exception:
        if isinstance(error, NotFound) or is_of_others(error):
            return error
        return as_problem(accounts, problem_of(error), best_language(the_request()))

    return refuse
