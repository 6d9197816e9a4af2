"""The chain of events: how each record holds on to the one before it, and how a change of any is found.

A link has two hashes. The first, over a random salt and all that is personal in the record, can be kept when both are
erased, and tells nothing then: the salt was what kept it from being guessed. The second is over that hash, what is not
personal, and the second hash of the link before. So who edits, removes, adds or moves a link breaks the chain there,
and erasing what is personal does not.

Beside the links it is kept where the chain begins, because retention removes the oldest, and where it ends, because
the last link that is removed would be missed by nobody. Whoever may write all of it can write a whole new chain. Only
a head that is kept elsewhere tells the two apart: :func:`verify` looks for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from admit.model import EventRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from admit.store import EventStore

__all__ = ["BEGINNING", "Ends", "Flaw", "Link", "Verdict", "sealed", "verify", "without_personal"]

#: What the first link has instead of the hash of the one before.
BEGINNING = bytes(32)

_SALT_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """A record in its place: its number, and what ties it to the one before.

    .. versionadded:: 0.2
    """

    number: int
    record: EventRecord
    #: Empty once what is personal is erased.
    salt: bytes = field(repr=False)
    personal_hash: bytes
    previous: bytes
    hash: bytes

    @property
    def is_erased(self) -> bool:
        """Whether what was personal in it is gone."""
        return not self.salt

    @property
    def is_whole(self) -> bool:
        """Whether its hashes match what it holds.

        An erased record holds nothing personal: its salt is gone, so that nothing could vouch for what stands there.
        """
        if self.is_erased:
            personal = self.personal_hash if self.record == without_personal(self.record) else b""
        else:
            # A salt of another length could take the first bytes of what is personal, or give it some.
            personal = _personal_hash(self.record, self.salt) if len(self.salt) == _SALT_BYTES else b""
        told = self.personal_hash + self.hash
        return hmac.compare_digest(told, personal + _link_hash(self.previous, self.record, personal))


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a chain is said to begin, behind the last link that was purged, and where to end.

    .. versionadded:: 0.2
    """

    base_number: int = 0
    base_hash: bytes = BEGINNING
    head_number: int = 0
    head_hash: bytes = BEGINNING


class Flaw(StrEnum):
    """What was done to a chain that does not hold."""

    EDITED = "edited"
    REMOVED = "removed"
    REORDERED = "re-ordered"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of looking at a whole chain.

    ``flaw`` and ``number`` say what was found first, and where. ``missing`` are the known heads that are not in it.

    .. versionadded:: 0.2
    """

    checked: int
    erased: int
    ends: Ends
    flaw: Flaw | None = None
    number: int | None = None
    missing: frozenset[bytes] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether nothing was found, and every known head."""
        return self.flaw is None and not self.missing


def without_personal(record: EventRecord) -> EventRecord:
    """Return what is left of a record once all that is personal in it is erased.

    .. versionadded:: 0.2
    """
    return EventRecord(record.at, record.name, record.outcome, record.method, record.reason)


def sealed(record: EventRecord, number: int, previous: bytes) -> Link:
    """Return the link of a record, with a salt of its own.

    Args:
        record: What is to be kept.
        number: Its place in the chain.
        previous: The hash of the link before.

    .. versionadded:: 0.2
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    personal = _personal_hash(record, salt)
    return Link(number, record, salt, personal, previous, _link_hash(previous, record, personal))


def verify(
    store: EventStore,
    *,
    heads: Collection[bytes] = (),
    tell: Callable[[int], object] = lambda _: None,
    batch: int = 1000,
) -> Verdict:
    """Look at every link of the chain, the oldest first, and return what was found.

    Others may append and purge meanwhile.

    Args:
        store: Where the chain is.
        heads: Hashes that were the last one at some time, and were kept elsewhere.
        tell: Told how many links were looked at since it was last told.
        batch: How many links are read at once.

    .. versionadded:: 0.2
    """
    while True:
        ends = store.get_ends()
        verdict = _Walk(store, ends, frozenset(heads), tell, batch).run()
        # What was purged on the way looks like what was removed.
        if verdict.flaw is None or store.get_ends().base_number == ends.base_number:
            return verdict


@dataclass
class _Walk:
    store: EventStore
    ends: Ends
    missing: frozenset[bytes]
    tell: Callable[[int], object]
    batch: int
    checked: int = 0
    erased: int = 0

    def run(self) -> Verdict:
        number, last = self.ends.base_number, self.ends.base_hash
        self.missing -= {last}
        for link in _links(self.store, self.batch, self.tell):
            if link.number > self.ends.head_number and link.number <= self.store.get_ends().head_number:
                break  # it came after we began
            flaw = self._flaw(link, number + 1, last)
            if flaw is not None:
                return self._verdict(*flaw)
            number, last = link.number, link.hash
            self.checked += 1
            self.erased += link.is_erased
            self.missing -= {last}
        if number < self.ends.head_number:
            return self._verdict(Flaw.REMOVED, number + 1)
        # Whoever wrote the last link anew could not be found out by the next one; and where all links were purged,
        # nothing else tells that the ends were edited.
        is_end = number == self.ends.head_number and last == self.ends.head_hash
        return self._verdict() if is_end else self._verdict(Flaw.EDITED, number)

    def _flaw(self, link: Link, expected: int, last: bytes) -> tuple[Flaw, int] | None:
        if not self.ends.base_number < link.number <= self.ends.head_number:
            return Flaw.ADDED, link.number
        if link.number != expected:
            return Flaw.REMOVED, expected
        if not link.is_whole:
            return Flaw.EDITED, link.number
        return None if link.previous == last else self._displaced(link)

    def _displaced(self, link: Link) -> tuple[Flaw, int]:
        """Tell why a link that is whole does not follow the one before it."""
        hashes = [one.hash for one in _links(self.store, self.batch)]
        if link.previous in {*hashes, self.ends.base_hash}:
            return Flaw.REORDERED, link.number
        is_short = len(hashes) < self.ends.head_number - self.ends.base_number
        return (Flaw.REMOVED, link.number) if is_short else (Flaw.EDITED, link.number - 1)

    def _verdict(self, flaw: Flaw | None = None, number: int | None = None) -> Verdict:
        return Verdict(self.checked, self.erased, self.ends, flaw, number, self.missing)


def _links(store: EventStore, batch: int, tell: Callable[[int], object] = lambda _: None) -> Iterator[Link]:
    after = -1
    while links := store.read_chain(after=after, limit=batch):
        yield from links
        tell(len(links))
        after = links[-1].number


def _personal_hash(record: EventRecord, salt: bytes) -> bytes:
    client = record.client
    personal = [record.subject, record.actor, record.session, client.address, client.user_agent]
    return hashlib.sha256(salt + _text([*personal, sorted(record.details.items())])).digest()


def _link_hash(previous: bytes, record: EventRecord, personal: bytes) -> bytes:
    microseconds = (record.at - _EPOCH) // timedelta(microseconds=1)
    told = [microseconds, record.name, record.outcome.value, record.method, record.reason]
    return hashlib.sha256(_text([previous.hex(), *told, personal.hex()])).digest()


def _text(parts: list[Any]) -> bytes:
    return json.dumps(parts, separators=(",", ":")).encode()
