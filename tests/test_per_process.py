"""What belongs to one process is made anew in the child of a fork, whoever forked."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from admit import per_process
from admit.per_process import Mutex, PerProcess
from tests.forks import in_child

if TYPE_CHECKING:
    import pytest


def test_one_value_for_one_process() -> None:
    """The value is made at the first request for it, once."""
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    value = PerProcess(make)
    assert made == []
    assert value.get() is value.get()
    assert len(made) == 1


def test_a_child_makes_its_own() -> None:
    """A child that was forked in C has a new value, and the parent keeps what it had."""
    value = PerProcess(list[str])
    value.get().append("parent")

    def look() -> None:
        assert value.get() == []
        value.get().append("child")

    in_child(look)
    assert value.get() == ["parent"]


def test_what_was_inherited_is_kept_and_never_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inherited value is neither freed, which could close a connection, nor found by a later process of that id."""
    monkeypatch.setattr(per_process, "_abandoned", [])
    value = PerProcess(object)
    parents, pid = value.get(), os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    childs = value.get()
    assert per_process._abandoned == [parents]
    monkeypatch.setattr(os, "getpid", lambda: pid)
    assert value.get() not in (parents, childs)


def test_threads_that_ask_at_once_get_one_value() -> None:
    """However many threads ask first, all of them get the same value."""
    for _ in range(20):
        start, value = Barrier(8), PerProcess(object)

        def ask(_turn: int, start: Barrier = start, value: PerProcess[object] = value) -> object:
            start.wait()
            return value.get()

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(ask, range(8)))) == 1


def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child() -> None:
    """A lock of the parent's holds up no child; in one process it excludes others."""
    lock = Mutex()

    def take() -> None:
        with lock:
            assert not lock.acquire(blocking=False)
        assert lock.acquire(timeout=1)
        lock.release()

    with lock:
        in_child(take)
        assert not lock.acquire(blocking=False)
    take()
