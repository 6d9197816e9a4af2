"""Whether a store tells what changed, as a near cache needs it: tried out, and not asked."""

from __future__ import annotations

import queue
import secrets
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from admit import tokens
from admit.model import Ending, EndReason, Session

if TYPE_CHECKING:
    from datetime import datetime

    from admit.store import Announcing, SessionStore

__all__ = ["seconds_until_heard"]

#: How long one marker is waited for, in seconds: whoever has just begun to listen may have missed it.
_EACH = 0.5
#: How long what is told at the beginning may take to come in, in seconds.
_SETTLING = 0.2
#: How long a marker may lie around should nobody be able to remove it.
_LIFETIME = timedelta(minutes=1)
#: The id of no session.
_NOTHING = ""


def seconds_until_heard(
    store: SessionStore,
    announcing: Announcing,
    *,
    now: datetime,
    patience: float = 3.0,
    names_sessions: bool = True,
) -> float | None:
    """Return how long it takes to hear of the end of a session, or ``None`` if nobody hears of it.

    Sessions of nobody, which nothing opens, are kept and ended for it.

    Args:
        store: The store.
        announcing: The same store.
        now: The present time, aware and UTC.
        patience: How long to wait, in seconds.
        names_sessions: Whether it says which session has ended, and not only that something has changed.

    Raises:
        StoreError: The store did not answer.

    .. versionadded:: 0.2
    """
    heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stop = announcing.on_change(heard.put)
    try:
        _settle(heard)
        until = monotonic() + patience
        while (began := monotonic()) < until:
            marker = _marker(now)
            store.add_session(marker)
            store.delete_session(marker.id, ending=Ending(EndReason.REVOKED, now, "doctor"))
            if _hears(heard, marker.id if names_sessions else None, began + _EACH):
                return monotonic() - began
    finally:
        stop()
    return None


def _marker(now: datetime) -> Session:
    return Session(
        id=tokens.new_id(),
        subject=f"doctor-{tokens.new_id()}",
        secret_hash=secrets.token_bytes(32),
        seed=tokens.new_seed(),
        created_at=now,
        seen_at=now,
        idle=_LIFETIME,
        ends_at=now + _LIFETIME,
        rotated_at=now,
    )


def _settle(heard: queue.SimpleQueue[str | None]) -> None:
    """Let pass what is told because somebody begins to listen."""
    _hears(heard, _NOTHING, monotonic() + _SETTLING)


def _hears(heard: queue.SimpleQueue[str | None], awaited: str | None, until: float) -> bool:
    try:
        while heard.get(timeout=max(0.0, until - monotonic())) != awaited:
            pass
    except queue.Empty:
        return False
    return True
