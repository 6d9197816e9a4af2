"""The proxy of the faults does to connections what it is told to, and passes everything on otherwise."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bench.faults.proxy import MODES, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes, and notes it."""

    heard: list[bytes]

    def handle(self) -> None:
        """Serve one connection."""
        while chunk := self.request.recv(100):
            self.heard.append(chunk)
            self.request.sendall(chunk)


@pytest.fixture
def heard() -> list[bytes]:
    """Return what the server behind the proxy has heard."""
    return []


@pytest.fixture
def proxy(heard: list[bytes]) -> Iterator[Proxy]:
    """Return a proxy in front of a server that sends everything back."""
    handler = type("Handler", (Echo,), {"heard": heard})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        proxy = Proxy(server.server_address[1])
        with proxy.running():
            yield proxy
        server.shutdown()
        thread.join()


def connected(proxy: Proxy) -> socket.socket:
    """Return a connection through the proxy that has passed something on."""
    connection = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
    assert asked(connection, b"before") == b"before"
    return connection


def asked(connection: socket.socket, text: bytes) -> bytes:
    """Send something, and return what comes back; nothing if the connection ends."""
    try:
        connection.sendall(text)
        return connection.recv(100)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("mode", MODES)
def test_it_passes_on_before_and_after(proxy: Proxy, mode: str) -> None:
    """Whatever it did to others, a connection that is made afterwards gets through."""
    with closing(connected(proxy)), proxy.doing(mode):
        pass
    with closing(connected(proxy)) as connection:
        assert asked(connection, b"after") == b"after"


@pytest.mark.parametrize("mode", ["drops", "resets", "half-closes", "loses answers"])
def test_an_answer_that_never_comes(proxy: Proxy, mode: str) -> None:
    """A connection that is cut ends without an answer for who has asked."""
    with closing(connected(proxy)) as connection, proxy.doing(mode):
        assert asked(connection, b"meanwhile") == b""


@pytest.mark.parametrize("mode", ["delays", "blackholes"])
def test_an_answer_that_comes_late(proxy: Proxy, mode: str) -> None:
    """What is held up arrives in the end, as a network delivers it once it is mended."""
    with closing(connected(proxy)) as connection:
        with proxy.doing(mode):
            connection.sendall(b"meanwhile")
        assert connection.recv(100) == b"meanwhile"


def test_what_was_asked_for_is_done_though_nobody_hears_of_it(proxy: Proxy, heard: list[bytes]) -> None:
    """Where answers are lost, the request has arrived; where requests are dropped, it has not."""
    with closing(connected(proxy)) as connection, proxy.doing("loses answers"):
        assert asked(connection, b"a write") == b""
    with closing(connected(proxy)) as connection, proxy.doing("drops"):
        assert asked(connection, b"another") == b""
    assert heard == [b"before", b"a write", b"before"]
