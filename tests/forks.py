"""Forking this process in C, as uWSGI does: no hook of Python's runs in the child."""

from __future__ import annotations

import ctypes
import os
import signal
import time
import traceback
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
def child(
    act: Callable[[], object], patience: float = _PATIENCE, fork: Callable[[], int] = fork_in_c
) -> Generator[None]:
    """Do something in a child that is forked, in C or by ``os.fork``, while the block runs in this process.

    Fails if it fails there, or never ends. In C while a thread of Python's waits for its turn is no fork that a child
    survives, whoever's the thread is: such a child waits for the thread's answer. Only ``os.fork`` puts the
    interpreter's own locks in order.
    """
    number = fork()
    if not number:
        # Whatever happens here, the child must not go on with the tests.
        status = 1
        try:
            act()
            status = 0
        except BaseException:  # noqa: BLE001 -- said on standard error, and told by the status
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield
    finally:
        status = _status_of(number, time.monotonic() + patience)
    assert status == 0


def in_child(act: Callable[[], object], patience: float = _PATIENCE, fork: Callable[[], int] = fork_in_c) -> None:
    """Do something in a child, and wait for it; see :func:`child`."""
    with child(act, patience, fork):
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
