"""How a store does when it is large: one look-up, a whole request, the end of a hundred sessions, a purge."""

from __future__ import annotations

import statistics
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from admit.model import Client, Ending, EndReason
from admit.stores import sql_rows
from admit.stores.sql import SqlStore
from admit.testing import a_session
from bench.dropin import BROWSER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from admit.model import Session

SIZES = (10_000, 1_000_000)
PURGED = 100_000
_NOW = datetime.now(UTC)
_ENDING = Ending(EndReason.REVOKED, _NOW)


class Scale(NamedTuple):
    """What a store of one size takes."""

    size: int
    look_up_us: float
    list_us: float
    revoke_all_ms: float
    purge_s: float
    longest_wait_ms: float


def measure(folder: Path, size: int) -> Scale:
    """Fill a store with ``size`` sessions and time what is done with it."""
    store = SqlStore(f"sqlite:///{folder}/scale-{size}.db", command_timeout=5)
    ids = fill(store, size)
    some = ids[:: max(1, size // 2000)]
    look_up = _microseconds(lambda number: store.get_session(some[number % len(some)]), 4000)
    listed = _microseconds(lambda number: store.list_sessions(f"user {number}"), 500)
    for _ in range(100):
        store.add_session(_session("many", over=False))
    started = perf_counter()
    assert store.delete_sessions("many", ending=_ENDING) == 100
    revoked = (perf_counter() - started) * 1e3
    purge, waited = purge_beside_a_writer(store, ids[-1])
    store.close()
    return Scale(size, look_up, listed, revoked, purge, waited)


def fill(store: SqlStore, size: int) -> list[str]:
    """Add sessions of users with ten each; a tenth of all, a hundred thousand at most, are over."""
    ids: list[str] = []
    over = min(PURGED, size // 10)
    for begin in range(0, size, 20_000):
        with store._database.transaction() as run:  # noqa: SLF001 -- one by one it would take an hour
            for number in range(begin, min(begin + 20_000, size)):
                session = _session(f"user {number // 10}", over=number < over)
                run(store._statements.add, sql_rows.row_of(session))  # noqa: SLF001
                ids.append(session.id)
    return ids


def purge_beside_a_writer(store: SqlStore, living: str) -> tuple[float, float]:
    """Purge all that is over; return the seconds it took and how long another writer had to wait at most."""
    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        seen_at = _NOW
        while not done.is_set():
            seen_at += timedelta(seconds=1)
            started = perf_counter()
            store.touch_session(living, seen_at=seen_at, expires_at=seen_at + timedelta(days=1))
            waits.append((perf_counter() - started) * 1e3)

    writer = threading.Thread(target=write)
    writer.start()
    started = perf_counter()
    while store.purge(before=_NOW, batch=10_000):
        pass
    took = perf_counter() - started
    done.set()
    writer.join()
    return took, max(waits)


def _session(subject: str, *, over: bool) -> Session:
    session = a_session(subject=subject, client=Client("192.0.2.7", BROWSER))
    return replace(session, seen_at=_NOW - timedelta(days=3)) if over else session


def _microseconds(act: Callable[[int], object], times: int) -> float:
    taken = []
    for number in range(times):
        started = perf_counter()
        act(number)
        taken.append((perf_counter() - started) * 1e6)
    return statistics.median(taken)
