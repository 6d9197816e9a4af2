"""Redis and Redis Cluster keep challenges and counters as the contracts say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from admit import tokens
from admit.errors import StoreError
from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore
from admit.stores.redis import RedisStore
from admit.testing import ChallengeContract, CounterContract, a_challenge

if TYPE_CHECKING:
    from collections.abc import Callable


NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


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


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
def opener(request: pytest.FixtureRequest) -> Callable[..., RedisStore]:
    """Return what opens a store on each kind of Redis in turn, with keys of the test's own."""
    url: str = request.getfixturevalue(request.param)
    return partial(RedisStore, url, prefix=f"{tokens.new_id()}:", connect_timeout=30, command_timeout=30)


def test_it_is_what_the_protocols_say(opener: Callable[..., RedisStore]) -> None:
    """It keeps challenges and counters, and neither accounts nor credentials."""
    store = opener()
    kept = [isinstance(store, one) for one in (ChallengeStore, CounterStore, AccountStore, CredentialStore)]
    assert kept == [True, True, False, False]
    store.close()


def keys(url: str, prefix: str) -> dict[str, Any]:
    """Return the types of the keys under a prefix."""
    with Redis.from_url(url) as client:
        return {key.decode().removeprefix(prefix): client.type(key) for key in client.keys(f"{prefix}*")}


@pytest.mark.parametrize(
    "value", [b"{", b"[2]", b"[1]", b"5", b'[1,"k","s","xx",0,0,{},[]]', b'[1,"k","s","",0,0,5,[]]']
)
def test_a_value_of_another_make_is_no_absence(redis_url: str, value: bytes) -> None:
    """A value that this version can't read is an error of the store, whatever it looks like."""
    prefix = f"{tokens.new_id()}:"
    store = open_redis(redis_url, prefix)
    store.add_challenge(challenge := a_challenge())
    with Redis.from_url(redis_url) as client:
        client.set(f"{prefix}c:{challenge.id}", value)
    for verb in (store.get_challenge, store.take_challenge):
        with pytest.raises(StoreError):
            verb(challenge.id)
    assert store.delete_challenges(challenge.subject) == 1
    store.close()


def test_a_challenge_that_was_written_half_is_not_good(redis_url: str) -> None:
    """What an interrupted addition or deletion leaves can't be taken, and is purged with the rest."""
    prefix = f"{tokens.new_id()}:"
    store = open_redis(redis_url, prefix)
    store.add_challenge(challenge := a_challenge())
    with Redis.from_url(redis_url) as client:
        client.delete(f"{prefix}d:{{ada}}")
    assert store.get_challenge(challenge.id) is None
    assert store.take_challenge(challenge.id) is None
    assert store.delete_challenges("ada") == 0
    assert store.purge(before=NOW + timedelta(days=1)) == 0
    assert keys(redis_url, prefix) == {}
    store.close()


def test_nothing_is_left_of_what_is_gone(redis_url: str) -> None:
    """Taking, superseding and deleting challenges, and refunding and resetting counters, leave no key behind."""
    prefix = f"{tokens.new_id()}:"
    store = open_redis(redis_url, prefix)
    taken, *others = (a_challenge() for _ in range(4))
    store.add_challenge(taken)
    store.take_challenge(taken.id)
    for other in others:
        store.add_challenge(other, alone=True)
    assert store.delete_challenges("ada") == 1
    for key in ("refunded", "reset"):
        store.spend(key, now=NOW, interval=MINUTE, burst=1)
    store.refund("refunded", now=NOW, interval=MINUTE)
    store.reset_count("reset")
    assert keys(redis_url, prefix) == {}
    store.close()


