"""The names of ``flask_login.utils``, for code that imports them from there.

``_get_user`` is looked up here whenever ``current_user`` is touched, so that a test that replaces
``utils._get_user`` decides who the user is.
"""

from __future__ import annotations

from admit.flask.config import COOKIE_NAME, EXEMPT_METHODS
from admit.flask.cookie_login import _create_identifier, _get_remote_addr
from admit.flask.current import _get_user, _user_context_processor, current_user
from admit.flask.guards import fresh_login_required, login_required
from admit.flask.logins import (
    confirm_login,
    login_fresh,
    login_remembered,
    login_user,
    logout_user,
    set_login_view,
)
from admit.flask.redirects import expand_login_view, login_url, make_next_param
from admit.flask.remember import (
    _cookie_digest,
    _secret_key,
    decode_cookie,
    encode_cookie,
)
from admit.flask.signals import user_logged_in, user_logged_out, user_login_confirmed

__all__ = [
    "COOKIE_NAME",
    "EXEMPT_METHODS",
    "_cookie_digest",
    "_create_identifier",
    "_get_remote_addr",
    "_get_user",
    "_secret_key",
    "_user_context_processor",
    "confirm_login",
    "current_user",
    "decode_cookie",
    "encode_cookie",
    "expand_login_view",
    "fresh_login_required",
    "login_fresh",
    "login_remembered",
    "login_required",
    "login_url",
    "login_user",
    "logout_user",
    "make_next_param",
    "set_login_view",
    "user_logged_in",
    "user_logged_out",
    "user_login_confirmed",
]
