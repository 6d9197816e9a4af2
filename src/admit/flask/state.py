"""What one application has of Admit. It is in ``app.extensions["admit"]``, and nowhere else.

A ``LoginManager`` is often a global variable that several applications share: each test makes an application of its
own. If it kept anything of an application, the second one would use the first one's database.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import has_app_context

from admit.errors import ConfigurationError, StoreError
from admit.flask.context import application

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from flask import Flask

    from admit.flask.cookie_login import CookieLogin
    from admit.flask.login_manager import LoginManager
    from admit.flask.settings import FlaskSettings
    from admit.flask.stored_login import StoredLogin
    from admit.store import Stores

__all__ = ["State", "close_with", "state_among", "state_now", "state_of"]

_NAME = "admit"


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """What one application has of Admit.

    .. versionadded:: 0.2
    """

    #: Whose callbacks and messages count.
    login_manager: LoginManager[Any]
    settings: FlaskSettings
    #: What logins are kept in: Flask's session, or a store.
    keeper: CookieLogin | StoredLogin
    #: What keeps what, from step 2 on.
    stores: Stores | None = None
    #: Our own pages, for those who may not go on where the application names none of its own.
    login_page: str | None = None
    refresh_page: str | None = None

    def keep_in(self, app: Flask) -> None:
        """Make this what ``app`` has."""
        app.extensions[_NAME] = self


def state_of(app: Flask) -> State:
    """Return what ``app`` has of Admit.

    Raises:
        ConfigurationError: No login manager was initialised for it.
    """
    state: State | None = app.extensions.get(_NAME)
    if state is None:
        message = f"The application {app.name!r} has no LoginManager. Call login_manager.init_app(app) first."
        raise ConfigurationError(message)
    return state


def state_now() -> State:
    """Return what the application of this request, command or ``with app.app_context():`` has of Admit."""
    return state_of(application())


def state_among(applications: Collection[Flask]) -> State:
    """Return what one of these applications has: the one of now, or the only one.

    Raises:
        ConfigurationError: There are several, and none is the application of now.
    """
    found = list(applications)
    if has_app_context() and application() in found:
        return state_now()
    if len(found) != 1:
        message = (
            f"This login manager serves {len(found)} applications. "
            'Say which one you mean, as in "with app.app_context(): …".'
        )
        raise ConfigurationError(message)
    return state_of(found[0])


def close_with(app: Flask, stores: Iterable[Any]) -> None:
    """Close the stores when nobody uses ``app`` any more, or the process ends.

    A test suite makes an application for each test, and closes none.

    Args:
        app: The application.
        stores: The stores; those that have nothing to close are left out.
    """
    for store in stores:
        if hasattr(store, "close"):
            weakref.finalize(app, _close, store)


def _close(store: Any) -> None:
    with suppress(StoreError):
        store.close()
