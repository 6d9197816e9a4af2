"""A Redis that is full, has lost a list, can't save, or does not let this user publish: what must end ends."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from admit.errors import StoreError
from admit.gate import Gate
from admit.model import Ending, EndReason
from admit.settings import SessionSettings
from admit.stores.redis import RedisStore
from admit.testing import Clock, a_challenge, a_session
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.redis import RedisCluster, RedisServer

REVOKED = Ending(EndReason.REVOKED, NOW, "owner")
MINUTE = timedelta(minutes=1)
SETTINGS = SessionSettings(rotate_every=timedelta(minutes=10))


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisStore]:
    """Open a store on each kind of Redis in turn, under a prefix of the test's own."""
    url: str = request.getfixturevalue(request.param)
    store = RedisStore(url, prefix=f"{tmp_path.name}:", connect_timeout=30, command_timeout=30)
    yield store
    store.close()


@pytest.fixture
def own(redis_server: RedisServer) -> Iterator[RedisStore]:
    """Open a store on a server of the test's own."""
    store = RedisStore(redis_server.url, connect_timeout=30, command_timeout=30)
    yield store
    store.close()


def fill(*servers: RedisServer) -> None:
    """Let servers have no memory left, as after too many sign-ins."""
    for server in servers:
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.ask("CONFIG", "SET", "maxmemory", 1)


def rotated(session: Any) -> Any:
    """Return the session with another secret."""
    return replace(session, secret_hash=b"n" * 32, nonce=b"n" * 16, confirmed_at=None)


@pytest.mark.parametrize("kind", ["one", "cluster"])
def test_a_full_server_refuses_sign_ins_and_nothing_that_ends(request: pytest.FixtureRequest, kind: str) -> None:
    """With noeviction and no memory left, sessions end, are touched, rotate and are counted; none begins."""
    if kind == "one":
        server: RedisServer = request.getfixturevalue("redis_server")
        url, servers = server.url, [server]
    else:
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        url, servers = cluster.url, list(cluster.primaries)
    store = RedisStore(url, connect_timeout=30, command_timeout=30)
    first, second, *others = (a_session() for _ in range(5))
    for session in (first, second, *others):
        store.add_session(session)
    store.add_challenge(challenge := a_challenge())
    store.spend("k", now=NOW, interval=MINUTE, burst=2)
    fill(*servers)

    with pytest.raises(StoreError):
        store.add_session(a_session())
    with pytest.raises(StoreError):
        store.add_challenge(a_challenge())
    assert store.touch_session(first.id, seen_at=first.seen_at + MINUTE, expires_at=first.expires_at + MINUTE)
    assert store.replace_secret(first, rotated(first))
    assert store.delete_session(first.id, ending=REVOKED)
    assert store.get_ending(first.id) == REVOKED
    assert store.take_challenge(challenge.id) == challenge
    assert store.delete_sessions("ada", keep=second.id, ending=REVOKED) == len(others)
    assert [one.id for one in store.list_sessions("ada")] == [second.id]
    assert not store.spend("k", now=NOW, interval=MINUTE, burst=2)
    assert store.spend("k", now=NOW, interval=MINUTE, burst=2)
    store.refund("k", now=NOW, interval=MINUTE)
    assert store.purge(before=second.expires_at + timedelta(days=9))
    store.close()


def test_whoever_cant_be_rotated_is_served(redis_server: RedisServer, own: RedisStore) -> None:
    """While a server can't save what it does and refuses all changes, a session due for a new secret is served."""
    clock = Clock(NOW)
    gate = Gate(own, SETTINGS, clock=clock)
    admitted = gate.admit("ada", "password")
    clock.advance(timedelta(hours=1))
    redis_server.ask("CONFIG", "SET", "min-replicas-to-write", 1)  # refused like one that can't save: NOREPLICAS
    for _ in range(3):
        resumed = gate.resume(admitted.token)
        assert resumed.session is not None
        assert resumed.token is None
    with pytest.raises(StoreError):
        gate.revoke(admitted.session.id)
    redis_server.ask("CONFIG", "SET", "min-replicas-to-write", 0)
    assert gate.resume(admitted.token).token is not None
    assert gate.revoke(admitted.session.id)


# -- lists that were lost ----------------------------------------------------------------------------------------------


def lose_list(store: RedisStore, subject: str = "ada") -> None:
    """Lose a user's list, as a failover or an eviction does."""
    assert store._nodes.ask("DEL", store._lists.key(subject)) == 1
    assert store.list_sessions(subject) == []


def touch(store: RedisStore, session: Any) -> bool:
    """Use a session."""
    return store.touch_session(session.id, seen_at=session.seen_at + MINUTE, expires_at=session.expires_at + MINUTE)


@pytest.mark.parametrize(
    "use", [touch, lambda store, session: store.replace_secret(session, rotated(session))], ids=["touch", "rotation"]
)
def test_a_lost_list_is_made_again(store: RedisStore, use: Callable[[RedisStore, Any], bool]) -> None:
    """A session whose list was lost is seen and can be ended again once it was used."""
    sessions = [a_session() for _ in range(3)]
    for session in sessions:
        store.add_session(session)
    lose_list(store)
    assert all(use(store, session) for session in sessions)
    assert {one.id for one in store.list_sessions("ada")} == {one.id for one in sessions}
    assert store.delete_sessions("ada", ending=REVOKED) == len(sessions)
    assert not any(store.get_session(one.id) for one in sessions)


