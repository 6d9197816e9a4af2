"""What is known of the client of a request."""

from __future__ import annotations

from flask import has_request_context

from admit.flask.context import the_request
from admit.model import Client

__all__ = ["client", "present_client"]

# Longer ones are no browser's; they would only fill the store.
_LONGEST_USER_AGENT = 512


def client() -> Client:
    """Return what is known of the client of this request."""
    request = the_request()
    # It is shown to people, on terminals too: nothing in it may be more than text.
    user_agent = "".join(filter(str.isprintable, request.headers.get("User-Agent", "")[:_LONGEST_USER_AGENT]))
    return Client(request.remote_addr, user_agent or None)


def present_client() -> Client | None:
    """Return what is known of the client of this request, or ``None`` outside of one."""
    return client() if has_request_context() else None
