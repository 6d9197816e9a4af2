"""A proxy of our own between the workers and a store, which can do to a connection what a network does."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MODES", "PASSES", "Proxy"]

PASSES = "passes"
#: What can be done to what passes, by name.
MODES = ("delays", "drops", "resets", "half-closes", "blackholes", "loses answers")
_DELAY = 0.3
_CHUNK = 65536
_LOOK_AGAIN = 0.02


class Proxy:
    """Passes on what comes to a port of the loopback interface, or does what it was told to do to it.

    Args:
        target: The port to which everything goes.
        delay: How many seconds each way takes while it delays.
    """

    def __init__(self, target: int, *, delay: float = _DELAY) -> None:
        self.port = free_port()
        self._target = target
        self._delay = delay
        self._mode = PASSES
        self._links: set[asyncio.StreamWriter] = set()
        self._serves = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stops: asyncio.Event

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the block ends."""
        thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="proxy", daemon=True)
        thread.start()
        self._serves.wait()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._stops.set)
            thread.join()

    @contextmanager
    def doing(self, mode: str) -> Iterator[None]:
        """Do something to all connections until the block ends."""
        self._loop.call_soon_threadsafe(self._begin, mode)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._begin, PASSES)

    async def _run(self) -> None:
        self._loop, self._stops = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port):
            self._serves.set()
            await self._stops.wait()
            for link in list(self._links):
                _reset(link)
            while self._links:  # noqa: ASYNC110 -- for a moment, at the end
                await asyncio.sleep(_LOOK_AGAIN)

    def _begin(self, mode: str) -> None:
        self._mode = mode
        for link in list(self._links):
            if mode == "resets":
                _reset(link)
            elif mode == "half-closes":
                with suppress(OSError):
                    link.write_eof()  # the worker may go on talking to somebody who will never answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode in {"drops", "resets"}:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        self._links.add(writer)
        ways = [
            asyncio.ensure_future(self._pump(reader, far_writer, is_answer=False)),
            asyncio.ensure_future(self._pump(far_reader, writer, is_answer=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()
            self._links.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._mode == "drops" or (is_answer and self._mode == "loses answers"):
                return  # and what was done on the other side, nobody on this one will know
            if self._mode == "delays":
                await asyncio.sleep(self._delay)
            while self._mode == "blackholes":  # noqa: ASYNC110 -- few connections, for a few seconds
                await asyncio.sleep(_LOOK_AGAIN)
            if is_answer and self._mode == "half-closes":
                continue
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection as a machine does that knows nothing of it."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
