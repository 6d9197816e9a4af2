"""What Redis keeps under a session's own key: that it lives, that it waits, or that it ended."""

from __future__ import annotations

import logging
import re
import struct
import zlib
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

from admit.errors import StoreError
from admit.stores import redis_packing as packing
from admit.stores.redis_packing import ALIVE, ENDED, PENDING
from admit.stores.redis_scripts import DROP, END, PROMOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from admit.model import Session
    from admit.stores.redis_nodes import Command, Nodes

__all__ = ["STEP", "Records"]

T = TypeVar("T")

_logger = logging.getLogger("admit.stores")

# How many keys one step of a walk through all of them looks at.
STEP = 500

_STRANGE = (
    "A session in Redis is not as this version of Admit writes it. Use another prefix, or the version that wrote it."
)
_UNPUBLISHED = (
    "Redis does not let this user publish to %s (%s). Sessions end all the same, but other processes may accept them "
    "for ADMIT_STORE_NEAR_MAX_AGE. Give the user the right to publish and to subscribe to this channel."
)
_STATES = (ALIVE, PENDING, ENDED)
_UNREADABLE = (ValueError, TypeError, IndexError, OverflowError, struct.error, zlib.error)
# What a pattern of Redis takes for more than itself.
_GLOB = re.compile(rb"[\\*?\[\]^-]")

# A value means the same session every time, and who makes one request mostly makes a few.
_unpack_session = lru_cache(maxsize=1024)(packing.unpack_session)


