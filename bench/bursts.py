"""A class that signs in at the same moment: a hundred people behind one address, at `admit run` and at gunicorn."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from admit import operations, tokens
from admit.features.password.hashing import Hasher
from admit.gate import Gate
from admit.model import Credential
from admit.stores.sql import SqlStore
from bench import services
from bench.faults.proxy import Proxy
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BEFORE", "DISTANCE", "FAR_PEOPLE", "LONGEST", "PEOPLE", "SERVERS", "Burst", "measure", "measure_far"]

PEOPLE = 100
#: How long the last of them may wait, in seconds.
LONGEST = 10
#: How many got in on 2026-11-30, with four places.
BEFORE = {"admit run": 0, "gunicorn, 2 workers of 8 threads": 0}
#: How many sign in at once while the database is far away, and how many seconds a question takes there and back.
FAR_PEOPLE, DISTANCE = 20, 0.1
PASSWORD = "violet anchors drift slowly"  # noqa: S105 -- nobody's
SERVERS = {
    "admit run": ("admit.server", "run", "--host", "127.0.0.1"),
    "gunicorn, 2 workers of 8 threads": (
        *("gunicorn", "--preload", "--log-level", "error", "--worker-class", "gthread"),
        *("--workers", "2", "--threads", "8", "admit.server:create_app()"),
    ),
}


class Burst(NamedTuple):
    """What came of one: how many got in, what the others were answered, and seconds."""

    server: str
    signed_in: int
    others: dict[int, int]
    median: float
    longest: float

    @property
    def is_good(self) -> bool:
        """Whether all got in in time."""
        return not self.others and self.longest <= LONGEST


def measure() -> list[Burst]:
    """Let everybody sign in at each server, once."""
    with TemporaryDirectory() as folder:
        urls = {name: f"sqlite:///{folder}/{number}.db" for number, name in enumerate(SERVERS)}
        for url in urls.values():
            fill(url)
        return [burst(name, url, Path(folder), PEOPLE) for name, url in urls.items()]


def measure_far() -> list[Burst]:
    """Let some sign in at the same moment while PostgreSQL, with the records of events, is far away."""
    with TemporaryDirectory() as folder, services.postgres() as url:
        if url is None:
            return []
        fill(url)
        target = urlsplit(url).port
        proxy = Proxy(int(target or 5432), delay=DISTANCE / 2)
        far = url.replace(f":{target}/", f":{proxy.port}/")
        with proxy.running(), proxy.doing("delays"):
            return [burst(name, far, Path(folder), FAR_PEOPLE) for name in SERVERS]


def burst(name: str, url: str, folder: Path, people: int) -> Burst:
    """Let people sign in at the same moment."""
    with serving(name, url, folder) as port:
        sign_in(port, 0)  # what is loaded at the first login is loaded
        found = at_once(port, people)
    taken = sorted(seconds for _, seconds in found)
    statuses = Counter(status for status, _ in found)
    signed_in = statuses.pop(200, 0)
    return Burst(name, signed_in, dict(statuses), taken[len(taken) // 2], taken[-1])


def fill(url: str) -> None:
    """Make the accounts, all with one password."""
    store, now = SqlStore(url), datetime.now(UTC)
    store.create()
    gate, hashed = Gate(store), Hasher().hash(PASSWORD)
    for number in range(PEOPLE):
        account = operations.new_account(at=now, username=f"pupil{number}")
        secret = Credential(tokens.new_id(), "password", account.id, account.id, hashed, now)
        operations.create_account(gate, store, account, secret)
    store.close()


@contextmanager
def serving(name: str, url: str, folder: Path) -> Iterator[int]:
    """Run a server, and yield its port."""
    port = free_port()
    listen = ("--port", str(port)) if name == "admit run" else ("--bind", f"127.0.0.1:{port}")
    environment = os.environ | {
        "ADMIT_DB": url,
        "ADMIT_MAIL_URL": "smtp://127.0.0.1:9",
        "ADMIT_MAIL_SENDER": "site@school.example",
        "ADMIT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ADMIT_SECRET_KEY": tokens.new_secret(),
        "PYTHONPATH": str(ROOT),
    }
    with running([sys.executable, "-m", *SERVERS[name], *listen], port, environment, folder):
        yield port


def at_once(port: int, people: int) -> list[tuple[int, float]]:
    """Return what everybody was answered, and after how many seconds."""
    start, found = threading.Barrier(people), list[tuple[int, float]]()

    def one(number: int) -> None:
        start.wait()
        began = time.perf_counter()
        status = sign_in(port, number)
        found.append((status, time.perf_counter() - began))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def sign_in(port: int, number: int) -> int:
    """Return the status of an answer; 0 for none."""
    body = json.dumps({"identifier": f"pupil{number}", "password": PASSWORD})
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/api/account/sign-in", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (HTTPException, OSError):
        return 0
    else:
        return answer.status
    finally:
        connection.close()
