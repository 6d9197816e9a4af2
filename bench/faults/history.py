"""What happened: each request of a client, with when it began and ended, and what its answer said."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

__all__ = ["LIMIT", "History", "Operation"]

#: How many operations one history holds; then the clients stop.
LIMIT = 200_000
_NO_ANSWER, _UNAVAILABLE = 0, 503


class Operation(NamedTuple):
    """One request, as its client saw it; times are seconds of ``time.monotonic()``."""

    what: str
    #: Whose client it was.
    person: str
    began: float
    ended: float
    #: The status of the answer; 0 if no answer arrived.
    status: int
    #: The id of the session that it was sent with, and of the one that the answer gave.
    session: str = ""
    given: str = ""
    #: The session that it was to end, or the challenge that it was to take.
    target: str = ""
    #: Which of the person's passwords it showed, or made to count: they are numbered.
    secret: int = 0
    #: What several clients try at the same moment, of whom one may win.
    race: str = ""
    #: Who or what the answer named: an address, a session, or the code of a refusal.
    said: str = ""
    #: Whether the client has lost the answer on purpose.
    is_dropped: bool = False
    #: Whether the answer said when to try again.
    says_when: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can tell if it was done."""
        return self.is_dropped or self.status in {_NO_ANSWER, _UNAVAILABLE}

    @property
    def is_done(self) -> bool:
        """Whether the answer says that it was done."""
        return not self.is_unknown and 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        """Whether the answer says that its session is over."""
        return not self.is_unknown and self.status == 401 and self.said.startswith("session")

    @property
    def until(self) -> float:
        """When it was done at the latest; never, if that is unknown."""
        return float("inf") if self.is_unknown else self.ended


class History:
    """The operations of all clients of one site.

    Args:
        limit: How many it holds.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.operations: list[Operation] = []
        self.stop = threading.Event()
        self._limit = limit
        self._lock = threading.Lock()

    def add(self, operation: Operation) -> Operation:
        """Keep an operation, and return it; the clients stop when there are too many."""
        with self._lock:
            self.operations.append(operation)
            if len(self.operations) >= self._limit:
                self.stop.set()
        return operation

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until the clients are to stop; tell whether they are."""
        return self.stop.wait(seconds)

    @staticmethod
    def now() -> float:
        """Return the time as operations have it."""
        return time.monotonic()
