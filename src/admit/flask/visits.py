"""Visiting a running server as a browser does: a request each, no redirect followed, and what came back as it came."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Place", "SeenCookie", "Unreachable", "Visit", "place_of", "visit"]

_BROWSER = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "User-Agent": "admit-doctor",
}


class Unreachable(Exception):
    """A server could not be visited; the text says why."""


class Place(NamedTuple):
    """Where a server is."""

    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port, as an address has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def at(self, path: str) -> Place:
        """Return another path there."""
        return self._replace(path=path)


class SeenCookie(NamedTuple):
    """A cookie that a server sets; the names of its attributes are in lower case."""

    name: str
    value: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Visit:
    """What came back."""

    place: Place
    status: int
    #: By lower-case name; of several with one name the values in a row.
    headers: Mapping[str, str]
    cookies: tuple[SeenCookie, ...] = ()

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people."""
        return self.headers.get("content-type", "").startswith("text/html")


def place_of(url: str) -> Place:
    """Return where a URL points to.

    Raises:
        ConfigurationError: It is none of a web server.
    """
    # Without the address: it may hold a password.
    message = 'This is no address of a web server. Give one such as "https://app.example".'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(message) from error
    is_printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or not is_printable:
        raise ConfigurationError(message)
    return Place(parts.scheme, parts.hostname, port, parts.path or "/")


def visit(  # noqa: PLR0913 -- the parts of one request
    place: Place,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    context: ssl.SSLContext | None = None,
    timeout: float = 10.0,
) -> Visit:
    """Send one request and return what came back.

    Args:
        place: Where to.
        method: The method.
        headers: What to send besides, or instead of what a browser would.
        body: What to send as JSON.
        context: What decides whether the server's certificate is good; the authorities of this machine without one.
        timeout: How many seconds the server may be silent.

    Raises:
        Unreachable: Nobody answered, or not as a web server does.
    """
    sent = {**_BROWSER, **(headers or {})}
    encoded = None if body is None else json.dumps(body)
    if encoded is not None:
        sent["Content-Type"] = "application/json"
    connection = _connection(place, context or ssl.create_default_context(), timeout)
    try:
        connection.request(method, place.path, encoded, sent)
        response = connection.getresponse()  # its head is enough
        found = response.getheaders()
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {place.host} is not good: {error.verify_message}"
        raise Unreachable(message) from error
    except (OSError, HTTPException, ValueError) as error:
        message = f"{place.at('')} does not answer as a web server: {_words(error)}"
        raise Unreachable(message) from error
    finally:
        connection.close()
    names: dict[str, str] = {}
    for name, value in found:
        names[name.lower()] = f"{names[name.lower()]}, {value}" if name.lower() in names else value
    cookies = tuple(_cookie(value) for name, value in found if name.lower() == "set-cookie")
    return Visit(place, response.status, names, cookies)


def _connection(place: Place, context: ssl.SSLContext, timeout: float) -> HTTPConnection:
    if place.scheme == "https":
        return HTTPSConnection(place.host, place.port, timeout=timeout, context=context)
    return HTTPConnection(place.host, place.port, timeout=timeout)


def _cookie(header: str) -> SeenCookie:
    """Read a cookie as browsers do (RFC 6265, section 5.2), whatever attributes it has."""
    first, *rest = header.split(";")
    name, _, value = first.partition("=")
    parts = (part.partition("=") for part in rest)
    return SeenCookie(name.strip(), value.strip(), {key.strip().lower(): found.strip() for key, _, found in parts})


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
