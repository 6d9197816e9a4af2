"""Whether an application runs in development: decided in one place, by its configuration.

Development may do with less: cookies that are not ``Secure``, pages that only developers should see. A client or a
proxy must not be able to ask for that. nginx, for example, passes every request on with the address of this machine in
the ``Host`` header unless it is told otherwise.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from flask import has_app_context, has_request_context

from admit.flask.context import application, the_request
from admit.flask.headers import header

if TYPE_CHECKING:
    from flask import Flask, Request

    from admit.flask.settings import AccountSettings

__all__ = [
    "address_served",
    "is_development",
    "is_here",
    "is_loopback",
    "may_be_plain",
    "note_site",
    "warn_of_plain_cookies",
]

Site = Literal["here", "elsewhere"]

_SITE = "admit_site"
_WARNED = "admit_warned_of_plain_cookies"

#: A name or an address, without anything that a URL would read otherwise.
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
#: Where a server listens that listens everywhere.
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 -- nothing is bound here
#: Where Werkzeug's test client says that it is: no server answers there.
_TEST_CLIENT = "localhost"

_logger = logging.getLogger("admit.flask")


def note_site(app: Flask, settings: AccountSettings) -> None:
    """Note where the application says that it is served, once, when it is set up."""
    app.extensions[_SITE] = _site(app, settings.public_url)


def is_development(app: Flask) -> bool:
    """Tell whether this is development or a test, which may do with less."""
    return app.debug or app.testing


def may_be_plain() -> bool:
    """Tell whether cookies may go over plain http: in development, and where nobody says that the site is elsewhere."""
    if not has_app_context():
        return True
    app = application()
    return is_development(app) or app.extensions.get(_SITE) != "elsewhere"


def warn_of_plain_cookies() -> None:
    """Log, once per application, that a login is not ``Secure`` although nobody says that this is development."""
    app = application()
    if is_development(app) or app.extensions.get(_SITE) == "here" or app.extensions.get(_WARNED):
        return
    app.extensions[_WARNED] = True
    _logger.warning(
        "A login over plain http on this machine got a cookie without Secure. Set ADMIT_PUBLIC_URL to the address of "
        'this site, as in "https://app.example", or run "flask --debug" during development.'
    )


def is_here(url: str) -> bool:
    """Tell whether only this machine reaches a URL, by plain http."""
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(parts.netloc)


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


def address_served() -> str | None:
    """Return the address at which the server of this request is reached on this machine, without a slash at the end.

    For development only. The Host header counts if it names this very machine, so that a link leads to the browser
    that asked: for cookies, ``localhost`` and ``127.0.0.1`` are two sites. Any other name may be an attacker's.
    """
    if not has_request_context():
        return None
    request = the_request()
    host = header(request, "Host") or ""
    if not _HOST.fullmatch(host) or not is_loopback(host):
        host = _listening(request)
    elif application().testing and host == _TEST_CLIENT:
        return None
    return f"{request.scheme}://{host}{request.root_path.rstrip('/')}"


def _listening(request: Request) -> str:
    """Return where the server says that it listens."""
    name, port = request.server or ("", None)
    if name in _EVERYWHERE:
        name = "127.0.0.1"
    host = f"[{name}]" if ":" in name else name
    return host if port is None else f"{host}:{port}"


def _site(app: Flask, public_url: str | None) -> Site | None:
    config = cast("dict[str, Any]", app.config)
    if public_url is None and config.get("SERVER_NAME"):
        public_url = f"{config['PREFERRED_URL_SCHEME']}://{config['SERVER_NAME']}"
    if public_url is None:
        return None
    return "here" if is_here(public_url) else "elsewhere"
