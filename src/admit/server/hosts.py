"""Which names the site answers to.

An attacker sends a Host header of their own so that a cache or a redirect leads to them, or has a name of theirs
resolve to this machine so that their page may read what is served here (DNS rebinding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from admit.flask.context import the_request
from admit.server.errors import answer_error

if TYPE_CHECKING:
    from flask import Flask, Response

    from admit.flask.settings import AccountSettings
    from admit.server.settings import ServerSettings

__all__ = ["refuse_unknown_hosts"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Who asks these comes by an address, not by a name: what watches over containers.
_ANYBODY = {"/healthz", "/readyz"}


def refuse_unknown_hosts(app: Flask, server: ServerSettings, accounts: AccountSettings) -> None:
    """Answer 400 to requests for a name that is not the site's, if it is said which are."""
    trusted = [*server.trusted_hosts, *(_LOOPBACK if server.dev else ())]
    if accounts.public_url:
        trusted.append(_name(accounts.public_url))
    if not trusted:
        return

    @app.before_request
    def refuse_unknown_host() -> Response | None:
        request = the_request()
        if request.path in _ANYBODY:
            return None
        try:
            get_host(request.scheme, request.headers.get("Host"), request.server, trusted)
        except SecurityError:
            return answer_error(400, accounts.api_prefix)
        return None


def _name(url: str) -> str:
    """Return the host of an address, without its port."""
    host = str(urlsplit(url).hostname)
    return f"[{host}]" if ":" in host else host
