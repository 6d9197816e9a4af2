"""Hearing what other processes change in a store: who wants to know, and the thread that listens for them."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from admit.errors import StoreError
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Changes", "Hear", "Tell"]

Tell: TypeAlias = "Callable[[str | None], None]"
Hear: TypeAlias = "Callable[[threading.Event, Tell], None]"

_logger = logging.getLogger("admit.store")

#: How many seconds pass before the store is tried again: twice as many each time, and never more than the second.
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0


class _Ears:
    """What one process hears with."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.stopped = threading.Event()
        self.hears = False
        self.has_complained = False

    def needs_thread(self) -> bool:
        return self.thread is None or not self.thread.is_alive()


class Changes:
    """The subscribers of this process, and the thread that listens for them while there are any.

    The thread outlives every error. It logs the first one, tells all subscribers that anything may have changed, and
    tries again after a pause.

    Args:
        hear: Connects and passes on what it hears, until the event is set or the connection fails. Once it listens it
            passes on ``None``, because nobody knows what was said before.

    .. versionadded:: 0.2
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._drops: tuple[Tell, ...] = ()
        self._watchers: tuple[Callable[[bool], object], ...] = ()
        self._ears = PerProcess(_Ears)

    @property
    def are_heard(self) -> bool:
        """Whether this process hears of changes at this moment."""
        return self._ears.get().hears

    def watch(self, tell: Callable[[bool], object]) -> None:
        """Call ``tell`` with ``True`` when this process begins to hear changes, with ``False`` at a try that fails."""
        self._watchers += (tell,)

    def subscribe(self, drop: Tell) -> Callable[[], None]:
        """Call ``drop`` with what is heard; return what stops that."""
        with self._ears.get().lock:
            self._drops += (drop,)
        self.keep_listening()
        return lambda: self._unsubscribe(drop)

    def keep_listening(self) -> None:
        """Start the thread if there are subscribers and no thread: after a fork there is none."""
        if self._drops and self._ears.get().needs_thread():
            self._start(self._ears.get())

    def stop(self) -> None:
        """Stop the thread and wait until it has gone."""
        ears = self._ears.get()
        with ears.lock:
            thread, ears.thread = ears.thread, None
            self._drops = ()
            ears.stopped.set()
        if thread is not None:
            thread.join()

    def _start(self, ears: _Ears) -> None:
        with ears.lock:
            if not (self._drops and ears.needs_thread()):
                return
            ears.stopped = threading.Event()
            run = partial(self._run, ears, ears.stopped)
            thread = threading.Thread(target=run, name="admit-changes", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no more threads can be started; the next look-up tries again
                self._complain(ears, error)
            else:
                ears.thread = thread

    def _unsubscribe(self, drop: Tell) -> None:
        with self._ears.get().lock:
            self._drops = tuple(one for one in self._drops if one is not drop)
        if not self._drops:
            self.stop()

    def _run(self, ears: _Ears, stopped: threading.Event) -> None:
        retry = _FIRST_RETRY
        while not stopped.is_set():
            began = monotonic()
            self._listen(ears, stopped)
            lasted = monotonic() - began > _LAST_RETRY
            retry = _FIRST_RETRY if lasted else min(retry * 2, _LAST_RETRY)
            stopped.wait(retry)

    def _listen(self, ears: _Ears, stopped: threading.Event) -> None:
        try:
            self._hear(stopped, partial(self._pass_on, ears))
        except Exception as error:  # noqa: BLE001 -- a thread that ends would leave this process deaf for good
            self._complain(ears, error)
        finally:
            # In this order: what is put into a cache in between is dropped with all the rest.
            ears.hears = False
            self._tell(None)

    def _pass_on(self, ears: _Ears, session_id: str | None) -> None:
        self._tell(session_id)
        if ears.hears:
            return
        # After the subscribers have dropped what they had: from now on they may keep things again.
        ears.hears = True
        self._tell_watchers(hears=True)
        if ears.has_complained:
            ears.has_complained = False
            _logger.warning("This process hears again what other processes change.")

    def _tell(self, session_id: str | None) -> None:
        for drop in self._drops:
            try:
                drop(session_id)
            except Exception:
                _logger.exception("A subscriber of changes failed. Its function must not raise.")

    def _tell_watchers(self, *, hears: bool) -> None:
        for tell in self._watchers:
            with suppress(Exception):  # who counts must not end the thread
                tell(hears)

    def _complain(self, ears: _Ears, error: Exception) -> None:
        """Tell the watchers that nothing is heard, and log why: once, until something is heard again."""
        self._tell_watchers(hears=False)
        if ears.has_complained:
            return
        ears.has_complained = True
        # The text of a driver's error says enough; what nobody expected needs its traceback.
        trace = None if isinstance(error, StoreError) else error
        words = "This process does not hear what other processes change (%s). It asks the store at each request."
        _logger.error(words, type(error.__cause__ or error).__name__, exc_info=trace)
