"""A login kept in a store, carried by our own cookie or a bearer header (steps 2 and 3).

Nothing is asked of the store until the view, a guard or a template asks who the user is. What the
response has to carry (a new token, a cookie to clear) is noted on the way and settled at the end.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask import after_this_request

from admit.errors import AdmitError, ConfigurationError, StepUpRequired, StoreError
from admit.flask import remember, session_cookie
from admit.flask.beginning import beginning_of
from admit.flask.clients import client
from admit.flask.context import application, configured, request_globals, the_request
from admit.flask.cookies import PENDING, vary_by_cookie
from admit.flask.loaders import call_loader
from admit.flask.members import user_of
from admit.flask.outages import store_trouble, unavailable
from admit.flask.signals import user_loaded_from_cookie
from admit.flask.standing import is_active
from admit.flask.stay import Stay
from admit.model import EndReason, Pending

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from flask import Response

    from admit.flask.accounts import Accounts
    from admit.flask.login_manager import LoginManager
    from admit.flask.settings import CookieSettings
    from admit.gate import Gate
    from admit.model import Admitted, Ending, Session

__all__ = ["StoredLogin", "stored_keeper", "whole"]

_CLEAR_SITE = '"cookies", "storage"'


class StoredLogin:
    """Logs in, resumes and logs out over a :class:`admit.gate.Gate`, for one login manager."""

    def __init__(self, login_manager: LoginManager[Any], gate: Gate, cookie: CookieSettings) -> None:
        self._login_manager = login_manager
        self.gate = gate
        self.cookie = cookie
        #: The accounts of the application, where it has features.
        self.accounts: Accounts | None = None
        #: The classes of what the loader has returned.
        self.user_classes: set[type] = set()

    # -- asking ----------------------------------------------------------------------------------

    def stay(self) -> Stay:
        """Return what is known of this request's session, asking the store at the first call."""
        held, request = request_globals(), the_request()
        stay: Stay | None = held.get("_admit_stay")
        if stay is None or stay.request is not request:
            # Noted before the store is asked: while it is down, an error page that asks who the user is
            # gets an answer instead of a second error.
            stay = held["_admit_stay"] = Stay(request)
            self._resume(stay)
        return stay

    def _resume(self, stay: Stay) -> None:
        after_this_request(vary_by_cookie)
        presented = session_cookie.presented_token(self.cookie)
        if presented is None:
            if session_cookie.is_ambiguous(self.cookie):
                stay.clear = True
                self._settle_later(stay)
            return
        stay.carrier = presented.carrier
        try:  # and not store_trouble(), which costs as much as the look-up
            resumed = self.gate.resume(presented.token, began=beginning_of(stay.request, self.gate.clock))
        except StoreError as error:
            raise unavailable(error) from error
        session = resumed.session
        stay.session, stay.token, stay.ending = session, resumed.token, resumed.ending
        stay.outdated = resumed.outdated
        # Only what is known to have ended here. An unknown token may be that of another application on this host, an
        # old secret is of a request that was long under way, and after a replaced login the browser has a new cookie.
        stay.clear = resumed.ending is not None and resumed.ending.reason is not EndReason.REPLACED
        if session is None or stay.token is not None or self.gate.needs_touch(session):
            self._settle_later(stay)

    def load_user(self) -> Any:
        """Return the user of this request's session, or ``None``."""
        session = self.stay().session
        if session is None:
            return self._exchange_remember_cookie()
        return self._user(session.subject)

    @property
    def user_callback(self) -> Callable[[str], Any] | None:
        """The application's user loader, if it has one."""
        return self._login_manager.user_callback

    def _user(self, subject: str) -> Any:
        loader = self.user_callback
        if loader is not None:
            user: object = call_loader(loader, subject)
            self.user_classes.add(type(user))
            return user
        if self.accounts is None:
            return None
        account = self.accounts.account()
        with store_trouble():
            return None if account is None else user_of(account, self.accounts.adopting)

    def ending(self) -> Ending | None:
        """Return why the session that the client shows has ended, if that is known."""
        return self.stay().ending

    def is_fresh(self, within: timedelta | None = None) -> bool:
        """Tell whether the last authentication is at most ``within`` ago."""
        session = self.stay().session
        return session is not None and self.gate.is_fresh(session, within)

    def is_remembered(self) -> bool:
        """Tell whether the session outlives the browser."""
        session = self.stay().session
        return session is not None and session.remembered

    def carry(self, wanted: str | None) -> None:
        """Send what begins in this request in a header, if the client asks for it and holds no session in a cookie.

        A session is carried for good by what it began in. A script on a page can ask for anything, and must not get out
        of the browser what the browser keeps from it.
        """
        stay = self.stay()
        if wanted == "bearer" and stay.session is None:
            stay.carrier = "bearer"

    # -- changing --------------------------------------------------------------------------------

    def start(
        self, user_id: Any, *, remembered: bool, duration: timedelta | None, fresh: bool, gate: Gate | None = None
    ) -> bool:
        """Log the user with this id in, by this gate; the session that the client held ends.

        ``False`` if a second factor is missing: the half-done login waits for it, and nobody is logged in. Neither is
        anybody whose account is locked or closed, as nobody is who is not active.
        """
        stay = self.stay()
        if remembered and duration is None and configured("REMEMBER_COOKIE_DURATION") is not None:
            duration = remember.configured_duration()
        try:
            with store_trouble():
                admitted = (gate or self.gate).admit(
                    str(user_id),
                    "login",
                    replacing=stay.session,
                    client=client(),
                    remember=remembered,
                    duration=duration,
                    fresh=fresh,
                )
        except AdmitError:
            return False
        if isinstance(admitted, Pending):
            PENDING.put_later(self.cookie, admitted.token)
            return False
        self.hand_out(admitted)
        return True

    def issue(self, user_id: Any, *, fresh: bool) -> tuple[str, str]:
        """Log the user with this id in without a response, and return the cookie's name and value."""
        admitted = whole(self.gate.admit(str(user_id), "login", client=client(), fresh=fresh))
        # As the application's response class sets it, which may give cookies other names.
        response = application().response_class()
        session_cookie.set_cookie(response, admitted.token, self.cookie, the_request())
        name, _, value = response.headers["Set-Cookie"].partition(";")[0].partition("=")
        return name, value

    def confirm(self) -> None:
        """Make the session fresh: the person has just proven once more who they are."""
        stay = self.stay()
        if stay.session is None:
            return
        with store_trouble():
            admitted = self.gate.reauthenticate(stay.session, "login", client=client())
        if admitted is None:
            stay.session, stay.clear = None, True
            self._settle_later(stay)
        else:
            self.hand_out(admitted)

    def end(self) -> None:
        """Log out: the session ends in the store, and the client is told to forget its cookies."""
        stay = self.stay()
        session = stay.session or stay.outdated
        if session is not None:
            with store_trouble():
                self.gate.revoke(session.id, reason=EndReason.LOGOUT)
        stay.session, stay.outdated, stay.token = None, None, None
        stay.clear, stay.clear_site = True, self.cookie.clear_site_data
        stay.clear_remember_cookie = remember.presented_cookie() is not None
        self._settle_later(stay)

    def session_cleared(self) -> None:
        """End the login of a cookie: the application has cleared Flask's session, where Flask-Login keeps it."""
        stay = self.stay()
        if stay.carrier == "cookie" and (stay.session or stay.outdated):
            self.end()

    def hand_out(self, admitted: Admitted) -> None:
        """Give the client the token of its new session, with the response to this request."""
        stay = self.stay()
        if stay.outdated is not None:
            # What the client held before. Perhaps a thief has rotated its secret, and is out now.
            with store_trouble():
                self.gate.revoke(stay.outdated.id, reason=EndReason.REPLACED)
        stay.session, stay.outdated, stay.token, stay.clear = self.gate.keep(admitted), None, admitted.token, False
        # The new cookie is not for the browser to drop because the old one was logged out in this request.
        stay.clear_site = False
        # A remember cookie of Flask-Login would bring somebody back whom nobody can revoke.
        stay.clear_remember_cookie = stay.carrier == "cookie" and remember.presented_cookie() is not None
        self._settle_later(stay)

    def _exchange_remember_cookie(self) -> Any:
        """Turn Flask-Login's remember cookie, once, into a session that can be revoked."""
        stay = self.stay()
        # Whoever shows a bearer token is judged by it alone. A script gets no session for a cookie that it can't read.
        if stay.carrier == "bearer" or stay.clear_remember_cookie or not self.cookie.exchange_remember_cookie:
            return None
        cookie = remember.presented_cookie()
        if cookie is None:
            return None
        subject = remember.decode_cookie(cookie)
        user = None if subject is None else self._user(subject)
        if subject is None or user is None or not is_active(user):
            return None
        # It was made before there was anything here: whatever has ended logins since then has ended it as well.
        gate = self.gate.from_first(subject)
        if not self.start(subject, remembered=True, duration=None, fresh=False, gate=gate):
            # Not once more at each request: it says no more then than it has said now.
            self.stay().clear_remember_cookie = True
            self._settle_later(self.stay())
            return None
        self._login_manager._announce(user_loaded_from_cookie, user)  # noqa: SLF001
        return user

    # -- answering -------------------------------------------------------------------------------

    def _settle_later(self, stay: Stay) -> None:
        if not stay.settles:
            stay.settles = True
            after_this_request(self._settle)

    def _settle(self, response: Response) -> Response:
        stay: Stay = request_globals()["_admit_stay"]
        if stay.token is not None and stay.session is not None:
            until = stay.session.ends_at if stay.session.remembered else None
            session_cookie.put_token(response, stay.token, stay.carrier, self.cookie, until=until)
        elif stay.clear and stay.carrier == "cookie":
            session_cookie.clear_token(response, self.cookie)
        if stay.clear_remember_cookie:
            remember.RememberCookie.configured().clear(response)
        if stay.clear_site:
            response.headers["Clear-Site-Data"] = _CLEAR_SITE
        if stay.session is not None and self.gate.needs_touch(stay.session):
            self._touch_later(response, stay.session)
        return response

    def _touch_later(self, response: Response, session: Session) -> None:
        """Note the use of the session once the response is on its way; a note lost is no harm."""

        @response.call_on_close
        def touch() -> None:
            with suppress(StoreError):
                self.gate.touch(session)


def whole(admitted: Admitted | Pending) -> Admitted:
    """Return a login that lacks nothing.

    Raises:
        StepUpRequired: The account has a second factor, which nobody has asked for.
    """
    if isinstance(admitted, Pending):
        raise StepUpRequired(reason="a second factor is enrolled")
    return admitted


def stored_keeper(keeper: object) -> StoredLogin:
    """Return ``keeper`` if it keeps logins in a store.

    Raises:
        ConfigurationError: It doesn't.
    """
    if isinstance(keeper, StoredLogin):
        return keeper
    message = (
        "This LoginManager has no store, so that its logins are in cookies and nobody can list or end them. "
        'Give it one, as in LoginManager(app, store="sqlite:///app.db").'
    )
    raise ConfigurationError(message)
