"""Connections to a store that are open and that no thread is using."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Idle"]

#: How many seconds a connection may stay unused before it is closed.
_LONGEST = 30.0

_T = TypeVar("_T")


class Idle(Generic[_T]):
    """The idle connections of this process: any thread may take one, and surplus ones are closed after a while.

    The connection that was returned last is taken first. So after a burst of requests only the connections that are
    still needed stay in use, and the others grow old.

    Args:
        close: Closes a connection.
        longest: How many seconds a connection may stay unused.
        clock: A monotonic clock, in seconds.

    .. versionadded:: 0.2
    """

    def __init__(
        self, close: Callable[[_T], object], *, longest: float = _LONGEST, clock: Callable[[], float] = monotonic
    ) -> None:
        self._close = close
        self._longest = longest
        self._clock = clock
        self._idle: PerProcess[deque[tuple[_T, float]]] = PerProcess(deque)

    def take(self) -> tuple[_T, float] | None:
        """Return a connection and how many seconds it was unused, or ``None``; it now belongs to the caller."""
        try:
            connection, since = self._idle.get().pop()
        except IndexError:
            return None
        return connection, self._clock() - since

    def put(self, connection: _T) -> None:
        """Return a connection that works, and close the ones that were unused for too long."""
        self._idle.get().append((connection, self._clock()))
        self.close_unused()

    def close_unused(self) -> None:
        """Close the connections that were unused for too long."""
        idle, latest = self._idle.get(), self._clock() - self._longest
        while idle and idle[0][1] < latest:
            self._close_one(idle)

    def close(self) -> None:
        """Close all connections that are idle."""
        idle = self._idle.get()
        while idle:
            self._close_one(idle)

    def _close_one(self, idle: deque[tuple[_T, float]]) -> None:
        try:
            connection, _ = idle.popleft()
        except IndexError:
            return  # another thread took the last one
        self._close(connection)
