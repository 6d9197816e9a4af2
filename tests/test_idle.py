"""Idle connections: the last one used is taken first, and those that nobody needs are given back."""

from __future__ import annotations

from collections import deque

import pytest

from admit.idle import Idle
from tests.forks import in_child


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    """Return a clock."""
    return Seconds()


@pytest.fixture
def closed() -> list[str]:
    """Return where the connections are noted that were closed."""
    return []


@pytest.fixture
def idle(closed: list[str], seconds: Seconds) -> Idle[str]:
    """Return idle connections that may be unused for 30 seconds."""
    return Idle(closed.append, longest=30, clock=seconds)


def test_the_last_one_is_taken_first(idle: Idle[str], seconds: Seconds) -> None:
    """What was used a moment ago is used again, and it is told how long ago that was."""
    assert idle.take() is None
    for name in ("one", "two"):
        idle.put(name)
    seconds.now = 5
    assert [idle.take(), idle.take(), idle.take()] == [("two", 5), ("one", 5), None]


def test_what_nobody_needs_is_given_back(idle: Idle[str], seconds: Seconds, closed: list[str]) -> None:
    """After a burst one connection goes on being used, and the others are closed after a while."""
    for name in ("one", "two", "three"):
        idle.put(name)
    for seconds.now in range(0, 40, 10):
        found = idle.take()
        assert found is not None
        assert found[0] == "three"
        idle.put("three")
    assert closed == []
    seconds.now = 31
    idle.close_unused()
    assert closed == ["one", "two"]
    assert len(idle._idle.get()) == 1
    seconds.now = 100
    idle.close_unused()
    assert closed == ["one", "two", "three"]


def test_all_are_closed(idle: Idle[str], closed: list[str]) -> None:
    """Closing leaves none, and what is returned later is kept again."""
    idle.put("one")
    idle.put("two")
    idle.close()
    assert sorted(closed) == ["one", "two"]
    idle.put("three")
    assert len(idle._idle.get()) == 1


def test_another_thread_may_take_the_last_one(idle: Idle[str], closed: list[str]) -> None:
    """One that is taken while somebody is about to close it is not closed."""
    idle._close_one(deque())
    assert closed == []


def test_a_child_has_none_and_closes_none(idle: Idle[str], closed: list[str]) -> None:
    """The child of a fork takes no connection of its parent's, and does not close them."""
    idle.put("parents")

    def look() -> None:
        assert idle.take() is None
        idle.close()
        assert closed == []

    in_child(look)
    assert len(idle._idle.get()) == 1
