"""Where to send a client, and back: login URLs and safe ``next`` targets."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from flask import has_app_context, url_for
from werkzeug.utils import redirect

from admit.flask.context import application, configured, the_request
from admit.flask.headers import asked, host, origin

if TYPE_CHECKING:
    from flask import Response

__all__ = ["expand_login_view", "login_url", "make_next_param", "mounted", "redirect_to", "root", "safe_next"]

# No browser sends more, and a longer one is no page of the application.
_LONGEST_TARGET = 4096

# Browsers drop tabs and line ends from a URL, trim other controls and blanks, and read a backslash as
# a slash: each turns a path into another host.
# A lone surrogate has no place in a header at all.
_TREACHEROUS = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")

# What may stand in a path as it is (RFC 3986, section 3.3).
_OF_PATHS = "/~!$&'()*+,;=:@"


def safe_next(target: str | None) -> str | None:
    """Return ``target`` if it stays on this host, else ``None``.

    A path (``/inbox?page=2``) stays, and so does an absolute URL with exactly this request's scheme and
    host. Everything that a browser could read as another host is refused, however it is spelled.

    Use it for whatever a client says about where to go.

    >>> from flask import Flask, request
    >>> with Flask("shop").test_request_context("/login?next=//evil.example"):
    ...     safe_next(request.args.get("next")) or "/"
    '/'

    Args:
        target: What the client asked for; ``None`` is fine.

    Source: OWASP, Unvalidated Redirects and Forwards Cheat Sheet; WHATWG URL, section 4.4.

    .. versionadded:: 0.1
    """
    if not target or len(target) > _LONGEST_TARGET or _TREACHEROUS.search(target):
        return None
    path = target
    if host(the_request()):  # an empty one would make "http:///evil.example" look like a path
        path = target.removeprefix(origin(the_request()))
    # After our own origin a path must follow at once: "http://us.example.evil" begins with us, too.
    return target if path.startswith("/") and not path.startswith("//") else None


def login_url(login_view: str, next_url: str | None = None, next_field: str = "next") -> str:
    """Return the URL of the login page, with the page to return to in its query.

    Args:
        login_view: An endpoint's name, or a URL.
        next_url: The page to return to; shortened to its path when the login page is on the same host.
        next_field: The name of the query parameter.

    .. versionadded:: 0.1
    """
    base = expand_login_view(login_view)
    if next_url is None:
        return base
    parts = urlsplit(base)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != next_field]
    query.append((next_field, make_next_param(base, next_url)))
    forced = configured("FORCE_HOST_FOR_REDIRECTS") if has_app_context() else None
    return urlunsplit(parts._replace(netloc=forced or parts.netloc, query=urlencode(query)))


def make_next_param(login_url: str, current_url: str) -> str:
    """Return ``current_url`` without scheme and host when ``login_url`` has the same ones, or none.

    .. versionadded:: 0.1
    """
    login, current = urlsplit(login_url), urlsplit(current_url)
    same_scheme = not login.scheme or login.scheme == current.scheme
    same_host = not login.netloc or login.netloc == current.netloc
    if same_scheme and same_host:
        # A browser reads "/\\evil.example" as "//evil.example", which is another host.
        return urlunsplit(("", "", current.path.replace("\\", "%5C"), current.query, ""))
    return current_url


def root() -> str:
    """Return the path that the application is mounted at, without a slash at the end; empty for the top of its host.

    It comes from the server, or from a proxy that the application believes. A proxy that hands on what a client has
    sent must not make another host of it: "//evil.example" is a path here, and so is "@evil.example".
    """
    path = the_request().root_path.strip("/")
    return f"/{quote(path, safe=_OF_PATHS)}" if path else ""


def mounted(place: str) -> str:
    """Return a path in the application as a browser asks for it: below where the application is mounted."""
    return root() + place if place.startswith("/") else place


def redirect_to(path: str, status: HTTPStatus = HTTPStatus.SEE_OTHER) -> Response:
    """Answer with a redirect to a place that has been checked, or that is our own."""
    return cast("Response", redirect(path, status, application().response_class))


def expand_login_view(login_view: str) -> str:
    """Return ``login_view`` itself when it is a URL, else the URL of the endpoint with this name.

    .. versionadded:: 0.1
    """
    if login_view.startswith(("https://", "http://", "/")):
        return login_view
    return url_for(login_view)


def asked_url() -> str | None:
    """Return the URL that this request asked for, with a host only if the application vouches for it.

    ``None`` if it is longer than that of any page.

    The Host header is the client's to choose. It counts when ``TRUSTED_HOSTS`` has checked it;
    ``SERVER_NAME`` is the application's own word. Without either, path and query have to do.
    """
    request = the_request()
    url = asked(request)
    if url is None or getattr(request, "trusted_hosts", None):
        return url
    path = make_next_param("", url)
    server_name = configured("SERVER_NAME")
    return f"{request.scheme}://{server_name}{path}" if server_name else path
