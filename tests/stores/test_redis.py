"""Redis and Redis Cluster keep the contract, and what is particular to them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis import RedisCluster as ClusterClient

from admit import tokens
from admit.errors import ConfigurationError, StoreError
from admit.model import Authentication, Client, Ending, EndReason, Factor, Session
from admit.store import Announcing, SessionStore
from admit.stores.redis import RedisStore
from admit.stores.redis_packing import pack_session, unpack_session
from admit.testing import StoreContract, a_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime.now(UTC)
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")


def open_redis(url: str, prefix: str) -> RedisStore:
    """Open a store that waits for a busy machine; how it behaves when nobody answers is tested elsewhere."""
    return RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30)


class TestRedis(StoreContract):
    """A server keeps the contract."""

    @pytest.fixture
    def opener(self, redis_url: str) -> Callable[[], RedisStore]:
        """Open a store with keys of its own."""
        return partial(open_redis, redis_url, f"{tokens.new_id()}:")


class TestRedisCluster(StoreContract):
    """A cluster of six nodes keeps the contract."""

    @pytest.fixture
    def opener(self, redis_cluster_url: str) -> Callable[[], RedisStore]:
        """Open a store with keys of its own."""
        return partial(open_redis, redis_cluster_url, f"{tokens.new_id()}:")


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
    """Open an empty store on each kind of Redis."""
    store = open_redis(url, prefix)
    yield store
    store.close()


def test_it_is_what_the_protocols_say(store: RedisStore) -> None:
    """The store is a session store that announces changes."""
    assert isinstance(store, SessionStore)
    assert isinstance(store, Announcing)


# -- values ----------------------------------------------------------------------------------------

_TIMES = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 Hypothesis adds the zone
_TEXTS = st.text(st.characters(), max_size=300)
_BYTES = st.binary(max_size=64)
_SESSIONS = st.builds(
    Session,
    id=st.just("id"),
    subject=_TEXTS,
    secret_hash=_BYTES,
    seed=_BYTES,
    created_at=_TIMES,
    seen_at=_TIMES,
    idle=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)),
    ends_at=_TIMES,
    rotated_at=_TIMES,
    confirmed_at=st.none() | _TIMES,
    nonce=_BYTES,
    remembered=st.booleans(),
    authentications=st.lists(st.builds(Authentication, _TEXTS, st.frozensets(st.sampled_from(Factor)), _TIMES)).map(
        tuple
    ),
    client=st.builds(Client, st.none() | _TEXTS, st.none() | _TEXTS),
)


@given(session=_SESSIONS)
def test_every_session_fits_into_a_value(session: Session) -> None:
    """Whatever a session's fields hold, lone surrogates included, comes back exactly."""
    assert unpack_session("id", pack_session(session)) == session


def test_any_text_may_be_a_subject(store: RedisStore) -> None:
    """A subject that looks like a command, a hash tag or no text at all has its own list."""
    subjects = ["}", "{a}", "a\r\nFLUSHALL\r\n", "\x00", "\ud800", "*", "x" * 10_000]
    sessions = [a_session(subject=subject) for subject in subjects]
    for session in sessions:
        store.add_session(session)
    assert [list(store.list_sessions(subject)) for subject in subjects] == [[session] for session in sessions]


@pytest.mark.parametrize("value", [b"\x21a later layout", b"\x11", b"\x11" + bytes(60)])
def test_a_value_of_another_make_is_no_absence(redis_url: str, prefix: str, value: bytes) -> None:
    """A value that this version can't read is a StoreError: going back to an old version logs nobody out."""
    store = open_redis(redis_url, prefix)
    session = a_session()
    store.add_session(session)
    with Redis.from_url(redis_url) as client:
        client.set(f"{prefix}s:{session.id}", value)
    verbs: list[Callable[[], object]] = [
        lambda: store.get_session(session.id),
        lambda: store.list_sessions(session.subject),
        lambda: store.delete_sessions(session.subject, ending=REVOKED),
        lambda: store.delete_session(session.id, ending=REVOKED),
    ]
    for verb in verbs:
        with pytest.raises(StoreError):
            verb()
    store.close()


