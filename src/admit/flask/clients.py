"""What is known of the client of a request."""

from __future__ import annotations

import logging

from flask import has_request_context

from admit.flask import headers
from admit.flask.beginning import is_served
from admit.flask.context import application, the_request
from admit.model import Client
from admit.throttle import UNKNOWN, network

__all__ = ["client", "present_client"]

_WARNED = "admit_warned_of_addresses"

_logger = logging.getLogger("admit.flask")


def client() -> Client:
    """Return what is known of the client of this request."""
    request = the_request()
    address = headers.address(request)
    if network(address) == UNKNOWN and is_served():
        _warn_of_address(address)
    return Client(address, headers.device(request) or None)


def present_client() -> Client | None:
    """Return what is known of the client of this request, or ``None`` outside of one."""
    return client() if has_request_context() else None


def _warn_of_address(address: str | None) -> None:
    """Log, once per application, that nobody's address can be read."""
    app = application()
    if app.extensions.get(_WARNED):
        return
    app.extensions[_WARNED] = True
    _logger.warning(
        "The address of a client can't be read: the server says %r. Sign-ins are limited by account only, not by "
        "address. Have your proxy send X-Forwarded-For, and set ADMIT_PROXIES to the number of your proxies.",
        address,
    )
