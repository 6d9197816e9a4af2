"""Actions become routes: a page and a JSON answer from one declaration."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from jinja2 import FileSystemLoader

from admit.errors import NotFound, Overloaded
from admit.feature import Demand, Face
from admit.flask import bodies
from admit.flask.accounts import kept_cookie
from admit.flask.answers import REFUSALS, as_json, as_problem, ask_to_wait, harden, problem_of, settle
from admit.flask.context import the_request
from admit.flask.cross_site import refuse_cross_site
from admit.flask.headers import drop_what_is_too_long, header
from admit.flask.languages import best_language
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
            blueprint.add_url_rule(path, endpoint, view, methods=[method], provide_automatic_options=False)
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
        language, request = best_language(the_request()), the_request()
        problem = _told(accounts, error, str(request.endpoint))
        if request.endpoint is not None and request.endpoint.endswith("_json"):
            return as_problem(accounts, problem, language)
        return pages.plain(problem, language)

    return refuse


def _blueprint(accounts: Accounts) -> Blueprint:
    """Return a blueprint whose templates are beside the features, and ours after them; the application's come first."""
    static = accounts.settings.prefix + "/static"
    blueprint = Blueprint("admit", __name__, static_folder=str(_PAGES / "static"), static_url_path=static)
    folders = [Path(inspect.getfile(type(one))).parent / "templates" for one in accounts.features.values()]
    # Flask computes it once, from one folder; ours are several.
    vars(blueprint)["jinja_loader"] = FileSystemLoader([*folders, _PAGES / "templates"])
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
    if action.input is None:
        bodies.refuse_fields(found)
        return action.function(bound.feature, ctx, **arguments)
    form = bodies.typed(action.input, found, strict=strict)
    return action.function(bound.feature, ctx, form=form, **arguments)


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
    """Return what to tell the client of what was raised, and tell those who listen."""
    problem = problem_of(error)
    tell_of_refusal(accounts, problem, action)
    accounts.tell_refusal(problem)
    return problem
