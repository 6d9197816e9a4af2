"""How a store does when it is large: whole requests, a look-up, a list, the end of a hundred sessions, a purge."""

from __future__ import annotations

import os
import statistics
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from werkzeug.test import EnvironBuilder

import admit.flask
from admit.model import Client, Ending, EndReason
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from admit.testing import a_session
from bench import filling, services
from bench.filling import NOW
from bench.rounds import Contender, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from admit.store import SessionStore
    from bench.rounds import Environ

SMALL, LARGE, HUGE = 10_000, 1_000_000, 10_000_000

_ENDING = Ending(EndReason.REVOKED, NOW)
_VISITORS, _PARTS = 2_000, 20
_PATIENT = {"connect_timeout": 5, "command_timeout": 5}


class Scale(NamedTuple):
    """What a store of one size takes."""

    store: str
    size: int
    bytes: float
    request_us: float
    times_small: float
    look_up_us: float
    list_us: float
    revoke_all_ms: float
    purge_s: float
    longest_wait_ms: float


@dataclass(frozen=True)
class Visitors(Contender):
    """Many clients who take turns, so that no session is at hand because it was just looked at."""

    turns: Iterator[Environ] = field(default_factory=lambda: cycle(()))

    def request(self) -> Environ:
        """Return the request of whose turn it is."""
        return dict(next(self.turns))


class Filled(NamedTuple):
    """A store with sessions in it, what each takes, and people who come in."""

    store: SessionStore
    size: int
    bytes: float
    visitors: Visitors


def measure(folder: Path, *, huge: bool) -> list[Scale]:
    """Measure each kind of store that is on this machine."""
    return [*of_sqlite(folder), *of_redis(), *of_postgres(huge=huge)]


def of_sqlite(folder: Path) -> list[Scale]:
    """Measure a small and a large file."""
    filled = []
    for size in (SMALL, LARGE):
        store = SqlStore(f"sqlite:///{folder}/scale-{size}.db", **_PATIENT)
        tokens = fill(store, size, partial(filling.fill_sqlite, store))
        taken = sum(file.stat().st_size for file in folder.glob(f"scale-{size}.db*"))
        filled.append(Filled(store, size, taken / size, _visitors(store, tokens)))
    return compare("SQLite", filled)


def of_redis() -> list[Scale]:
    """Measure a small and a large number of keys on one server."""
    with services.redis() as url:
        if url is None:
            return []
        filled = []
        for size in (SMALL, LARGE):
            store = RedisStore(url, prefix=f"admit{size}:", **_PATIENT)
            before = _redis_bytes(store)
            tokens = fill(store, size, partial(filling.fill_redis, store))
            taken = _redis_bytes(store) - before
            filled.append(Filled(store, size, taken / size, _visitors(store, tokens)))
        return compare("Redis", filled)


def of_postgres(*, huge: bool) -> list[Scale]:
    """Measure tables of two sizes, or three, in schemas of their own."""
    with services.postgres(shared_buffers="2GB", max_wal_size="2GB", wal_level="minimal", max_wal_senders=0) as url:
        if url is None:
            return []
        filled = [_postgres(url, size) for size in ((SMALL, LARGE, HUGE) if huge else (SMALL, LARGE))]
        return compare("PostgreSQL", filled)


def _postgres(url: str, size: int) -> Filled:
    schema = f"scale{size}"
    filling.ask_postgres(url, f"CREATE SCHEMA {schema}")
    store = SqlStore(url, schema=schema, **_PATIENT)
    store.create()
    with filling.without_indexes(url, schema):
        tokens = fill(store, size, partial(filling.fill_postgres, url, schema))
    [[taken]] = filling.ask_postgres(url, f"SELECT pg_total_relation_size('{schema}.admit_sessions')")
    return Filled(store, size, taken / size, _visitors(store, tokens))


