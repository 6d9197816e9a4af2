"""What a flood of logins does to everybody else: gunicorn with threads, and eight clients that log in all the time."""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask

from admit.errors import Overloaded
from admit.features.password.hashing import Hasher
from admit.features.password.pool import Pool
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

WORKERS, THREADS, CLIENTS = 2, 8, 8
SECONDS = 5
ROUNDS = 6
TARGET = 10
#: The pool, and what it is measured against.
WAYS = {
    "pool": "Admit's pool: one at once in a thread that steps back, four places once the queue has stood",
    "lock": "one at once in the threads of the requests, four places",
    "none": "no bound",
}
#: What a client does that is told to come back later: as it was told, or at once.
REFUSED = {"waits": 1.0, "insists": 0.0}

#: What this was on 2026-11-25, with four places from the start: p99 in milliseconds, and logins in a second.
BEFORE = {
    ("pool", "idle"): (1.3, 0),
    ("pool", "waits"): (5.0, 78),
    ("pool", "insists"): (5.0, 33),
    ("lock", "idle"): (1.4, 0),
    ("lock", "waits"): (7.3, 83),
    ("lock", "insists"): (8.6, 58),
    ("none", "idle"): (1.4, 0),
    ("none", "waits"): (21.4, 80),
    ("none", "insists"): (20.6, 81),
}
#: How long the queue may stand here, so that it has when the measuring begins.
PATIENCE = timedelta(seconds=0.5)

HEAD = (
    f"gunicorn with {WORKERS} workers of {THREADS} threads, {CLIENTS} clients that log in all the time, medians of "
    f"{ROUNDS} rounds of {SECONDS} s, in turns. Figures are of another view. A client that is refused waits a second, "
    f"as told, or insists. Target: p99 at most {TARGET} times idle."
)


class Load(NamedTuple):
    """What one round measured: milliseconds of other requests, and logins in a second."""

    median: float
    p99: float
    logins: float = 0
    refused: float = 0


class Unbounded(Pool):
    """Runs whatever comes, where it comes from."""

    def run(self, work: Callable[[], Any]) -> Any:
        """Return what ``work`` returns."""
        return work()


class Locked(Pool):
    """Runs one at a time, in the thread that asks for it."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()
        self._free = threading.Semaphore(4)

    def run(self, work: Callable[[], Any]) -> Any:
        """Return what ``work`` returns."""
        if not self._free.acquire(blocking=False):
            raise Overloaded(1)
        try:
            with self._turn:
                return work()
        finally:
            self._free.release()


def create_app() -> Flask:
    """Return the application: a view that verifies a password, and one that does not."""
    app = Flask(__name__)
    pools = {"pool": partial(Pool, patience=PATIENCE), "lock": Locked, "none": Unbounded}
    hasher = Hasher(pool=pools[os.environ["WAY"]]())

    @app.get("/login")
    def login() -> tuple[str, int]:
        try:
            hasher.verify("wrong horse battery staple", None)
        except Overloaded as error:
            return error.message, error.status
        return "wrong", 401

    @app.get("/other")
    def other() -> dict[str, str]:
        return {"name": "Ada"}

    return app


def measure() -> dict[tuple[str, str], Load]:
    """Return what other requests and logins took, by way and kind of clients; ``idle`` is without any."""
    found: defaultdict[tuple[str, str], list[Load]] = defaultdict(list)
    with ExitStack() as servers:
        ports = {way: servers.enter_context(serving(way)) for way in WAYS}
        # In turns, so that whatever else this machine does falls on all alike.
        for _, (way, port) in product(range(ROUNDS), ports.items()):
            ask_for(port, 0.5)
            found[way, "idle"].append(summary(ask_for(port, SECONDS)))
            for kind, pause in REFUSED.items():
                found[way, kind].append(loaded(port, pause))
    return {case: worth(rounds) for case, rounds in found.items()}


def loaded(port: int, pause: float) -> Load:
    """Return what one round with clients that log in measured."""
    with logging_in(port, pause) as counts:
        taken = ask_for(port, SECONDS)
    logins, refused = counts
    return summary(taken)._replace(logins=logins / SECONDS, refused=refused / SECONDS)


def worth(rounds: list[Load]) -> Load:
    """Return the median of every figure."""
    return Load(*(statistics.median(figures) for figures in zip(*rounds, strict=True)))


def summary(taken: list[float]) -> Load:
    """Return the median and the 99th percentile."""
    return Load(statistics.median(taken), statistics.quantiles(taken, n=100)[98])


@contextmanager
def serving(way: str) -> Iterator[int]:
    """Run the application in gunicorn, loaded before its workers are forked, and yield its port."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--log-level", "error", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)),
        "bench.hashing:create_app()",
    ]
    with running(command, port, os.environ | {"WAY": way}, ROOT):
        yield port


def ask_for(port: int, seconds: float) -> list[float]:
    """Ask for the other view, with a breath in between; return how long each answer took, in milliseconds."""
    taken: list[float] = []
    connection = HTTPConnection("127.0.0.1", port)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        began = time.perf_counter()
        status = get(connection, "/other")
        taken.append((time.perf_counter() - began) * 1e3)
        assert status == 200
        time.sleep(0.003)  # a visitor reads; without it, the load measured would be our own
    return taken


def get(connection: HTTPConnection, path: str) -> int:
    """Return the status of an answer; the server may close a connection at any time, which costs another one."""
    while True:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (HTTPException, OSError):
            connection.close()
        else:
            return answer.status


@contextmanager
def logging_in(port: int, pause: float) -> Generator[list[int]]:
    """Let clients log in, from another process, until the block ends; then the list holds logins and refusals."""
    context = get_context("spawn")
    stop, counts = context.Event(), context.Array("i", 2)
    process = context.Process(target=flood, args=(port, pause, stop, counts))
    process.start()
    found: list[int] = []
    time.sleep(1)  # until all clients are at it
    before = list(counts)
    try:
        yield found
        found += [now - then for now, then in zip(counts, before, strict=True)]
    finally:
        stop.set()
        process.join()


def flood(port: int, pause: float, stop: Any, counts: Any) -> None:
    """Log in with as many threads as there are clients."""
    log_in = partial(log_in_again_and_again, port, pause, stop, counts)
    threads = [threading.Thread(target=log_in) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def log_in_again_and_again(port: int, pause: float, stop: Any, counts: Any) -> None:
    """Log in until it is enough; count the verifications and the refusals."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while not stop.is_set():
        refused = get(connection, "/login") == 503
        with counts.get_lock():
            counts[refused] += 1
        if refused:
            stop.wait(pause)
    with suppress(OSError):
        connection.close()
