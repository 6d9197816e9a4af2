"""The pool: few at once, a queue that may not stand, one place for each, and a fork starts anew."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest

from admit.errors import ConfigurationError, Overloaded
from admit.features.password.pool import Pool, on_behalf_of
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")

SOON = timedelta(milliseconds=50)
LONG = timedelta(seconds=10)


class Now:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def waiting(pool: Pool) -> int:
    """Return how many have or await their turn."""
    line = pool._line.get()
    with line._lock:
        return line._present.total()


def run(pool: Pool, whose: Hashable, work: Callable[[], T]) -> T:
    """Do work for somebody."""
    with on_behalf_of(whose):
        return pool.run(work)


class Crowd:
    """People who have or await their turn until the block ends."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        #: Those who have had their turn so far, in order.
        self.served: list[Hashable] = []
        self._release = threading.Event()
        self._requests = ThreadPoolExecutor(16)
        self._asked: list[Future[bool]] = []

    def come(self, *whose: Hashable) -> None:
        """Let these come, one after the other."""
        for count, one in enumerate(whose, waiting(self.pool) + 1):
            self._asked.append(self._requests.submit(run, self.pool, one, partial(self._work, one)))
            # Nothing tells when a thread has taken its place.
            while waiting(self.pool) < count:
                threading.Event().wait(0.001)

    def end(self) -> None:
        """Let all have their turn."""
        self._release.set()
        self._requests.shutdown()
        assert all(one.result() for one in self._asked)

    def _work(self, one: Hashable) -> bool:
        self.served.append(one)
        return self._release.wait(30)


@contextmanager
def busy(pool: Pool, *whose: Hashable) -> Iterator[Crowd]:
    """Keep work for these in the pool until the block ends."""
    crowd = Crowd(pool)
    crowd.come(*whose)
    try:
        yield crowd
    finally:
        crowd.end()


