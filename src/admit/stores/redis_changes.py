"""One thread per process that hears what changed in Redis and passes it on."""

from __future__ import annotations

import os
import weakref
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from admit.stores.redis_errors import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.stores.redis_nodes import Wire

__all__ = ["Changes"]

Drop: TypeAlias = "Callable[[str | None], None]"

# How long the thread waits in one go, so how long it takes to stop (seconds).
_WAIT = 0.05
# After so much silence it asks whether anybody is there: a dead link is silent as well.
_SILENCE = 1.0
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0

_all_changes: weakref.WeakSet[Changes] = weakref.WeakSet()


class Changes:
    """The subscribers of this process, and the thread that listens for them while there are any.

    Args:
        listen: Makes a connection to a node that is believed to be up.
        channel: Where the ids of changed sessions are published.
    """

    def __init__(self, listen: Callable[[], Wire], channel: str) -> None:
        self._listen = listen
        self._channel = channel
        self._drops: tuple[Drop, ...] = ()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stopped = Event()
        _all_changes.add(self)

    def subscribe(self, drop: Drop) -> Callable[[], None]:
        """Call ``drop`` with each id that is published; return what stops that."""
        with self._lock:
            self._drops += (drop,)
        self.keep_listening()
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
        """Start with a new lock and no thread, as the child of a fork must: it has the parent's lock, held or not."""
        self._lock = Lock()
        self._thread = None
        self._stopped = Event()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and self._drops:
                self._stopped = Event()
                self._thread = Thread(target=self._run, args=(self._stopped,), name="admit-changes", daemon=True)
                self._thread.start()

    def _unsubscribe(self, drop: Drop) -> None:
        with self._lock:
            self._drops = tuple(one for one in self._drops if one is not drop)
        if not self._drops:
            self.stop()

    def _run(self, stopped: Event) -> None:
        retry = _FIRST_RETRY
        while not stopped.is_set():
            heard_since = monotonic()
            self._hear(stopped)
            # Nobody knows what was published to a link that was lost.
            self._tell(None)
            lasted = monotonic() - heard_since > _LAST_RETRY
            retry = _FIRST_RETRY if lasted else min(retry * 2, _LAST_RETRY)
            stopped.wait(retry)

    def _hear(self, stopped: Event) -> None:
        wire = self._listen()
        try:
            wire.connect()
            wire.send_command("SUBSCRIBE", self._channel)
            wire.read_response()
            self._tell(None)  # and nobody knows what was published before
            self._pass_on(wire, stopped)
        except FAILURES:
            return
        finally:
            wire.disconnect()

    def _pass_on(self, wire: Wire, stopped: Event) -> None:
        heard_at = monotonic()
        while not stopped.is_set():
            readable = wire.can_read(_WAIT)
            if not readable and monotonic() - heard_at < _SILENCE:
                continue
            if not readable:
                wire.send_command("PING")
            # Waits for as long as a command may take, then fails: the link is dead.
            kind, *_, text = wire.read_response()
            heard_at = monotonic()
            if kind == b"message":
                self._tell(text.decode())

    def _tell(self, session_id: str | None) -> None:
        for drop in self._drops:
            drop(session_id)


def _begin_again() -> None:
    for changes in _all_changes:
        changes.begin_again()


os.register_at_fork(after_in_child=_begin_again)
