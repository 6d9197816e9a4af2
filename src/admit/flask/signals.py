"""The nine signals of the drop-in; the sender is always the application itself.

A receiver takes the application first and keyword arguments after it. Users are passed as the real
objects, never as proxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blinker import Namespace

if TYPE_CHECKING:
    from blinker import NamedSignal

__all__ = [
    "session_protected",
    "user_accessed",
    "user_loaded_from_cookie",
    "user_loaded_from_header",
    "user_loaded_from_request",
    "user_logged_in",
    "user_logged_out",
    "user_login_confirmed",
    "user_needs_refresh",
    "user_unauthorized",
]

_signals = Namespace()

#: A user logged in; ``user`` is who.
user_logged_in: NamedSignal = _signals.signal("logged-in")

#: A user is logging out; ``user`` is who, the anonymous user when nobody was logged in.
user_logged_out: NamedSignal = _signals.signal("logged-out")

#: The user of this request came from the remember cookie; ``user`` is who.
user_loaded_from_cookie: NamedSignal = _signals.signal("loaded-from-cookie")

#: The user of this request came from the ``request_loader``; ``user`` is who.
user_loaded_from_request: NamedSignal = _signals.signal("loaded-from-request")

#: The user of this request came from the deprecated ``header_loader``; ``user`` is who.
user_loaded_from_header: NamedSignal = _signals.signal("loaded-from-header")

#: The login became fresh again.
user_login_confirmed: NamedSignal = _signals.signal("login-confirmed")

#: Somebody was refused for not being logged in.
user_unauthorized: NamedSignal = _signals.signal("unauthorized")

#: Somebody was refused because the login is not fresh.
user_needs_refresh: NamedSignal = _signals.signal("needs-refresh")

#: The user of this request is about to be loaded.
user_accessed: NamedSignal = _signals.signal("accessed")

#: A session came from another place than the one that it was made for.
session_protected: NamedSignal = _signals.signal("session-protected")
