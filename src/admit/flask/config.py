"""The constants of the drop-in, under the names that Flask-Login gave them."""

from __future__ import annotations

from datetime import timedelta

__all__ = [
    "AUTH_HEADER_NAME",
    "COOKIE_DURATION",
    "COOKIE_HTTPONLY",
    "COOKIE_NAME",
    "COOKIE_SAMESITE",
    "COOKIE_SECURE",
    "EXEMPT_METHODS",
    "ID_ATTRIBUTE",
    "LOGIN_MESSAGE",
    "LOGIN_MESSAGE_CATEGORY",
    "REFRESH_MESSAGE",
    "REFRESH_MESSAGE_CATEGORY",
    "SESSION_KEYS",
    "USE_SESSION_FOR_NEXT",
]

#: Name of the remember cookie, unless ``REMEMBER_COOKIE_NAME`` says otherwise.
COOKIE_NAME = "remember_token"

#: How long the remember cookie lasts, unless ``REMEMBER_COOKIE_DURATION`` says otherwise.
COOKIE_DURATION = timedelta(days=365)

#: Whether the remember cookie is for https only, unless ``REMEMBER_COOKIE_SECURE`` says otherwise.
COOKIE_SECURE = False

#: Whether scripts are kept from the remember cookie, unless ``REMEMBER_COOKIE_HTTPONLY`` says otherwise.
COOKIE_HTTPONLY = True

#: The remember cookie's SameSite, unless ``REMEMBER_COOKIE_SAMESITE`` says otherwise.
COOKIE_SAMESITE: str | None = None

#: The message flashed to somebody who has to log in.
LOGIN_MESSAGE = "Please log in to access this page."

#: The category that :data:`LOGIN_MESSAGE` is flashed with.
LOGIN_MESSAGE_CATEGORY = "message"

#: The message flashed to somebody who has to log in again.
REFRESH_MESSAGE = "Please reauthenticate to access this page."

#: The category that :data:`REFRESH_MESSAGE` is flashed with.
REFRESH_MESSAGE_CATEGORY = "message"

#: The method of a user object that returns its id.
ID_ATTRIBUTE = "get_id"

#: The keys of Flask's session in which a login is kept.
SESSION_KEYS = {"_fresh", "_id", "_remember", "_remember_seconds", "_user_id", "next"}

#: The methods that no guard refuses; change the set in place to change what the guards exempt.
EXEMPT_METHODS = {"OPTIONS"}

#: Whether the page to return to is kept in the session instead of the login URL.
USE_SESSION_FOR_NEXT = False

#: The header that ``header_loader`` reads, unless ``AUTH_HEADER_NAME`` is configured.
AUTH_HEADER_NAME = "Authorization"
