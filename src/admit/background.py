"""Sending mails behind a request's back, so that it neither waits for a mail server nor fails with it."""

from __future__ import annotations

import atexit
import hashlib
import heapq
import logging
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from admit.errors import MailRefused
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.mail import Message, Sender

__all__ = ["BackgroundSender"]

_logger = logging.getLogger("admit.mail")

# By how much each pause is longer than the one before.
_GROWTH = 3
# How long a process that ends waits for its mails (seconds).
_AT_EXIT = 3.0

_all_senders: weakref.WeakSet[BackgroundSender] = weakref.WeakSet()


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    """A message that waits, and for how long; the earliest is the least."""

    at: float
    number: int
    message: Message = field(compare=False)
    attempt: int = field(default=1, compare=False)


class _Queue:
    """What one process has to send: what its parent queued, the parent sends."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[_Due] = []
        self.is_sending = False
        self.thread: threading.Thread | None = None
        self.dropped = 0

    def put(self, due: _Due) -> None:
        heapq.heappush(self.waiting, due)
        self.changed.notify_all()

    def is_idle(self) -> bool:
        return not self.waiting and not self.is_sending


class BackgroundSender:
    """Passes messages on to another sender, on one thread of this process, and tries again what fails for now.

    Nobody is told by :meth:`send` whether a mail went out: it only puts the message in a queue. What is in the queue
    when the process dies is lost, and the person asks for another mail.

    Args:
        sender: Who sends in the end.
        capacity: How many messages may wait; more are dropped, which is logged and counted.
        attempts: How often a message is tried.
        delay: How many seconds a message waits before it is first tried. By then the answer to the request is out:
            were the work to begin at once, it would take the interpreter from it, and the time of the answer would
            tell that there was a mail to send.
        first_wait: How many seconds until the second try; each pause is three times as long as the one before.
        clock: Seconds, of any beginning.
        wait: Waits for a condition that is held, with a timeout in seconds or ``None``.

    .. versionadded:: 0.2
    """

    def __init__(  # noqa: PLR0913 -- bounds and times, each with a default
        self,
        sender: Sender,
        *,
        capacity: int = 1000,
        attempts: int = 5,
        delay: float = 0.1,
        first_wait: float = 10.0,
        clock: Callable[[], float] = monotonic,
        wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
    ) -> None:
        self._sender = sender
        self._capacity, self._attempts = capacity, attempts
        self._delay, self._first_wait = delay, first_wait
        self._clock, self._wait = clock, wait
        self._numbers = count()
        #: Is told what came of each try: ``sent``, ``postponed``, ``failed`` for good, or ``dropped``.
        self.tell: Callable[[str], object] = _nothing
        self._queue = PerProcess(_Queue)
        _all_senders.add(self)

    @property
    def sender(self) -> Sender:
        """Who sends in the end."""
        return self._sender

    @property
    def dropped(self) -> int:
        """How many messages this process dropped because too many waited."""
        return self._queue.get().dropped

    def send(self, message: Message) -> None:
        """Put a message in the queue; this never waits for a server and never fails."""
        queue = self._queue.get()
        with queue.changed:
            if len(queue.waiting) >= self._capacity:
                queue.dropped += 1
                self._tell("dropped")
                _logger.error("The mail to %s was dropped: %d wait already.", _pseudonym(message), self._capacity)
                return
            queue.put(_Due(self._clock() + self._delay, next(self._numbers), message))
            self._keep_working(queue)

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is left to do, for at most ``timeout`` seconds; tell whether nothing is."""
        queue = self._queue.get()
        with queue.changed:
            return queue.changed.wait_for(queue.is_idle, timeout)

    def _keep_working(self, queue: _Queue) -> None:
        if queue.thread is not None and queue.thread.is_alive():
            return
        thread = threading.Thread(target=self._work, args=(queue,), name="admit-mail", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had. The message stays, and the next one tries again.
            _logger.exception("Mails wait, because no thread could be started.")
        else:
            queue.thread = thread

    def _work(self, queue: _Queue) -> None:
        while True:
            due = self._next(queue)
            later = None
            try:
                later = self._attempt(due)
            finally:
                self._finish(queue, later)

    def _next(self, queue: _Queue) -> _Due:
        with queue.changed:
            while (pause := self._pause(queue)) is None or pause > 0:
                self._wait(queue.changed, pause)
            queue.is_sending = True
            return heapq.heappop(queue.waiting)

    def _pause(self, queue: _Queue) -> float | None:
        return queue.waiting[0].at - self._clock() if queue.waiting else None

    def _finish(self, queue: _Queue, later: _Due | None) -> None:
        with queue.changed:
            queue.is_sending = False
            if later:
                queue.put(later)
            queue.changed.notify_all()

    def _attempt(self, due: _Due) -> _Due | None:
        """Send a message; return when to try again, if that makes sense."""
        try:
            self._sender.send(due.message)
        except OSError as error:
            return self._postponed(due, error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next message has its turn
            self._give_up(due, error)
        else:
            self._tell("sent")
        return None

    def _postponed(self, due: _Due, error: OSError) -> _Due | None:
        if due.attempt >= self._attempts:
            self._give_up(due, error)
            return None
        self._tell("postponed")
        pause = self._first_wait * _GROWTH ** (due.attempt - 1)
        words = "The mail to %s did not go out (%s). It is tried again in %g s."
        _logger.warning(words, _pseudonym(due.message), _reason(error), pause)
        return replace(due, at=self._clock() + pause, attempt=due.attempt + 1)

    def _give_up(self, due: _Due, error: Exception) -> None:
        self._tell("failed")
        words = "The mail to %s is given up after try %d (%s)."
        _logger.error(words, _pseudonym(due.message), due.attempt, _reason(error))

    def _tell(self, outcome: str) -> None:
        # Who counts may fail, and neither the request nor the thread is to end with it.
        try:
            self.tell(outcome)
        except Exception:
            _logger.exception("What became of a mail could not be counted.")


def _nothing(_outcome: str) -> None:
    pass


def _reason(error: Exception) -> str:
    # Never its text: servers repeat what they were told, and others may repeat the message.
    code = error.code if isinstance(error, MailRefused) else getattr(error, "smtp_code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def _pseudonym(message: Message) -> str:
    """Name a recipient in a log: the same one the same, and nobody by address."""
    return hashlib.sha256(message.to.encode()).hexdigest()[:8]


def _finish_all() -> None:
    """Give mails that wait a last chance when the process ends."""
    deadline = monotonic() + _AT_EXIT
    for sender in list(_all_senders):
        with suppress(Exception):
            sender.flush(max(0.0, deadline - monotonic()))


atexit.register(_finish_all)
