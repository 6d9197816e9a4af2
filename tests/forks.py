"""Forking this process in C, as uWSGI does: no hook of Python's runs in the child."""

from __future__ import annotations

import ctypes
import os
import signal
import time
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_PATIENCE = 30.0


def fork_in_c() -> int:
    """Fork, and return what the system's call returns: zero in the child, and its number in the parent."""
    # As an interface of Python itself, so that this thread holds the interpreter's lock meanwhile, as in uWSGI: else
    # another thread might have it, and the child would wait for ever.
    child: int = ctypes.PyDLL(None).fork()
    return child


@contextmanager
def child(act: Callable[[], object], patience: float = _PATIENCE) -> Generator[None]:
    """Do something in a child that is forked in C, while the block runs here; fail if it fails there, or never ends.

    It is a child's child. If a thread of Python's waits for its turn at a fork in C, the child hangs in Python itself,
    and tests have threads. So the first fork is Python's own, which leaves the one thread that forks again.
    """
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of forks with threads
        first = os.fork()
    if not first:
        # Whatever happens here, a child must not go on with the tests.
        status = 1
        try:
            status = _in_second_child(act, patience)
        finally:
            os._exit(status)
    try:
        yield
    finally:
        status = _status_of(first, time.monotonic() + 2 * patience)
    assert status == 0


def _in_second_child(act: Callable[[], object], patience: float) -> int:
    second = fork_in_c()
    if second:
        return _status_of(second, time.monotonic() + patience)
    try:
        act()
    except BaseException:  # noqa: BLE001 -- said on standard error, and told by the status
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def in_child(act: Callable[[], object], patience: float = _PATIENCE) -> None:
    """Do something in a child, and wait for it; see :func:`child`."""
    with child(act, patience):
        pass


def _status_of(child: int, deadline: float) -> int:
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)  # no event tells of the end of a child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    message = "the child hangs"
    raise TimeoutError(message)
