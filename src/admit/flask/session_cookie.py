"""What carries a session token: our own cookie, or a bearer header for clients without cookies."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from admit import tokens
from admit.flask.context import application, the_request
from admit.flask.development import is_loopback, may_be_plain, warn_of_plain_cookies
from admit.flask.headers import bearer, cookie_values, host, host_sent, is_direct, is_http, says_https
from admit.flask.settings import knows_partitioned

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
    "is_ambiguous",
    "needs_https",
    "presented_token",
    "put_token",
    "secure_name",
    "set_cookie",
]

Carrier = Literal["cookie", "bearer"]

#: The response header in which a client that sent a bearer token gets its new one.
TOKEN_HEADER = "Admit-Token"  # noqa: S105 -- a header's name

#: The name of a host, in which no part is an address or too long for a cookie's domain.
_HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: The most parts of the domains above a host that are tried.
_MOST_LABELS = 5

_WARNED = "admit_warned_of_two_cookies"

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

    A sibling host may have planted one of the two, and nobody can tell which.
    """
    values = cookie_values(request, name)
    return values[0] if len(set(values)) == 1 else None


def is_ambiguous(settings: CookieSettings) -> bool:
    """Tell whether the browser sent two different session cookies, so that neither counts."""
    request = the_request()
    return len(set(cookie_values(request, cookie_name(settings, request)))) > 1


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
    """Set a cookie with the attributes of all our cookies, under the name in ``settings`` with its prefix.

    Copies of it that the browser keeps elsewhere are deleted. Otherwise it would send two cookies of this name, and
    neither would count.
    """
    name = cookie_name(settings, request)
    secure = not _is_development(request)
    set_one = partial(response.set_cookie, name, path="/", secure=secure, httponly=True, samesite=settings.samesite)
    # First: a browser that does not know Partitioned takes the two for one cookie, and the last header counts.
    for domain, partitioned in _other_places(name, settings, request):
        set_one("", max_age=0, domain=domain, **_partitioned(partitioned))
    set_one(value, expires=until, max_age=max_age, domain=settings.domain, **_partitioned(settings.partitioned))


def _partitioned(wanted: bool) -> dict[str, Any]:  # noqa: FBT001 -- its value is the argument's
    """Return the argument of Werkzeug that sets ``Partitioned``, which older ones don't have."""
    return {"partitioned": True} if wanted else {}


def _other_places(name: str, settings: CookieSettings, request: Request) -> list[tuple[str | None, bool]]:
    """Return where a browser may keep a second cookie of this name, as domain and whether it is partitioned."""
    sent = cookie_values(request, name)
    if len(sent) > 1:
        _warn_of_two_cookies(name)
        domains = [None] if name.startswith("__Host-") else [None, *_domains(host(request))]
        kinds = (False, True) if knows_partitioned() else (False,)
        found = [(domain, partitioned) for domain in domains for partitioned in kinds]
    else:
        # The one that was sent may be from before ADMIT_COOKIE_PARTITIONED was turned on.
        found = [(settings.domain, False)] if sent and settings.partitioned else []
    return [place for place in found if place != (settings.domain, settings.partitioned)]


def _domains(host: str) -> list[str]:
    """Return the domains that a host may set cookies for: its own name and those above it."""
    name = host.partition(":")[0].lower()
    if not _HOST_NAME.fullmatch(name):
        return []
    labels = name.split(".")
    return [name, *(".".join(labels[-count:]) for count in range(min(len(labels) - 1, _MOST_LABELS), 1, -1))]


def _warn_of_two_cookies(name: str) -> None:
    """Log, once per application, that a browser sent two cookies of one name and was signed out."""
    app = application()
    if app.extensions.get(_WARNED):
        return
    app.extensions[_WARNED] = True
    _logger.warning(
        "A browser sent two cookies named %s, and both were deleted. This happens after ADMIT_COOKIE_PARTITIONED or "
        "ADMIT_COOKIE_DOMAIN was changed: people sign in once more. If it goes on, another application on this host "
        "uses the same name (set ADMIT_COOKIE_NAME), or another host of your domain sets this cookie.",
        name,
    )


def cookie_name(settings: CookieSettings, request: Request) -> str:
    """Return the cookie's name with the prefix that makes browsers enforce its attributes.

    ``__Host-`` keeps sibling hosts from planting one (RFC 6265bis, section 4.1.3.2). A cookie for a whole
    domain can only be ``__Secure-``, and development over plain http has no prefix at all.
    """
    return settings.name if _is_development(request) else secure_name(settings)


def needs_https(request: Request) -> bool:
    """Tell whether browsers do not keep our cookie, because the request came from elsewhere over plain http."""
    return not (is_loopback(host_sent(request)) or request.is_secure or says_https(request))


def secure_name(settings: CookieSettings) -> str:
    """Return the name that the cookie has everywhere but in development."""
    return f"__Secure-{settings.name}" if settings.domain else f"__Host-{settings.name}"


def _is_development(request: Request) -> bool:
    """Tell whether this is plain http on this very machine, the only place for a cookie without Secure.

    The configuration says whether it may be. What the request says can only rule it out.
    """
    return is_http(request) and is_direct(request) and is_loopback(host_sent(request)) and may_be_plain()
