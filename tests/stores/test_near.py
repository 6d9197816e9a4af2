"""The near cache keeps the contract, is bounded, and never serves what was dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.errors import StoreError
from admit.model import Ending, EndReason
from admit.store import SessionStore
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.testing import StoreContract, a_session
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Session

NOW = datetime.now(UTC)
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")


def open_near_redis(url: str, prefix: str) -> NearStore:
    """Open a near cache over Redis."""
    return NearStore(RedisStore(url, prefix=prefix, connect_timeout=30, command_timeout=30))


class TestNearMemory(StoreContract):
    """Over memory it keeps the contract."""

    shared = False

    @pytest.fixture
    def opener(self) -> Callable[[], NearStore]:
        """Open an empty one."""
        return lambda: NearStore(MemoryStore())


class TestNearRedis(StoreContract):
    """Over Redis it keeps the contract."""

    @pytest.fixture
    def opener(self, redis_url: str) -> Callable[[], NearStore]:
        """Open one with keys of its own."""
        return partial(open_near_redis, redis_url, f"{tokens.new_id()}:")


class TestNearRedisCluster(StoreContract):
    """Over a cluster it keeps the contract."""

    @pytest.fixture
    def opener(self, redis_cluster_url: str) -> Callable[[], NearStore]:
        """Open one with keys of its own."""
        return partial(open_near_redis, redis_cluster_url, f"{tokens.new_id()}:")


class WatchedStore(MemoryStore):
    """A store in memory that counts look-ups, announces what a test says, and may be slow or down."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.drops: list[Callable[[str | None], None]] = []
        self.has_read = Event()
        self.may_answer = Event()
        self.may_answer.set()
        self.is_down = False

    def get_session(self, session_id: str) -> Session | None:
        """Look up, say so, and answer when that is allowed."""
        self.reads += 1
        session = super().get_session(session_id)
        self.has_read.set()
        assert self.may_answer.wait(30)
        return session

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session; if the store is down nobody gets to know that it did."""
        ended = super().delete_session(session_id, ending=ending)
        if self.is_down:
            message = "The answer was lost. Try again."
            raise StoreError(message)
        return ended

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Remember whom to tell."""
        self.drops.append(drop)
        return lambda: self.drops.remove(drop)

    def announce(self, session_id: str | None) -> None:
        """Tell that another process changed a session."""
        for drop in self.drops:
            drop(session_id)


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def inner() -> WatchedStore:
    """Return the store under the cache."""
    return WatchedStore()


@pytest.fixture
def seconds() -> Seconds:
    """Return the cache's clock."""
    return Seconds()


@pytest.fixture
def near(inner: WatchedStore, seconds: Seconds) -> NearStore:
    """Return a cache of three entries, five seconds each."""
    return NearStore(inner, entries=3, max_age=5.0, clock=seconds)


@pytest.fixture
def session(inner: WatchedStore) -> Session:
    """Return a session that the store keeps."""
    session = a_session()
    inner.add_session(session)
    return session


def test_it_is_a_session_store(near: NearStore) -> None:
    """The cache is what it wraps."""
    assert isinstance(near, SessionStore)


