"""Stores that do something before their n-th call, or fail at it: for whatever may come between two steps."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from admit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Steps:
    """Counts the calls of the stores that are made of it, and acts before one of them."""

    def __init__(self) -> None:
        self.count = 0
        #: The verbs that were called before it acted.
        self.verbs: list[str] = []
        self._at: int | None = None
        self._lasts = False
        self._act: Callable[[], object] = fail

    def watched(self, store: Any) -> Any:
        """Return a store whose calls are counted."""
        return _Watched(store, self._before)

    @contextmanager
    def acting(self, act: Callable[[], object], at: int, *, lasting: bool = False) -> Iterator[None]:
        """Count calls from now on, and act before the one with this number, the first being 1, or from that one on."""
        self.count, self.verbs, self._at, self._act, self._lasts = 0, [], at, act, lasting
        try:
            yield
        finally:
            self._at = None

    def _before(self, verb: str) -> None:
        if self._at is None:
            return
        self.count += 1
        if self.count < self._at:
            self.verbs.append(verb)
        if self.count == self._at or (self._lasts and self.count > self._at):
            at, self._at = self._at, None
            try:
                self._act()
            finally:
                self._at = at


def fail() -> None:
    """Raise what a lost connection raises."""
    message = "the connection was lost"
    raise StoreError(message)


def aside(act: Callable[[], object]) -> Callable[[], None]:
    """Return what does something in a thread of its own, as another request does, and waits for it."""

    def run() -> None:
        raised: list[BaseException] = []

        def tried() -> None:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
                raised.append(error)

        thread = Thread(target=tried)
        thread.start()
        thread.join()
        if raised:
            raise raised[0]

    return run


class _Watched:
    def __init__(self, store: Any, before: Callable[[str], None]) -> None:
        for name in dir(store):
            if not name.startswith("_"):
                # Put on the proxy itself: since Python 3.12, what only __getattr__ knows does not make it a store.
                found = getattr(store, name)
                setattr(self, name, _counted(name, found, before) if callable(found) else found)


def _counted(name: str, verb: Callable[..., Any], before: Callable[[str], None]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        before(name)
        return verb(*arguments, **options)

    return call
