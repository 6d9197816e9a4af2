"""How soon a revocation is seen by other processes, each with a near cache and requests of its own."""

from __future__ import annotations

import statistics
import time
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from admit.model import Ending, EndReason
from admit.stores import open_store
from admit.stores.near import NearStore
from admit.testing import a_session
from bench import services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from admit.model import Session

PROCESSES = 4
ROUNDS = 60
_PATIENCE = 10

store: NearStore


class Latency(NamedTuple):
    """How long revocations took to be seen, in milliseconds."""

    name: str
    median: float
    p99: float
    longest: float


def begin(url: str) -> None:
    """Open the store in a process, behind a near cache."""
    global store  # noqa: PLW0603 -- what a process of a server has
    store = NearStore(open_store(url))


def watch(session_id: str, others: list[str]) -> float:
    """Ask for a session, and for others in between, until it is gone; return when that was."""
    deadline = time.monotonic() + _PATIENCE
    while store.get_session(session_id) is not None:
        for other in others:
            store.get_session(other)
        time.sleep(0.0005)  # or the four would take the core from what tells them
        assert time.monotonic() < deadline, "the revocation was never seen"
    return time.monotonic()


def urls(folder: Path) -> Iterator[tuple[str, str]]:
    """Return the name and the address of each store that pushes."""
    yield "SQLite", f"sqlite:///{folder}/revocation.db"
    with services.redis() as redis:
        if redis:
            yield "Redis", redis
    with services.redis_cluster() as cluster:
        if cluster:
            yield "Redis Cluster", cluster
    with services.postgres() as postgres:
        if postgres:
            yield "PostgreSQL", postgres


def measure(name: str, url: str, now: datetime) -> Latency:
    """End sessions one by one while four processes use them."""
    mine = open_store(url)
    getattr(mine, "create", lambda: None)()
    others = [_added(mine).id for _ in range(20)]
    taken: list[float] = []
    with get_context("spawn").Pool(PROCESSES, begin, [url]) as pool:
        # Let every process start and open the store before anything is timed.
        pool.map(_wake, [others] * PROCESSES * 4, chunksize=1)
        for _ in range(ROUNDS):
            session = _added(mine)
            watching = pool.map_async(partial(watch, others=others), [session.id] * PROCESSES, chunksize=1)
            time.sleep(0.1)  # until all four have asked for it, and keep it near
            ended_at = time.monotonic()
            mine.delete_session(session.id, ending=Ending(EndReason.REVOKED, now))
            taken += [(seen_at - ended_at) * 1e3 for seen_at in watching.get(_PATIENCE)]
    mine.close()
    return Latency(name, statistics.median(taken), statistics.quantiles(taken, n=100)[98], max(taken))


def _wake(others: list[str]) -> None:
    for other in others:
        store.get_session(other)
    time.sleep(0.3)  # so that no process takes the turn of another


def _added(mine: object) -> Session:
    session = a_session()
    mine.add_session(session)  # type: ignore[attr-defined]
    return session
