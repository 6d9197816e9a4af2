"""Whether rotation ever logs anybody out, or lets a thief in: many requests at once through very many rotations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from admit import rotation, tokens
from admit.gate import Gate
from admit.settings import SessionSettings
from admit.stores import open_store
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.testing import Clock
from bench import services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.pool import Pool
    from pathlib import Path

    from admit.model import Resumed

PROCESSES, THREADS = 4, 13  # fifty-two requests at once
_LONG = SessionSettings(idle=None, absolute=timedelta(days=36_500))
_START = datetime.now(UTC)
_PATIENT = {"connect_timeout": 30, "command_timeout": 30}

gate: Gate
threads: ThreadPoolExecutor
now = _START


class Rotations(NamedTuple):
    """What became of one session."""

    store: str
    rotations: int
    requests: int
    false_logouts: int
    superseded: int
    recognized: int
    caught: bool
    seconds: float


class Situation(NamedTuple):
    """How many of those in one situation were accused of theft, and how many were served."""

    what: str
    sessions: int
    accused: int
    served: int


#: Innocents: what happens, and how many seconds after the rotation their request is looked at, and had begun.
_INNOCENTS = (
    ("an upload of 38 s", 38, 38),
    ("a proxy's second try after 60 s", 60, 60),
    ("a process that was stopped for 35 s", 35, -1),
    ("a view that asks after 10 min", 600, -1),
)


def situations(sessions: int) -> Iterator[Situation]:
    """Count who is accused of theft: innocents whose request was long under way, and thieves."""
    for what, looked_at, began in _INNOCENTS:
        yield _counted(what, sessions, partial(_late, looked_at, began))
    yield _counted("a thief, after the owner's second rotation", sessions, partial(_copied, 2))
    yield _counted("the owner, after a thief's first rotation", sessions, partial(_copied, 1))
    yield _counted("the owner, after a thief's second rotation", sessions, partial(_copied, 2))


def _counted(what: str, sessions: int, happen: Callable[[], Resumed]) -> Situation:
    found = [happen() for _ in range(sessions)]
    return Situation(
        what, sessions, sum(one.ending is not None for one in found), sum(bool(one.session) for one in found)
    )


def _late(looked_at: int, began: int) -> Resumed:
    """Rotate, and then look at a request with the former secret."""
    clock = Clock()
    gate = Gate(MemoryStore(), clock=clock)
    first = gate.admit("ada", "login").token
    rotated_at = clock.advance(timedelta(hours=1))
    _rotated(gate, first)
    clock.advance(timedelta(seconds=looked_at))
    return gate.resume(first, began=rotated_at + timedelta(seconds=began))


def _copied(rotations: int) -> Resumed:
    """Rotate so often, and then use a copy of the first secret."""
    clock = Clock()
    gate = Gate(MemoryStore(), clock=clock)
    first = token = gate.admit("ada", "login").token
    for _ in range(rotations):
        clock.advance(timedelta(hours=1))
        token = _rotated(gate, token)
    clock.advance(timedelta(minutes=5))
    return gate.resume(first)


def _rotated(gate: Gate, token: str) -> str:
    """Rotate the secret, use its successor, and return that."""
    successor = gate.resume(token).token
    assert successor is not None
    assert gate.resume(successor).session is not None
    return successor


def urls(folder: Path) -> Iterator[tuple[str, str]]:
    """Return the name and the address of each store that is on this machine."""
    yield "SQLite", f"sqlite:///{folder}/rotation.db"
    for name, server in (("Redis", services.redis), ("Redis Cluster", services.redis_cluster)):
        with server() as url:
            if url:
                yield name, url
    with services.postgres() as postgres:
        if postgres:
            yield "PostgreSQL", postgres


def begin(url: str) -> None:
    """Open the store in a process of the pool, with threads and a near cache of its own."""
    global gate, threads  # noqa: PLW0603 -- what a process of a server has
    gate = Gate(NearStore(open_store(url, **_PATIENT)), _LONG, clock=lambda: now)
    threads = ThreadPoolExecutor(THREADS)


def resume(token: str, at: datetime) -> list[tuple[bool, str | None]]:
    """Resume a token in many threads at once; tell for each whether it was in, and the token that it was given."""
    global now  # noqa: PLW0603
    now = at
    resumed = threads.map(gate.resume, [token] * THREADS)
    return [(one.session is not None, one.token) for one in resumed]


def measure(name: str, url: str, rotations: int) -> Rotations:
    """Take one session through its rotations, and then present a secret of the past."""
    with closing(open_store(url, **_PATIENT)) as store:
        getattr(store, "create", lambda: None)()
    begin(url)
    session = gate.admit("ada", "login")
    chain, at, answers = [session.token], _START, [True]
    started = perf_counter()
    with get_context("spawn").Pool(PROCESSES, begin, [url]) as pool:
        for _ in range(rotations):
            at += timedelta(hours=1)
            found = _at_once(pool, chain[-1], at)
            chain += {token for _, token in found} - {None}
            found += _at_once(pool, chain[-1], at)  # and so the new one is confirmed
            answers += [was_in for was_in, _ in found]
        seconds = perf_counter() - started
        recognized = _recognized(session.session.id, chain[:-2])
        _at_once(pool, chain[len(chain) // 2], at + timedelta(minutes=10))
        gate.store.close()
        begin(url)
        ending = gate.resume(chain[-1]).ending
        gate.store.close()
    caught = len(chain) == rotations + 1 and ending is not None and ending.reason == "stolen"
    return Rotations(
        name, rotations, len(answers) - 1, answers.count(False), len(chain) - 2, recognized, caught, seconds
    )


def _at_once(pool: Pool, token: str, at: datetime) -> list[tuple[bool, str | None]]:
    parts = pool.map(partial(resume, at=at), [token] * PROCESSES, chunksize=1)
    return [answer for part in parts for answer in part]


def _recognized(session_id: str, superseded: list[str]) -> int:
    """Count the old tokens whose use would end the session: each would, but a session can be ended only once."""
    session = gate.store.get_session(session_id)
    secrets = [parsed.secret for parsed in map(tokens.parse, superseded) if parsed]
    assert session is not None
    return [rotation.standing(session, one) for one in secrets].count(rotation.Standing.SUPERSEDED)
