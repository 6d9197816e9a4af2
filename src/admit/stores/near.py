"""A near cache: sessions that were read a moment ago, in this process.

What is served may be stale by a *bound*. A change made through this object is seen at once. A change made
elsewhere is seen when the store announces it, and after ``max_age`` even if it does not or if the word is
lost. The age counts from before the store was asked.

Three things never happen. A session is never put in after it was dropped: whoever reads holds a *ticket* from
before the read, dropping tears it up, and without one nothing is put in. Absence is never kept: a session that
another process has just begun is found. And a change whose outcome is unknown, because the store did not
answer, drops like one that was made.

Reading an entry takes no lock: it is one look-up in a dictionary, of a tuple that is never changed.

Each process has a cache of its own, the child of a fork too. A process that does not hear what others change puts
nothing in: it asks the store each time. What it had is dropped when it goes deaf.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from admit.per_process import Mutex, PerProcess
from admit.store import Announcing, Listening

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime

    from admit.model import Ending, Session
    from admit.store import SessionStore

__all__ = ["NearStore"]


def _always() -> bool:
    return True


class _Kept:
    """What one process has at hand."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sessions: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self.tickets: dict[str, object] = {}


class NearStore:
    """Keeps lately read sessions of another store in this process, and passes everything else through.

    Args:
        store: Where the sessions are kept.
        entries: How many sessions are remembered at most; the one read longest ago makes room.
        max_age: How many seconds a session may be served without asking the store. It bounds how long a
            session that another process ended is still accepted here when the store cannot announce it.
        clock: A monotonic clock, in seconds.
        serves: Tells whether this process serves requests now. Before it does, nothing listens and nothing is kept: a
            thread in a process that then forks would leave the children with locks that are held for ever, of SQLite
            and of drivers as well.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       ``serves``; listens from the first look-up on.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        entries: int = 10_000,
        max_age: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        serves: Callable[[], bool] = _always,
    ) -> None:
        self.store = store
        self._limit = entries
        self._max_age = max_age
        self._clock = clock
        self._serves = serves
        self._kept = PerProcess(_Kept)
        self._subscribing = Mutex()
        self._stop: Callable[[], None] | None = None
        if not isinstance(store, Listening):
            self._subscribe()

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        entry = self._kept.get().sessions.get(session_id)
        if entry is not None and self._clock() < entry[1]:
            return entry[0]
        return self._read(session_id)

    def forget(self, session_id: str) -> None:
        """Ask the store about this session the next time, whatever is remembered of it."""
        self._drop(session_id)

    def add_session(self, session: Session) -> None:
        """Keep a new session."""
        self.store.add_session(session)

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Note that the session was used; ``False`` if it is gone."""
        with self._dropping(session_id):
            return self.store.touch_session(session_id, seen_at=seen_at, expires_at=expires_at)

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """End the session ``old_id`` and keep ``new``, in one step; ``False`` if the old one is gone."""
        with self._dropping(old_id):
            return self.store.replace_session(old_id, new, ending=ending)

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write ``new``'s secret and what belongs to it if ``old``'s still stands."""
        with self._dropping(old.id):
            return self.store.replace_secret(old, new)

    def list_sessions(self, subject: str, *, limit: int | None = None) -> Sequence[Session]:
        """Return the subject's sessions from the store, oldest ``created_at`` first, or the newest so many."""
        return self.store.list_sessions(subject, limit=limit)

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session and keep why; ``True`` for exactly one caller."""
        with self._dropping(session_id):
            return self.store.delete_session(session_id, ending=ending)

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """End all sessions of the subject but the one with the id ``keep``, or only some; return how many ended."""
        try:
            return self.store.delete_sessions(subject, keep=keep, only=only, ending=ending)
        finally:
            self._drop_of(subject)

    def get_ending(self, session_id: str) -> Ending | None:
        """Return why the session ended; ``None`` if it lives, never lived or is forgotten."""
        return self.store.get_ending(session_id)

    def count_sessions(self, subject: str | None = None) -> int:
        """Return how many sessions are kept, of one subject or of all."""
        return self.store.count_sessions(subject)

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` sessions and endings that expired before ``before``."""
        with self._dropping(None):
            return self.store.purge(before=before, batch=batch)

    def close(self) -> None:
        """Hear of no more changes, and close the store."""
        if self._stop is not None:
            self._stop()
        self._drop(None)
        self.store.close()

    def _subscribe(self) -> None:
        with self._subscribing:
            if self._stop is None:
                self._stop = self.store.on_change(self._drop) if isinstance(self.store, Announcing) else _nothing

    def _read(self, session_id: str) -> Session | None:
        kept, ticket = self._kept.get(), object()
        with kept.lock:
            kept.tickets[session_id] = ticket
        until = self._clock() + self._max_age
        session = None
        try:
            session = self.store.get_session(session_id)
        finally:
            self._put_in(kept, session_id, session, until, ticket)
        if self._stop is None and self._serves():
            self._subscribe()
        return session

    def _put_in(self, kept: _Kept, session_id: str, session: Session | None, until: float, ticket: object) -> None:
        with kept.lock:
            if kept.tickets.get(session_id) is not ticket:
                return
            del kept.tickets[session_id]
            kept.sessions.pop(session_id, None)
            # Asked while the lock is held: who goes deaf says so first, and drops everything then.
            if session is not None and not self._is_deaf():
                kept.sessions[session_id] = session, until
            if len(kept.sessions) > self._limit:
                kept.sessions.popitem(last=False)

    def _is_deaf(self) -> bool:
        return self._stop is None or (isinstance(self.store, Listening) and not self.store.is_listening())

    @contextmanager
    def _dropping(self, session_id: str | None) -> Generator[None]:
        try:
            yield
        finally:
            self._drop(session_id)

    def _drop(self, session_id: str | None) -> None:
        kept = self._kept.get()
        with kept.lock:
            if session_id is None:
                kept.tickets.clear()
                kept.sessions.clear()
            else:
                kept.tickets.pop(session_id, None)
                kept.sessions.pop(session_id, None)

    def _drop_of(self, subject: str) -> None:
        kept = self._kept.get()
        with kept.lock:
            # Nobody knows yet whose sessions are being read, so none of those reads puts anything in.
            kept.tickets.clear()
            for session_id in [one for one, (session, _) in kept.sessions.items() if session.subject == subject]:
                del kept.sessions[session_id]


def _nothing() -> None:
    pass