def test_a_second_look_asks_nobody(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """A session that was looked up once comes out of the cache, the very same object."""
    assert near.get_session(session.id) is near.get_session(session.id)
    assert inner.reads == 1


def test_an_entry_grows_old(near: NearStore, inner: WatchedStore, seconds: Seconds, session: Session) -> None:
    """What another process did unheard is seen when the entry is as old as it may get."""
    near.get_session(session.id)
    inner.delete_session(session.id, ending=REVOKED)
    seconds.now = 4.99
    assert near.get_session(session.id) == session
    seconds.now = 5.0
    assert near.get_session(session.id) is None


def test_a_slow_read_is_as_old_as_its_question(
    near: NearStore, inner: WatchedStore, seconds: Seconds, session: Session
) -> None:
    """The age of an entry counts from before the store was asked, so a slow store does not stretch the bound."""
    inner.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(near.get_session, session.id)
        assert inner.has_read.wait(30)
        seconds.now = 4.0
        inner.may_answer.set()
        assert read.result() == session
    seconds.now = 5.0
    near.get_session(session.id)
    assert inner.reads == 2


def test_absence_is_never_kept(near: NearStore, inner: WatchedStore) -> None:
    """A session that begins in another process right after a look for it is found."""
    session = a_session()
    assert near.get_session(session.id) is None
    inner.add_session(session)
    assert near.get_session(session.id) == session


def test_entries_are_bounded(near: NearStore, inner: WatchedStore) -> None:
    """No more sessions are remembered than allowed, and those read longest ago make room."""
    sessions = [a_session() for _ in range(10)]
    for session in sessions:
        near.add_session(session)
        near.get_session(session.id)
    assert len(near._kept.get().sessions) == 3
    inner.reads = 0
    for session in sessions[-3:]:
        near.get_session(session.id)
    assert inner.reads == 0


def test_old_entries_read_anew_are_young(near: NearStore, inner: WatchedStore, seconds: Seconds) -> None:
    """An entry that grew old and was read again is not the first to make room."""
    first, second, third, fourth = (a_session() for _ in range(4))
    for session in (first, second, third, fourth):
        near.add_session(session)
    for session in (first, second, third):
        near.get_session(session.id)
    seconds.now = 6.0
    near.get_session(first.id)
    near.get_session(fourth.id)
    inner.reads = 0
    near.get_session(first.id)
    assert inner.reads == 0


@pytest.mark.parametrize("word", ["id", None])
def test_an_announced_change_drops(near: NearStore, inner: WatchedStore, session: Session, word: str | None) -> None:
    """A change that the store announces, of one session or of anything, is seen by the next look."""
    near.get_session(session.id)
    inner.delete_session(session.id, ending=REVOKED)
    inner.announce(session.id if word else None)
    assert near.get_session(session.id) is None


@pytest.mark.parametrize("word", ["id", None])
def test_a_read_that_was_overtaken_is_not_kept(
    near: NearStore, inner: WatchedStore, session: Session, word: str | None
) -> None:
    """A read that began before a change and answers after its announcement puts nothing in."""
    inner.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(near.get_session, session.id)
        assert inner.has_read.wait(30)
        inner.delete_session(session.id, ending=REVOKED)
        inner.announce(session.id if word else None)
        inner.may_answer.set()
        assert read.result() == session
    assert near.get_session(session.id) is None


def test_a_read_overtaken_by_a_revocation_here_is_not_kept(
    near: NearStore, inner: WatchedStore, session: Session
) -> None:
    """A revoke-all through the cache is not undone by a read that was under way."""
    inner.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(near.get_session, session.id)
        assert inner.has_read.wait(30)
        near.delete_sessions(session.subject, ending=REVOKED)
        inner.may_answer.set()
        read.result()
    assert near.get_session(session.id) is None


def test_of_two_reads_the_later_is_kept(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """Two reads of one session at once both answer, and the cache serves it afterwards."""
    inner.may_answer.clear()
    with ThreadPoolExecutor(2) as threads:
        reads = [threads.submit(near.get_session, session.id) for _ in range(2)]
        assert inner.has_read.wait(30)
        inner.may_answer.set()
        assert [read.result() for read in reads] == [session, session]
    inner.reads = 0
    near.get_session(session.id)
    near.get_session(session.id)
    assert inner.reads <= 1


def test_every_change_through_the_cache_is_seen_at_once(near: NearStore, session: Session) -> None:
    """Touching, rotating, replacing and ending through the cache are seen by the next look, through it."""
    near.get_session(session.id)
    seen_at = NOW + timedelta(minutes=1)
    near.touch_session(session.id, seen_at=seen_at, expires_at=seen_at + session.idle)
    touched = near.get_session(session.id)
    assert touched is not None
    assert touched.seen_at == seen_at
    rotated = a_session(id=session.id, secret_hash=b"r" * 32)
    assert near.replace_secret(touched, rotated)
    found = near.get_session(session.id)
    assert found is not None
    assert found.secret_hash == b"r" * 32
    successor = a_session()
    assert near.replace_session(session.id, successor, ending=REVOKED)
    assert near.get_session(session.id) is None
    assert near.get_session(successor.id) == successor
    assert near.delete_session(successor.id, ending=REVOKED)
    assert near.get_session(successor.id) is None
    assert near.get_ending(successor.id) == REVOKED


def test_a_revocation_whose_answer_was_lost_drops(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """When the store fails in the middle of ending a session, the cache does not go on serving it."""
    near.get_session(session.id)
    inner.is_down = True
    with pytest.raises(StoreError):
        near.delete_session(session.id, ending=REVOKED)
    assert near.get_session(session.id) is None


def test_ending_all_of_one_leaves_the_others_near(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """Ending all of a subject's sessions drops that subject's entries and nobody else's."""
    other = a_session(subject="grace")
    near.add_session(other)
    near.get_session(session.id)
    near.get_session(other.id)
    assert near.delete_sessions(session.subject, ending=REVOKED) == 1
    assert near.get_session(session.id) is None
    inner.reads = 0
    assert near.get_session(other.id) == other
    assert inner.reads == 0


def test_what_is_purged_is_not_served(near: NearStore, session: Session) -> None:
    """A session that a purge removed is not served any more."""
    near.get_session(session.id)
    assert near.purge(before=NOW + timedelta(days=30)) == 1
    assert near.get_session(session.id) is None


def test_forgetting_asks_the_store_again(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """What was forgotten is looked up in the store the next time."""
    near.get_session(session.id)
    near.forget(session.id)
    near.get_session(session.id)
    assert inner.reads == 2


def test_a_failed_read_leaves_nothing(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """A read that the store fails leaves no entry and no ticket behind."""

    def fail(_: str) -> Session | None:
        message = "Down. Wait."
        raise StoreError(message)

    whole, inner.get_session = inner.get_session, fail  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        near.get_session(session.id)
    assert near._kept.get().tickets == {}
    inner.get_session = whole  # type: ignore[method-assign]
    assert near.get_session(session.id) == session


def test_what_was_revoked_here_is_never_served_here(inner: WatchedStore) -> None:
    """However many threads look on, a session ended through the cache is gone when the call returns."""
    near = NearStore(inner, max_age=3600)
    stop = Event()
    current = [a_session()]
    near.add_session(current[0])

    def look_on() -> None:
        while not stop.is_set():
            near.get_session(current[0].id)

    lookers = [Thread(target=look_on) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for _ in range(2_000):
        session = a_session()
        near.add_session(session)
        current[0] = session
        near.get_session(session.id)
        near.delete_session(session.id, ending=REVOKED)
        assert near.get_session(session.id) is None
    stop.set()
    for looker in lookers:
        looker.join()


def test_a_store_that_announces_nothing_will_do() -> None:
    """Over a store without announcements the cache works, and closing it closes the store."""
    near = NearStore(MemoryStore())
    session = a_session()
    near.add_session(session)
    assert near.get_session(session.id) == session
    assert list(near.list_sessions(session.subject)) == [session]
    assert near.count_sessions() == 1
    near.close()


def test_closing_stops_listening(near: NearStore, inner: WatchedStore) -> None:
    """After it was closed the cache hears of nothing any more."""
    near.close()
    assert inner.drops == []


def test_a_fork_begins_with_nothing(near: NearStore, inner: WatchedStore, session: Session) -> None:
    """The child of a fork serves nothing that its parent remembered, and can use a lock that was held."""
    near.get_session(session.id)

    def look() -> None:
        inner.delete_session(session.id, ending=REVOKED)
        assert near.get_session(session.id) is None

    with near._kept.get().lock:
        in_child(look)
    assert near.get_session(session.id) == session


# -- deaf -------------------------------------------------------------------------------------------------------------


class DeafStore(WatchedStore):
    """A store that knows whether it hears what others change."""

    hears = False

    def is_listening(self) -> bool:
        """Tell what the test has said."""
        return self.hears

    def on_listening(self, tell: Callable[[bool], object]) -> None:
        """Nobody is told."""


def test_nothing_is_kept_while_it_is_deaf() -> None:
    """While a process hears of no changes each look-up asks the store; what it had is dropped when it goes deaf."""
    inner = DeafStore()
    near, session = NearStore(inner), a_session()
    inner.add_session(session)
    near.get_session(session.id)  # begins to listen
    for _ in range(3):
        near.get_session(session.id)
    assert inner.reads == 4
    inner.hears = True
    for _ in range(3):
        near.get_session(session.id)
    assert inner.reads == 5
    inner.hears = False
    inner.announce(None)
    inner.delete_session(session.id, ending=REVOKED)
    assert near.get_session(session.id) is None


def test_listening_begins_with_the_first_look_up_that_is_served() -> None:
    """Opening starts nothing, and neither does a look-up before the process serves requests: it may fork yet."""
    inner, serves = DeafStore(), False
    near = NearStore(inner, serves=lambda: serves)
    inner.hears = True
    session = a_session()
    near.add_session(session)
    for _ in range(2):
        assert near.get_session(session.id) == session
    assert (inner.drops, inner.reads) == ([], 2)
    serves = True
    for _ in range(3):
        assert near.get_session(session.id) == session
    assert (len(inner.drops), inner.reads) == (1, 4)
    near._subscribe()
    assert len(inner.drops) == 1
    near.close()
    assert inner.drops == []


def test_one_that_never_listened_is_closed() -> None:
    """A cache that nobody has asked has nothing to stop."""
    inner = DeafStore()
    NearStore(inner).close()
    assert inner.drops == []
