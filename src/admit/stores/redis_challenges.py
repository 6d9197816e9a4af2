"""Challenges in Redis.

**Layout.** One key per challenge, one per subject::

    admit:c:<id>          the challenge: JSON, of which kind and for whom included
    admit:d:{<subject>}   a sorted set of the subject's challenges that may still be taken, by when they are due

A link brings nothing but the id, so a challenge lies where its id says, and it says whose it is. But it is *good* only
as long as the subject's set has it: this is one key, so that whatever concerns it happens in one step. Whoever takes it
out of the set has taken the challenge; of two that are added alone the later takes the earlier out; and once
:meth:`~RedisChallenges.delete_challenges` has returned, none is good that was in the set before, nor one whose adding
had come only half-way: that one becomes good when it gets into the set, and so is younger.

**Adding** writes the challenge first and puts it into the set then. Killed between, it leaves a challenge that is
not good. **Taking** and **deleting** take it out of the set first. Killed between, they leave one that is not good.

**Expiry** is only garbage collection: a key is due one day after its challenge is, or one day after it was written if
that is later. What is due in a set is taken out when the next one is put in.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from admit.errors import StoreError
from admit.model import Authentication, Challenge, Factor
from admit.stores.redis_scripts import JOIN, LEAVE, WRITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit.stores.redis_nodes import Nodes

__all__ = ["RedisChallenges", "pack_challenge", "unpack_challenge"]

_STRANGE = (
    "A challenge in Redis is not as this version of Admit writes it. Use another prefix, or the version that did."
)
_VERSION = 1
_STEP = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What a pattern of Redis takes for more than itself.
_GLOB = re.compile(rb"[\\*?\[\]^-]")


class RedisChallenges:
    """The verbs of :class:`admit.store.ChallengeStore`."""

    _nodes: Nodes
    _prefix: str

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Keep a new challenge; ``alone``, and those of the same kind and subject are gone in the same step."""
        key, due = self._challenge_key(challenge.id), _microseconds(challenge.expires_at) // 1000
        due = self._nodes.ask("EVALSHA", WRITE, 1, key, pack_challenge(challenge), due)
        rivals = _of_kind(challenge.kind) if alone else b"none"
        member = _of_kind(challenge.kind) + _bytes(challenge.id)
        left = self._nodes.ask("EVALSHA", JOIN, 1, self._set_key(challenge.subject), member, due, rivals)
        self._drop_values(left)

    def get_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge with this id, too old or not, or ``None``; it stays."""
        challenge = self._read_challenge(challenge_id)
        if challenge is None:
            return None
        is_good = self._nodes.ask("ZSCORE", self._set_key(challenge.subject), _member(challenge)) is not None
        return challenge if is_good else None

    def take_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge and forget it: exactly one of any number of callers gets it."""
        challenge = self._read_challenge(challenge_id)
        if challenge is None or not self._nodes.ask("ZREM", self._set_key(challenge.subject), _member(challenge)):
            return None
        self._nodes.ask("DEL", self._challenge_key(challenge_id))
        return challenge

    def delete_challenges(self, subject: str, *, kind: str | None = None) -> int:
        """Forget the subject's challenges, of one kind or of all; return how many there were."""
        doomed = b"" if kind is None else _of_kind(kind)
        left = self._nodes.ask("EVALSHA", LEAVE, 1, self._set_key(subject), doomed)
        return self._drop_values(left)

    def _purge_challenges(self, before: datetime, batch: int) -> int:
        removed = 0
        walk = self._walk_challenges()
        while keys := list(islice(walk, min(_STEP, batch - removed))):
            removed += self._purge_some(keys, before)
        return removed

    def _purge_some(self, keys: Sequence[bytes], before: datetime) -> int:
        ids = [key.removeprefix(self._challenge_key("")).decode(errors="surrogatepass") for key in keys]
        values = self._nodes.ask_all([("GET", key) for key in keys])
        found = [unpack_challenge(one, value) for one, value in zip(ids, values, strict=True) if value is not None]
        expired = [one for one in found if one.expires_at < before]
        gone = self._nodes.ask_all([("ZREM", self._set_key(one.subject), _member(one)) for one in expired])
        self._nodes.ask_all([("DEL", self._challenge_key(one.id)) for one in expired])
        return sum(gone)

    def _walk_challenges(self) -> Iterator[bytes]:
        pattern = _GLOB.sub(rb"\\\g<0>", self._challenge_key("")) + b"*"
        return chain.from_iterable(self._nodes.scan(pattern, _STEP))

    def _read_challenge(self, challenge_id: str) -> Challenge | None:
        value = self._nodes.ask("GET", self._challenge_key(challenge_id))
        return None if value is None else unpack_challenge(challenge_id, value)

    def _drop_values(self, members: Sequence[bytes]) -> int:
        """Forget what is not good any more; return how much of it was still there."""
        ids = [member[member.index(b":") + 1 + int(member[: member.index(b":")]) :] for member in members]
        return sum(self._nodes.ask_all([("DEL", self._challenge_key("") + one) for one in ids]))

    def _challenge_key(self, challenge_id: str) -> bytes:
        return _bytes(f"{self._prefix}c:{challenge_id}")

    def _set_key(self, subject: str) -> bytes:
        return _bytes(f"{self._prefix}d:{{{subject}}}")


def pack_challenge(challenge: Challenge) -> bytes:
    """Return the value of a challenge; its id is the key's business."""
    authentications = [[one.method, sorted(one.factors), _microseconds(one.at)] for one in challenge.authentications]
    fields = (
        _VERSION,
        challenge.kind,
        challenge.subject,
        challenge.secret_hash.hex(),
        _microseconds(challenge.created_at),
        _microseconds(challenge.expires_at),
        dict(challenge.details),
        authentications,
        # Left out where it is as at the beginning: then processes of the version before can read it, too.
        *([challenge.epoch] if challenge.epoch else []),
    )
    return json.dumps(fields, separators=(",", ":")).encode()


def unpack_challenge(challenge_id: str, value: bytes) -> Challenge:
    """Return the challenge of a value that :func:`pack_challenge` made.

    Raises:
        StoreError: The value is not one of ours.
    """
    try:
        version, *fields = json.loads(value)
        if version == _VERSION:
            return _challenge(challenge_id, *fields)
    except (ValueError, TypeError, OverflowError) as error:
        raise StoreError(_STRANGE) from error
    raise StoreError(_STRANGE)


def _challenge(  # noqa: PLR0913, PLR0917 -- the fields of a value in their order
    challenge_id: str,
    kind: str,
    subject: str,
    secret_hash: str,
    created_at: int,
    expires_at: int,
    details: dict[str, str],
    authentications: list[tuple[str, list[str], int]],
    epoch: int = 0,
) -> Challenge:
    proofs = (
        Authentication(method, frozenset(map(Factor, factors)), _moment(at)) for method, factors, at in authentications
    )
    return Challenge(
        challenge_id,
        kind,
        subject,
        bytes.fromhex(secret_hash),
        _moment(created_at),
        _moment(expires_at),
        dict(details),
        tuple(proofs),
        int(epoch),
    )


def _member(challenge: Challenge) -> bytes:
    return _of_kind(challenge.kind) + _bytes(challenge.id)


def _of_kind(kind: str) -> bytes:
    """Return what the members of one kind begin with, and no others: with its length no kind begins another."""
    name = _bytes(kind)
    return b"%d:%b" % (len(name), name)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(count: Any) -> datetime:
    return _EPOCH + timedelta(0, 0, count)
