"""What an application tells a ``LoginManager``: attributes to assign, functions to decorate."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from flask import has_app_context

from admit.errors import ConfigurationError
from admit.flask import cookie_login
from admit.flask.config import (
    ID_ATTRIBUTE,
    LOGIN_MESSAGE,
    LOGIN_MESSAGE_CATEGORY,
    REFRESH_MESSAGE,
    REFRESH_MESSAGE_CATEGORY,
)
from admit.flask.context import application, configured
from admit.flask.mixins import AnonymousUserMixin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flask import Request
    from typing_extensions import TypeVar

    UserT = TypeVar("UserT", default=Any)
    Loaded: TypeAlias = UserT | Awaitable[UserT | None] | None
else:
    from typing import TypeVar

    UserT = TypeVar("UserT")

__all__ = ["Callbacks", "checked_protection"]

_PROTECTIONS = (None, "basic", "strong")


class Callbacks(Generic[UserT]):
    """The attributes and decorators of :class:`admit.flask.LoginManager`."""

    def __init__(self) -> None:
        #: What ``current_user`` is when nobody is logged in: a class, or a function that makes it.
        self.anonymous_user: Callable[[], Any] = AnonymousUserMixin
        #: The endpoint or URL of the login page.
        self.login_view: str | None = None
        #: The login pages of single blueprints, by the blueprint's full name.
        self.blueprint_login_views: dict[str | None, str | None] = {}
        #: The message flashed to somebody who has to log in; an empty one is not flashed.
        self.login_message: Any = LOGIN_MESSAGE
        #: The category of :attr:`login_message`.
        self.login_message_category: str = LOGIN_MESSAGE_CATEGORY
        #: The endpoint or URL of the page to log in again.
        self.refresh_view: str | None = None
        #: The message flashed to somebody who has to log in again.
        self.needs_refresh_message: Any = REFRESH_MESSAGE
        #: The category of :attr:`needs_refresh_message`.
        self.needs_refresh_message_category: str = REFRESH_MESSAGE_CATEGORY
        #: Translates the messages above before they are flashed.
        self.localize_callback: Callable[[Any], Any] | None = None
        #: Answers instead of the redirect to the login page.
        self.unauthorized_callback: Callable[[], Any] | None = None
        #: Answers instead of the redirect to the page to log in again.
        self.needs_refresh_callback: Callable[[], Any] | None = None
        #: The name of the user's method that returns its id.
        self.id_attribute: str = ID_ATTRIBUTE
        self._session_protection: str | None = "basic"
        self._user_callback: Callable[[str], Loaded[UserT]] | None = None
        self._request_callback: Callable[[Request], Loaded[UserT]] | None = None
        self._header_callback: Callable[[str], Loaded[UserT]] | None = None
        self._session_identifier_generator: Callable[[], str] = cookie_login._create_identifier  # noqa: SLF001 -- Flask-Login's name

    @property
    def session_protection(self) -> str | None:
        """What a session that turns up elsewhere means: ``"basic"``, ``"strong"`` or ``None``.

        Raises:
            ConfigurationError: It is set to something else.
        """
        return self._session_protection

    @session_protection.setter
    def session_protection(self, mode: str | None) -> None:
        self._session_protection = checked_protection(mode)

    def user_loader(self, callback: Callable[[str], Loaded[UserT]]) -> Callable[[str], Loaded[UserT]]:
        """Set the function that returns the user with an id, or ``None``.

        Args:
            callback: Takes what ``get_id()`` returned. It may be a coroutine function.
        """
        self._user_callback = callback
        return callback

    @property
    def user_callback(self) -> Callable[[str], Loaded[UserT]] | None:
        """The function set by :meth:`user_loader`."""
        return self._user_callback

    def request_loader(self, callback: Callable[[Request], Loaded[UserT]]) -> Callable[[Request], Loaded[UserT]]:
        """Set the function that finds a user by other things of the request, such as an API key.

        Args:
            callback: Takes the request; returns a user or ``None``. It may be a coroutine function.
        """
        self._request_callback = callback
        return callback

    @property
    def request_callback(self) -> Callable[[Request], Loaded[UserT]] | None:
        """The function set by :meth:`request_loader`."""
        return self._request_callback

    def header_loader(self, callback: Callable[[str], Loaded[UserT]]) -> Callable[[str], Loaded[UserT]]:
        """Set the function that finds a user by a header's value.

        .. deprecated:: 0.1
           Flask-Login's main branch has no header_loader any more; use :meth:`request_loader`.
        """
        warn_deprecated("header_loader", "request_loader")
        self._header_callback = callback
        return callback

    def unauthorized_handler(self, callback: Callable[[], Any]) -> Callable[[], Any]:
        """Set the function that answers those who are not logged in."""
        self.unauthorized_callback = callback
        return callback

    def needs_refresh_handler(self, callback: Callable[[], Any]) -> Callable[[], Any]:
        """Set the function that answers those whose login is not fresh."""
        self.needs_refresh_callback = callback
        return callback

    @property
    def _login_disabled(self) -> bool:
        """Whether the guards let everybody through, as the tests of many applications ask and say.

        .. deprecated:: 0.2
           Flask-Login's main branch has no such attribute any more; use ``app.config["LOGIN_DISABLED"]``.
        """
        _warn_of_login_disabled()
        return has_app_context() and bool(configured("LOGIN_DISABLED"))

    @_login_disabled.setter
    def _login_disabled(self, disabled: bool) -> None:
        _warn_of_login_disabled()
        application().config["LOGIN_DISABLED"] = disabled

    def _has_loader(self) -> bool:
        return bool(self._user_callback or self._request_callback or self._header_callback)


def checked_protection(mode: str | None) -> str | None:
    """Return ``mode`` if it is a protection mode.

    Raises:
        ConfigurationError: It isn't. A misspelled mode would protect nothing, and nobody would notice.
    """
    if mode in _PROTECTIONS:
        return mode
    message = f'Session protection can\'t be {mode!r}. Choose "basic", "strong" or None.'
    raise ConfigurationError(message)


def _warn_of_login_disabled() -> None:
    message = 'LoginManager._login_disabled is deprecated. Set app.config["LOGIN_DISABLED"] instead.'
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def warn_deprecated(name: str, instead: str) -> None:
    """Tell the author of an application that ``LoginManager.<name>`` goes away."""
    message = f"LoginManager.{name} is deprecated. Use LoginManager.{instead} instead."
    warnings.warn(message, DeprecationWarning, stacklevel=3)
