"""Refusals as problem documents (RFC 9457), for API clients of applications that ask for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import json

from admit import tokens
from admit.errors import ReauthenticationRequired, SessionRequired, StepUpRequired
from admit.flask import headers
from admit.flask.context import application, the_request
from admit.flask.state import state_now

if TYPE_CHECKING:
    from flask import Response

    from admit.errors import AdmitError
    from admit.model import Ending

__all__ = ["challenge_of", "problem", "reauthentication_required", "session_required", "status_of", "wanted"]

_TYPE = "application/problem+json"
_BEARER = 'Bearer realm="login"'


def wanted() -> bool:
    """Tell whether to refuse with a problem document: the application wants it, and no person waits for a page.

    A client that prefers one of JSON and HTML gets that. Most scripts take anything: these are told by what browsers
    and libraries add. A client that says nothing at all, such as a test client, gets what a person gets.
    """
    if not state_now().settings.problem_json:
        return False
    request = the_request()
    accepted = headers.accepted_types(request)
    json_quality = max(accepted.quality("application/json"), accepted.quality(_TYPE))
    html_quality = max(accepted.quality("text/html"), accepted.quality("application/xhtml+xml"))
    if headers.is_json(request) or json_quality != html_quality:
        return headers.is_json(request) or json_quality > html_quality
    mode = headers.header(request, "Sec-Fetch-Mode")
    if mode is not None:
        return mode != "navigate"
    return bool(accepted) or headers.header(request, "X-Requested-With") is not None


def session_required(ending: Ending | None) -> SessionRequired:
    """Return what somebody is told who is not logged in; the code says why not any more, if that is known."""
    return SessionRequired(code=f"session_{ending.reason}" if ending else None)


def reauthentication_required() -> ReauthenticationRequired:
    """Return what somebody is told whose login is not fresh."""
    return ReauthenticationRequired()


def status_of(error: AdmitError) -> HTTPStatus:
    """Return the status of a refusal.

    A client with a bearer token is told by 401 to get one of a more recent login (RFC 9470, section 3). A browser keeps
    its session, so that 401 would tell it what is not so.
    """
    return HTTPStatus.UNAUTHORIZED if _is_for_bearer(error) else HTTPStatus(error.status)


def challenge_of(error: AdmitError) -> str:
    """Return the challenge that a 401 must carry (RFC 9110, section 11.6.1).

    No registered scheme is about cookies, so it names the cookie scheme that others use, which makes no browser open a
    dialogue of its own.
    """
    if _is_for_bearer(error):
        within = getattr(error, "within", None)
        most = "" if within is None else f', max_age="{int(within.total_seconds())}"'
        return f'{_BEARER}, error="insufficient_user_authentication", error_description="{error.message}"{most}'
    if isinstance(error, SessionRequired) and headers.bearer(the_request()) is not None:
        return f'{_BEARER}, error="invalid_token"'
    return 'Cookie realm="login"'


def _is_for_bearer(error: AdmitError) -> bool:
    if not isinstance(error, ReauthenticationRequired | StepUpRequired):
        return False
    token = headers.bearer(the_request())
    return token is not None and tokens.parse(token) is not None


def problem(error: AdmitError) -> Response:
    """Return the problem document of ``error``."""
    status = status_of(error)
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "code": error.problem_code,
        "error": error.message,
    }
    response = application().response_class(json.dumps(body), status=status, mimetype=_TYPE)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = challenge_of(error)
    # What one client may not see must not be what a cache shows to the next one.
    response.headers["Cache-Control"] = "no-store"
    return response
