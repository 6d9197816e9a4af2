"""Whether the application's own user may be logged in.

Flask-Login asks ``user.is_active``, which may be a property that no column knows. It is asked at every way to log in.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from admit.flask.current import holds
from admit.flask.loaders import call_loader

if TYPE_CHECKING:
    from admit.flask.stored_login import StoredLogin

__all__ = ["is_active", "is_active_user", "log_inactive"]

#: How ``login_user()`` logs in. It has asked by itself, and may have been told not to.
_BY_APPLICATION = "login"

_logger = logging.getLogger("admit.flask")


def is_active(user: object) -> bool:
    """Tell whether a user is active. A class that does not say is one of users who are."""
    return not hasattr(user, "is_active") or holds(user, "is_active")


def is_active_user(keeper: StoredLogin, subject: str, method: str | None = None) -> bool:
    """Tell whether the application's user with this id may be logged in.

    Args:
        keeper: What keeps the logins of the application.
        subject: The user's id. One whom the application does not know is not refused here.
        method: How the user logs in, if that is what happens; a refusal is logged then.
    """
    if method == _BY_APPLICATION:
        return True
    user = _user(keeper, subject)
    if user is None or is_active(user):
        return True
    if method is not None:
        log_inactive(subject, method)
    return False


def log_inactive(subject: object, method: str) -> None:
    """Log that a user was not logged in, because nobody else is told the reason."""
    _logger.warning("User %s was not logged in by %s: is_active is false.", subject, method)


def _user(keeper: StoredLogin, subject: str) -> Any:
    loader, accounts = keeper.user_callback, keeper.accounts
    if loader is not None:
        return call_loader(loader, subject)
    adopting = None if accounts is None else accounts.adopting
    return None if adopting is None else adopting.load_user(subject)
