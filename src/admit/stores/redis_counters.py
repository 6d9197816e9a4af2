"""Counters in Redis: sorted sets of names, by the microsecond at which each will be at rest.

**Layout.** ``admit:n:0`` to ``admit:n:f``: a counter is in the set that the hash of its name says, so that in a cluster
they are spread over the nodes, and one script sees all that it may have to forget. One spend is one script. Each call
takes out a few that are at rest and, beyond the set's share of the bound, a few of those nearest to rest: more than it
can have put in.

Times are arguments. They are kept exactly until the year 2255, as whole numbers are in a sorted set.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from admit.stores.redis_scripts import REFUND, SPEND, TRIM

if TYPE_CHECKING:
    from admit.stores.redis_nodes import Nodes

__all__ = ["RedisCounters"]

_SHARDS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RedisCounters:
    """The verbs of :class:`admit.store.CounterStore`."""

    _nodes: Nodes
    _prefix: str
    _max_counters: int

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Take one unit and return zero, or take none and return how long to wait until there is one."""
        name, step = key.encode(errors="surrogatepass"), interval // _MICROSECOND
        limit = max(self._max_counters // _SHARDS, 1)
        times = (_microseconds(now), step, (burst - 1) * step)
        wait = self._nodes.ask("EVALSHA", SPEND, 1, self._shard(name), name, *times, limit)
        return int(wait) * _MICROSECOND

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Give one unit back."""
        name = key.encode(errors="surrogatepass")
        times = (_microseconds(now), interval // _MICROSECOND)
        self._nodes.ask("EVALSHA", REFUND, 1, self._shard(name), name, *times)

    def reset_count(self, key: str) -> None:
        """Put the counter at rest."""
        name = key.encode(errors="surrogatepass")
        self._nodes.ask("ZREM", self._shard(name), name)

    def _purge_counters(self, before: datetime, batch: int) -> int:
        removed = 0
        for number in range(_SHARDS):
            removed += self._purge_shard(self._shard_key(number), _microseconds(before), batch - removed)
        return removed

    def _purge_shard(self, shard: bytes, before: int, batch: int) -> int:
        removed = 0
        while step := min(batch - removed, 500):
            count = int(self._nodes.ask("EVALSHA", TRIM, 1, shard, before, step))
            removed += count
            if count < step:
                break
        return removed

    def _shard(self, name: bytes) -> bytes:
        return self._shard_key(sha256(name).digest()[0] % _SHARDS)

    def _shard_key(self, number: int) -> bytes:
        return f"{self._prefix}n:{number:x}".encode()


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
