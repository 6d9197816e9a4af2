"""The head of a request: each part of it is read here, within a bound, and nowhere else.

Servers take headers of up to 256 KiB from anybody. Code that reads such a header in a loop may need minutes for it. A
value is therefore cut to the most that a good client sends before anything looks at it. A value of which a part means
something else than the whole counts as missing instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from flask import Request
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie, parse_options_header

from admit.throttle import read_address

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BOUNDS",
    "MOST_LANGUAGES",
    "accepted_languages",
    "accepted_types",
    "address",
    "any_header",
    "asked",
    "bearer",
    "charset",
    "cookie_values",
    "device",
    "drop_what_is_too_long",
    "header",
    "host",
    "host_sent",
    "is_direct",
    "is_http",
    "is_json",
    "media_type",
    "origin",
    "place",
    "plain_cookie",
    "query",
    "says_https",
]


class Bound(NamedTuple):
    """The most that is read of a part of the head.

    Args:
        key: What WSGI calls it.
        longest: The number of characters that are read.
        is_whole: Whether a longer value counts as missing, instead of being cut.
    """

    key: str
    longest: int
    is_whole: bool = False


#: What is read of a request's head, and how much of it.
BOUNDS: dict[str, Bound] = {
    "Accept": Bound("HTTP_ACCEPT", 1024),
    "Accept-Language": Bound("HTTP_ACCEPT_LANGUAGE", 256),
    # A part of a list of names allows what nobody has asked for.
    "Access-Control-Request-Headers": Bound("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", 1024, is_whole=True),
    "Admit-Carrier": Bound("HTTP_ADMIT_CARRIER", 32),
    "Admit-Pending": Bound("HTTP_ADMIT_PENDING", 256),
    "Authorization": Bound("HTTP_AUTHORIZATION", 8192),
    "Content-Encoding": Bound("HTTP_CONTENT_ENCODING", 32),
    "Content-Type": Bound("CONTENT_TYPE", 256, is_whole=True),
    # A part of a cookie is a token that nobody knows, for which the browser would lose its session.
    "Cookie": Bound("HTTP_COOKIE", 65_536, is_whole=True),
    "Host": Bound("HTTP_HOST", 320, is_whole=True),
    "If-Match": Bound("HTTP_IF_MATCH", 1024, is_whole=True),
    "If-Modified-Since": Bound("HTTP_IF_MODIFIED_SINCE", 64, is_whole=True),
    "If-None-Match": Bound("HTTP_IF_NONE_MATCH", 1024, is_whole=True),
    "If-Range": Bound("HTTP_IF_RANGE", 256, is_whole=True),
    "If-Unmodified-Since": Bound("HTTP_IF_UNMODIFIED_SINCE", 64, is_whole=True),
    # A longer one is no origin, and cut it is none that is trusted.
    "Origin": Bound("HTTP_ORIGIN", 320),
    "Path": Bound("PATH_INFO", 4096, is_whole=True),
    "Query": Bound("QUERY_STRING", 8192, is_whole=True),
    "Range": Bound("HTTP_RANGE", 256, is_whole=True),
    "Referer": Bound("HTTP_REFERER", 4096),
    # With room for the zone of an IPv6 address and for a port.
    "Remote-Addr": Bound("REMOTE_ADDR", 96),
    "Sec-Fetch-Dest": Bound("HTTP_SEC_FETCH_DEST", 32),
    "Sec-Fetch-Mode": Bound("HTTP_SEC_FETCH_MODE", 32),
    "Sec-Fetch-Site": Bound("HTTP_SEC_FETCH_SITE", 32),
    "User-Agent": Bound("HTTP_USER_AGENT", 512),
    "X-Forwarded-Proto": Bound("HTTP_X_FORWARDED_PROTO", 64),
    "X-Requested-With": Bound("HTTP_X_REQUESTED_WITH", 32),
}

#: How many languages of ``Accept-Language`` are looked at; browsers send up to a dozen.
MOST_LANGUAGES = 16

#: The most of a header that any server but a few lets through.
_LONGEST_OF_ALL = 8192

#: Tells whether a name is one that is the same for browsers and for all who read cookies.
_is_plain = re.compile(r"[!-~]+").fullmatch

#: What Werkzeug reads by itself when it answers with a file or reads a body.
_READ_BY_WERKZEUG = tuple(name for name in BOUNDS if name.startswith(("If-", "Range", "Content-Type")))


def header(request: Request, name: str) -> str | None:
    """Return a header of the request, cut to its bound, or ``None`` if it is missing.

    Args:
        request: The request.
        name: A name in :data:`BOUNDS`.
    """
    bound = BOUNDS[name]
    value: str | None = request.environ.get(bound.key)
    if value is None or len(value) <= bound.longest:
        return value
    return None if bound.is_whole else value[: bound.longest]


def cookie_values(request: Request, name: str) -> list[str]:
    """Return the values of all cookies with this name.

    Only spaces and tabs count as blank, as they do for browsers. A sibling host sets a cookie whose name begins with
    another kind of blank, such as U+00A0: for a browser that is another name, which no prefix protects.

    Where the application's request class has cookies of its own, for example because it gives them other names, those
    count.
    """
    if type(request).cookies is not Request.cookies:
        return _values_of_application(request, name)
    sent = header(request, "Cookie")
    return [] if sent is None else [value.rstrip(" \t") for value in _values_of(name)(sent)]


def plain_cookie(request: Request, name: str) -> str | None:
    """Return the value of a cookie that the application's request class reads, such as Flask-Login's remember cookie.

    Older versions of Werkzeug take every kind of blank around a name for nothing; ours are the names that browsers see.
    """
    sent = header(request, "Cookie")
    if sent is None or len(_look_alikes_of(name)(sent)) == len(_values_of(name)(sent)):
        return None if sent is None and "HTTP_COOKIE" in request.environ else request.cookies.get(name)
    return parse_cookie(";".join(f"{name}={value}" for value in _values_of(name)(sent))).get(name)


def accepted_languages(request: Request) -> list[str]:
    """Return the languages that the client wants, the one that it likes best first, in lower case."""
    accepted = parse_accept_header(header(request, "Accept-Language"), LanguageAccept)
    return [tag.lower() for tag, quality in list(accepted)[:MOST_LANGUAGES] if quality]


def accepted_types(request: Request) -> MIMEAccept:
    """Return the media types that the client wants."""
    return parse_accept_header(header(request, "Accept"), MIMEAccept)


def media_type(request: Request) -> str:
    """Return the media type of the body in lower case, without parameters; empty if it is missing or too long."""
    return (header(request, "Content-Type") or "").partition(";")[0].strip(" \t").lower()


def is_json(request: Request) -> bool:
    """Tell whether the body says that it is JSON."""
    found = media_type(request)
    return found == "application/json" or (found.startswith("application/") and found.endswith("+json"))


def device(request: Request) -> str:
    """Return what the client calls itself, as text that is safe to show, on terminals too."""
    return "".join(filter(str.isprintable, header(request, "User-Agent") or ""))


def address(request: Request) -> str | None:
    """Return the network address of the client, from the connection or from a proxy that is believed.

    A port that a proxy has written behind it is no part of it. What can't be read is returned as it is.
    """
    sent = header(request, "Remote-Addr")
    return sent and (read_address(sent) or sent)


def is_http(request: Request) -> bool:
    """Tell whether the request came over plain http, as far as the server and the proxies in front of it say."""
    return bool(request.environ["wsgi.url_scheme"] == "http")


def says_https(request: Request) -> bool:
    """Tell whether a proxy says that the browser asked over https, whether or not the proxy is believed."""
    return "https" in (header(request, "X-Forwarded-Proto") or "").lower()


def is_direct(request: Request) -> bool:
    """Tell whether no proxy says that it has passed the request on."""
    return "HTTP_X_FORWARDED_FOR" not in request.environ and "HTTP_FORWARDED" not in request.environ


def host_sent(request: Request) -> str:
    """Return the host as the client names it, or else the server's own name."""
    environ = request.environ
    return header(request, "Host") or "" if environ.get("HTTP_HOST") else environ.get("SERVER_NAME", "")


