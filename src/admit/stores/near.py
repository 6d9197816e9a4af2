"""A near cache: sessions that were read a moment ago, in this process.

What is served may be stale by a *bound*. A change made through this object is seen at once. A change made
elsewhere is seen when the store announces it, and after ``max_age`` even if it does not or if the word is
lost. The age counts from before the store was asked.

Three things never happen. A session is never put in after it was dropped: whoever reads holds a *ticket* from
before the read, dropping tears it up, and without one nothing is put in. Absence is never kept: a session that
another process has just begun is found. And a change whose outcome is unknown, because the store did not
answer, drops like one that was made.

Reading an entry takes no lock: it is one look-up in a dictionary that is never replaced, of a tuple that is never
changed.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from admit.store import Announcing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime

    from admit.model import Ending, Session
    from admit.store import SessionStore

__all__ = ["NearStore"]

_all_near_stores: weakref.WeakSet[NearStore] = weakref.WeakSet()


class NearStore:
    """Keeps lately read sessions of another store in this process, and passes everything else through.

    Args:
        store: Where the sessions are kept.
        entries: How many sessions are remembered at most; the one read longest ago makes room.
        max_age: How many seconds a session may be served without asking the store. It bounds how long a
            session that another process ended is still accepted here when the store cannot announce it.
        clock: A monotonic clock, in seconds.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        entries: int = 10_000,
        max_age: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._limit = entries
        self._max_age = max_age
        self._clock = clock
        self._near: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._tickets: dict[str, object] = {}
        self._lock = Lock()
        _all_near_stores.add(self)
        self._stop = store.on_change(self._drop) if isinstance(store, Announcing) else _nothing

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        entry = self._near.get(session_id)
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
        self._stop()
        self._drop(None)
        self.store.close()

    def begin_again(self) -> None:
        """Remember nothing, as the child of a fork must: whoever tells the parent does not tell it."""
        self._lock = Lock()
        self._near.clear()
        self._tickets.clear()

    def _read(self, session_id: str) -> Session | None:
        ticket = object()
        with self._lock:
            self._tickets[session_id] = ticket
        until = self._clock() + self._max_age
        session = None
        try:
            session = self.store.get_session(session_id)
        finally:
            self._put_in(session_id, session, until, ticket)
        return session

    def _put_in(self, session_id: str, session: Session | None, until: float, ticket: object) -> None:
        with self._lock:
            if self._tickets.get(session_id) is not ticket:
                return
            del self._tickets[session_id]
            self._near.pop(session_id, None)
            if session is not None:
                self._near[session_id] = session, until
            if len(self._near) > self._limit:
                self._near.popitem(last=False)

    @contextmanager
    def _dropping(self, session_id: str | None) -> Generator[None]:
        try:
            yield
        finally:
            self._drop(session_id)

    def _drop(self, session_id: str | None) -> None:
        with self._lock:
            if session_id is None:
                self._tickets.clear()
                self._near.clear()
            else:
                self._tickets.pop(session_id, None)
                self._near.pop(session_id, None)

    def _drop_of(self, subject: str) -> None:
        with self._lock:
            # Nobody knows yet whose sessions are being read, so none of those reads puts anything in.
            self._tickets.clear()
            for session_id in [one for one, (session, _) in self._near.items() if session.subject == subject]:
                del self._near[session_id]


def _nothing() -> None:
    pass


def _begin_again() -> None:
    for near_store in _all_near_stores:
        near_store.begin_again()


os.register_at_fork(after_in_child=_begin_again)