def test_a_look_up_is_one_command(redis_url: str, prefix: str) -> None:
    """Looking a living session up costs the server one command, and so one round trip."""
    store = open_redis(redis_url, prefix)
    session = a_session()
    store.add_session(session)
    with Redis.from_url(redis_url) as client:
        before = client.info("commandstats")["cmdstat_get"]["calls"]
        total = client.info("stats")["total_commands_processed"]
        for _ in range(10):
            store.get_session(session.id)
        assert client.info("commandstats")["cmdstat_get"]["calls"] - before == 10
        assert client.info("stats")["total_commands_processed"] - total == 10 + 2  # and the two that ask
    store.close()


def test_keys_are_due_when_nothing_can_be_lost(redis_url: str, prefix: str) -> None:
    """A key is due a day after its session's last moment, or a day after it was written if that is later."""
    store = open_redis(redis_url, prefix)
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    old = a_session(subject="old", created_at=long_ago, seen_at=long_ago, ends_at=long_ago)
    young = a_session(subject="young")
    store.add_session(old)
    store.add_session(young)
    touched = replace(young, seen_at=NOW + timedelta(hours=5))
    store.touch_session(young.id, seen_at=touched.seen_at, expires_at=touched.expires_at)
    day = timedelta(days=1)
    with Redis.from_url(redis_url) as client:

        def due(name: str) -> timedelta:
            return datetime.fromtimestamp(client.pexpiretime(f"{prefix}{name}") / 1000, UTC) - NOW

        about = timedelta(hours=1)  # since this module was loaded
        assert abs(due(f"s:{old.id}") - day) < about
        assert abs(due("u:{old}") - day) < about
        assert abs(due(f"s:{young.id}") - (touched.expires_at - NOW + day)) < about
        assert abs(due("u:{young}") - (young.ends_at - NOW + day)) < about
    assert store.get_session(old.id) == old
    store.delete_session(old.id, ending=REVOKED)
    with Redis.from_url(redis_url) as client:
        assert abs(due(f"s:{old.id}") - day) < about
        assert not client.exists(f"{prefix}u:{{old}}")
    store.close()


def test_an_entry_without_a_session_goes_when_it_is_due(redis_url: str, prefix: str) -> None:
    """An entry whose session is missing stays while somebody may be about to write it, and then goes."""
    store = open_redis(redis_url, prefix)
    sessions = [a_session(), a_session()]
    with Redis.from_url(redis_url) as client:
        for session in sessions:
            store.add_session(session)
            client.delete(f"{prefix}s:{session.id}")
        client.zadd(f"{prefix}u:{{ada}}", {sessions[0].id: 1000})
        assert list(store.list_sessions("ada")) == []
        assert client.zrange(f"{prefix}u:{{ada}}", 0, -1) == [sessions[1].id.encode()]
    store.close()


def test_prefixes_are_no_patterns(redis_url: str) -> None:
    """A prefix with characters that mean something in a pattern counts and purges its own keys only."""
    name = tokens.new_id()
    odd, plain = open_redis(redis_url, f"{name}[*?]^:"), open_redis(redis_url, f"{name}aaa:")
    odd.add_session(a_session())
    plain.add_session(a_session())
    assert odd.count_sessions() == 1
    assert odd.purge(before=NOW + timedelta(days=30)) == 1
    assert plain.count_sessions() == 1
    odd.close()
    plain.close()


def test_a_purge_goes_on_where_it_stopped(store: RedisStore) -> None:
    """Many small purges remove as much as one, and the last one says that nothing is left."""
    sessions = [a_session(subject=f"subject {number % 7}") for number in range(1_200)]
    for session in sessions:
        store.add_session(session)
    for session in sessions[::3]:
        store.delete_session(session.id, ending=REVOKED)
    after = NOW + timedelta(days=8)
    removed = []
    while not removed or removed[-1] == 250:
        removed.append(store.purge(before=after, batch=250))
    assert sum(removed) == len(sessions)
    assert store.count_sessions() == 0
    assert all(store.get_ending(session.id) is None for session in sessions)