def fill(store: SessionStore, size: int, part: Callable[[range], None]) -> list[str]:
    """Fill a store part by part; in between people log in, so that their sessions lie all over it."""
    gate = admit.Gate(store)
    tokens = []
    for begin in range(0, size, size // _PARTS):
        part(range(begin, begin + size // _PARTS))
        for number in range(len(tokens), len(tokens) + _VISITORS // _PARTS):
            client = Client("192.0.2.7", filling.AGENTS[number % len(filling.AGENTS)])
            tokens.append(gate.admit(f"one {number}", "login", client=client).token)
    return tokens


def compare(name: str, filled: list[Filled]) -> list[Scale]:
    """Time requests to all sizes beside each other, then each size by itself."""
    figures = interleave({str(one.size): one.visitors for one in filled}, 60, 100)
    small = figures[str(filled[0].size)]
    scales = []
    for one in filled:
        taken = figures[str(one.size)]
        times_small = statistics.median(mine / other for mine, other in zip(taken, small, strict=True))
        request = statistics.median(taken)
        scales.append(Scale(name, one.size, one.bytes, request, times_small, *_verbs(one.store)))
        print(scales[-1], flush=True)
        one.store.close()
    return scales


def _verbs(store: SessionStore) -> tuple[float, float, float, float, float]:
    """Time a look-up and a list (µs), the end of a hundred sessions (ms), a purge (s) and who waits for it (ms)."""
    ids = [store.list_sessions(f"one {number}")[0].id for number in range(_VISITORS)]
    look_up = _median(lambda number: store.get_session(ids[number % len(ids)]), 4_000) * 1e6
    listed = _median(lambda number: store.list_sessions(f"user {number}"), SMALL // 10) * 1e6
    ended = _median(lambda number: _end_all(store, f"many {number}"), 5) * 1e3
    purge, waited = _purge_beside_a_writer(store, ids[-1])
    return look_up, listed, ended, purge, waited * 1e3


def _visitors(store: SessionStore, tokens: list[str]) -> Visitors:
    """Return people who come in one after the other, and what serves them."""
    app = Flask(__name__)
    app.config["ADMIT_STORE_NEAR_ENTRIES"] = 0
    login_manager: admit.flask.LoginManager[Any] = admit.flask.LoginManager(app, store=store)
    user = type("User", (admit.flask.UserMixin,), {"id": 1})()
    login_manager.user_loader(lambda _: user)
    app.add_url_rule("/who", "who", lambda: str(admit.flask.current_user.id))
    requests = [EnvironBuilder("/who", headers={"Cookie": f"admit={token}"}).get_environ() for token in tokens]
    return Visitors(app, requests[0], turns=cycle(requests))


def _end_all(store: SessionStore, subject: str) -> float:
    for _ in range(100):
        store.add_session(a_session(subject=subject))
    started = perf_counter()
    ended = store.delete_sessions(subject, ending=_ENDING)
    taken = perf_counter() - started
    assert ended == 100, ended
    return taken


def _purge_beside_a_writer(store: SessionStore, living: str) -> tuple[float, float]:
    """Purge all that is over; return the seconds it took and how long another writer had to wait at most."""
    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        seen_at = NOW
        while not done.is_set():
            seen_at += timedelta(seconds=1)
            started = perf_counter()
            assert store.touch_session(living, seen_at=seen_at, expires_at=seen_at + timedelta(days=1))
            waits.append(perf_counter() - started)

    os.sync()  # what the filling left behind is nobody's wait
    writer = threading.Thread(target=write)
    writer.start()
    started = perf_counter()
    while store.purge(before=NOW, batch=10_000) == 10_000:
        pass
    taken = perf_counter() - started
    done.set()
    writer.join()
    return taken, max(waits)


def _redis_bytes(store: RedisStore) -> int:
    answer: bytes = store._nodes.ask("INFO", "memory")  # noqa: SLF001
    found = dict(line.split(b":", 1) for line in answer.split() if b":" in line)
    return int(found[b"used_memory"])


def _median(act: Callable[[int], object], times: int) -> float:
    """Return the seconds that an act takes: those it names itself, or the whole of it."""
    taken = []
    for number in range(times):
        started = perf_counter()
        named = act(number)
        taken.append(named if isinstance(named, float) else perf_counter() - started)
    return statistics.median(taken)
