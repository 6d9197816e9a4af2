"""What is known of the client of a request."""

from __future__ import annotations

from flask import has_request_context

from admit.flask import headers
from admit.flask.context import the_request
from admit.model import Client

__all__ = ["client", "present_client"]


def client() -> Client:
    """Return what is known of the client of this request."""
    request = the_request()
    return Client(headers.address(request), headers.device(request) or None)


def present_client() -> Client | None:
    """Return what is known of the client of this request, or ``None`` outside of one."""
    return client() if has_request_context() else None
