"""Rotation under fire: many parallel requests in several processes, through many rotations, over real stores."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from admit.gate import Gate
from admit.settings import SessionSettings
from admit.stores import open_store
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.pool import Pool
    from pathlib import Path

LONG = SessionSettings(idle=None, absolute=timedelta(days=3650))
# On a machine that is busy an answer may take longer than an application would wait.
PATIENT = {"connect_timeout": 30, "command_timeout": 30}
START = datetime.now(UTC)
PARALLEL, ROTATIONS, PROCESSES = 50, 40, 4

gate: Gate
now = START


def begin(url: str) -> None:
    """Open the store in a process of the pool, with a near cache of its own."""
    global gate, now  # noqa: PLW0603 -- what a process of a server has
    now = START
    store = open_store(url, **PATIENT)
    gate = Gate(NearStore(store), LONG, clock=lambda: now)


def resume(token: str, at: datetime) -> tuple[bool, str | None]:
    """Resume a token in a process of the pool, at a time of the test's choice."""
    global now  # noqa: PLW0603
    now = at
    resumed = gate.resume(token)
    return resumed.session is not None, resumed.token


def at_once(pool: Pool, token: str, at: datetime, count: int) -> set[tuple[bool, str | None]]:
    """Resume one token many times at once, in all processes."""
    return set(pool.map(partial(resume, at=at), [token] * count, chunksize=1))


@pytest.fixture(params=["sqlite", "postgresql", "redis", "redis+cluster"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a real store that several processes share."""
    named: dict[str, Callable[[], Any]] = {
        "sqlite": lambda: f"sqlite:///{tmp_path}/sessions.db",
        "postgresql": lambda: request.getfixturevalue("postgres_server").url,
        "redis": lambda: request.getfixturevalue("redis_url"),
        "redis+cluster": lambda: request.getfixturevalue("redis_cluster_url"),
    }
    url = str(named[request.param]())
    with closing(open_store(url, **PATIENT)) as store:
        getattr(store, "create", lambda: None)()
    return url


def test_nobody_is_logged_out_and_every_thief_is_caught(url: str) -> None:
    """Fifty requests at once all go on through each rotation; a secret of the past ends it all (attack 34)."""
    begin(url)
    session = gate.admit("ada", "password")
    chain, at = [session.token], START
    with get_context("spawn").Pool(PROCESSES, begin, [url]) as pool:
        for _ in range(ROTATIONS):
            at += timedelta(hours=1)
            answers = at_once(pool, chain[-1], at, PARALLEL)
            assert {was_resumed for was_resumed, _ in answers} == {True}
            [successor] = {token for _, token in answers} - {None}
            assert successor is not None
            chain.append(successor)
            assert {was_resumed for was_resumed, _ in at_once(pool, successor, at, PROCESSES)} == {True}
        at += timedelta(minutes=10)
        assert at_once(pool, chain[ROTATIONS // 2], at, 1) == {(False, None)}
        # What a process keeps at hand may be believed until the push arrives; the store itself is asked here.
        gate.store.close()
        begin(url)
        assert resume(chain[-1], at) == (False, None)
        gate.store.close()