@pytest.mark.parametrize(
    "use", [touch, lambda store, session: store.replace_secret(session, rotated(session))], ids=["touch", "rotation"]
)
def test_the_end_of_all_reaches_a_session_that_no_list_had(
    store: RedisStore, use: Callable[[RedisStore, Any], bool]
) -> None:
    """A session that missed the end of all ends when it is used next; one that was kept, or is younger, stays."""
    missed, kept = a_session(), a_session()
    younger = replace(a_session(), created_at=NOW + MINUTE)
    for session in (missed, kept):
        store.add_session(session)
    lose_list(store)
    assert store.delete_sessions("ada", keep=kept.id, ending=REVOKED) == 0
    assert store.get_session(missed.id) is not None
    store.add_session(younger)
    lose_list(store)
    assert [use(store, session) for session in (missed, kept, younger)] == [False, True, True]
    assert store.get_session(missed.id) is None
    assert store.get_ending(missed.id) == Ending(EndReason.REVOKED, NOW)
    assert {one.id for one in store.list_sessions("ada")} == {kept.id, younger.id}


def test_a_note_that_was_lost_leaves_a_session_that_can_be_ended(store: RedisStore) -> None:
    """Where the note of the end of all is lost as well, the session is listed at its next use, and can be ended."""
    session = a_session()
    store.add_session(session)
    lose_list(store)
    store.delete_sessions("ada", ending=REVOKED)
    assert store._nodes.ask("DEL", store._lists._note_key("ada")) == 1
    assert touch(store, session)
    assert store.delete_sessions("ada", ending=REVOKED) == 1
    assert store.get_session(session.id) is None


def test_a_session_that_was_lost_leaves_nothing(store: RedisStore) -> None:
    """A list whose session was lost shows none, and no use brings it back."""
    session = a_session()
    store.add_session(session)
    store._records.remove(session.id)
    assert not touch(store, session)
    assert store.list_sessions("ada") == []


def test_a_confirmation_costs_no_look_at_the_list(store: RedisStore) -> None:
    """The second request of a login, which confirms its secret, is one command."""
    session = replace(a_session(), confirmed_at=None)
    store.add_session(session)
    lose_list(store)
    assert store.replace_secret(session, replace(session, confirmed_at=NOW))
    assert store.list_sessions("ada") == []


# -- what a user may not do --------------------------------------------------------------------------------------------


def test_without_the_right_to_publish_sessions_end(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A user who may not publish ends, touches, rotates and purges sessions all the same; the log says it once."""
    redis_server.ask("ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all", "resetchannels")
    store = RedisStore(f"redis://app:hunter2@127.0.0.1:{redis_server.port}/0", connect_timeout=30, command_timeout=30)
    first, second, third, fourth = (a_session() for _ in range(4))
    for session in (first, second, third, fourth):
        store.add_session(session)
    with caplog.at_level(logging.ERROR, "admit.stores"):
        assert touch(store, first)
        assert store.replace_secret(first, rotated(first))
        assert store.delete_session(first.id, ending=REVOKED)
        assert store.get_ending(first.id) == REVOKED
        assert store.replace_session(second.id, replace(a_session(), subject="bob"), ending=REVOKED)
        assert store.delete_sessions("ada", ending=REVOKED) == 2
        assert store.purge(before=third.expires_at + timedelta(days=9))
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Redis does not let this user publish to admit:changes"
    ]
    assert "hunter2" not in caplog.text
    store.close()


# -- what it tells about itself ----------------------------------------------------------------------------------------


def test_how_full_it_is(redis_server: RedisServer, own: RedisStore) -> None:
    """The part of its maxmemory that a server uses is told, and nothing where it has no limit."""
    assert own.fullness() is None
    used = redis_server.ask("INFO", "memory")["used_memory"]
    redis_server.ask("CONFIG", "SET", "maxmemory", 2 * used)
    part = own.fullness()
    assert part is not None
    assert 0.3 < part < 0.8
    assert own.can_save()


def test_of_a_cluster_the_worst_node_counts(redis_cluster: RedisCluster) -> None:
    """A cluster is as full as its fullest node, and evicts if one node does."""
    store = RedisStore(redis_cluster.url, connect_timeout=30, command_timeout=30)
    assert (store.fullness(), store.eviction_policy()) == (None, "noeviction")
    redis_cluster.primaries[2].ask("CONFIG", "SET", "maxmemory", 1)
    redis_cluster.primaries[2].ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    part = store.fullness()
    assert part is not None
    assert part > 1
    assert store.eviction_policy() == "allkeys-lru"
    redis_cluster.kill()
    with pytest.raises(StoreError):
        store.fullness()
    store.close()


def test_its_time_is_the_servers(store: RedisStore, redis_url: str) -> None:
    """The store tells the time of its server, in microseconds."""
    with Redis.from_url(redis_url) as client:
        before: Any = client.time()
        at = store.now().timestamp()
        after: Any = client.time()
    assert before[0] + before[1] / 1e6 - 1 < at < after[0] + after[1] / 1e6 + 1
