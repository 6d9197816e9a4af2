"""``LoginManager``: who the user of a request is, and what happens to those who may not go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from admit.errors import ConfigurationError
from admit.flask import cookie_login, current, remember
from admit.flask.arguments import checked_features, source_for
from admit.flask.callbacks import UserT, checked_protection, warn_deprecated
from admit.flask.commands import Commands
from admit.flask.config import AUTH_HEADER_NAME
from admit.flask.context import (
    application,
    configured,
    request_context,
    the_request,
    the_session,
)
from admit.flask.cookie_login import CookieLogin
from admit.flask.development import note_site
from admit.flask.headers import any_header
from admit.flask.loaders import call_loader
from admit.flask.refusals import Refusals
from admit.flask.sessions import UserSessions
from admit.flask.settings import ALL_SETTINGS, AccountSettings, FlaskSettings
from admit.flask.signals import (
    session_protected,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_header,
    user_loaded_from_request,
)
from admit.flask.state import State, state_among, state_now
from admit.flask.stored_login import StoredLogin, stored_keeper
from admit.settings import refuse_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from flask import Flask, Request, Response

    from admit.events import Events
    from admit.feature import Feature
    from admit.flask.mixins import AnonymousUserMixin
    from admit.settings import SessionSettings

__all__ = ["LoginManager"]


class LoginManager(Refusals[UserT]):
    """Keeps the callbacks and messages of logins; one may serve many applications, and keeps nothing of any.

    What an application has, its store and its accounts, is in ``app.extensions["admit"]``. So a module may make the
    login manager, models may import it, and each ``create_app()`` calls :meth:`init_app`.

    ``LoginManager[User]`` says what the application's user class is, and then :attr:`current_user` is
    a ``User`` or the anonymous user for a type checker.

    Args:
        app: The application; or call :meth:`init_app` later.
        add_context_processor: Whether templates get ``current_user``.
        store: Where logins are kept, as a URL, an SQLAlchemy engine, a Flask-SQLAlchemy ``db`` or a store of
            your own, or two of those, one for accounts and one for sessions. Or a function that returns one of these;
            it is given the application, if it takes an argument. Without one they are kept in Flask's signed session,
            where nobody can end them.
        features: What accounts can do; each brings pages and a JSON API. They need a store.
        mail: Who sends the mails of features: a URL, a :class:`admit.mail.Sender`, or a function.
        settings: How long sessions live; read from ``app.config`` when they are missing.
        events: Who is told of logins and their ends.
        clock: Returns the present time, aware and UTC, for tests; without one, the store's time counts.

    .. versionadded:: 0.1
    """

    def __init__(  # noqa: PLR0913 -- what a login manager is made of
        self,
        app: Flask | None = None,
        add_context_processor: bool = True,  # noqa: FBT001, FBT002 -- Flask-Login's signature
        *,
        store: Any = None,
        features: Iterable[Feature] = (),
        mail: Any = None,
        settings: SessionSettings | None = None,
        events: Events | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__()
        # What the applications have in common, unless init_app() is told otherwise.
        self._store = store
        self._features = tuple(features)
        self._mail = mail
        self._settings = settings
        self._events = events
        self._clock = clock
        self._applications: WeakSet[Flask] = WeakSet()
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(
        self,
        app: Flask,
        add_context_processor: bool = True,  # noqa: FBT001, FBT002 -- Flask-Login's signature
        *,
        store: Any = None,
        features: Iterable[Feature] | None = None,
        mail: Any = None,
    ) -> None:
        """Make this the login manager of ``app``.

        Args:
            app: The application.
            add_context_processor: Whether templates get ``current_user``.
            store: Where this application keeps logins; without one, where the login manager was told to.
            features: What accounts can do here; without them, what the login manager was told.
            mail: Who sends the mails here; without it, whom the login manager was told.

        Raises:
            ConfigurationError: A setting has a value that it can't have, there is no such setting, or there are
                features and no store.

        .. versionchanged:: 0.2
           ``store``, ``features`` and ``mail`` are new.
        """
        store = source_for(app, self._store if store is None else store)
        features = checked_features(self._features if features is None else features, store)
        checked_protection(cast("dict[str, Any]", app.config).get("SESSION_PROTECTION"))
        refuse_unknown_keys(app.config, [*ALL_SETTINGS, *map(type, features)])
        state = State(login_manager=self, settings=FlaskSettings.from_mapping(app.config), keeper=CookieLogin(self))
        state.keep_in(app)
        self._applications.add(app)
        note_site(app, AccountSettings.from_mapping(app.config))
        if store is not None:
            from admit.flask.opening import keep_in_store

            keep_in_store(
                app,
                state,
                store,
                features,
                mail=mail or self._mail,
                settings=self._settings,
                events=self._events,
                clock=self._clock,
            )
        app.cli.add_command(Commands("admit", help="Look after logins."))
        app.login_manager = self  # type: ignore[attr-defined]
        if type(self)._update_remember_cookie is not LoginManager._update_remember_cookie:  # noqa: SLF001
            app.after_request(self._update_remember_cookie)  # a subclass wants to see every response
        if add_context_processor:
            app.context_processor(current._user_context_processor)  # noqa: SLF001 -- Flask-Login's name

    @property
    def keeper(self) -> CookieLogin | StoredLogin:  # noqa: D102 -- no part of the public API
        return state_among(self._applications).keeper

    @property
    def sessions(self) -> UserSessions:
        """The sessions of users: to list them and to end them.

        Those of the application of this request, command or ``with app.app_context():``. Outside of one, those of the
        only application that this login manager serves.

        Raises:
            ConfigurationError: The application has no store, or nobody knows which application is meant.
        """
        return UserSessions(stored_keeper(self.keeper).gate, self.id_attribute)

    def setup_app(self, app: Flask, add_context_processor: bool = True) -> None:  # noqa: FBT001, FBT002 -- Flask-Login's signature
        """Do what :meth:`init_app` does.

        .. deprecated:: 0.1
           Flask-Login's main branch has no setup_app any more; use :meth:`init_app`.
        """
        warn_deprecated("setup_app", "init_app")
        self.init_app(app, add_context_processor)

    @property
    def current_user(self) -> UserT | AnonymousUserMixin:
        """The proxy ``current_user``, typed as this application's user or the anonymous one.

        Narrow it with ``isinstance(current_user, User)``.
        """
        proxy: UserT = current.current_user
        return proxy

    # -- loading ---------------------------------------------------------------------------------

    def _load_user(self) -> None:
        """Find the user of this request: the session's, the remember cookie's, the request's."""
        if not self._has_loader() and state_now().keeper.accounts is None:
            message = (
                "Missing user_loader or request_loader: there is no way to tell who is logged in. "
                "Decorate a function with @login_manager.user_loader."
            )
            raise ConfigurationError(message)
        context = request_context()
        if user_accessed.receivers:
            user_accessed.send(context.app)
        if self._session_protection_failed():
            self._update_request_context_with_user()
            return
        user = state_now().keeper.load_user()
        if user is None:
            user = self._load_user_from_elsewhere()
        self._update_request_context_with_user(user)

    def _load_user_from_elsewhere(self) -> Any:
        user = None
        if self._request_callback is not None:
            user = self._load_user_from_request(the_request())
        if user is None and self._header_callback is not None:
            header = any_header(the_request(), configured("AUTH_HEADER_NAME", AUTH_HEADER_NAME))
            user = None if header is None else self._load_user_from_header(header)
        return user

    def _load_user_from_remember_cookie(self, cookie: str) -> Any:
        user_id = remember.decode_cookie(cookie)
        if user_id is None or self._user_callback is None:
            return None
        # Before the loader is called: it may look at the session, and must not find the login of before there.
        put_back = cookie_login.write_unproven(user_id)
        user = call_loader(self._user_callback, user_id)
        if user is None:
            put_back()
        else:
            # Bound to this place, or "strong" would throw the user out at the next request.
            cookie_login.write_login(user_id, self._session_identifier_generator(), fresh=False)
            self._announce(user_loaded_from_cookie, user)
        return user

    def _load_user_from_request(self, request: Request) -> Any:
        user = call_loader(self._request_callback, request) if self._request_callback else None
        if user is not None:
            self._announce(user_loaded_from_request, user)
        return user

    def _load_user_from_header(self, header: str) -> Any:
        user = call_loader(self._header_callback, header) if self._header_callback else None
        if user is not None:
            self._announce(user_loaded_from_header, user)
        return user

    def _announce(self, signal: Any, user: Any) -> None:
        # The user is noted first, so that a receiver that asks for current_user meets this one.
        self._update_request_context_with_user(user)
        signal.send(application(), user=user)

    def _update_request_context_with_user(self, user: Any = None) -> None:
        current.remember_user(self.anonymous_user() if user is None else user)

    def _session_protection_failed(self) -> bool:
        """Tell whether the session came from elsewhere and ends here; note a weaker doubt in it.

        A session in a store is no copy that turned up elsewhere: it ends when its owner says so.
        """
        if isinstance(state_now().keeper, StoredLogin):
            return False
        context = request_context()
        mode = checked_protection(configured("SESSION_PROTECTION", self.session_protection))
        login = context.session
        # A session that nobody is logged in with (a CSRF token, a basket) has nothing to protect.
        if mode is None or login.get("_user_id") is None:
            return False
        binding = cookie_login.binding(login, self._session_identifier_generator)
        if binding == "bound":
            return False
        failed = cookie_login.distrust(login, binding, strong=mode == "strong")
        session_protected.send(context.app)
        return failed

    # -- answering -------------------------------------------------------------------------------

    def _update_remember_cookie(self, response: Response) -> Response:
        """Set, refresh or clear the remember cookie, as this request asked for."""
        note = cookie_login.note_of_remembering()
        if note == "clear":
            self._clear_cookie(response)
        elif "_user_id" in the_session() and (note == "set" or self._refreshes()):
            self._set_cookie(response)
        return response

    def _refreshes(self) -> bool:
        # Only the valid cookie of the very user gets a new lease: no login becomes a remembered one.
        if not configured("REMEMBER_COOKIE_REFRESH_EACH_REQUEST"):
            return False
        return remember.presented_id() == str(the_session()["_user_id"])

    def _set_cookie(self, response: Response) -> None:
        session = the_session()
        seconds = session.get("_remember_seconds")
        duration = remember.configured_duration() if seconds is None else timedelta(seconds=seconds)
        cookie = remember.encode_cookie(str(session["_user_id"]))
        remember.RememberCookie.configured().put(response, cookie, duration)

    def _clear_cookie(self, response: Response) -> None:
        remember.RememberCookie.configured().clear(response)
