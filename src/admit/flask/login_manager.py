"""``LoginManager``: who the user of a request is, and what happens to those who may not go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from admit.errors import ConfigurationError
from admit.flask import cookie_login, current, remember
from admit.flask.beginning import note_beginnings
from admit.flask.callbacks import UserT, checked_protection, warn_deprecated
from admit.flask.clients import present_client
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
from admit.flask.lazy_session import LazySessionInterface
from admit.flask.loaders import call_loader
from admit.flask.refusals import Refusals
from admit.flask.sessions import UserSessions
from admit.flask.settings import ALL_SETTINGS, AccountSettings, CookieSettings, FlaskSettings
from admit.flask.signals import (
    session_protected,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_header,
    user_loaded_from_request,
)
from admit.flask.stored_login import StoredLogin, stored_keeper
from admit.settings import refuse_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from flask import Flask, Request, Response

    from admit.events import Events
    from admit.feature import Feature
    from admit.flask.mixins import AnonymousUserMixin
    from admit.settings import SessionSettings

__all__ = ["LoginManager"]


class LoginManager(Refusals[UserT]):
    """Keeps the settings and callbacks of logins; one may serve many applications.

    ``LoginManager[User]`` says what the application's user class is, and then :attr:`current_user` is
    a ``User`` or the anonymous user for a type checker.

    Args:
        app: The application; or call :meth:`init_app` later.
        add_context_processor: Whether templates get ``current_user``.
        store: Where logins are kept, as a URL, an SQLAlchemy engine, a Flask-SQLAlchemy ``db`` or a store of
            your own, or two of those, one for accounts and one for sessions. Without one they are kept in Flask's
            signed session, where nobody can end them.
        features: What accounts can do; each brings pages and a JSON API.
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
        self.keeper = CookieLogin(self)
        self._source = store
        self._features = tuple(features)
        self._mail = mail
        self._settings = settings
        self._events = events
        self._clock = clock
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app: Flask, add_context_processor: bool = True) -> None:  # noqa: FBT001, FBT002 -- Flask-Login's signature
        """Make this the login manager of ``app``.

        Args:
            app: The application.
            add_context_processor: Whether templates get ``current_user``.

        Raises:
            ConfigurationError: A setting has a value that it can't have, or there is no such setting.
        """
        checked_protection(cast("dict[str, Any]", app.config).get("SESSION_PROTECTION"))
        refuse_unknown_keys(app.config, [*ALL_SETTINGS, *(type(feature) for feature in self._features)])
        app.extensions["admit"] = FlaskSettings.from_mapping(app.config)
        note_site(app, AccountSettings.from_mapping(app.config))
        features = self._features_by_name(app)
        if self._source is not None:
            self._keep_in_store(app, features)
        app.cli.add_command(Commands("admit", help="Look after logins."))
        app.login_manager = self  # type: ignore[attr-defined]
        if type(self)._update_remember_cookie is not LoginManager._update_remember_cookie:  # noqa: SLF001
            app.after_request(self._update_remember_cookie)  # a subclass wants to see every response
        if add_context_processor:
            app.context_processor(current._user_context_processor)  # noqa: SLF001 -- Flask-Login's name

    def _features_by_name(self, app: Flask) -> Mapping[str, Feature]:
        if not self._features:
            return {}
        # What features need is imported with the first one, so that logins alone start sooner.
        from admit.flask.accounts import by_name

        return by_name(self._features, app.config)

    def _keep_in_store(self, app: Flask, features: Mapping[str, Feature]) -> None:
        # The store is the manager's: a second application shares it, and the settings of the first.
        is_first = not isinstance(self.keeper, StoredLogin)
        if not isinstance(self.keeper, StoredLogin):
            from admit.flask.opening import gate_for, open_for

            self._stores = open_for(app, self._source)
            gate = gate_for(
                app, self._stores, features, settings=self._settings, events=self._events, clock=self._clock
            )
            self.keeper = StoredLogin(self, gate, CookieSettings.from_mapping(app.config))
        if features:
            from admit.flask.installing import install

            install(
                app,
                self,
                self.keeper,
                stores=self._stores,
                features=features,
                mail=self._mail,
                clock=self.keeper.gate.clock,
            )
        # Once for all applications that share the store, and after it was seen that the store keeps accounts.
        for feature in features.values() if is_first else ():
            feature.watch(self.keeper.gate.events, self._stores, present_client)
        note_beginnings(app, self._clock)
        if app.extensions["admit"].lazy_session:
            app.session_interface = LazySessionInterface(app.session_interface)

    @property
    def sessions(self) -> UserSessions:
        """The sessions of users: to list them and to end them.

        Raises:
            ConfigurationError: This login manager has no store.
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
        if not self._has_loader() and self.keeper.accounts is None:
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
        user = self.keeper.load_user()
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
        user = call_loader(self._user_callback, user_id)
        if user is not None:
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
        if isinstance(self.keeper, StoredLogin):
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
