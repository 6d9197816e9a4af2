"""A bounded pool for what takes a processor and much memory: few at once, few in the queue, the rest is told to wait.

Without a bound, a burst of logins takes all memory (19 MiB each) and all processors, and everybody else waits for it.
A lock in the threads of the requests would bound the memory. Threads of the pool's own, which the system runs when
nobody else wants the processor, also keep other requests fast: under eight clients that log in all the time, p99 of
others was 1.3 to 1.7 times idle, 2.2 with a lock, and 8 to 12 without a bound (``python -m bench hashing``).
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from admit.errors import ConfigurationError, Overloaded
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Pool"]

_T = TypeVar("_T")

#: Ten of nineteen: what serves requests gets nine tenths of a processor that both want. The last step would leave
#: logins next to nothing on a machine that is busy with something else.
_NICENESS = 10
#: A queue is empty again in a fraction of this.
_RETRY_AFTER = 1


class Pool:
    """Runs at most ``at_once`` pieces of work at the same time, and lets few wait for their turn.

    Every process of a server has its own, the children of a fork included.

    Args:
        at_once: How many run at the same time in a process.
        places: How many run or wait in a process; fewer than a worker's threads, so that some are left for others.
        patience: How long one waits for its turn.

    Raises:
        ConfigurationError: There is no room for even one.

    .. versionadded:: 0.2
    """

    def __init__(self, *, at_once: int = 1, places: int = 4, patience: timedelta = timedelta(seconds=5)) -> None:
        if not 1 <= at_once <= places or patience <= timedelta():
            message = (
                f"Nobody could log in with {at_once} hashes at once, {places} places and a patience of {patience}. "
                "Let all be more than zero, and the places be as many as the hashes or more."
            )
            raise ConfigurationError(message)
        self._patience = patience.total_seconds()
        self._places = PerProcess(lambda: threading.Semaphore(places))
        # Two threads may make one each, and one is kept: an executor has no threads before there is work.
        self._executor = PerProcess(lambda: _executor(at_once))

    def run(self, work: Callable[[], _T]) -> _T:
        """Return what ``work`` returns, from a thread of the pool.

        Raises:
            Overloaded: All places are taken, or the turn did not come in time; ``work`` has not begun.
        """
        places = self._places.get()
        if not places.acquire(blocking=False):
            raise Overloaded(_RETRY_AFTER)
        try:
            return self._result(self._executor.get().submit(work))
        finally:
            places.release()

    def _result(self, future: Future[_T]) -> _T:
        from concurrent.futures import wait

        wait([future], self._patience)
        # What has begun can't be stopped and is over soon.
        if future.cancel():
            raise Overloaded(max(_RETRY_AFTER, round(self._patience)))
        return future.result()


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