def test_keys_are_due_a_day_later(redis_url: str) -> None:
    """Every key is collected a day after its last moment, or a day after it was written if that is later."""
    prefix = f"{tokens.new_id()}:"
    store = open_redis(redis_url, prefix)
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    old, young = a_challenge(subject="old", expires_at=long_ago), a_challenge(expires_at=NOW + timedelta(hours=5))
    store.add_challenge(old)
    store.add_challenge(young)
    store.add_challenge(a_challenge())
    store.spend("old", now=long_ago, interval=MINUTE, burst=1)
    day, about = timedelta(days=1), timedelta(hours=1)  # since this module was loaded
    expected = {f"c:{old.id}": day, "d:{old}": day, f"c:{young.id}": day + timedelta(hours=5)}
    with Redis.from_url(redis_url) as client:
        for name, due in {**expected, "d:{ada}": day + timedelta(hours=5)}.items():
            assert abs(datetime.fromtimestamp(client.pexpiretime(f"{prefix}{name}") / 1000, UTC) - NOW - due) < about
        [counters] = client.keys(f"{prefix}n:*")
        assert abs(timedelta(milliseconds=client.pttl(counters)) - day) < about
    store.close()


def test_what_is_due_leaves_the_set(redis_url: str) -> None:
    """A subject's set does not grow by challenges that nobody ever took: what is due goes when the next one comes."""
    prefix = f"{tokens.new_id()}:"
    store = open_redis(redis_url, prefix)
    with Redis.from_url(redis_url) as client:
        client.zadd(f"{prefix}d:{{ada}}", {f"4:link{number}": 1000 for number in range(20)})
        store.add_challenge(a_challenge())
        assert client.zcard(f"{prefix}d:{{ada}}") == 20 - 16 + 1
        store.add_challenge(a_challenge())
        assert client.zcard(f"{prefix}d:{{ada}}") == 2
    store.close()


def test_random_names_stay_under_the_bound(redis_url: str) -> None:
    """Whoever tries random names fills no memory, and does not push out the counters that hold somebody off."""
    prefix = f"{tokens.new_id()}:"
    store = RedisStore(redis_url, prefix=prefix, command_timeout=30, max_counters=800)
    while not store.spend("held off", now=NOW, interval=MINUTE, burst=5):
        pass
    for number in range(20_000):
        store.spend(f"random {number}", now=NOW, interval=timedelta(seconds=1), burst=5)
    with Redis.from_url(redis_url) as client:
        assert [client.zcard(f"{prefix}n:{number:x}") for number in range(16)] == [50] * 16
    assert store.spend("held off", now=NOW, interval=MINUTE, burst=5) == MINUTE
    store.close()


def test_what_is_at_rest_is_trimmed(opener: Callable[..., RedisStore]) -> None:
    """Counters at rest go a few at a time when others are spent, and a purge finds the rest, in many steps."""
    store = opener()
    for number in range(1_000):
        store.spend(f"old {number}", now=NOW, interval=timedelta(seconds=1), burst=5)
    for number in range(200):
        store.spend(f"new {number}", now=NOW + MINUTE, interval=timedelta(hours=1), burst=5)
    assert store.purge(before=NOW + timedelta(hours=1)) < 100
    assert store.purge(before=NOW + timedelta(hours=2)) == 200
    store.close()


@pytest.mark.parametrize("text", ["\x00", "\ud800", "}{", "a\r\nFLUSHALL\r\n"])
def test_any_text_may_be_a_name(opener: Callable[..., RedisStore], text: str) -> None:
    """A subject, an id or a counter that is no text at all is one like any other."""
    store = opener()
    challenge = a_challenge(id=text, subject=text, kind=text, expires_at=NOW)
    for _ in range(2):
        store.add_challenge(challenge, alone=True)
        assert store.get_challenge(text) == challenge
        assert store.take_challenge(text) == challenge
        assert store.delete_challenges(text, kind=text) == 0
    store.add_challenge(challenge)
    assert not store.spend(text, now=NOW, interval=MINUTE, burst=1)
    assert store.spend(text, now=NOW, interval=MINUTE, burst=1) == MINUTE
    assert store.purge(before=NOW + timedelta(hours=1)) == 2
    store.close()