def test_it_returns_and_raises_what_the_work_does() -> None:
    """What the work returns or raises reaches whoever asked for it, and its place is free again."""
    pool = Pool(places=1)
    for _ in range(3):
        assert pool.run(lambda: 42) == 42
        with pytest.raises(ZeroDivisionError):
            pool.run(lambda: 1 // 0)


def test_no_more_than_asked_for_run_at_once() -> None:
    """However many ask, there are never more than ``at_once`` that run, and all get their turn."""
    pool, lock = Pool(at_once=2, places=16), threading.Lock()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1

    with ThreadPoolExecutor(16) as requests:
        for one in [requests.submit(pool.run, work) for _ in range(64)]:
            one.result()
    assert most == 2


def test_a_burst_is_absorbed() -> None:
    """However many come at the same moment, all are served: the queue has not stood (attack 182)."""
    pool = Pool(at_once=1, places=1, patience=LONG)
    start = threading.Barrier(64)

    def come() -> int:
        start.wait()
        return pool.run(lambda: 42)

    with ThreadPoolExecutor(64) as requests:
        asked = [requests.submit(come) for _ in range(64)]
        assert [one.result() for one in asked] == [42] * 64


def test_a_queue_that_has_stood_is_refused() -> None:
    """Once nobody was served at once for longer than the patience, more than the places are refused (attack 66)."""
    now = Now()
    pool = Pool(at_once=1, places=3, patience=LONG, clock=now)
    with busy(pool, "ada", "bob", "cleo") as crowd:
        now.seconds += 10
        crowd.come("dan")
        now.seconds += 0.1
        with pytest.raises(Overloaded) as caught:
            run(pool, "eve", pytest.fail)
        assert (caught.value.retry_after, caught.value.status) == (1, 503)
    assert pool.run(lambda: "free again") == "free again"


def test_a_queue_that_has_stood_leaves_places() -> None:
    """A queue that has stood is refused beyond its places only: work goes on."""
    now = Now()
    pool = Pool(at_once=1, places=3, patience=LONG, clock=now)
    with busy(pool, "ada", "bob") as crowd:
        now.seconds += 11
        crowd.come("cleo")
        with pytest.raises(Overloaded):
            run(pool, "dan", pytest.fail)


def test_a_queue_stands_anew_from_when_it_was_empty() -> None:
    """Whoever has not had to wait ends the time that the queue has stood: the next burst is absorbed."""
    now = Now()
    pool = Pool(at_once=1, places=1, patience=LONG, clock=now)
    with busy(pool, "ada"):
        now.seconds += 11
        with pytest.raises(Overloaded):
            run(pool, "bob", pytest.fail)
    with busy(pool, "ada", "bob", "cleo", "dan"):
        now.seconds += 9


def test_each_has_one_place_among_the_others() -> None:
    """Those who wait for one account have a place together, however many they are, and it goes round (attack 162)."""
    pool = Pool(at_once=1, places=3, patience=LONG)
    with busy(pool, "held", "ada", "ada", "ada", "bob", "cleo") as crowd:
        pass
    assert crowd.served == ["held", "ada", "bob", "cleo", "ada", "ada"]


def test_nobody_takes_all_threads() -> None:
    """More than the places for one account are refused although the queue has not stood (attack 162)."""
    pool = Pool(at_once=1, places=2, patience=LONG)
    with busy(pool, "ada", "ada", "bob", "bob", "cleo"), pytest.raises(Overloaded):
        run(pool, "ada", pytest.fail)
    assert waiting(pool) == 0
    assert run(pool, "ada", lambda: 42) == 42


def test_each_has_one_place_where_the_queue_has_stood() -> None:
    """In a queue that has stood, a second one for the same account is refused although there are places."""
    now = Now()
    pool = Pool(at_once=1, places=8, patience=LONG, clock=now)
    with busy(pool, "held", "ada") as crowd:
        now.seconds += 11
        with pytest.raises(Overloaded):
            run(pool, "ada", pytest.fail)
        crowd.come("bob")


def test_those_who_are_nobody_have_places_of_their_own() -> None:
    """Work that is for nobody in particular does not share a place."""
    now = Now()
    pool = Pool(at_once=1, places=3, patience=LONG, clock=now)
    with busy(pool, None, None) as crowd:
        now.seconds += 11
        crowd.come(None)


def test_patience_ends() -> None:
    """Whoever waits too long for a turn is told so, its work is never begun, and its place is free."""
    pool = Pool(at_once=1, places=2, patience=SOON)
    begun: list[int] = []
    with busy(pool, "held"):
        for whose in ("ada", "ada", "bob"):
            with pytest.raises(Overloaded):
                run(pool, whose, lambda: begun.append(1))
    assert waiting(pool) == 0
    assert pool.run(lambda: begun) == []


def test_patience_ends_for_one_of_several() -> None:
    """Whoever gives up leaves those who wait for the same account in their place."""
    pool = Pool(patience=LONG)
    line = pool._line.get()
    first, second, third = (line.enter("ada", 0.0) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert line.give_up("ada", second)
    line.leave("ada")
    assert third.is_set()
    assert not line.give_up("ada", third)
    line.leave("ada")
    assert waiting(pool) == 0


def test_what_has_begun_is_waited_for() -> None:
    """Work that takes longer than one would wait for a turn is not thrown away."""
    pool = Pool(patience=SOON)
    assert pool.run(lambda: threading.Event().wait(0.2)) is False


def test_its_threads_step_back() -> None:
    """A thread of the pool has a lower priority than those that serve, which keep theirs."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert Pool().run(niceness) == min(before + 10, 19)
    assert niceness() == before


def test_threads_that_may_not_step_back_work_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that forbids priorities does not keep anybody from logging in."""

    def forbidden(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    assert Pool().run(lambda: 42) == 42


@pytest.mark.parametrize(
    "sizes", [{"at_once": 0}, {"at_once": 5}, {"places": 0}, {"patience": timedelta()}, {"patience": -SOON}]
)
def test_a_pool_for_nobody_is_refused(sizes: dict[str, int]) -> None:
    """Sizes with which nobody could log in are refused when the application starts."""
    with pytest.raises(ConfigurationError, match="Nobody could log in"):
        Pool(**sizes)  # type: ignore[arg-type]


def test_a_child_has_a_pool_of_its_own() -> None:
    """A child that was forked while the parent's pool was full and at work has free places and threads of its own."""
    pool = Pool(at_once=1, places=2)
    assert pool.run(os.getpid) == os.getpid()

    def hash_there() -> None:
        assert pool.run(os.getpid) == os.getpid()

    with busy(pool, "ada", "bob"):
        in_child(hash_there)
