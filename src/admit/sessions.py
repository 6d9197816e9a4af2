"""Sessions that are there: to resume one, to end it, and to tell why it ended. None begins here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from admit import policy, rotation, tokens
from admit.errors import StoreError
from admit.events import Events, SecretRotated, SessionEnded, SessionStolen
from admit.model import Ending, EndReason, Resumed
from admit.rotation import Standing
from admit.settings import SessionSettings
from admit.store import Caching
from admit.store_clock import clock_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from admit.model import Admitted, Session
    from admit.store import SessionStore
    from admit.tokens import Token

__all__ = ["Sessions", "checked_subject", "ended_event"]

# How often to try again when other requests change the same session first.
_TRIES = 20
# How many sessions are read at once, and how many end in one step.
_LISTED, _STEP = 1000, 25


class Sessions:
    """Resumes sessions and ends them.

    Args:
        store: Where sessions are kept.
        settings: How long they live.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
        events: Who is told.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        store: SessionStore,
        settings: SessionSettings | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        events: Events | None = None,
    ) -> None:
        self.store = store
        self.settings: SessionSettings = settings or SessionSettings()
        self.events: Events = events or Events()
        self._clock: Callable[[], datetime] = clock or clock_of(store)

    @property
    def clock(self) -> Callable[[], datetime]:
        """What tells the time that all sessions here go by.

        .. versionadded:: 0.2
        """
        return self._clock

    # -- resuming --------------------------------------------------------------------------------

    def resume(self, token: str, *, began: datetime | None = None) -> Resumed:
        """Return the session that a client's token opens.

        Garbage never reaches the store. What is not plainly in order is decided on what the store itself
        says, never on a cache.

        Args:
            token: What the client presented.
            began: When its request began, if that is not now: what it presents was right or wrong then.

        Raises:
            StoreError: The store did not answer, which says nothing about the session.
        """
        parsed = tokens.parse(token)
        if parsed is None:
            return Resumed()
        now = self._clock()
        session = self.store.get_session(parsed.id)
        if session is None:
            return Resumed(ending=self.store.get_ending(parsed.id))
        if self._is_in_order(session, parsed.secret, now):
            return Resumed(session)
        return self._settle(parsed, began)

    def _is_in_order(self, session: Session, secret: str, now: datetime) -> bool:
        return (
            tokens.matches(secret, session.secret_hash)
            and policy.is_alive(session, now)
            and session.confirmed_at is not None
            and not self._needs_rotation(session, now)
        )

    def _settle(self, token: Token, began: datetime | None) -> Resumed:
        """Resume a session whose secret is new, old or due to change; each round, another request may be first."""
        for _ in range(_TRIES):
            session = self._read_again(token.id)
            if session is None:
                return Resumed(ending=self.store.get_ending(token.id))
            # Asked now: what was read may be younger than the time that was noted before this process was stopped.
            now = self._clock()
            resumed = self._judge(session, token.secret, now, now if began is None else began)
            if resumed is not None:
                return resumed
        return Resumed(self._read_again(token.id))

    def _judge(self, session: Session, secret: str, now: datetime, began: datetime) -> Resumed | None:
        """Return what becomes of the secret, or ``None`` if the session has changed in between."""
        standing = rotation.standing(session, secret)
        if standing is Standing.UNKNOWN:
            return Resumed()
        reason = policy.end_reason(session, now)
        if reason is not None:
            return self._refuse(session, reason, policy.ends_by(session))
        if standing is Standing.CURRENT:
            return self._advance(session, secret, now)
        if standing is Standing.PREDECESSOR:
            is_served = policy.serves_predecessor(session, now, self.settings.rotation_grace, began)
            return Resumed(session, rotation.next_token(session, secret)) if is_served else Resumed(outdated=session)
        if policy.is_theft(session, began, self.settings.rotate_every):
            return self._refuse(session, EndReason.STOLEN, now)
        return Resumed(outdated=session)

    def _refuse(self, session: Session, reason: EndReason, at: datetime) -> Resumed:
        try:
            self._end(session, reason, at)
        except StoreError:
            # The time of a session is over whether or not that can be written. A theft has to be.
            if reason is EndReason.STOLEN:
                raise
            return Resumed(ending=Ending(reason, at))
        return Resumed(ending=self.store.get_ending(session.id))

    def _advance(self, session: Session, secret: str, now: datetime) -> Resumed | None:
        """Confirm or rotate the secret that the client has used, if it is time.

        A store that can be read but not written (a full disk, a replica) must not lock out everybody whose secret is
        due: such a session is served with the secret that it has. If the store has written it after all and only the
        answer was lost, the client has the predecessor, which is good until the successor is used.
        """
        try:
            return self._write_secret(session, secret, now)
        except StoreError:
            return Resumed(session)

    def _write_secret(self, session: Session, secret: str, now: datetime) -> Resumed | None:
        if session.confirmed_at is None:
            new = rotation.confirmed(session, now)
            return Resumed(new) if self.store.replace_secret(session, new) else None
        if not self._needs_rotation(session, now):
            return Resumed(session)
        new = rotation.rotated(session, secret, now)
        if not self.store.replace_secret(session, new):
            return None
        self.events.publish(SecretRotated(at=now, subject=new.subject, session_id=new.id))
        return Resumed(new, rotation.next_token(new, secret))

    def _needs_rotation(self, session: Session, now: datetime) -> bool:
        return policy.needs_rotation(session, now, self.settings.rotate_every, self.settings.rotation_grace)

    def _read_again(self, session_id: str) -> Session | None:
        if isinstance(self.store, Caching):
            self.store.forget(session_id)
        return self.store.get_session(session_id)

    def keep(self, admitted: Admitted) -> Session:
        """Let a session that waits live for as long as it should: its client is about to be given the token.

        Where that can't be noted, the client has a minute to use it, as after replacing another.
        """
        if admitted.waits:
            with suppress(StoreError):
                kept = rotation.confirmed(admitted.session, self._clock())
                return kept if self.store.replace_secret(admitted.session, kept) else admitted.session
        return admitted.session

    def needs_touch(self, session: Session) -> bool:
        """Tell whether the use of the session is to be noted: at most once in ``touch_every``."""
        return policy.needs_touch(session, self._clock(), self.settings.touch_every)

    def touch(self, session: Session) -> None:
        """Note that the session is in use now, unless its time is over."""
        now = self._clock()
        if policy.is_alive(session, now):
            self.store.touch_session(session.id, seen_at=now, expires_at=replace(session, seen_at=now).expires_at)

    def is_fresh(self, session: Session, within: timedelta | None = None) -> bool:
        """Tell whether the last authentication was at most ``within`` ago; ``fresh_within`` when it is missing."""
        return policy.is_fresh(session, self._clock(), self.settings.fresh_within if within is None else within)

    # -- ending ----------------------------------------------------------------------------------

    def revoke(self, session_id: str, *, reason: EndReason = EndReason.REVOKED, by: str | None = None) -> bool:
        """End a session; ``False`` if there is none with this id."""
        session = self._read_again(session_id)
        return session is not None and self._end(session, reason, self._clock(), by)

    def revoke_all(self, subject: str, *, keep: str | None = None, by: str | None = None) -> int:
        """End all sessions of a subject but the one with the id ``keep``; return how many ended.

        It goes on until a look finds none, so that one that takes the place of another meanwhile ends as well. What
        was interrupted is finished by the same call.
        """
        now, ended = self._clock(), 0
        while doomed := [
            one for one in self.store.list_sessions(checked_subject(subject), limit=_LISTED) if one.id != keep
        ]:
            ended += self._end_some(doomed, EndReason.REVOKED, now, by)
        # The store hears that all have ended: a session that its list has lost ends as well.
        return ended + self.store.delete_sessions(subject, keep=keep, ending=Ending(EndReason.REVOKED, now, by))

    def _end_some(self, sessions: Sequence[Session], reason: EndReason, at: datetime, by: str | None = None) -> int:
        """End sessions of one subject, in steps that are short for whoever waits for the store."""
        steps = (sessions[start : start + _STEP] for start in range(0, len(sessions), _STEP))
        return sum(self._end_step(step, reason, at, by) for step in steps)

    def _end_step(self, sessions: Sequence[Session], reason: EndReason, at: datetime, by: str | None) -> int:
        with self.events.telling(*(ended_event(one, reason, at, by) for one in sessions)) as told:
            ending, ids = Ending(reason, at, by), [one.id for one in sessions]
            ended = self.store.delete_sessions(sessions[0].subject, only=ids, ending=ending)
        if ended:
            told.publish()
        return ended

    def _end(self, session: Session, reason: EndReason, at: datetime, by: str | None = None) -> bool:
        with self.events.telling(ended_event(session, reason, at, by)) as told:
            ended = self.store.delete_session(session.id, ending=Ending(reason, at, by))
        if ended:
            told.publish()
        return ended

    def _drop(self, session: Session) -> None:
        """End a session that has just begun and that nobody will get. If that fails too, it ends after a minute."""
        with suppress(StoreError):
            self._end(session, EndReason.REVOKED, session.created_at, by="admission")

    # -- telling ---------------------------------------------------------------------------------

    def sessions_of(self, subject: str, *, limit: int | None = None) -> list[Session]:
        """Return the subject's living sessions, the oldest first; with a ``limit``, of the newest so many."""
        now, listed = self._clock(), self.store.list_sessions(checked_subject(subject), limit=limit)
        return [one for one in listed if policy.is_alive(one, now)]

    def has_session(self, subject: str, session_id: str) -> bool:
        """Tell whether a session lives and is the subject's."""
        session = self._read_again(session_id)
        return session is not None and session.subject == subject and policy.is_alive(session, self._clock())

    def why(self, session_id: str) -> Ending | None:
        """Return why a session ended; ``None`` if it lives, never lived or is forgotten."""
        session = self._read_again(session_id)
        if session is None:
            return self.store.get_ending(session_id)
        reason = policy.end_reason(session, self._clock())
        return None if reason is None else Ending(reason, policy.ends_by(session))

    def purge(self, *, batch: int = 1000) -> int:
        """Remove at most ``batch`` sessions and endings whose time is over; return how many were."""
        return self.store.purge(before=self._clock(), batch=batch)


def ended_event(session: Session, reason: EndReason, at: datetime, by: str | None = None) -> SessionEnded:
    """Return what tells that a session ended."""
    kind = SessionStolen if reason is EndReason.STOLEN else SessionEnded
    return kind(at=at, subject=session.subject, session_id=session.id, reason=reason, by=by)


def checked_subject(subject: str) -> str:
    """Return the subject of a session, which is a text.

    Raises:
        TypeError: It is something else.
    """
    # A number would be compared with a text: a revocation that ends nothing, and says so to nobody.
    if not isinstance(subject, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        message = f"A subject is a str, not {type(subject).__name__}. Give the user's id as text."
        raise TypeError(message)
    return subject
