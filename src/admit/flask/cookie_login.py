"""A login kept in Flask's signed session, with Flask-Login's own keys and remember cookie (step 1).

The session holds ``_user_id`` (who), ``_fresh`` (whether the person has just proven it), ``_id`` (the
place that the login was made from) and, until the response is made, ``_remember``: what to do with the
remember cookie. Cookies made by Flask-Login are read, and those made here are read by Flask-Login.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha512
from typing import TYPE_CHECKING, Any, Literal

from flask import after_this_request

from admit.errors import ConfigurationError
from admit.flask import remember
from admit.flask.config import SESSION_KEYS
from admit.flask.context import (
    configured,
    request_context,
    request_globals,
    the_request,
    the_session,
)
from admit.flask.current import active_login_manager
from admit.flask.headers import place
from admit.flask.loaders import call_loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from flask.sessions import SessionMixin

    from admit.flask.login_manager import LoginManager

__all__ = [
    "Binding",
    "CookieLogin",
    "binding",
    "distrust",
    "drop_login",
    "forget_other_user",
    "note_of_remembering",
    "refuses_cookie",
    "remember_login",
    "settle_later",
    "write_login",
    "write_unproven",
]

Binding = Literal["bound", "unbound", "elsewhere"]

_CLEAR = "clear"
_SET = "set"


def write_login(user_id: Any, identifier: str, *, fresh: bool) -> None:
    """Make Flask's session the login of ``user_id``.

    A session kept on a server then gets a new id, where its interface can do that: an id that somebody
    planted in the browser before must not become a logged-in one.
    """
    context = request_context()
    session = context.session
    session["_user_id"] = user_id
    session["_fresh"] = fresh
    session["_id"] = identifier
    regenerate = getattr(context.app.session_interface, "regenerate", None)
    if regenerate is not None:
        regenerate(session)


def write_unproven(user_id: Any) -> Callable[[], None]:
    """Write into Flask's session that a remember cookie names ``user_id``; return what undoes it if nobody is found."""
    session = the_session()
    before, was_modified = dict(session), session.modified
    session["_user_id"] = user_id
    session["_fresh"] = False

    def put_back() -> None:
        # A loader that has cleared the session meanwhile means that.
        if "_user_id" in session:
            session.pop("_user_id")
            session.pop("_fresh", None)
            session.update({key: before[key] for key in before.keys() & {"_user_id", "_fresh"}})
        session.modified = was_modified or dict(session) != before

    return put_back


def remember_login(seconds: float | None) -> None:
    """Have the response carry a remember cookie that lasts ``seconds``, or as long as is configured."""
    session = the_session()
    session["_remember"] = _SET
    settle_later()
    if seconds is None:
        # What an earlier login in this session asked for is not this one's business.
        session.pop("_remember_seconds", None)
    else:
        session["_remember_seconds"] = seconds


def forget_other_user(user_id: Any) -> None:
    """Have the response clear the remember cookie of anybody but ``user_id``.

    Left alone it would bring the other person back as soon as the browser is closed.
    """
    session = the_session()
    session.pop("_remember_seconds", None)
    session.pop("_remember", None)
    if remember.presented_cookie() is not None and remember.presented_id() != str(user_id):
        session["_remember"] = _CLEAR
        settle_later()


def drop_login() -> None:
    """Take the login out of the session, and have the response clear the remember cookie."""
    session = the_session()
    for key in ("_user_id", "_fresh", "_id", "_remember"):
        session.pop(key, None)
    if remember.presented_cookie() is None:
        return
    session.pop("_remember_seconds", None)
    session["_remember"] = _CLEAR
    settle_later()
    # The note in the session is lost when the view clears the session after logging out.
    request_globals()["_login_dropped"] = the_request()


def note_of_remembering() -> str | None:
    """Take the note of what to do with the remember cookie, "set" or "clear", out of the session."""
    note: str | None = the_session().pop("_remember", None)
    if note is None and request_globals().get("_login_dropped") is the_request():
        return _CLEAR
    return note


def settle_later() -> None:
    """Have the login manager set or clear the remember cookie when this request's response is made.

    Registered for the requests that need it, because a function that Flask runs after every request
    costs all those that never ask who the user is.
    """
    held, request = request_globals(), the_request()
    if held.get("_login_settling") is request:
        return
    held["_login_settling"] = request
    after_this_request(active_login_manager()._update_remember_cookie)  # noqa: SLF001 -- Flask-Login's name


def distrust(login: SessionMixin, binding: Binding, *, strong: bool) -> bool:
    """Treat a session that is not bound to this place; tell whether the request goes on as nobody's.

    Under "basic", and for permanent sessions, the login stays but is not fresh any more. Under "strong"
    one from elsewhere ends, remember cookie included; one that was never bound counts as none, and the
    remember cookie has to speak for itself.
    """
    if not strong or login.permanent:
        if login.get("_fresh") is not False:
            login["_fresh"] = False
        return False
    for key in SESSION_KEYS:
        login.pop(key, None)
    if binding == "elsewhere":
        login["_remember"] = _CLEAR
        settle_later()
    return binding == "elsewhere"


