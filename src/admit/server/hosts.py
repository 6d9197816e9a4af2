"""Which names the site answers to.

An attacker sends a Host header of their own so that a cache or a redirect leads to them, or has a name of theirs
resolve to this machine so that their page may read what is served here (DNS rebinding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import abort
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from admit.flask.context import the_request

if TYPE_CHECKING:
    from flask import Flask

    from admit.server.settings import ServerSettings

__all__ = ["refuse_unknown_hosts"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Who asks these comes by an address, not by a name: what watches over containers.
_ANYBODY = {"/healthz", "/readyz"}


def refuse_unknown_hosts(app: Flask, server: ServerSettings, public_url: str | None) -> None:
    """Answer 400 to requests for a name that is not the site's, if it is said which are."""
    trusted = [*server.trusted_hosts, *(_LOOPBACK if server.dev else ())]
    if public_url:
        trusted.append(_name(public_url))
    if not trusted:
        return

    @app.before_request
    def refuse_unknown_host() -> None:
        request = the_request()
        if request.path in _ANYBODY:
            return
        try:
            get_host(request.scheme, request.headers.get("Host"), request.server, trusted)
        except SecurityError:
            abort(400, "This site is not known by that name.")


def _name(url: str) -> str:
    """Return the host of an address, without its port."""
    host = str(urlsplit(url).hostname)
    return f"[{host}]" if ":" in host else host
