"""Logging in and out, and asking about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.errors import ConfigurationError
from admit.flask.context import application, real_object
from admit.flask.current import active_login_manager, current_user, holds
from admit.flask.remember import checked_duration
from admit.flask.signals import user_logged_in, user_logged_out, user_login_confirmed
from admit.flask.standing import log_inactive
from admit.flask.state import state_now

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = [
    "confirm_login",
    "login_fresh",
    "login_remembered",
    "login_user",
    "logout_user",
    "set_login_view",
]


def login_user(
    user: Any,
    remember: bool = False,  # noqa: FBT001, FBT002 -- Flask-Login's signature
    duration: timedelta | None = None,
    force: bool = False,  # noqa: FBT001, FBT002
    fresh: bool = True,  # noqa: FBT001, FBT002
) -> bool:
    """Log ``user`` in, and tell whether that was done: a user who is not active stays out.

    Where accounts have second factors, whoever has enrolled one stays out until it was asked for; where accounts can be
    locked and closed, so does whoever has one that is. One that was closed a short time ago is opened again.

    With accounts, whatever ends their logins after this is called (another password, a lock) ends this one, too. What
    is changed between your own check of a password and this call is not seen: check it as late as you can.

    Args:
        user: The application's user object.
        remember: Whether the login outlives the browser.
        duration: For how long; ``REMEMBER_COOKIE_DURATION`` when it is missing.
        force: Whether a user who is not active gets in all the same.
        fresh: Whether the person has just proven who they are.

    Raises:
        ConfigurationError: The user has no id, or ``duration`` is not a timedelta.

    .. versionadded:: 0.1
    """
    user = real_object(user)
    if not force and not holds(user, "is_active"):
        # Without its id: it may have none yet.
        log_inactive(f"of class {type(user).__name__}", "login_user()")
        return False
    login_manager = active_login_manager()
    user_id = getattr(user, login_manager.id_attribute)()
    if user_id is None:
        message = (
            f"{type(user).__name__}.{login_manager.id_attribute}() returned None, which names nobody. "
            "Store the user before login_user(), so that it has an id."
        )
        raise ConfigurationError(message)
    lifetime = checked_duration(duration, "duration") if remember and duration is not None else None
    if not state_now().keeper.start(user_id, remembered=remember, duration=lifetime, fresh=fresh):
        return False
    login_manager._update_request_context_with_user(user)  # noqa: SLF001 -- Flask-Login's name
    user_logged_in.send(application(), user=user)
    return True


def logout_user() -> bool:
    """Log the user of this session out, and forget the remember cookie; returns ``True``.

    .. versionadded:: 0.1
    """
    login_manager = active_login_manager()
    user = real_object(current_user)
    state_now().keeper.end()
    user_logged_out.send(application(), user=user)
    login_manager._update_request_context_with_user()  # noqa: SLF001
    return True


def confirm_login() -> None:
    """Make the login fresh again, after the person has proven once more who they are.

    .. versionadded:: 0.1
    """
    state_now().keeper.confirm()
    user_login_confirmed.send(application())


def login_fresh() -> bool:
    """Tell whether the login of this session is fresh.

    .. versionadded:: 0.1
    """
    return state_now().keeper.is_fresh()


def login_remembered() -> bool:
    """Tell whether the login outlives the browser: by a valid remember cookie, or a remembered session.

    .. versionadded:: 0.1
    """
    return state_now().keeper.is_remembered()


def set_login_view(login_view: str, blueprint: Any = None) -> None:
    """Set the login page of the application, or of one blueprint.

    Args:
        login_view: An endpoint's name, or a URL.
        blueprint: The blueprint that it is for; the whole application when it is missing.

    .. versionadded:: 0.1
    """
    login_manager = active_login_manager()
    if blueprint is None:
        login_manager.login_view = login_view
        login_manager.blueprint_login_views.pop(None, None)
        return
    if login_manager.login_view is not None:
        login_manager.blueprint_login_views[None] = login_manager.login_view
        login_manager.login_view = None
    login_manager.blueprint_login_views[blueprint.name] = login_view
