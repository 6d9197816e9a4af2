"""Actions become routes: a page and a JSON answer from one declaration."""

from __future__ import annotations

import inspect
import logging
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader
from werkzeug.exceptions import HTTPException

from admit.errors import InvalidCredentials, InvalidProof, NotFound, Overloaded
from admit.feature import Demand, Face
from admit.flask import bodies
from admit.flask.accounts import kept_cookie
from admit.flask.answers import (
    REFUSALS,
    add_error_headers,
    as_json,
    as_passed_on,
    as_problem,
    ask_to_wait,
    harden,
    is_of_others,
    problem_of,
    settle,
)
from admit.flask.context import the_request
from admit.flask.cors import answer_preflight
from admit.flask.cross_site import refuse_cross_site
from admit.flask.headers import drop_what_is_too_long, header
from admit.flask.languages import best_language, said
from admit.flask.redirects import redirect_to
from admit.flask.telling import tell_of_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Flask, Response

    from admit.errors import AdmitError
    from admit.feature import Action, Context, Reply
    from admit.flask.accounts import Accounts, Bound
    from admit.flask.pages import Pages

__all__ = ["CARRIER", "LINK", "mount"]

_logger = logging.getLogger("admit.flask")

_PAGES = Path(__file__).parent.parent / "pages"

#: The request header by which a client without cookies asks for its token in a header of the answer.
CARRIER = "Admit-Carrier"

#: As long as a token in a body may be.
_LONGEST_ARGUMENT = 200
#: The field by which the script of a page says that it can send its form again.
WAITS = "waits"

#: The name under which a browser keeps the token of the link that it came by.
LINK = "link"


def mount(app: Flask, accounts: Accounts, pages: Pages) -> None:
    """Add the routes of all features to an application."""
    blueprint = _blueprint(accounts)
    blueprint.before_request(lambda: drop_what_is_too_long(the_request()))
    blueprint.after_request(harden)
    for bound in accounts.actions():
        for face, method, path, view in _routes(accounts, pages, bound):
            endpoint = f"{bound.feature.name}_{bound.action.name}_{face}"
            # A browser asks by OPTIONS whether a page of another origin may use the JSON API.
            asks = face == "json" and accounts.settings.trusted_origins
            methods = [method, "OPTIONS"] if asks else [method]
            blueprint.add_url_rule(path, endpoint, view, methods=methods, provide_automatic_options=False)
    for place, name in _well_known(accounts):
        app.add_url_rule(f"/.well-known/{place}", f"admit_{place}", _going_to(pages, name), methods=["GET"])
    for kind in REFUSALS:
        blueprint.register_error_handler(kind, _refusing(accounts, pages))
    app.register_blueprint(blueprint)


def _well_known(accounts: Accounts) -> list[tuple[str, str]]:
    features = accounts.features.values()
    return [(place, f"{one.name}.{name}") for one in features for place, name in one.well_known.items()]


def _going_to(pages: Pages, name: str) -> Callable[[], Response]:
    def view() -> Response:
        return redirect_to(pages.path(name), HTTPStatus.FOUND)

    return view


def _refusing(accounts: Accounts, pages: Pages) -> Callable[[Exception], Response]:
    """Return what answers those whom no action was called for."""

    def refuse(error: Exception) -> Response:
        language, endpoint = best_language(the_request()), str(the_request().endpoint)
        is_json = endpoint.endswith("_json")
        if isinstance(error, HTTPException) and is_of_others(error):
            return _passed_on(pages, error, language, endpoint, is_json=is_json)
        problem = _told(accounts, error, endpoint)
        if is_json:
            return as_problem(accounts, problem, language)
        response = pages.plain(said(problem.message, language), problem.status, language)
        add_error_headers(response, problem)
        return response

    return refuse


def _passed_on(pages: Pages, error: HTTPException, language: str, endpoint: str, *, is_json: bool) -> Response:
    """Answer what another extension, or the application, has refused, in its own words."""
    _logger.info("A request to %s was refused, not by Admit: %s", endpoint, error)
    if error.response is not None:
        return cast("Response", error.get_response())
    text, status = error.description or error.name, error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    response = as_passed_on(error) if is_json else pages.plain(text, status, language)
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)
    return response


def _blueprint(accounts: Accounts) -> Blueprint:
    """Return a blueprint whose templates are beside the features, and ours after them; the application's come first."""
    static = accounts.settings.prefix + "/static"
    blueprint = Blueprint("admit", __name__, static_folder=str(_PAGES / "static"), static_url_path=static)
    features = accounts.features.values()
    folders = {Path(inspect.getfile(type(one))).parent / "templates": type(one).__module__ for one in features}
    of_others = [folder for folder, module in folders.items() if not module.startswith("admit.features.")]
    # All of ours are below admit/: an application has an account/show.html that has nothing to do with ours.
    ours = PrefixLoader({"admit": FileSystemLoader([*folders, _PAGES / "templates/admit"])})
    # Flask computes it once, from one folder; these are several.
    vars(blueprint)["jinja_loader"] = ChoiceLoader([ours, FileSystemLoader(of_others)])
    return blueprint


