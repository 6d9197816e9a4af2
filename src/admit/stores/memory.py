"""Everything in the memory of one process: for tests, for development, and as the model of all other stores."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from admit.per_process import Mutex
from admit.stores.memory_accounts import MemoryAccounts
from admit.stores.memory_challenges import MemoryChallenges
from admit.stores.memory_counters import MemoryCounters
from admit.stores.memory_events import MemoryEvents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from admit.model import Ending, Session

__all__ = ["MemoryStore"]


class MemoryStore(MemoryAccounts, MemoryChallenges, MemoryCounters, MemoryEvents):
    """Keeps everything in dictionaries; it is gone when the process ends and unknown to any other.

    Args:
        max_counters: How many counters are kept at most; beyond it those nearest to rest are forgotten.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       Keeps accounts, credentials, challenges, counters and events too.
    """

    def __init__(self, *, max_counters: int = 100_000) -> None:
        MemoryAccounts.__init__(self)
        MemoryChallenges.__init__(self)
        MemoryCounters.__init__(self, max_counters)
        MemoryEvents.__init__(self)
        self._lock = Mutex()
        self._sessions: dict[str, Session] = {}
        self._ids: dict[str, set[str]] = {}
        self._endings: dict[str, tuple[Ending, datetime]] = {}
        # The earliest moment at which each session or ending may expire. A touch only ever makes that
        # later, so purge looks up the true moment when it meets an entry, and a touch costs nothing.
        self._due: list[tuple[datetime, str]] = []

    def add_session(self, session: Session) -> None:
        """Keep a new session."""
        with self._lock:
            self._add(session)

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        return self._sessions.get(session_id)

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Note that the session was used; ``False`` if it is gone."""
        del expires_at  # the session knows by itself
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and session.seen_at < seen_at:
                self._sessions[session_id] = replace(session, seen_at=seen_at)
            return session is not None

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """End the session ``old_id`` and keep ``new``, in one step; ``False`` if the old one is gone."""
        with self._lock:
            ended = self._end(old_id, ending)
            if ended:
                self._add(new)
            return ended

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write ``new``'s secret and what belongs to it if ``old``'s still stands."""
        with self._lock:
            session = self._sessions.get(old.id)
            if session is None or _secret(session) != _secret(old):
                return False
            self._sessions[old.id] = replace(
                session,
                secret_hash=new.secret_hash,
                nonce=new.nonce,
                rotated_at=new.rotated_at,
                confirmed_at=new.confirmed_at,
            )
            return True

    def list_sessions(self, subject: str, *, limit: int | None = None) -> Sequence[Session]:
        """Return the subject's sessions, oldest ``created_at`` first, or the newest so many."""
        with self._lock:
            found = [self._sessions[one] for one in self._ids.get(subject, ())]
        listed = sorted(found, key=lambda session: session.created_at)
        return listed if limit is None else listed[-limit:]

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session and keep why; ``True`` for exactly one caller."""
        with self._lock:
            return self._end(session_id, ending)

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """End all sessions of the subject but the one with the id ``keep``, or only some; return how many ended."""
        ended = 0
        while doomed := self._doomed(subject, keep, only):
            ended += sum(self.delete_session(one, ending=ending) for one in doomed)
        return ended

    def get_ending(self, session_id: str) -> Ending | None:
        """Return why the session ended; ``None`` if it lives, never lived or is forgotten."""
        kept = self._endings.get(session_id)
        return kept[0] if kept else None

    def count_sessions(self, subject: str | None = None) -> int:
        """Return how many sessions are kept, of one subject or of all."""
        with self._lock:
            return len(self._sessions if subject is None else self._ids.get(subject, ()))

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` things whose time was over before ``before``."""
        removed = 0
        with self._lock:
            while removed < batch and self._due and self._due[0][0] < before:
                removed += self._purge_one(before)
        removed += self._purge_challenges(before, batch - removed)
        return removed + self._purge_counters(before, batch - removed)

    def close(self) -> None:
        """Do nothing: there is no connection to let go of."""

    def _add(self, session: Session) -> None:
        self._sessions[session.id] = session
        self._ids.setdefault(session.subject, set()).add(session.id)
        heappush(self._due, (session.expires_at, session.id))

    def _doomed(self, subject: str, keep: str | None, only: Sequence[str] | None) -> list[str]:
        with self._lock:
            ids = self._ids.get(subject, set())
            return list((ids if only is None else ids.intersection(only)) - {keep})

    def _end(self, session_id: str, ending: Ending) -> bool:
        session = self._remove(session_id)
        if session is None:
            return False
        self._endings[session_id] = (ending, session.expires_at)
        return True

    def _remove(self, session_id: str) -> Session | None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            ids = self._ids[session.subject]
            ids.remove(session_id)
            if not ids:
                del self._ids[session.subject]
        return session

    def _purge_one(self, before: datetime) -> bool:
        _, session_id = heappop(self._due)
        expires_at = self._expires_at(session_id)
        if expires_at >= before:
            heappush(self._due, (expires_at, session_id))
            return False
        self._remove(session_id)
        self._endings.pop(session_id, None)
        return True

    def _expires_at(self, session_id: str) -> datetime:
        session = self._sessions.get(session_id)
        return session.expires_at if session else self._endings[session_id][1]


def _secret(session: Session) -> tuple[bytes, datetime | None]:
    return session.secret_hash, session.confirmed_at
