"""The list of a user's sessions in Redis, and what is done when a failover or an eviction has lost it.

**Layout.**::

    admit:u:{<subject>}   a sorted set: the ids of the subject's sessions
    admit:e:<hash>        of a subject whose sessions were all ended: when, and which one was kept

A list is one key, a session is another one, and each may be lost without the other. A session that no list has can't be
seen or ended by its owner. So each touch and each rotation looks for the entry and puts it back
(:meth:`Lists.restore`). Between the loss and that moment somebody may have ended *all* sessions of the subject: this is
noted, and a session that began before and missed it ends when its entry is put back. The note is under a hash of the
subject, so that it is mostly on another node than the list, and does not tell whom it is about.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from admit import tokens
from admit.stores import redis_packing as packing
from admit.stores.redis_scripts import FORGET, LIST_IN, NOTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from admit.model import Session
    from admit.stores.redis_nodes import Nodes

__all__ = ["GRACE", "Lists", "milliseconds"]

#: How long a session is kept after its last moment, so that its owner can be told why it ended (milliseconds).
GRACE = 24 * 60 * 60 * 1000
# How long it is noted that all sessions ended. No browser keeps a cookie for longer.
_NOTED = timedelta(days=400)


class Lists:
    """The ids of each subject's sessions.

    Args:
        nodes: Where the keys are.
        prefix: What the names of all keys begin with.
    """

    def __init__(self, nodes: Nodes, prefix: str) -> None:
        self._nodes = nodes
        self._prefix = prefix

    def enter(self, session: Session) -> bytes:
        """Note a session in its subject's list; return when its key is due."""
        times = (milliseconds(session.expires_at), milliseconds(session.ends_at), GRACE)
        due: bytes = self._nodes.ask("EVALSHA", LIST_IN, 1, self.key(session.subject), session.id, *times)
        return due

    def restore(self, session: Session) -> datetime | None:
        """Put a living session back into its list if the list has lost it.

        Returns when all of the subject's sessions were ended, if this one should have ended with them.
        """
        if self._nodes.ask("ZSCORE", self.key(session.subject), session.id) is not None:
            return None
        # Before the note is read: whoever ends all sessions writes the note first and reads the list then.
        self.enter(session)
        note = self._nodes.ask("GET", self._note_key(session.subject))
        if note is None:
            return None
        ended_at, kept = packing.unpack_note(note)
        return ended_at if session.created_at <= ended_at and session.id != kept else None

    def note_end(self, subject: str, at: datetime, keep: str | None) -> None:
        """Note that all sessions of a subject end now, but the one with the id ``keep``."""
        note = packing.pack_note(at, keep)
        self._nodes.ask("EVALSHA", NOTE, 1, self._note_key(subject), note, _NOTED // timedelta(milliseconds=1))

    def ids(self, subject: str) -> list[str]:
        """Return the ids in a subject's list, those that are due last first."""
        return [entry.decode() for entry in self._nodes.ask("ZRANGE", self.key(subject), 0, -1, "REV")]

    def leave(self, subject: str, session_ids: Sequence[str]) -> None:
        """Take sessions that have ended out of their subject's list."""
        self._nodes.ask("ZREM", self.key(subject), *session_ids)

    def leave_all(self, sessions: Sequence[Session]) -> None:
        """Take sessions of any subjects out of their lists."""
        self._nodes.ask_all([("ZREM", self.key(one.subject), one.id) for one in sessions])

    def forget(self, subject: str, session_ids: Sequence[str]) -> None:
        """Take out what is not there any more, once nobody can still be about to write it."""
        self._nodes.ask("EVALSHA", FORGET, 1, self.key(subject), *session_ids)

    def key(self, subject: str) -> bytes:
        """Return the key of a subject's list."""
        return f"{self._prefix}u:{{{subject}}}".encode(errors="surrogatepass")

    def _note_key(self, subject: str) -> str:
        return f"{self._prefix}e:{tokens.short_hash(subject)}"


def milliseconds(time: datetime) -> int:
    """Return a time as Redis counts it for its own garbage collection."""
    return int(time.timestamp() * 1000)
