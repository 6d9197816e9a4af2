"""Admit for Flask: the names of Flask-Login, and those that go further.

Change ``from flask_login import …`` to ``from admit.flask import …`` and an application goes on as it
was, its users still logged in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from admit.flask import utils as utils
from admit.flask.__about__ import __version__
from admit.flask.config import (
    AUTH_HEADER_NAME,
    COOKIE_DURATION,
    COOKIE_HTTPONLY,
    COOKIE_NAME,
    COOKIE_SECURE,
    ID_ATTRIBUTE,
    LOGIN_MESSAGE,
    LOGIN_MESSAGE_CATEGORY,
    REFRESH_MESSAGE,
    REFRESH_MESSAGE_CATEGORY,
)
from admit.flask.current import current_user
from admit.flask.guards import fresh_login_required, login_required
from admit.flask.login_manager import LoginManager
from admit.flask.logins import (
    confirm_login,
    login_fresh,
    login_remembered,
    login_user,
    logout_user,
    set_login_view,
)
from admit.flask.members import AccountUser, roles_required
from admit.flask.mixins import AnonymousUserMixin, UserMixin
from admit.flask.redirects import login_url, make_next_param, safe_next
from admit.flask.remember import decode_cookie, encode_cookie
from admit.flask.sessions import UserSession, UserSessions, current_session
from admit.flask.signals import (
    session_protected,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_header,
    user_loaded_from_request,
    user_logged_in,
    user_logged_out,
    user_login_confirmed,
    user_needs_refresh,
    user_unauthorized,
)

if TYPE_CHECKING:
    from admit.flask.test_client import FlaskLoginClient
    from admit.stores.sql_model import ModelAccounts as ModelAccounts

__all__ = [
    "AUTH_HEADER_NAME",
    "COOKIE_DURATION",
    "COOKIE_HTTPONLY",
    "COOKIE_NAME",
    "COOKIE_SECURE",
    "ID_ATTRIBUTE",
    "LOGIN_MESSAGE",
    "LOGIN_MESSAGE_CATEGORY",
    "REFRESH_MESSAGE",
    "REFRESH_MESSAGE_CATEGORY",
    "AccountUser",
    "AnonymousUserMixin",
    "FlaskLoginClient",
    "LoginManager",
    "UserMixin",
    "UserSession",
    "UserSessions",
    "__version__",
    "confirm_login",
    "current_session",
    "current_user",
    "decode_cookie",
    "encode_cookie",
    "fresh_login_required",
    "login_fresh",
    "login_remembered",
    "login_required",
    "login_url",
    "login_user",
    "logout_user",
    "make_next_param",
    "roles_required",
    "safe_next",
    "session_protected",
    "set_login_view",
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


#: Names that not every application uses, and whose modules would make every start slower. Those that take a package of
#: an extra are not among the names above, or `import *` would take it too.
_LATER = {"FlaskLoginClient": "admit.flask.test_client", "ModelAccounts": "admit.stores.sql_model"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_LATER[name]), name)
