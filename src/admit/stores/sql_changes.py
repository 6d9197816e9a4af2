"""What both databases need around their connections: a thread that hears of changes, and idle connections."""

from __future__ import annotations

import os
import weakref
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from admit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Changes", "Idle", "Tell", "renew_after_fork"]

Tell: TypeAlias = "Callable[[str | None], None]"

_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0


class _Closable(Protocol):
    def close(self) -> None: ...


class _Renewable(Protocol):
    def begin_again(self) -> None: ...


T = TypeVar("T", bound=_Closable)

_all: weakref.WeakSet[_Renewable] = weakref.WeakSet()
# Connections of the parent of a fork. Closing them here would end them there, so they are kept as they are.
_left_by_the_parent: list[list[Any]] = []


def renew_after_fork(one: _Renewable) -> None:
    """Let ``begin_again`` be called in the child of each fork, for as long as the object lives."""
    _all.add(one)


class Idle(Generic[T]):
    """Connections that nobody uses just now; threads come and go, and each finds one or opens one.

    Args:
        connect: Opens one more.
    """

    def __init__(self, connect: Callable[[], T]) -> None:
        self._connect = connect
        self._idle: list[T] = []
        renew_after_fork(self)

    def take(self) -> T:
        """Return a connection that is the caller's own until it puts it back."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def put(self, connection: T) -> None:
        """Let others have the connection; one that failed is closed instead."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close all that are idle; the next one to be taken is opened anew."""
        while self._idle:
            self._idle.pop().close()

    def begin_again(self) -> None:
        """Have none, as the child of a fork must."""
        _left_by_the_parent.append(self._idle)
        self._idle = []


class Changes:
    """The subscribers of this process, and the thread that listens for them while there are any.

    Args:
        hear: Connects and passes on what it hears, until the event is set or the connection fails.
    """

    def __init__(self, hear: Callable[[Event, Tell], None]) -> None:
        self._hear = hear
        self._drops: tuple[Tell, ...] = ()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stopped = Event()
        renew_after_fork(self)

    def subscribe(self, drop: Tell) -> Callable[[], None]:
        """Call ``drop`` with what is heard; return what stops that."""
        with self._lock:
            self._drops += (drop,)
        self._start()
        return lambda: self._unsubscribe(drop)

    def keep_listening(self) -> None:
        """Start the thread if there is anybody to listen for; after a fork it is gone."""
        if self._thread is None and self._drops:
            self._start()

    def stop(self) -> None:
        """Stop the thread and wait until it has gone."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._drops = ()
            self._stopped.set()
        if thread is not None:
            thread.join()

    def begin_again(self) -> None:
        """Start with a new lock and no thread, as the child of a fork must: the parent's lock may be held for ever."""
        self._lock = Lock()
        self._thread = None
        self._stopped = Event()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and self._drops:
                self._stopped = Event()
                self._thread = Thread(target=self._run, args=(self._stopped,), name="admit-changes", daemon=True)
                self._thread.start()

    def _unsubscribe(self, drop: Tell) -> None:
        with self._lock:
            self._drops = tuple(one for one in self._drops if one is not drop)
        if not self._drops:
            self.stop()

    def _run(self, stopped: Event) -> None:
        retry = _FIRST_RETRY
        while not stopped.is_set():
            began = monotonic()
            try:
                self._hear(stopped, self._tell)
            except StoreError:
                # Nobody knows what was said on a connection that was lost.
                self._tell(None)
            lasted = monotonic() - began > _LAST_RETRY
            retry = _FIRST_RETRY if lasted else min(retry * 2, _LAST_RETRY)
            stopped.wait(retry)

    def _tell(self, session_id: str | None) -> None:
        for drop in self._drops:
            drop(session_id)


def _begin_again() -> None:
    for one in list(_all):
        one.begin_again()


os.register_at_fork(after_in_child=_begin_again)
