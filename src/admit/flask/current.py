"""Who is asking: ``current_user``, and where a request remembers it."""

from __future__ import annotations

import sys
import warnings
from types import MethodType
from typing import TYPE_CHECKING, Any

from werkzeug.local import LocalProxy

from admit.errors import ConfigurationError
from admit.flask.context import (
    application,
    request_context,
    request_globals,
    the_request,
)

if TYPE_CHECKING:
    from flask import Flask
    from flask.ctx import RequestContext

    from admit.flask.login_manager import LoginManager

__all__ = ["active_login_manager", "current_user", "holds", "login_manager_of", "remember_user", "user_now"]

_UNKNOWN = object()
_NOTHING_NOTED = (None, None)

# Classes whose author has been told that a predicate is a method (see `holds`).
_told: set[type] = set()


def _look_up() -> Any:
    # The function is looked up in `utils` at each call, because the tests of many applications
    # replace `flask_login.utils._get_user` and expect `current_user` to follow.
    return sys.modules["admit.flask.utils"]._get_user()  # noqa: SLF001 -- the name is Flask-Login's


def user_now() -> Any:
    """Return the user object that ``current_user`` stands for."""
    return _look_up()


#: The user of this request: the application's own object, or an anonymous one. Loaded when it is
#: first touched. Outside of a request it stands for ``None``.
current_user: Any = LocalProxy(_look_up)


def _get_user() -> Any:
    """Return the user of this request, loading it at the first call; ``None`` outside of a request.

    ``g`` lives as long as the application context, which in tests outlives a request: what was noted
    for another request would let its user into this one. So our own note counts only for the request
    that it was made in. A value that somebody else put there (extensions do) is taken as it is.
    """
    try:
        context = request_context()
    except RuntimeError:
        return None
    held = request_globals()
    user = held.get("_login_user", _UNKNOWN)
    if user is not _UNKNOWN:
        asked, noted = held.get("_login_noted", _NOTHING_NOTED)
        if asked is context.request or noted is not user:
            return user
    return _load(context, held)


def _load(context: RequestContext, held: dict[str, Any]) -> Any:
    login_manager = login_manager_of(context.app)
    if held.get("_login_loading") is context.request:
        # A loader or a signal's receiver that asks for current_user meets nobody, instead of calling
        # itself until the stack ends.
        return login_manager.anonymous_user()
    held["_login_loading"] = context.request
    try:
        login_manager._load_user()  # noqa: SLF001 -- a step that subclasses override
    finally:
        held["_login_loading"] = None
    return held["_login_user"]


def remember_user(user: Any) -> None:
    """Note ``user`` as the user of this request."""
    held = request_globals()
    held["_login_user"] = user  # the name that extensions read
    held["_login_noted"] = (the_request(), user)


def active_login_manager() -> LoginManager[Any]:
    """Return the login manager of this application."""
    return login_manager_of(application())


def login_manager_of(app: Flask) -> LoginManager[Any]:
    """Return the login manager of ``app``.

    Raises:
        ConfigurationError: It has none.
    """
    login_manager: LoginManager[Any] | None = getattr(app, "login_manager", None)
    if login_manager is None:
        message = f"The application {app.name!r} has no LoginManager. Call login_manager.init_app(app) first."
        raise ConfigurationError(message)
    return login_manager


def holds(user: object, predicate: str) -> bool:
    """Tell whether ``user.<predicate>`` is true, calling it when it is a method.

    Old tutorials print ``is_active`` and its siblings as methods. A bound method is always true, so an
    account that was switched off would get in; the author is told once.
    """
    value = getattr(user, predicate, False)
    if isinstance(value, MethodType):
        _tell_once(type(user), predicate)
        value = value()
    return bool(value)


def _tell_once(user_class: type, predicate: str) -> None:
    if user_class in _told:
        return
    _told.add(user_class)
    warnings.warn(
        f"{user_class.__name__}.{predicate} is a method, so templates and other code that read it as an "
        f"attribute always see it as true. Put @property above each is_... method of {user_class.__name__}.",
        UserWarning,
        stacklevel=4,
    )


def _user_context_processor() -> dict[str, Any]:
    """Give templates ``current_user``, which loads nothing until a template touches it."""
    return {"current_user": current_user}