def host(request: Request) -> str:
    """Return the host that was asked for, with its port unless that is the usual one; empty if it can't be one."""
    sent = request.environ.get("HTTP_HOST")
    return request.host if sent is None or header(request, "Host") is not None else ""


def origin(request: Request) -> str:
    """Return the origin that was asked for."""
    return f"{request.scheme}://{host(request)}"


def any_header(request: Request, name: str) -> str | None:
    """Return a header that the application has chosen, or ``None`` if it is missing or longer than any that is used."""
    value = request.headers.get(name)
    return None if value is None or len(value) > _LONGEST_OF_ALL else value


def bearer(request: Request) -> str | None:
    """Return the bearer token of the request, of whatever kind."""
    scheme, _, token = (header(request, "Authorization") or "").partition(" ")
    return token.strip(" \t") if scheme.lower() == "bearer" else None


def place(request: Request) -> tuple[str | None, str | None]:
    """Return the address and the name of the client as Flask-Login binds a session to them."""
    address, user_agent = request.environ.get("REMOTE_ADDR"), request.environ.get("HTTP_USER_AGENT")
    return address, None if user_agent is None else user_agent[:_LONGEST_OF_ALL]


def charset(request: Request) -> str:
    """Return the encoding that the body says it has, in lower case."""
    _, options = parse_options_header(header(request, "Content-Type"))
    return options.get("charset", "utf-8").lower()


