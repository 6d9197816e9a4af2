"""Servers that fork in C: each answer is its own user's, and every process hears of revocations."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from admit.stores.sql import SqlStore
from tests.conftest import could_not_run
from tests.serving import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.deployed

PEOPLE, PROCESSES, ROUNDS = 8, 4, 40
PATIENCE = 30.0


class Visitor:
    """A browser without a person: it keeps one cookie."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookie = ""

    def ask(self, method: str, path: str) -> tuple[int, str]:
        """Send a request, and return the status and the text of its answer."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.request(method, path, headers={"Cookie": self.cookie} if self.cookie else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        given = answer.getheader("Set-Cookie")
        if given:
            self.cookie = given.partition(";")[0]
        connection.close()
        return answer.status, text


@contextmanager
def forked(store: str, *options: str, ask_first: str) -> Iterator[int]:
    """Serve the application by several processes of uWSGI, and yield the port."""
    port, program = free_port(), Path(sys.executable).with_name("uwsgi")
    if not program.exists():
        could_not_run("there is no uWSGI for this Python")
    uwsgi = [str(program), "--http-socket", f"127.0.0.1:{port}", "--die-on-term"]
    serve = ["--master", "--processes", str(PROCESSES), "--module", "tests.deployment.whoami:app", "--need-app"]
    environment = os.environ | {"STORE": store, "ASK_FIRST": ask_first}
    with running([*uwsgi, *serve, "--disable-logging", *options], port, environment):
        yield port


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of each kind of store in turn, with its tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/app.db"
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    url = str(request.getfixturevalue("postgres_server").url)
    sql = SqlStore(url)
    sql.create()
    sql.close()
    return url


@pytest.mark.parametrize(
    ("options", "ask_first"),
    [((), ""), ((), "request"), (("--lazy-apps",), ""), (("--enable-threads",), "store")],
    ids=["asked after the fork", "asked before the fork", "lazy", "with threads"],
)
def test_everybody_is_answered_as_themselves(store: str, options: tuple[str, ...], ask_first: str) -> None:
    """Under uWSGI nobody gets another's answer, and whoever is signed out by one process is out in all of them."""
    with forked(store, *options, ask_first=ask_first) as port:
        visitors = [Visitor(port) for _ in range(PEOPLE)]
        for number, visitor in enumerate(visitors):
            assert visitor.ask("POST", f"/login/{number}")[0] == 200

        def hammer(number: int) -> Counter[tuple[int, str]]:
            answers = (visitors[number].ask("GET", "/me") for _ in range(ROUNDS))
            return Counter((status, text.partition(" ")[0]) for status, text in answers)

        with ThreadPoolExecutor(PEOPLE) as threads:
            answers = list(threads.map(hammer, range(PEOPLE)))
        assert answers == [Counter({(200, str(number)): ROUNDS}) for number in range(PEOPLE)]
        assert visitors[-1].ask("POST", "/revoke/0")[0] == 200
        # What a process has at hand lasts for an hour there: that it is gone was heard.
        deadline = time.monotonic() + PATIENCE
        while {visitors[0].ask("GET", "/me")[0] for _ in range(5 * PROCESSES)} != {401}:
            assert time.monotonic() < deadline, "somebody who was signed out is still in"
        assert visitors[1].ask("GET", "/me")[1].startswith("1 ")
