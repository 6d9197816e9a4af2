"""What carries a session token: our own cookie, or a bearer header for clients without cookies."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from admit import tokens
from admit.flask.context import the_request
from admit.flask.development import is_loopback, may_be_plain, warn_of_plain_cookies
from admit.flask.headers import bearer, cookie_values, host, host_sent, is_direct, is_http

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Request, Response

    from admit.flask.settings import CookieSettings

__all__ = [
    "Carrier",
    "Presented",
    "clear_token",
    "cookie_name",
    "cookie_value",
    "presented_token",
    "put_token",
    "secure_name",
    "set_cookie",
]

Carrier = Literal["cookie", "bearer"]

#: The response header in which a client that sent a bearer token gets its new one.
TOKEN_HEADER = "Admit-Token"  # noqa: S105 -- a header's name

_logger = logging.getLogger("admit.flask")


class Presented(NamedTuple):
    """A token that came with a request, and what carried it."""

    token: str
    carrier: Carrier


def presented_token(settings: CookieSettings) -> Presented | None:
    """Return the token of this request, or ``None`` when there is nothing that could be one.

    A bearer header counts when it holds a token of ours; an application's own API keys are its own
    business. Whoever sends one is judged by it alone, cookie or not.
    """
    request = the_request()
    token = bearer(request)
    if token is not None and tokens.parse(token) is not None:
        return Presented(token, "bearer")
    value = cookie_value(request, cookie_name(settings, request))
    return None if value is None else Presented(value, "cookie")


def cookie_value(request: Request, name: str) -> str | None:
    """Return the value of a cookie, or ``None`` when it is not there or there are two different ones.

    A sibling host has planted one of those two, and who knows which.
    """
    values = cookie_values(request, name)
    return values[0] if len(set(values)) == 1 else None


def put_token(
    response: Response, token: str, carrier: Carrier, settings: CookieSettings, *, until: datetime | None
) -> None:
    """Give the client its token, the way it sends it.

    Args:
        response: What the token goes out with.
        token: The session token.
        carrier: What the client sends its tokens in.
        settings: How the cookie is set.
        until: When a browser forgets the cookie; with the browser's end when it is missing.
    """
    # A stored copy of this response would be a session for whoever reads it.
    response.headers["Cache-Control"] = "no-store"
    if carrier == "bearer":
        response.headers[TOKEN_HEADER] = token
        return
    request = the_request()
    if _is_development(request):
        warn_of_plain_cookies()
    elif not request.is_secure:
        _logger.warning(
            "A login over plain http to %s: browsers keep the cookie on https only. Serve the application "
            "over https; behind a proxy that does, add werkzeug's ProxyFix.",
            host(request),
        )
    set_cookie(response, token, settings, request, until=until)


def clear_token(response: Response, settings: CookieSettings) -> None:
    """Delete the cookie; with the attributes it was set with, or a browser may keep it."""
    set_cookie(response, "", settings, the_request(), max_age=0)


def set_cookie(  # noqa: PLR0913 -- the parts of one cookie
    response: Response,
    value: str,
    settings: CookieSettings,
    request: Request,
    *,
    until: datetime | None = None,
    max_age: int | None = None,
) -> None:
    """Set a cookie with the attributes of all our cookies, under the name in ``settings`` with its prefix."""
    # Werkzeug knows the attribute from 3.1 on, and CookieSettings asks for that.
    partitioned: dict[str, Any] = {"partitioned": True} if settings.partitioned else {}
    response.set_cookie(
        cookie_name(settings, request),
        value,
        expires=until,
        max_age=max_age,
        path="/",
        domain=settings.domain,
        secure=not _is_development(request),
        httponly=True,
        samesite=settings.samesite,
        **partitioned,
    )


def cookie_name(settings: CookieSettings, request: Request) -> str:
    """Return the cookie's name with the prefix that makes browsers enforce its attributes.

    ``__Host-`` keeps sibling hosts from planting one (RFC 6265bis, section 4.1.3.2). A cookie for a whole
    domain can only be ``__Secure-``, and development over plain http has no prefix at all.
    """
    return settings.name if _is_development(request) else secure_name(settings)


def secure_name(settings: CookieSettings) -> str:
    """Return the name that the cookie has everywhere but in development."""
    return f"__Secure-{settings.name}" if settings.domain else f"__Host-{settings.name}"


def _is_development(request: Request) -> bool:
    """Tell whether this is plain http on this very machine, the only place for a cookie without Secure.

    The configuration says whether it may be. What the request says can only rule it out.
    """
    return is_http(request) and is_direct(request) and is_loopback(host_sent(request)) and may_be_plain()