# -- who wins --------------------------------------------------------------------------------------


def test_ending_all_ends_a_session_that_is_just_being_replaced(store: RedisStore) -> None:
    """When all of a subject's sessions end while one is replaced over and over, its last successor ends too."""
    for _ in range(20):
        session = a_session()
        store.add_session(session)
        chain = Thread(target=_replace_until_it_ends, args=(store, session))
        chain.start()
        assert store.delete_sessions("ada", ending=REVOKED) >= 1
        assert list(store.list_sessions("ada")) == []
        chain.join(30)
        assert not chain.is_alive()


def _replace_until_it_ends(store: RedisStore, session: Session) -> None:
    new = a_session()
    while store.replace_session(session.id, new, ending=Ending(EndReason.REPLACED, NOW)):
        session, new = new, a_session()


def test_a_list_misses_no_session_that_is_just_being_replaced(store: RedisStore) -> None:
    """A session that is replaced over and over is always listed, as itself, as its successor or as both."""
    session = a_session()
    store.add_session(session)
    chain = Thread(target=_replace_until_it_ends, args=(store, session))
    chain.start()
    counts = {len(store.list_sessions("ada")) for _ in range(200)}
    store.delete_sessions("ada", ending=REVOKED)
    chain.join(30)
    assert 0 not in counts
    assert max(counts) <= 2


# -- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "redis://127.0.0.1:s3cret",
        "redis+cluster://127.0.0.1:s3cret",
        "redis+cluster://:s3cret@127.0.0.1:1,127.0.0.1:x",
    ],
)
def test_a_wrong_url_is_said_without_repeating_it(url: str) -> None:
    """A URL that is none of Redis is the developer's error, which does not show the URL: it may hold a password."""
    with pytest.raises(ConfigurationError, match="no URL of Redis") as caught:
        RedisStore(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_clients_of_the_driver_open_stores(redis_url: str, redis_cluster_url: str, prefix: str) -> None:
    """A client is used for where its servers are and how it reaches them, whatever else it is set to."""
    first, *_ = redis_cluster_url.partition("//")[2].split(",")
    clients: list[Redis | ClusterClient] = [
        Redis.from_url(redis_url, decode_responses=True, protocol=3),
        ClusterClient.from_url(f"redis://{first}", decode_responses=True),
    ]
    session = a_session()
    for client in clients:
        store = RedisStore(client, prefix=prefix, connect_timeout=30, command_timeout=30)
        store.add_session(session)
        assert store.get_session(session.id) == session
        store.close()
        client.close()


def test_addresses_of_version_six_are_understood() -> None:
    """The nodes of a cluster may have addresses in brackets, and ports may be left out."""
    store = RedisStore("rediss+cluster://user:password@[::1]:7000,example.test/?ssl_check_hostname=false")
    nodes: Any = store._nodes
    assert [str(seed) for seed in nodes._seeds] == ["[::1]:7000", "example.test:6379"]
    settings = nodes._connect_to(nodes._seeds[0])()
    assert (settings.host, settings.port, settings.username, settings.password) == ("::1", 7000, "user", "password")


_FORK = """
import os, sys
from admit.stores.redis import RedisStore
from admit.testing import a_session
store = RedisStore(sys.argv[1], prefix=sys.argv[2], connect_timeout=30, command_timeout=30)
heard = []
store.on_change(heard.append)
mine = a_session()
store.add_session(mine)
child = os.fork()
if child == 0:
    heard.clear()
other = a_session()
store.add_session(other)
for _ in range(200):
    assert store.get_session(mine.id) == mine
    assert store.get_session(other.id) == other
if child == 0:
    while None not in heard:
        store.get_session(mine.id)
    store.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store.close()
"""


def test_a_forked_process_has_connections_of_its_own(url: str, prefix: str) -> None:
    """Parent and child of a fork use one store at once; no answer goes astray, and the child hears changes."""
    # In a process of its own: a fork of this one would take pytest's threads' locks along.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK, url, prefix]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)  # noqa: S603
