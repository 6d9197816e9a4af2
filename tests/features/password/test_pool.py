"""The pool: few at once, few in the queue, the rest is told to wait, and a fork starts anew."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.errors import ConfigurationError, Overloaded
from admit.features.password.pool import Pool
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = timedelta(milliseconds=50)


@contextmanager
def busy(pool: Pool, threads: int) -> Iterator[list[threading.Event]]:
    """Keep work in the pool, one piece a thread, until the block ends; yield an event for each that has begun."""
    release, begun = threading.Event(), [threading.Event() for _ in range(threads)]

    def work(event: threading.Event) -> bool:
        event.set()
        return release.wait(30)

    places = pool._places.get()._value
    with ThreadPoolExecutor(threads) as requests:
        asked = [requests.submit(pool.run, lambda event=event: work(event)) for event in begun]
        # Taken by the threads above, in their own time: nothing tells when.
        deadline = threading.Event()
        while pool._places.get()._value > places - threads:
            deadline.wait(0.001)
        try:
            yield begun
        finally:
            release.set()
        assert all(one.result() for one in asked)


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


def test_a_full_queue_answers_at_once() -> None:
    """Whoever finds all places taken is told when to come back, and nothing was begun for them (attack 66)."""
    pool = Pool(at_once=1, places=3)
    with busy(pool, 3), pytest.raises(Overloaded) as caught:
        pool.run(pytest.fail)
    assert (caught.value.retry_after, caught.value.status) == (1, 503)
    assert pool.run(lambda: "free again") == "free again"


def test_a_burst_takes_no_more_threads_than_places() -> None:
    """Of a hundred at once, those for whom there is a place are served and the others refused (attack 66)."""
    pool = Pool(at_once=1, places=4)
    with busy(pool, 4), ThreadPoolExecutor(96) as requests:
        refused = [one.exception() for one in [requests.submit(pool.run, lambda: 1) for _ in range(96)]]
    assert [type(one) for one in refused] == [Overloaded] * 96


def test_patience_ends() -> None:
    """Whoever waits too long for a turn is told so, its work is never begun, and its place is free."""
    pool = Pool(at_once=1, places=2, patience=SOON)
    begun: list[int] = []
    with busy(pool, 1) as [event]:
        assert event.wait(30)
        for _ in range(3):
            with pytest.raises(Overloaded):
                pool.run(lambda: begun.append(1))
    assert pool.run(lambda: begun) == []


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

    with busy(pool, 2):
        in_child(hash_there)
