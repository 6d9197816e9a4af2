"""Hearing the ids of changed sessions that are published in Redis."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from admit.stores.redis_errors import FAILURES, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from admit.listening import Hear, Tell
    from admit.stores.redis_nodes import Wire

__all__ = ["hearing"]

# How long the thread waits in one go, so how long it takes to stop (seconds).
_WAIT = 0.05
# After so much silence it asks whether anybody is there: a dead link is silent as well.
_SILENCE = 1.0


def hearing(listen: Callable[[], Wire], channel: str) -> Hear:
    """Return what listens until it is stopped or the connection fails.

    Args:
        listen: Makes a connection to a node that is believed to be up.
        channel: Where the ids of changed sessions are published.
    """

    def hear(stopped: Event, tell: Tell) -> None:
        wire = listen()
        try:
            wire.connect()
            wire.send_command("SUBSCRIBE", channel)
            wire.read_response()
            tell(None)  # nobody knows what was published before
            _pass_on(wire, stopped, tell)
        except FAILURES as error:
            raise unreachable() from error
        finally:
            wire.disconnect()

    return hear


def _pass_on(wire: Wire, stopped: Event, tell: Tell) -> None:
    heard_at = monotonic()
    while not stopped.is_set():
        readable = wire.can_read(_WAIT)
        if not readable and monotonic() - heard_at < _SILENCE:
            continue
        if not readable:
            wire.send_command("PING")
        # Waits for as long as a command may take, then fails: the link is dead.
        kind, *_, text = wire.read_response()
        heard_at = monotonic()
        if kind == b"message":
            tell(text.decode())
