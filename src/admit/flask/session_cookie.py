"""What carries a session token: our own cookie, or a bearer header for clients without cookies."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, NamedTuple

from admit import tokens
from admit.flask.context import the_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flask import Request, Response

    from admit.flask.settings import CookieSettings

__all__ = [
    "Carrier",
    "Presented",
    "clear_token",
    "cookie_name",
    "cookie_value",
    "is_loopback",
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
    environ = request.environ
    if "HTTP_AUTHORIZATION" in environ:
        bearer = _bearer_token(environ["HTTP_AUTHORIZATION"])
        if bearer is not None:
            return Presented(bearer, "bearer")
    if "HTTP_COOKIE" not in environ:
        return None
    value = cookie_value(request, cookie_name(settings, request))
    return None if value is None else Presented(value, "cookie")


def cookie_value(request: Request, name: str) -> str | None:
    """Return the value of a cookie, or ``None`` when it is not there or there are two different ones.

    A sibling host has planted one of those two, and who knows which.
    """
    values = _values_of(name)(request.environ.get("HTTP_COOKIE", ""))
    return values[0].rstrip() if len(set(values)) == 1 else None


@lru_cache(maxsize=64)
def _values_of(name: str) -> Callable[[str], list[str]]:
    """Return what finds the values of all cookies of this name in a Cookie header.

    A token needs no quotes, so that reading the header in full would be for nothing.
    """
    return re.compile(rf"(?:^|;)\s*{re.escape(name)}=([^;]*)").findall


def _bearer_token(header: str) -> str | None:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "bearer" or tokens.parse(credentials) is None:
        return None
    return credentials


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
    if not request.is_secure and not _is_development(request):
        _logger.warning(
            "A login over plain http to %s: browsers keep the cookie on https only. Serve the application "
            "over https; behind a proxy that does, add werkzeug's ProxyFix.",
            request.host,
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
        partitioned=settings.partitioned,
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

    A proxy on the same machine looks alike but for the headers that it adds.
    """
    environ = request.environ
    if environ["wsgi.url_scheme"] != "http" or "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ:
        return False
    return is_loopback(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Tell whether a host, as an address or a header names it with its port, is this very machine."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