class Records:
    """The values of sessions, each under a key of its own; a change is one script on one key.

    Args:
        nodes: Where the keys are.
        prefix: What the names of all keys begin with, and the channel's.
    """

    def __init__(self, nodes: Nodes, prefix: str) -> None:
        self._nodes = nodes
        self._prefix = f"{prefix}s:".encode()
        self.channel: str = f"{prefix}changes"
        self._is_told = False

    def write(self, session_id: str, value: bytes, due: bytes) -> None:
        """Write the value of a new session."""
        self._nodes.ask("SET", self._key(session_id), value, "PXAT", due)

    def get(self, session_id: str) -> Session | None:
        """Return a living session: one round trip, unless it waits."""
        value = self._nodes.ask("GET", self._key(session_id))
        if value is None:
            return None
        if value[0] == ALIVE:
            return _session(session_id, value)
        return self.living(session_id, self._settled(session_id, value))

    def get_ended(self, session_id: str) -> packing.Ended | None:
        """Return what is left of an ended session."""
        value = self._settled(session_id, self._nodes.ask("GET", self._key(session_id)))
        return _ended(value) if value is not None and _state(value) == ENDED else None

    def read_all(self, session_ids: Sequence[str]) -> dict[str, bytes | None]:
        """Return the values under the ids, and under those of sessions that followed in the meantime.

        What follows is read after its predecessor was seen to have ended, even if it was read before: it may
        not have been written then. So whoever lived when this began is found, or who followed.
        """
        found: dict[str, bytes | None] = {}
        followed: set[str] = set()
        ids = list(session_ids)
        while ids:
            values = self._nodes.ask_all([("GET", self._key(one)) for one in ids])
            found.update((one, self._settled(one, value)) for one, value in zip(ids, values, strict=True))
            successors = {_successor(found[one]) for one in ids}
            ids = [one for one in successors if one and one not in followed]
            followed.update(ids)
        return found

    def change(self, script: str, session_id: str, *arguments: bytes | int) -> Any:
        """Run a script on a living session; the answer is a value if it does not live."""
        command = self._command(script, session_id, *arguments)
        answer = self._published(self._nodes.ask(*command))
        if _state(answer) == PENDING and self._settled(session_id, answer):
            answer = self._published(self._nodes.ask(*command))
        return answer

    def end(self, session_id: str, text: bytes) -> Session | None:
        """End a session; exactly one caller gets it."""
        return self.living(session_id, self.change(END, session_id, text))

    def end_all(self, session_ids: Sequence[str], text: bytes) -> int:
        """End sessions that live; return how many this call ended."""
        answers = map(self._published, self._nodes.ask_all([self._command(END, one, text) for one in session_ids]))
        return sum(_state(answer) == ALIVE for answer in answers)

    def promote(self, session_id: str) -> bytes | None:
        """Let a waiting session live."""
        promoted: bytes | None = self._nodes.ask("EVALSHA", PROMOTE, 1, self._key(session_id))
        return promoted

    def remove(self, session_id: str) -> None:
        """Take away a session that waited in vain."""
        self._nodes.ask("DEL", self._key(session_id))

    def count(self) -> int:
        """Look at every key and count the living sessions."""
        counted: set[bytes] = set()  # a walk may meet a key twice
        walk = self.walk()
        while keys := list(islice(walk, STEP)):
            firsts = self._nodes.ask_all([("GETRANGE", key, 0, 0) for key in keys])
            counted.update(key for key, first in zip(keys, firsts, strict=True) if _state(first) == ALIVE)
        return len(counted)

    def walk(self) -> Iterator[bytes]:
        """Go through all keys, in bounded steps."""
        pattern = _GLOB.sub(rb"\\\g<0>", self._prefix) + b"*"
        return chain.from_iterable(self._nodes.scan(pattern, STEP))

    def drop_expired(self, keys: Sequence[bytes], before: datetime) -> list[Session | None]:
        """Remove what expired of the keys: each removed session, and ``None`` for each removed ending."""
        values = self._nodes.ask_all([("GET", key) for key in keys])
        expired = [
            (key, value)
            for key, value in zip(keys, values, strict=True)
            if _state(value) in {ALIVE, ENDED} and _decoded(packing.expires_at, value) < before
        ]
        ids = [key.removeprefix(self._prefix).decode() for key, _ in expired]
        commands = [self._command(DROP, one, value) for one, (_, value) in zip(ids, expired, strict=True)]
        dropped = map(self._published, self._nodes.ask_all(commands))
        return [self.living(one, value) for one, (_, value), did in zip(ids, expired, dropped, strict=True) if did]

    def living(self, session_id: str, value: bytes | None) -> Session | None:
        """Return the session of a value, if that says that it lives."""
        return _session(session_id, value) if value is not None and _state(value) == ALIVE else None

    def _published(self, answer: Any) -> Any:
        """Return the answer of a script; once, say in the log that it could not publish what it did."""
        if not isinstance(answer, list):
            return answer
        done, error = cast("tuple[Any, bytes]", answer)
        if not self._is_told:
            self._is_told = True
            _logger.error(_UNPUBLISHED, self.channel, error.decode(errors="replace"))
        return done

    def _settled(self, session_id: str, value: bytes | None) -> bytes | None:
        """Let a waiting session live if its predecessor ended for it; until then it is not there."""
        if value is None or _state(value) != PENDING:
            return value
        predecessor = _decoded(packing.unpack_pending, value).predecessor
        left = self._nodes.ask("GET", self._key(predecessor))
        if _state(left) != ENDED or _ended(left).successor != session_id:
            return None
        return self.promote(session_id)

    def _command(self, script: str, session_id: str, *arguments: bytes | int) -> Command:
        return ("EVALSHA", script, 1, self._key(session_id), self.channel, session_id, *arguments)

    def _key(self, session_id: str) -> bytes:
        return self._prefix + session_id.encode()


def _state(value: object) -> int:
    """Return what a value says of its session; 0 for no value or another answer."""
    if not isinstance(value, bytes) or not value:
        return 0
    if value[0] not in _STATES:
        raise StoreError(_STRANGE)
    return value[0]


def _session(session_id: str, value: bytes) -> Session:
    return _decoded(_unpack_session, session_id, value)


def _ended(value: bytes) -> packing.Ended:
    return _decoded(packing.unpack_ended, value)


def _successor(value: bytes | None) -> str:
    return _ended(value).successor if value is not None and _state(value) == ENDED else ""


def _decoded(unpack: Callable[..., T], *arguments: object) -> T:
    try:
        return unpack(*arguments)
    except _UNREADABLE as error:
        raise StoreError(_STRANGE) from error
