"""Values that belong to one process: the child of a fork makes its own, whoever forked.

A fork copies the memory of a process but none of its threads. The child then holds sockets that its parent still
talks on, locks that nobody will ever release, and threads that are not there. If it uses them, people get each
other's answers.

``os.register_at_fork`` does not help: only Python's own ``os.fork()`` calls it, and uWSGI forks in C. So nothing here
waits to be told of a fork. Each value is stored under the id of the process that made it, and that id is compared
each time the value is taken (about 0.1 µs).
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Mutex", "PerProcess", "abandon"]

_T = TypeVar("_T")

# Values of a parent process. If they were freed, their connections would be closed, and the parent's with them.
_abandoned: list[object] = []


def abandon(value: object) -> None:
    """Keep an inherited value for as long as this process runs, so that nothing closes or frees it."""
    _abandoned.append(value)


class PerProcess(Generic[_T]):
    """A value that every process makes for itself, the first time that it asks.

    Args:
        make: Makes the value. It may be called by two threads at once, and then one result is thrown away: it must
            not start a thread or open a connection.

    .. versionadded:: 0.2
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._made: dict[int, _T] = {}

    def get(self) -> _T:
        """Return the value of this process."""
        try:
            return self._made[os.getpid()]
        except KeyError:
            return self._make_own()

    def _make_own(self) -> _T:
        # Without a lock: the parent may have held it at the fork. One call of setdefault() can't be interrupted.
        mine = os.getpid()
        value = self._made.setdefault(mine, self._make())
        for owner in list(self._made):
            if owner != mine:
                # A later process may get the same id, so the value can't stay where it is.
                abandon(self._made.pop(owner, None))
        return value


class Mutex:
    """A lock of this process. If the parent held it at the fork, it is free in the child.

    .. versionadded:: 0.2
    """

    def __init__(self) -> None:
        self._lock = PerProcess(_new_lock)

    def acquire(self, *, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock and return whether that worked, as :meth:`threading.Lock.acquire` does."""
        return self._lock.get().acquire(blocking, timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.get().release()

    def __enter__(self) -> None:
        self._lock.get().acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.get().release()


def _new_lock() -> threading.Lock:
    # Looked up now, not when this module is imported: gevent may have replaced it in between.
    return threading.Lock()
