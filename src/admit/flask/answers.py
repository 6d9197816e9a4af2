"""Answers of actions: as JSON or a problem document, as a page or a redirect, and the headers of all of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from flask import current_app
from werkzeug.exceptions import HTTPException

from admit import errors, sign_ups
from admit.errors import (
    AdmitError,
    IdentifierTaken,
    InvalidInput,
    MalformedBody,
    Overloaded,
    ReauthenticationRequired,
    SessionRequired,
    StoreError,
    Throttled,
    Unavailable,
)
from admit.flask.accounts import PENDING_HEADER, kept_cookie, remember_device
from admit.flask.context import the_request
from admit.flask.cookies import DEVICES, PENDING
from admit.flask.languages import said
from admit.flask.next_page import KEPT
from admit.flask.outages import log_outage
from admit.flask.problems import challenge_of, status_of
from admit.flask.redirects import mounted

if TYPE_CHECKING:
    from flask import Response

    from admit.feature import Action, Context, Reply
    from admit.flask.accounts import Accounts
    from admit.flask.settings import CookieSettings

__all__ = [
    "HEADERS",
    "REFUSALS",
    "add_error_headers",
    "as_json",
    "as_passed_on",
    "as_problem",
    "ask_to_wait",
    "harden",
    "is_of_others",
    "problem_of",
    "settle",
]

_PROBLEM = "application/problem+json"

#: The cookie that tells the script of a page for how many seconds to wait, and for how long it tells that.
_WAIT, _TOLD_FOR = "admit-wait", 60

#: What an action may raise that is an answer.
REFUSALS = (AdmitError, StoreError, HTTPException)

#: What Flask and Werkzeug refuse by themselves: a file that is not there, a form of too many parts.
_OF_FLASK = {error.status: error for error in (errors.BodyTooLarge, errors.MalformedBody, errors.NotFound)}

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: The headers that every answer of ours has, unless it has one of its own.
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # And not no-referrer, with which browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def harden(response: Response) -> Response:
    """Add the headers that every answer of ours has."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.vary.update(["Cookie", "Sec-Fetch-Site", "Origin", "Accept-Language"])
    return response


def is_of_others(error: Exception) -> bool:
    """Tell whether another extension, or the application, has refused this and says why."""
    if not isinstance(error, HTTPException) or isinstance(error.__cause__, StoreError):
        return False
    is_plain = type(error).__module__ == "werkzeug.exceptions" and error.description == type(error).description
    return error.code not in _OF_FLASK or not is_plain or error.response is not None


def problem_of(error: Exception) -> AdmitError:
    """Return what to tell the client of what was raised: never what a store or a driver said, which is logged."""
    problem = (
        error if isinstance(error, AdmitError) else _OF_FLASK.get(getattr(error, "code", None) or 0, Unavailable)()
    )
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        log_outage(error)
    return problem


def as_json(action: Action, reply: Reply[Any], language: str) -> Response:
    """Return the data of a reply; the sentences in it are said in a language."""
    if reply.body is None:
        return current_app.response_class(status=HTTPStatus.NO_CONTENT)
    body = msgspec.json.encode(reply.body, enc_hook=lambda text: said(text, language))
    if reply.file is None:
        return current_app.response_class(body, status=action.status, mimetype="application/json")
    response = current_app.response_class(msgspec.json.format(body), status=action.status, mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=reply.file)
    return response


def as_problem(accounts: Accounts, error: AdmitError, language: str) -> Response:
    """Return the problem document of an error (RFC 9457)."""
    particulars = _particulars(accounts, error, language)
    status = status_of(error)
    response = _document(status, status.phrase, error.problem_code, said(error.message, language), particulars)
    add_error_headers(response, error)
    return response


def as_passed_on(error: HTTPException) -> Response:
    """Return the problem document of a refusal that is not ours, in the words of whoever has refused."""
    code, message = error.name.lower().replace(" ", "_"), error.description or error.name
    return _document(error.code or HTTPStatus.INTERNAL_SERVER_ERROR, error.name, code, message, {})


def _document(status: int, title: str, code: str, message: str, particulars: dict[str, Any]) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": message,
        "code": code,
        "error": message,
        **particulars,
    }
    return current_app.response_class(msgspec.json.encode(body), status=status, mimetype=_PROBLEM)


def ask_to_wait(error: Overloaded) -> Response:
    """Leave the browser on its page, with all that was typed there; the script of that page sends it again.

    A page that goes on by itself would have to hold the password.
    """
    response = current_app.response_class(status=HTTPStatus.NO_CONTENT)
    add_error_headers(response, error)
    # Nothing but a number for the script: whoever plants one makes a form wait.
    response.set_cookie(_WAIT, str(error.retry_after), _TOLD_FOR, secure=the_request().is_secure, samesite="Strict")
    return response


def add_error_headers(response: Response, error: AdmitError) -> None:
    """Add what HTTP wants with some statuses."""
    if isinstance(error, Throttled | Overloaded | Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = challenge_of(error)


def _particulars(accounts: Accounts, error: AdmitError, language: str) -> dict[str, Any]:
    if isinstance(error, IdentifierTaken | InvalidInput | MalformedBody) and error.fields:
        return {"fields": {name: said(text, language) for name, text in error.fields.items()}}
    if isinstance(error, ReauthenticationRequired):
        return {"methods": _methods(accounts, "proves")}
    if isinstance(error, SessionRequired):
        return {"methods": _methods(accounts, "logs_in")}
    return {}


def _methods(accounts: Accounts, way: str) -> list[dict[str, str]]:
    """Return what would do, as names of features and paths of actions."""
    prefix = mounted(accounts.settings.api_prefix)
    wanted = {f"{one.name}.{getattr(one, way)}" for one in accounts.offered().values() if getattr(one, way)}
    found = [bound for bound in accounts.actions() if bound.name in wanted]
    return [{"name": one.feature.name, "method": one.action.method, "path": prefix + one.action.path} for one in found]


def settle(accounts: Accounts, ctx: Context, response: Response) -> Response:
    """Give the client what the action has decided on: in cookies, or in headers to a client without them."""
    if ctx.admitted is not None:
        accounts.keeper.hand_out(ctx.admitted)
    if ctx.leaves:
        accounts.keeper.end()
    if accounts.keeper.stay().carrier == "bearer":
        pending = ctx.pending.token if ctx.pending is not None else ctx.keeps.get(sign_ups.KIND)
        if pending:
            response.headers[PENDING_HEADER] = pending
        return response
    _put_cookies(accounts.keeper.cookie, ctx, response)
    return response


def _put_cookies(settings: CookieSettings, ctx: Context, response: Response) -> None:
    if ctx.pending is not None:
        PENDING.put(response, settings, ctx.pending.token)
    elif ctx.admitted is not None or ctx.leaves:
        PENDING.clear(response, settings)
    if ctx.mark is not None:
        DEVICES.put(response, settings, remember_device(ctx.marks, ctx.mark))
    if (ctx.admitted is not None or ctx.leaves) and ctx.kept.get(KEPT):
        ctx.keeps[KEPT] = ""
    for name, value in ctx.keeps.items():
        kept = kept_cookie(name)
        kept.put(response, settings, value) if value else kept.clear(response, settings)