def asked(request: Request) -> str | None:
    """Return the full address that was asked for, or ``None`` if it is longer than any page's."""
    if header(request, "Path") is None or header(request, "Query") is None or not host(request):
        return None
    return request.url


def query(request: Request, name: str) -> str | None:
    """Return a value of the query string, or ``None`` if it is missing or the query string is too long."""
    return None if header(request, "Query") is None else request.args.get(name)


def drop_what_is_too_long(request: Request) -> None:
    """Take out of the request what Werkzeug would read and is longer than its bound."""
    for name in _READ_BY_WERKZEUG:
        if header(request, name) is None:
            request.environ.pop(BOUNDS[name].key, None)


def _values_of_application(request: Request, name: str) -> list[str]:
    """Return the value that the application's request class has for this name, and those that contradict it."""
    sent = header(request, "Cookie")
    if sent is None and "HTTP_COOKIE" in request.environ:
        return []
    parts = [part.partition("=") for part in (sent or "").split(";")]
    pairs = [(key.strip(" \t"), value.strip(" \t")) for key, _, value in parts]
    plain = [(key, value) for key, value in pairs if _is_plain(key)]
    if sent is not None and len(plain) < len(pairs):
        kept = "; ".join(f"{key}={value}" for key, value in plain)
        request = type(request)({**request.environ, "HTTP_COOKIE": kept})
    found = request.cookies.get(name)
    # What the name is called on the wire is seen by the value that it has there.
    keys = {key for key, value in plain if value == found}
    return [] if found is None else [found, *(value for key, value in plain if key in keys and value != found)]


@lru_cache(maxsize=64)
def _values_of(name: str) -> Callable[[str], list[str]]:
    """Return what finds the values of all cookies of this name in a Cookie header.

    A token needs no quotes, so that reading the header in full would be for nothing.
    """
    return re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=([^;]*)").findall


@lru_cache(maxsize=64)
def _look_alikes_of(name: str) -> Callable[[str], list[str]]:
    return re.compile(rf"(?:^|;)\s*{re.escape(name)}\s*=").findall
