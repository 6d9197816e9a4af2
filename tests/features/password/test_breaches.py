"""Known leaks: five digits leave the machine, and nobody is kept from a password by somebody else's outage."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from admit.errors import ConfigurationError, InvalidInput
from admit.features.password.breaches import RangeBreachCheck, fetch_by_url
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.features.password.breaches import BreachCheck

LEAKED, DECOMPOSED = "caf\u00e9 au lait", "cafe\u0301 au lait"
DIGEST = hashlib.sha1(LEAKED.encode(), usedforsecurity=False).hexdigest().upper()
SECOND = timedelta(seconds=5)

Asked = list[tuple[str, dict[str, str]]]


@contextmanager
def service(
    answer: bytes, *, status: int = 200, wait: Event | None = None, location: str = ""
) -> Iterator[tuple[str, Asked]]:
    """Serve one answer to every range, and yield the address and what was asked."""
    asked: Asked = []

    class Ranges(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            if wait:
                wait.wait(30)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            # Whoever asked may have lost patience.
            with suppress(ConnectionError):
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/range/", asked
        finally:
            if wait:
                wait.set()
            server.shutdown()
            thread.join()


def checking(url: str, timeout: timedelta = SECOND) -> BreachCheck:
    """Return a check that asks this address."""
    return RangeBreachCheck(fetch_by_url(url, timeout=timeout))


def lines(*found: str) -> bytes:
    """Return an answer as services give it, with padding."""
    return "\r\n".join([f"{'0' * 35}:3", *found, f"{'F' * 35}:0"]).encode()


def test_a_leaked_password_is_counted() -> None:
    """A password that was seen is counted, in both spellings, and another one of the range is not."""
    with service(lines(f"{DIGEST[5:]}:1234")) as (url, _):
        assert checking(url).count(LEAKED) == 1234
        assert checking(url).count(DECOMPOSED) == 1234
        assert checking(url).count("never seen by anybody") == 0


def test_a_padding_line_is_no_leak() -> None:
    """Lines that only pad the answer have the count 0, which is what is returned."""
    with service(lines(f"{DIGEST[5:].lower()}:0")) as (url, _):
        assert checking(url).count(LEAKED) == 0


def test_five_digits_leave_the_machine() -> None:
    """The service learns five digits of the hash, is asked for padding, and hears nothing else of the password."""
    with service(lines()) as (url, asked):
        checking(url).count(LEAKED)
    [(path, headers)] = asked
    assert path == f"/range/{DIGEST[:5]}"
    assert headers["Add-Padding"] == "true"
    assert not any(DIGEST[5:] in value or "caf" in value for value in headers.values())


def slow(url: str) -> BreachCheck:
    """Return a check with little patience."""
    return checking(url, timedelta(milliseconds=50))


@pytest.mark.parametrize(
    ("answer", "status", "waits", "make"),
    [
        (b"", 500, False, checking),
        (b"", 404, False, checking),
        (b"", 429, False, checking),
        (b"\xff\xfe", 200, False, checking),
        (lines(f"{DIGEST[5:]}:many"), 200, False, checking),
        (lines(f"{DIGEST[5:]}"), 200, False, checking),
        (lines(), 200, True, slow),
    ],
    ids=["500", "404", "429", "no text", "no number", "no count", "silence"],
)
def test_a_service_that_fails_blocks_nobody(
    *, answer: bytes, status: int, waits: bool, make: Callable[[str], BreachCheck], caplog: pytest.LogCaptureFixture
) -> None:
    """Errors, junk and silence count as unseen, and are logged without the password or its hash (attack 68)."""
    with service(answer, status=status, wait=Event() if waits else None) as (url, _), caplog.at_level(logging.DEBUG):
        assert make(url).count(LEAKED) == 0
    assert "was not checked" in caplog.text
    assert not any(secret in caplog.text for secret in (LEAKED, DIGEST[:5], DIGEST[5:]))


def test_a_service_leads_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """A service that was taken over can't send this machine to what only it can reach."""
    with service(lines(f"{DIGEST[5:]}:9")) as (inside, asked), service(b"", status=302, location=inside) as (url, _):
        assert checking(url).count(LEAKED) == 0
    assert asked == []
    assert "was not checked" in caplog.text


def test_nobody_there_blocks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A service that can't be reached counts as one that has seen nothing."""
    assert checking(f"http://127.0.0.1:{free_port()}/").count(LEAKED) == 0
    assert "was not checked" in caplog.text


def test_any_function_may_fetch() -> None:
    """An application may ask by its own means, such as a file or an HTTP client that it has."""
    asked: list[str] = []

    def fetch(prefix: str) -> str:
        asked.append(prefix)
        return f"{DIGEST[5:]}:7"

    assert RangeBreachCheck(fetch).count(LEAKED) == 7
    assert asked == [DIGEST[:5]]


def test_what_is_no_password_is_not_asked_about() -> None:
    """What can't be a password is refused as everywhere."""
    with pytest.raises(InvalidInput):
        RangeBreachCheck(pytest.fail).count("\0")


@pytest.mark.parametrize("url", ["", "file:///etc/", "ftp://example.org/", "https://example.org/range", "example.org/"])
def test_only_addresses_of_http_are_asked(url: str) -> None:
    """An address of a file, of another protocol or without its slash is refused when the application starts."""
    with pytest.raises(ConfigurationError, match="is no address of ranges"):
        fetch_by_url(url, timeout=SECOND)
