"""Starting a program that serves on a free port of this machine, and stopping it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]

_PATIENCE = 30


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(program: Path, **environment: str) -> Iterator[str]:
    """Run a program of ours that serves at ``PORT``, and yield its address."""
    port = free_port()
    settings = os.environ | {"PORT": str(port)} | environment
    with running([sys.executable, str(program)], port, settings):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(  # noqa: PLR0913, PLR0917 -- what a process is made of
    command: list[str],
    port: int,
    environment: dict[str, str],
    folder: Path = ROOT,
    log: Path | None = None,
    patience: float = _PATIENCE,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that serves at ``port`` until the block ends, and yield its process.

    What it says goes to the end of ``log``, and without one to where this process says it. It may take ``patience``
    seconds to begin and to end.
    """
    with ExitStack() as stack:
        said = stack.enter_context(log.open("ab")) if log else None
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        _wait_for(port, process, patience)
        yield process
    finally:
        process.terminate()
        process.wait(patience)


def _wait_for(port: int, process: subprocess.Popen[bytes], patience: float) -> None:
    # There is no event to wait for: another process opens a port when it is ready.
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        assert process.poll() is None, "the program ended before it served"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    message = f"nothing listens on port {port}"
    raise TimeoutError(message)
