"""Which names the site answers to.

An attacker sends a Host header of their own so that a cache or a redirect leads to them, or has a name of theirs
resolve to this machine so that their page may read what is served here (DNS rebinding).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from admit.flask.context import the_request
from admit.flask.headers import header
from admit.flask.settings import MetricsSettings
from admit.server.errors import answer_error

if TYPE_CHECKING:
    from flask import Flask, Response

    from admit.flask.settings import AccountSettings
    from admit.server.settings import ServerSettings

__all__ = ["asked_by_address", "refuse_unknown_hosts"]

#: A name or an address, without the port that may follow (RFC 9110, section 7.2).
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Who asks these comes by an address, not by a name: what watches over containers.
_ANYBODY = {"/healthz", "/readyz"}


def refuse_unknown_hosts(app: Flask, server: ServerSettings, accounts: AccountSettings) -> None:
    """Answer 400 to requests for a name that is not the site's, if it is said which are."""
    named = [_name(accounts.public_url)] if accounts.public_url else []
    by_address = asked_by_address(app)
    trusted = {name.lower() for name in (*server.trusted_hosts, *(_LOOPBACK if server.dev else ()), *named)}
    if not trusted:
        return

    @app.before_request
    def refuse_unknown_host() -> Response | None:
        request = the_request()
        host = _HOST.fullmatch((header(request, "Host") or "").lower())
        if request.path in by_address or (host is not None and host[1] in trusted):
            return None
        return answer_error(400, accounts.api_prefix)


def asked_by_address(app: Flask) -> set[str]:
    """Return the paths for which programs come by the address of a process, and not by the site's name and proxy."""
    metrics = MetricsSettings.from_mapping(app.config)
    return _ANYBODY if metrics.token is None else _ANYBODY | {metrics.path}


def _name(url: str) -> str:
    """Return the host of an address, without its port."""
    host = str(urlsplit(url).hostname)
    return f"[{host}]" if ":" in host else host
