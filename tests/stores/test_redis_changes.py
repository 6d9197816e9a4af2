"""What changes in Redis is heard in every process, and a process that may have missed something drops all."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.model import Ending, EndReason
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.testing import a_session
from tests.services.redis import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from tests.services.redis import RedisCluster, RedisServer

NOW = datetime.now(UTC)
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")


def open_redis(url: str, prefix: str) -> RedisStore:
    """Open a store that waits for a busy machine."""
    return RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30)


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of each kind of Redis in turn."""
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def prefix() -> str:
    """Return a prefix of the test's own."""
    return f"{tokens.new_id()}:"


@pytest.fixture
def store(url: str, prefix: str) -> Iterator[RedisStore]:
    """Open the store of this process."""
    store = open_redis(url, prefix)
    yield store
    store.close()


def listening_threads() -> int:
    """Return how many threads of this process listen."""
    return sum(thread.name == "admit-changes" for thread in threading.enumerate())


def hear(store: RedisStore) -> tuple[list[str | None], Callable[[], None]]:
    """Listen, and return what is heard from now on, and what stops it."""
    heard: list[str | None] = []
    stop = store.on_change(heard.append)
    wait_until(lambda: None in heard)
    heard.clear()
    return heard, stop


def test_every_change_is_announced(url: str, prefix: str, store: RedisStore) -> None:
    """Touching, rotating, replacing, ending one, ending all and purging are heard by another store."""
    other = open_redis(url, prefix)
    heard, _ = hear(other)
    later = NOW + timedelta(minutes=1)
    session, successor, third = a_session(), a_session(), a_session()
    store.add_session(session)
    changes: list[tuple[str, Callable[[], object]]] = [
        (session.id, lambda: store.touch_session(session.id, seen_at=later, expires_at=session.expires_at)),
        (session.id, lambda: store.replace_secret(session, a_session(id=session.id, secret_hash=b"r" * 32))),
        (session.id, lambda: store.replace_session(session.id, successor, ending=REVOKED)),
        (successor.id, lambda: store.delete_session(successor.id, ending=REVOKED)),
        (third.id, lambda: store.delete_sessions("ada", ending=REVOKED)),
    ]
    for session_id, change in changes:
        store.add_session(third)
        heard.clear()
        assert change()
        wait_until(lambda session_id=session_id: session_id in heard)  # type: ignore[misc]
    fourth = a_session()
    store.add_session(fourth)
    assert store.purge(before=NOW + timedelta(days=30))
    wait_until(lambda: fourth.id in heard)
    other.close()


def test_what_failed_is_not_announced(url: str, prefix: str, store: RedisStore) -> None:
    """A change that did not happen, and a session that began, drop nothing."""
    other = open_redis(url, prefix)
    session, last = a_session(), a_session()
    store.add_session(session)
    heard, _ = hear(other)
    store.add_session(a_session())
    store.touch_session(session.id, seen_at=NOW - timedelta(hours=1), expires_at=session.expires_at)
    store.replace_secret(a_session(id=session.id, secret_hash=b"x"), session)
    store.delete_session(tokens.new_id(), ending=REVOKED)
    store.add_session(last)
    store.delete_session(last.id, ending=REVOKED)
    wait_until(lambda: bool(heard))
    assert heard == [last.id]
    other.close()


def test_listening_ends_with_the_last_who_listens(store: RedisStore) -> None:
    """One thread serves all who listen; it stops with the last of them, and begins again with the next."""
    before = listening_threads()
    heard, stop = hear(store)
    again: list[str | None] = []
    stop_again = store.on_change(again.append)
    assert listening_threads() == before + 1
    stop()
    session = a_session()
    store.add_session(session)
    store.delete_session(session.id, ending=REVOKED)
    wait_until(lambda: session.id in again)
    assert heard == []
    stop_again()
    assert listening_threads() == before
    _, _ = hear(store)
    assert listening_threads() == before + 1
    store.close()
    assert listening_threads() == before


def test_a_lost_link_drops_all_and_is_made_again(redis_server: RedisServer) -> None:
    """When the server dies all is dropped; when it is back all is dropped again, and changes are heard."""
    store = open_redis(redis_server.url, "admit:")
    heard, _ = hear(store)
    redis_server.kill()
    wait_until(lambda: None in heard)
    redis_server.start()
    wait_until(lambda: _hears(store, heard))
    assert heard.count(None) >= 2
    store.close()


def _hears(store: RedisStore, heard: list[str | None]) -> bool:
    session = a_session()
    store.add_session(session)
    store.delete_session(session.id, ending=REVOKED)
    return session.id in heard


def test_a_link_that_went_silent_drops_all(redis_server: RedisServer) -> None:
    """When the server hangs without closing the link, that is noticed by asking, and all is dropped."""
    store = RedisStore(redis_server.url)
    heard, _ = hear(store)
    redis_server.pause()
    wait_until(lambda: None in heard)
    redis_server.resume()
    store.close()


def test_a_quiet_link_stays(redis_server: RedisServer) -> None:
    """A link on which nothing happens for a while is asked, found alive, and kept: nothing is dropped."""
    store = open_redis(redis_server.url, "admit:")
    heard, _ = hear(store)

    def pings() -> int:
        calls: int = redis_server.ask("INFO", "commandstats").get("cmdstat_ping", {"calls": 0})["calls"]
        return calls

    before = pings()
    wait_until(lambda: pings() >= before + 2)
    assert heard == []
    store.close()


def test_a_cluster_is_heard_through_any_node(redis_cluster: RedisCluster) -> None:
    """When nodes die, those who listened to them go on listening to others."""
    store = open_redis(redis_cluster.url, "admit:")
    heard, _ = hear(store)
    for replica in redis_cluster.replicas:
        replica.kill()
    wait_until(lambda: _hears(store, heard))
    store.close()


# -- near caches in other processes -------------------------------------------------------------------


def look_until_gone(url: str, prefix: str, said: Connection) -> None:
    """Look at sessions through a near cache whose entries never grow old; say when each is there and gone."""
    near = NearStore(open_redis(url, prefix), max_age=3600)
    while True:
        session_id = said.recv()
        if not session_id:
            break
        assert near.get_session(session_id) is not None
        said.send("there")
        while near.get_session(session_id) is not None:
            time.sleep(0.001)  # others need the processor
        said.send("gone")
    near.close()
    said.close()


def test_four_processes_see_a_revocation(url: str, prefix: str, store: RedisStore) -> None:
    """A session that four other processes serve from memory is gone in all of them, by push alone."""
    processes = get_context("spawn")
    others = []
    for _ in range(4):
        mine, theirs = processes.Pipe()
        process = processes.Process(target=look_until_gone, args=(url, prefix, theirs))
        process.start()
        theirs.close()
        others.append((process, mine))
    for _ in range(20):
        session = a_session()
        store.add_session(session)
        for _, talk in others:
            talk.send(session.id)
        for _, talk in others:
            assert talk.recv() == "there"
        store.delete_session(session.id, ending=REVOKED)
        for _, talk in others:
            assert talk.poll(30)
            assert talk.recv() == "gone"
    for process, talk in others:
        talk.send("")
        process.join(30)
        assert process.exitcode == 0
        talk.close()
