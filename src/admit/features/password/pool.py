"""A bounded pool for what takes a processor and much memory: few at once, and a queue that may not stand.

Without a bound, a burst of logins takes all memory (19 MiB each) and all processors, and everybody else waits for it.
A lock in the threads of the requests would bound the memory. Threads of the pool's own, which the system runs when
nobody else wants the processor, also keep other requests fast (``python -m bench hashing``).

A bound on places would refuse a class of pupils who sign in at the same moment, although the machine has served them
all two seconds later. So the queue is bounded by how long it has stood, as controlled-delay queues are (RFC 8289, and
"Fail at Scale", ACM Queue 13(8)): while it has been empty a short time ago everybody waits, and once it has not been
for the length of the patience, only so many wait as leave the threads of the server to others.

An attacker who signs in again and again would fill any queue, and take all threads. So those who wait for the same
account at the same network have one place among the others, whose turn comes after one of theirs, and are refused when
they are more than the places that there are at the worst.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter, OrderedDict, deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from admit.errors import ConfigurationError, Overloaded
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Pool", "on_behalf_of"]

_T = TypeVar("_T")

#: Ten of nineteen: what serves requests gets nine tenths of a processor that both want. The last step would leave
#: logins next to nothing on a machine that is busy with something else.
_NICENESS = 10
#: Those for whom there is room are served in a fraction of this.
_RETRY_AFTER = 1

_whose: ContextVar[Hashable] = ContextVar("whose", default=None)


@contextmanager
def on_behalf_of(whose: Hashable) -> Generator[None]:
    """Let what is run in the block be for ``whose``: all who wait for the same one have one place among the others.

    .. versionadded:: 0.2
    """
    before = _whose.set(whose)
    try:
        yield
    finally:
        _whose.reset(before)


class Pool:
    """Runs at most ``at_once`` pieces of work at the same time, and lets others wait as long as the queue moves.

    Every process of a server has its own, the children of a fork included.

    Args:
        at_once: How many run at the same time in a process.
        places: How many run or wait in a process for the same one, and in all once the queue has stood; fewer than a
            worker's threads, so that some are left for others.
        patience: How long the queue may stand, and how long one waits for a turn.
        clock: A monotonic clock, in seconds.

    Raises:
        ConfigurationError: There is no room for even one.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        *,
        at_once: int = 1,
        places: int = 4,
        patience: timedelta = timedelta(seconds=10),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not 1 <= at_once <= places or patience <= timedelta():
            message = (
                f"Nobody could log in with {at_once} hashes at once, {places} places and a patience of {patience}. "
                "Let all be more than zero, and the places be as many as the hashes or more."
            )
            raise ConfigurationError(message)
        self._line = PerProcess(lambda: _Line(at_once, places, patience.total_seconds(), clock()))
        # Two threads may make one each, and one is kept: an executor has no threads before there is work.
        self._executor = PerProcess(lambda: _executor(at_once))
        self._patience = patience.total_seconds()
        self._clock = clock

    def run(self, work: Callable[[], _T]) -> _T:
        """Return what ``work`` returns, from a thread of the pool.

        Raises:
            Overloaded: The queue has stood, or the turn did not come in time; ``work`` has not begun.
        """
        line, whose = self._line.get(), _whose.get()
        whose = object() if whose is None else whose
        turn = line.enter(whose, self._clock())
        if turn is None or (not turn.wait(self._patience) and line.give_up(whose, turn)):
            raise Overloaded(_RETRY_AFTER)
        try:
            return self._executor.get().submit(work).result()
        finally:
            line.leave(whose)


class _Line:
    """Those who wait, each behind the others who wait for the same; whose turn it is goes round.

    Args:
        at_once: How many have their turn at the same time.
        places: How many have or await it once the line has stood.
        patience: How long it may stand, in seconds.
        now: The time of a monotonic clock.
    """

    def __init__(self, at_once: int, places: int, patience: float, now: float) -> None:
        self._at_once = at_once
        self._places = places
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Hashable, deque[threading.Event]] = OrderedDict()
        # How many have their turn or await it, by whose they are.
        self._present: Counter[Hashable] = Counter()
        self._running = 0
        # When somebody last came who did not have to wait.
        self._empty_at = now

    def enter(self, whose: Hashable, now: float) -> threading.Event | None:
        """Return what is set when it is one's turn, or ``None`` if one must not wait."""
        turn = threading.Event()
        with self._lock:
            if self._running < self._at_once:
                self._empty_at = now
                self._running += 1
                turn.set()
            elif self._is_full(whose, now):
                return None
            else:
                self._waiting.setdefault(whose, deque()).append(turn)
            self._present[whose] += 1
        return turn

    def give_up(self, whose: Hashable, turn: threading.Event) -> bool:
        """Wait no longer; ``False`` if it is one's turn."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting[whose].remove(turn)
            if not self._waiting[whose]:
                del self._waiting[whose]
            self._forget(whose)
        return True

    def leave(self, whose: Hashable) -> None:
        """Let the next one have their turn."""
        with self._lock:
            self._forget(whose)
            if not self._waiting:
                self._running -= 1
                return
            following, turns = self._waiting.popitem(last=False)
            turns.popleft().set()
            if turns:
                self._waiting[following] = turns

    def _is_full(self, whose: Hashable, now: float) -> bool:
        if self._present[whose] >= self._places:
            return True
        has_stood = now - self._empty_at > self._patience
        return has_stood and (whose in self._waiting or self._present.total() >= self._places)

    def _forget(self, whose: Hashable) -> None:
        self._present[whose] -= 1
        if not self._present[whose]:
            del self._present[whose]


def _executor(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    # Linux knows priorities of threads, others those of processes.
    return ThreadPoolExecutor(threads, "admit-hashing", _step_back if sys.platform == "linux" else None)


def _step_back() -> None:
    """Let the system prefer other threads to this one."""
    thread = threading.get_native_id()
    # Where a sandbox forbids it, hashing works all the same.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)