def refuses_cookie() -> bool:
    """Tell whether the remember cookie of this request was given up earlier in this request."""
    return bool(the_session().get("_remember") == _CLEAR)


def binding(login: SessionMixin, generator: Callable[[], str]) -> Binding:
    """Tell whether a session was made from where this request comes from.

    ``"unbound"`` is a login that never noted its place, such as one that Flask-Login restored from its
    remember cookie.
    """
    noted = login.get("_id")
    if not isinstance(noted, str):
        return "unbound"
    if _same(noted, generator()):
        return "bound"
    # Whoever ran Flask-Login's main branch has sessions with its identifier.
    if generator is _create_identifier and _same(noted, _unreleased_identifier()):
        return "bound"
    return "elsewhere"


def _same(noted: str, identifier: str) -> bool:
    return noted.isascii() and hmac.compare_digest(noted, identifier)


def _create_identifier() -> str:
    """Return the identifier of where this request comes from, as Flask-Login 0.6.3 computes it.

    The address is the connection's own. ``X-Forwarded-For`` is whatever a client writes into it; behind
    a proxy, Werkzeug's ``ProxyFix`` puts the right address in place.
    """
    return _released_form(*place(the_request()))


@lru_cache(maxsize=256)  # what is read of the header is bounded, so that this stays small
def _released_form(address: str | None, user_agent: str | None) -> str:
    # The released package formats bytes into text, so that their repr is what gets hashed.
    place = f"{_as_bytes(address)!r}|{_as_bytes(user_agent)!r}"
    return sha512(place.encode()).hexdigest()


def _unreleased_identifier() -> str:
    """Return the identifier as the unreleased main branch of Flask-Login computes it."""
    address, user_agent = place(the_request())
    return sha512(f"{address}|{user_agent}".encode()).hexdigest()


def _get_remote_addr() -> bytes | None:
    """Return the address of the connection, as Flask-Login 0.6.3's function of this name does."""
    return _as_bytes(place(the_request())[0])


def _as_bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


class CookieLogin:
    """Logs in and out in Flask's session, for one login manager; the counterpart of ``StoredLogin``."""

    def __init__(self, login_manager: LoginManager[Any]) -> None:
        self._login_manager = login_manager

    #: A login in a cookie is a user's of the application: there are no accounts of ours without a store.
    accounts: None = None

    def load_user(self) -> Any:
        """Return the user of Flask's session, or of the remember cookie; ``None`` if neither knows one."""
        context = request_context()
        session = context.session
        if "_remember" in session or configured("REMEMBER_COOKIE_REFRESH_EACH_REQUEST"):
            settle_later()
        user_id, loader = session.get("_user_id"), self._login_manager.user_callback
        user = None if user_id is None or loader is None else call_loader(loader, user_id)
        if user is None:
            cookie = remember.presented_cookie()
            if cookie is not None and not refuses_cookie():
                user = self._login_manager._load_user_from_remember_cookie(cookie)  # noqa: SLF001
        return user

    def start(self, user_id: Any, *, remembered: bool, duration: timedelta | None, fresh: bool) -> bool:
        """Log the user with this id in."""
        seconds = None if duration is None else duration.total_seconds()
        write_login(user_id, self._identifier(), fresh=fresh)
        if remembered:
            remember_login(seconds)
        else:
            forget_other_user(user_id)
        return True

    def ending(self) -> None:
        """Return why the client's session has ended: a cookie never knows."""

    def end(self) -> None:
        """Log out."""
        drop_login()

    def session_cleared(self) -> None:
        """Do nothing: the login was in the session."""

    def confirm(self) -> None:
        """Make the login fresh: the person has just proven once more who they are."""
        session = the_session()
        session["_fresh"] = True
        session["_id"] = self._identifier()

    def is_fresh(self, within: timedelta | None = None) -> bool:
        """Tell whether the login is fresh.

        Raises:
            ConfigurationError: ``within`` is asked for; the cookie holds no time.
        """
        if within is not None:
            message = (
                "fresh_login_required(within=...) needs the time of the login, which a cookie does not hold. "
                "Give the LoginManager a store, or leave within out."
            )
            raise ConfigurationError(message)
        return bool(the_session().get("_fresh", False))

    def is_remembered(self) -> bool:
        """Tell whether this request brought a valid remember cookie that has not been given up."""
        return not refuses_cookie() and remember.presented_id() is not None

    def _identifier(self) -> str:
        return self._login_manager._session_identifier_generator()  # noqa: SLF001 -- Flask-Login's name
