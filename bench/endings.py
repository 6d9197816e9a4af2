"""Ending the 20,000 sessions of one account while other people, and the same account, sign in."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.model import Ending, EndReason
from admit.stores import open_store
from admit.testing import a_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["LONGEST", "SESSIONS", "Waiting", "measure"]

SESSIONS = 20_000
#: How long a sign-in may wait, in milliseconds.
LONGEST = 100.0
_PAUSE = 0.005


class Waiting(NamedTuple):
    """How long the ending took, in seconds, and how long sign-ins waited, in milliseconds."""

    name: str
    seconds: float
    others: int
    others_longest: float
    same_longest: float
    idle_longest: float


def measure(name: str, url: str, now: datetime) -> Waiting:
    """Fill a store, end everything of one account, and time what two threads add in the meantime."""
    store: Any = open_store(url)
    getattr(store, "create", lambda: None)()
    for _ in range(SESSIONS):
        store.add_session(a_session(subject="ada"))
    idle = _signing_in(store, ["idle"], lambda: time.sleep(1))  # a second of sign-ins with nothing else going on
    ended: list[float] = []

    def end() -> None:
        began = time.monotonic()
        count = store.delete_sessions("ada", ending=Ending(EndReason.REVOKED, now))
        ended.append(time.monotonic() - began)
        assert count >= SESSIONS, count

    waited = _signing_in(store, ["bob", "ada"], end)
    store.close()
    return Waiting(name, ended[0], len(waited["bob"]), max(waited["bob"]), max(waited["ada"]), max(idle["idle"]))


def _signing_in(store: Any, subjects: list[str], meanwhile: Callable[[], None]) -> dict[str, list[float]]:
    """Add sessions of these subjects in threads while a function runs, and return how long each took."""
    taken: dict[str, list[float]] = {subject: [] for subject in subjects}
    done = threading.Event()

    def sign_in(subject: str) -> None:
        while not done.is_set():
            began = time.monotonic()
            store.add_session(a_session(subject=subject))
            taken[subject].append((time.monotonic() - began) * 1e3)
            time.sleep(_PAUSE)  # a person comes every few milliseconds, and does not insist

    threads = [threading.Thread(target=sign_in, args=[subject]) for subject in subjects]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return taken
