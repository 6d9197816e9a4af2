"""Redis and Redis Cluster keep challenges and counters as the contracts say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.stores.redis import RedisStore
from admit.testing import ChallengeContract, CounterContract

if TYPE_CHECKING:
    from collections.abc import Callable


def open_redis(url: str, prefix: str) -> RedisStore:
    """Open a store that waits for a busy machine."""
    return RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30)


class InRedis:
    """Keys of the test's own on a server."""

    @pytest.fixture
    def opener(self, redis_url: str) -> Callable[[], RedisStore]:
        """Open a store on it."""
        return partial(open_redis, redis_url, f"{tokens.new_id()}:")


class InRedisCluster:
    """Keys of the test's own on a cluster."""

    @pytest.fixture
    def opener(self, redis_cluster_url: str) -> Callable[[], RedisStore]:
        """Open a store on it."""
        return partial(open_redis, redis_cluster_url, f"{tokens.new_id()}:")


class TestChallengesInRedis(InRedis, ChallengeContract):
    """A server keeps challenges."""


class TestChallengesInRedisCluster(InRedisCluster, ChallengeContract):
    """A cluster of six nodes keeps challenges."""


class TestCountersInRedis(InRedis, CounterContract):
    """A server keeps counters."""


class TestCountersInRedisCluster(InRedisCluster, CounterContract):
    """A cluster of six nodes keeps counters."""
