"""Sessions of Flask's that end the login when they are cleared, as in Flask-Login, which keeps the login there."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from flask import has_request_context

from admit.flask.state import state_now

if TYPE_CHECKING:
    from flask.sessions import SessionMixin

__all__ = ["watched"]


def watched(session: SessionMixin) -> SessionMixin:
    """Return the session, which ends the login of its request when it is cleared."""
    if not isinstance(session, _Watched):
        session.__class__ = _watched(type(session))
    return session


class _Watched:
    """Ends the login when the session is cleared."""

    __slots__ = ()

    def clear(self) -> None:
        """Clear the session, and end the login."""
        super().clear()  # type: ignore[misc]
        # A test may clear a session between two requests.
        if has_request_context():
            state_now().keeper.session_cleared()


@cache
def _watched(kind: type[Any]) -> type[Any]:
    return type(
        kind.__name__, (_Watched, kind), {"__slots__": (), "__module__": kind.__module__, "__doc__": kind.__doc__}
    )
