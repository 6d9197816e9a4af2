"""The sessions of users, for the application: ``current_session`` and ``login_manager.sessions``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.local import LocalProxy

from admit import device_names
from admit.flask.clients import client
from admit.flask.context import real_object
from admit.flask.outages import store_trouble
from admit.flask.state import state_now
from admit.flask.stored_login import stored_keeper, whole

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from admit.gate import Gate
    from admit.model import Authentication, Ending, Session

__all__ = ["UserSession", "UserSessions", "current_session"]


@dataclass(frozen=True)
class UserSession:
    """One login of a user on one device.

    .. versionadded:: 0.1
    """

    _session: Session = field(repr=False)
    _gate: Gate = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        """The session's public id; it opens nothing."""
        return self._session.id

    @property
    def subject(self) -> str:
        """The id of the user that it belongs to, as text."""
        return self._session.subject

    @property
    def created_at(self) -> datetime:
        """When the person logged in, or has last proven once more who they are."""
        return self._session.created_at

    @property
    def seen_at(self) -> datetime:
        """When it was last used, to about a minute."""
        return self._session.seen_at

    @property
    def expires_at(self) -> datetime:
        """When it ends unless it is used before."""
        return self._session.expires_at

    @property
    def remembered(self) -> bool:
        """Whether it outlives the browser."""
        return self._session.remembered

    @property
    def authentications(self) -> tuple[Authentication, ...]:
        """What the person has proven, and when, oldest first."""
        return self._session.authentications

    @property
    def address(self) -> str | None:
        """The network address that the login came from."""
        return self._session.client.address

    @property
    def user_agent(self) -> str | None:
        """What the client called itself."""
        return self._session.client.user_agent

    @property
    def device(self) -> str:
        """A name to show, such as "Firefox on Windows"; worked out when it is asked for."""
        return device_names.name_of(self._session.client.user_agent)

    def revoke(self, *, by: str | None = None) -> bool:
        """End the session; ``False`` if it had ended before.

        Args:
            by: Who ends it, for the record.
        """
        with store_trouble():
            return self._gate.revoke(self._session.id, by=by)


class UserSessions:
    """What ``login_manager.sessions`` offers: to list sessions and to end them.

    Where a user is asked for, the application's user object will do, or its id as whatever type it has:
    the store knows subjects as text only, and the same text always.

    .. versionadded:: 0.1
    """

    def __init__(self, gate: Gate, id_attribute: str) -> None:
        #: The gate behind it all, for what is not offered here.
        self.gate = gate
        self._id_attribute = id_attribute

    def of(self, user: Any) -> list[UserSession]:
        """Return the living sessions of a user, the latest first."""
        with store_trouble():
            sessions = self.gate.sessions_of(self._subject(user))
        return [UserSession(session, self.gate) for session in reversed(sessions)]

    def revoke(self, session_id: str, *, by: str | None = None) -> bool:
        """End the session with this id; ``False`` if there is none.

        Check that it belongs to whoever asks, for example by looking for it in :meth:`of`.
        """
        with store_trouble():
            return self.gate.revoke(session_id, by=by)

    def revoke_all(self, user: Any, *, keep: UserSession | None = None, by: str | None = None) -> int:
        """End all sessions of a user, but the one to ``keep``; return how many ended."""
        kept = keep.id if keep else None
        with store_trouble():
            return self.gate.revoke_all(self._subject(user), keep=kept, by=by)

    def count(self, user: Any = None) -> int:
        """Return how many sessions there are, of one user or of all."""
        with store_trouble():
            return self.gate.store.count_sessions(None if user is None else self._subject(user))

    def why(self, session_id: str) -> Ending | None:
        """Return why a session ended; ``None`` if it lives or is forgotten."""
        with store_trouble():
            return self.gate.why(session_id)

    def issue(self, user: Any, *, remember: bool = False, duration: timedelta | None = None) -> str:
        """Log a user in without a cookie, and return the token for a bearer header.

        For native clients, which keep the token themselves and send it as ``Authorization: Bearer``. It is
        shown this once.
        """
        with store_trouble():
            admitted = self.gate.admit(
                self._subject(user), "login", client=client(), remember=remember, duration=duration
            )
        return whole(admitted).token

    def _subject(self, user: Any) -> str:
        user = real_object(user)
        get_id = getattr(user, self._id_attribute, None)
        return str(user if get_id is None else get_id())


def _current() -> UserSession | None:
    stored = stored_keeper(state_now().keeper)
    session = stored.stay().session
    return None if session is None else UserSession(session, stored.gate)


if TYPE_CHECKING:
    current_session: UserSession
else:
    #: The session of this request; false when there is none.
    current_session = LocalProxy(_current)