def _routes(accounts: Accounts, pages: Pages, bound: Bound) -> list[tuple[str, str, str, Callable[..., Response]]]:
    """Return the routes of an action: what they are called, method, path and view."""
    action, settings = bound.action, accounts.settings
    routes: list[tuple[str, str, str, Callable[..., Response]]] = []
    if Face.JSON in action.faces:
        routes.append(("json", action.method, settings.api_prefix + action.path, _json_view(accounts, bound)))
    if Face.PAGE in action.faces:
        method = "GET" if action.method == "GET" else "POST"
        routes.append(("page", method, settings.prefix + action.path, _page_view(accounts, pages, bound)))
        if action.page is not None and action.method != "GET" and not _has_own_form(accounts, bound):
            routes.append(("form", "GET", settings.prefix + action.path, _form_view(accounts, pages, bound)))
    if action.link is not None:
        routes.append(("link", "GET", settings.prefix + action.link, _link_view(accounts, pages, bound)))
    return routes


def _has_own_form(accounts: Accounts, bound: Bound) -> bool:
    return any(
        one.action.method == "GET" and one.action.path == bound.action.path and Face.PAGE in one.action.faces
        for one in accounts.actions()
    )


def _json_view(accounts: Accounts, bound: Bound) -> Callable[..., Response]:
    def view(**arguments: str) -> Response:
        try:
            if the_request().method == "OPTIONS":
                return answer_preflight(accounts.settings.trusted_origins)
            refuse_cross_site(the_request(), accounts.settings.trusted_origins)
            accounts.keeper.carry(header(the_request(), CARRIER))
            ctx = accounts.context()
            found = bodies.read_json(the_request()) if bound.action.method != "GET" else {}
            reply = _call(bound, ctx, arguments, found, strict=True)
        except REFUSALS as error:
            return as_problem(accounts, _told(accounts, error, bound.name), best_language(the_request()))
        return settle(accounts, ctx, as_json(bound.action, reply, ctx.language))

    return view


def _page_view(accounts: Accounts, pages: Pages, bound: Bound) -> Callable[..., Response]:
    def view(**arguments: str) -> Response:
        values: dict[str, str] = {}
        ctx, can_wait = _asked(accounts), False
        try:
            values = bodies.read_form(the_request()) if bound.action.method != "GET" else {}
            values.pop("next", None)
            can_wait = values.pop(WAITS, None) is not None
            reply = _call(bound, ctx, arguments, _with_link(bound.action, ctx, values), strict=False)
        except REFUSALS as error:
            problem = _told(accounts, error, bound.name)
            if can_wait and isinstance(problem, Overloaded):
                return ask_to_wait(problem)
            return settle(accounts, ctx, pages.refuse(bound, ctx, problem, values))
        return settle(accounts, ctx, pages.show(bound, ctx, reply))

    return view


def _form_view(accounts: Accounts, pages: Pages, bound: Bound) -> Callable[..., Response]:
    def view(**arguments: str) -> Response:
        ctx = _asked(accounts)
        try:
            _refuse_long(arguments.values())
            _demand(bound.action, ctx)
        except REFUSALS as error:
            return pages.refuse(bound, ctx, problem_of(error), {})
        return pages.form(bound, ctx, arguments)

    return view


def _link_view(accounts: Accounts, pages: Pages, bound: Bound) -> Callable[..., Response]:
    def view(token: str) -> Response:
        """Keep the token in a cookie and go to the page without it: an address is logged, shared and shown."""
        refuse_cross_site(the_request(), accounts.settings.trusted_origins)
        _refuse_long([token])
        response = redirect_to(pages.path(bound.name), HTTPStatus.SEE_OTHER)
        response.headers["Referrer-Policy"] = "no-referrer"
        kept_cookie(LINK).put(response, accounts.keeper.cookie, token)
        return response

    return view


def _asked(accounts: Accounts) -> Context:
    refuse_cross_site(the_request(), accounts.settings.trusted_origins)
    return accounts.context()


def _with_link(action: Action, ctx: Context, values: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form, with the token of the link that the browser came by."""
    token = ctx.kept.get(LINK) if action.link is not None else None
    return {action.link_field: token, **values} if token else dict(values)


def _call(
    bound: Bound, ctx: Context, arguments: Mapping[str, str], found: Mapping[str, Any], *, strict: bool
) -> Reply[Any]:
    action = bound.action
    _refuse_long(arguments.values())
    _demand(action, ctx)
    given: dict[str, Any] = dict(arguments)
    if action.input is None:
        bodies.refuse_fields(found)
    else:
        given["form"] = bodies.typed(action.input, found, strict=strict)
    try:
        return action.function(bound.feature, ctx, **given)
    except InvalidCredentials as error:
        if action.demands is Demand.NOTHING:
            raise
        raise InvalidProof(error.reason, code=error.problem_code) from error


def _refuse_long(arguments: Iterable[object]) -> None:
    """Refuse parts of a path that are longer than any token or id; a browser would be told to keep them."""
    if any(len(str(one)) > _LONGEST_ARGUMENT for one in arguments):
        raise NotFound


def _demand(action: Action, ctx: Context) -> None:
    if action.demands is Demand.SESSION:
        ctx.demand_session()
    elif action.demands is Demand.FRESH:
        ctx.demand_fresh()


def _told(accounts: Accounts, error: Exception, action: str) -> AdmitError:
    """Return what to tell the client of what was raised, and tell those who listen.

    Raises:
        HTTPException: It is not ours to tell.
    """
    if is_of_others(error):
        raise error
    problem = problem_of(error)
    tell_of_refusal(accounts, problem, action)
    accounts.tell_refusal(problem)
    return problem
