"""Flask's own session, opened only when something reads it.

Flask verifies and decodes its signed session cookie at the start of every request that brings one. With
the login in a store, most requests never look at it.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin

from admit.flask.clearing import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask, Request, Response
    from typing_extensions import TypeIs

__all__ = ["LazySession", "LazySessionInterface"]


class LazySession(SessionMixin, MutableMapping[str, Any]):
    """Stands for the session of a request until something is read from it or written to it."""

    # Class attributes, because the base class has properties and flags of the same names.
    accessed = False

    def __init__(self, interface: SessionInterface, app: Flask, request: Request) -> None:
        self._source = (interface, app, request)
        self._opened: SessionMixin | None = None

    def open(self) -> SessionMixin:
        """Return the real session, opening it at the first call."""
        if self._opened is None:
            interface, app, request = self._source
            opened = interface.open_session(app, request)
            self._opened = interface.make_null_session(app) if opened is None else opened
        return self._opened

    @property
    def opened(self) -> SessionMixin | None:
        """The real session if it was opened."""
        return self._opened

    def __getitem__(self, key: str) -> Any:
        return self.open()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.open()[key] = value

    def __delitem__(self, key: str) -> None:
        del self.open()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.open())

    def __len__(self) -> int:
        return len(self.open())

    def clear(self) -> None:
        """Clear the real session, as its own class does. One that is in a cookie is not opened for that."""
        interface, app, _ = self._source
        if self._opened is None and _is_in_cookie(interface) and app.secret_key:
            self._opened = watched(interface.session_class())
        self.open().clear()

    def __getattr__(self, name: str) -> Any:
        # What a session interface adds to its sessions (an id, for example).
        return getattr(self.open(), name)

    @property
    def modified(self) -> bool:
        """Whether the real session was changed; one that was never opened wasn't."""
        return self._opened is not None and self._opened.modified

    @modified.setter
    def modified(self, changed: bool) -> None:
        self.open().modified = changed

    @property
    def permanent(self) -> bool:
        """Whether the real session is permanent."""
        return self.open().permanent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self.open().permanent = value


def _is_in_cookie(interface: SessionInterface) -> TypeIs[SecureCookieSessionInterface]:
    """Tell whether sessions are opened as Flask does it: then an empty one takes the place of any other."""
    return type(interface).open_session is SecureCookieSessionInterface.open_session


class LazySessionInterface(SessionInterface):
    """Wraps the application's session interface so that it opens sessions only when they are used."""

    def __init__(self, wrapped: SessionInterface) -> None:
        self._wrapped = wrapped

    def open_session(self, app: Flask, request: Request) -> LazySession:
        """Return a session that is opened when it is used."""
        return LazySession(self._wrapped, app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session if it was opened; say that the response depends on cookies if it was touched."""
        opened = session.opened if isinstance(session, LazySession) else session
        if opened is not None and not self._wrapped.is_null_session(opened):
            opened.accessed = opened.accessed or session.accessed
            self._wrapped.save_session(app, opened, response)
        elif session.accessed:
            response.vary.add("Cookie")

    def __getattr__(self, name: str) -> Any:
        # What applications and libraries ask of their own interface (regenerate, serializers).
        return getattr(self._wrapped, name)
