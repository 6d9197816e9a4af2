"""Users of the tutorial's application who sign in where they were adopted, among other requests: nothing may fail."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import httpx

from tests.adopting.test_adopting import USERS, Tutorial, adopted, go_around

if TYPE_CHECKING:
    from concurrent.futures import Future

    from httpx import Response

    from tests.adopting.test_adopting import Old

__all__ = ["RATE", "SECONDS", "Found", "measure"]

SECONDS, RATE = 6, 50


class Found(NamedTuple):
    """How many logins were right and wrong, and how many other requests were answered and failed."""

    logins: int
    lost: int
    others: int
    failed: int


def measure() -> Found:
    """Adopt the users of a database and put the application under load."""
    with TemporaryDirectory() as folder:
        old = Tutorial("tutorial", Path(folder) / "old.db", sys.executable)
        old.make(USERS)
        with adopted(old) as url:
            logins, others = under_load(url, old)
    good = logins.count([200, 200])
    answered = sum(status in {200, 302, 401} for status in others)
    return Found(good, len(logins) - good, answered, len(others) - answered)


def under_load(url: str, old: Old) -> tuple[list[list[int]], list[int]]:
    """Send so many requests a second, whatever becomes of them, among them one login of each user."""
    logins: list[Future[list[int]]] = []
    others: list[Future[Response]] = []
    every = SECONDS * RATE // len(USERS)
    with httpx.Client(base_url=url, timeout=30) as visitor, ThreadPoolExecutor(64) as clients:
        began = time.monotonic()
        for number in range(SECONDS * RATE):
            # Fifty a second whatever the answers do: who waits for them would spare a slow site.
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            user = USERS[number // every] if number % every == 0 and number // every < len(USERS) else None
            if user is not None:
                logins.append(clients.submit(go_around, url, old.identifier(user), user.password))
            else:
                others.append(clients.submit(visitor.get, "/me" if number % 2 else "/"))
    return [one.result() for one in logins], [one.result().status_code for one in others]
