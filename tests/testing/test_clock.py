"""The clock for tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from admit.testing import Clock


def test_it_stands_still_until_told() -> None:
    """Two looks show the same time, and advancing moves it by just that much."""
    start = datetime(2026, 3, 29, tzinfo=UTC)
    clock = Clock(start)
    assert clock() == clock() == start
    assert clock.advance(timedelta(minutes=5)) == clock() == start + timedelta(minutes=5)


def test_threads_may_advance_it() -> None:
    """No step is lost when many threads advance at once, and each is given a time of its own."""
    clock = Clock()
    start = clock()
    with ThreadPoolExecutor(8) as threads:
        times = list(threads.map(clock.advance, [timedelta(microseconds=1)] * 4000))
    assert clock() == start + timedelta(microseconds=4000)
    assert len(set(times)) == 4000


def test_it_is_aware() -> None:
    """Its default start has a time zone, as all times of the kernel do."""
    assert Clock()().utcoffset() == timedelta(0)
