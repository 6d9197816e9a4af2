"""The breach check: asks without telling, and refuses nobody when it can't."""

from __future__ import annotations

import hashlib
import logging
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

import pytest

from admit.features.password.breaches import RangeBreachCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

BREACHED = "correct horse battery staple"
DIGEST = hashlib.sha1(BREACHED.encode()).hexdigest().upper()  # noqa: S324 -- the protocol's


class Ranges(BaseHTTPRequestHandler):
    """A range service that knows one password."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        """Answer with the range, if it is the one, among padding."""
        self.asked.append((self.path, self.headers["Add-Padding"]))
        self.send_response(200)
        self.end_headers()
        known = f"{DIGEST[5:].lower()}:42\r\n" if self.path.endswith(DIGEST[:5]) else ""
        self.wfile.write(f"{'0' * 35}:0\r\n{known}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """Return the address of a range service."""
    with HTTPServer(("127.0.0.1", 0), Ranges) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        Ranges.asked.clear()
        yield f"http://127.0.0.1:{server.server_port}/range/"
        server.shutdown()
        thread.join()


def test_it_tells_no_password(url: str) -> None:
    """Five digits of a hash are all that the service sees, and its answer is understood."""
    check = RangeBreachCheck(url)
    assert check.count(BREACHED) == 42
    assert check.count("the moon is made of green cheese") == 0
    assert Ranges.asked[0] == (f"/range/{DIGEST[:5]}", "true")


@pytest.mark.parametrize("failure", [OSError("unreachable"), ValueError("no URL")])
def test_a_service_that_is_down(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is refused by a service that does not answer; a line in the log says so, without the password."""

    def fetch(prefix: str) -> str:
        raise failure

    with caplog.at_level(logging.WARNING):
        assert RangeBreachCheck(fetch=fetch).count(BREACHED) == 0
    assert "breach check did not answer" in caplog.text
    assert BREACHED not in caplog.text


def test_an_answer_that_is_none() -> None:
    """A page of some other kind is no answer."""
    assert RangeBreachCheck(fetch=lambda _: "<html>\nnot found: at all: here").count(BREACHED) == 0
