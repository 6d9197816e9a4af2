"""What visitors have: a browser that keeps cookies, and a journal of every answer that nobody expected."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from tests.deployment.site import HOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.deployment.site import Outage

__all__ = ["Answer", "Browser", "Fault", "Journal", "Stopped", "Surprise"]

_PATIENCE = 60
# What a page and a problem document say alike of those who are too many.
_BUSY = b"Too many people"
# How long a signal may take to reach a process.
_MOMENT = 0.1


class Answer(NamedTuple):
    """What a request got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Fault(Exception):
    """A request that got no answer, or that the store does not answer; the visit is over."""


class Surprise(Exception):
    """An answer that nobody expected; it is in the journal, and the visit is over."""


class Stopped(Exception):
    """The traffic ends."""


class Failure(NamedTuple):
    """A request that failed: what was asked, from when to when, and what came of it."""

    what: str
    began: float
    ended: float
    outcome: str

    @property
    def is_lost(self) -> bool:
        """Whether there was no answer at all."""
        return not self.outcome.startswith("503")

    def is_due_to(self, outage: Outage) -> bool:
        """Tell whether it was under way while this was broken."""
        late = _MOMENT if self.is_lost else 0.0
        return self.began <= outage.ended + late and self.ended >= outage.began


class Journal:
    """What all visitors have seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.busy: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.surprises: list[str] = []
        self.began = time.monotonic()
        #: How long after their end sessions were let in for the last time, in seconds.
        self.believed: list[float] = []

    def note(self, what: str, status: int) -> None:
        """Note an answer that was expected."""
        with self._lock:
            self.answers[what, status] += 1

    def note_busy(self, what: str) -> None:
        """Note that the bound of the password feature has refused a request."""
        with self._lock:
            self.busy[what] += 1

    def fail(self, what: str, began: float, outcome: str) -> None:
        """Note a request that failed, which may be due to what was broken meanwhile."""
        with self._lock:
            self.failures.append(Failure(what, began, time.monotonic(), outcome))
        raise Fault(outcome)

    def surprise(self, what: str) -> None:
        """Note what should not have happened."""
        with self._lock:
            self.surprises.append(f"{time.monotonic() - self.began:.1f} s: {what}")
        raise Surprise(what)

    def unexplained(self, outages: Sequence[Outage]) -> list[Failure]:
        """Return the failures that no outage accounts for; an answer is lost only with the process that made it."""
        return [
            one
            for one in self.failures
            if not any(one.is_due_to(outage) and one.is_lost == ("worker" in outage.what) for outage in outages)
        ]


class Browser:
    """A browser on some address, behind a proxy that says so, on a connection of its own for each request.

    Args:
        port: Where the site is.
        journal: Where its answers are noted.
        patience: How many seconds it waits for an answer.
    """

    def __init__(self, port: int, journal: Journal, patience: float = _PATIENCE) -> None:
        self.port = port
        self._journal = journal
        self._patience = patience
        self.cookies: dict[str, str] = {}
        # Of the range for benchmarks (RFC 2544).
        self._address = f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"  # noqa: S311 -- no secret

    def get(self, path: str, *expected: int) -> Answer:
        """Ask for something."""
        return self.ask("GET", path, None, expected or (200,))

    def send(self, path: str, body: dict[str, object], *expected: int, method: str = "POST") -> Answer:
        """Send JSON."""
        headers = {"Content-Type": "application/json"}
        return self.ask(method, path, json.dumps(body), expected or (200,), headers)

    def submit(self, path: str, form: dict[str, str], *expected: int) -> Answer:
        """Send a form of a page."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        return self.ask("POST", path, urlencode(form), expected or (200,), headers)

    def ask(
        self, method: str, path: str, body: str | None, expected: Sequence[int], headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request, again after a while if too many log in at once.

        Raises:
            Fault: There was no answer, or none of the store.
            Surprise: The answer is another one than those that were expected.
            Stopped: The traffic ends.
        """
        what = f"{method} {_without_tokens(path)}"
        while not self._journal.stop.is_set():
            began = time.monotonic()
            try:
                answer = self.exchange(method, path, body, headers or {})
            except (OSError, HTTPException) as error:
                self._journal.fail(what, began, type(error).__name__)
            if answer.status in expected:
                self._journal.note(what, answer.status)
                return answer
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or "retry-after" not in answer.headers:
                self._journal.surprise(f"{what}: {answer.status} instead of {expected}: {answer.body[:300]!r}")
            if _BUSY not in answer.body:
                self._journal.fail(what, began, f"503 {answer.body[:200]!r}")
            self._journal.note_busy(what)
            self._journal.stop.wait(float(answer.headers["retry-after"]))
        raise Stopped

    def exchange(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        """Send a request once, keep the cookies of the answer and return it, whatever it is.

        Raises:
            OSError: There was no answer.
            HTTPException: There was half of one.
        """
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        of_proxy = {"Host": HOST, "X-Forwarded-For": self._address, "X-Forwarded-Proto": "https", "Connection": "close"}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self._patience)
        try:
            connection.request(method, path, body, {**of_proxy, "Cookie": cookies, **headers})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._keep(value)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _keep(self, cookie: str) -> None:
        pair, *attributes = cookie.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def _without_tokens(path: str) -> str:
    return "/".join("<…>" if len(part) > 40 else part for part in path.split("/"))
