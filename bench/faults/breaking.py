"""The faults: each is broken for a few seconds and then as it was, and which of them a store can have."""

from __future__ import annotations

import resource
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.stores import open_store
from bench.faults.proxy import MODES
from bench.faults.site import POSTGRES, REDIS, SQLITE
from tests.deployment.site import Outage

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bench.faults.fleet import Fleet
    from bench.faults.site import Site

__all__ = ["FAULTS", "Fault", "broken", "in_turn"]

#: How long each lasts, in seconds: less than the grace of a rotation.
LASTS = 4.0
#: By how many seconds clocks differ: more than that grace, and than the default one.
_AHEAD = 45.0
#: What nobody should publish, and what nobody could.
_GARBAGE = ("", "*", "garbage", "\u00e9" * 1000, "x" * 7000)
_SERVED = (POSTGRES, REDIS)
_ALL = (POSTGRES, REDIS, SQLITE)


class Fault(NamedTuple):
    """A kind of fault: its name, the stores that can have it, and what breaks and mends it."""

    name: str
    stores: tuple[str, ...]
    breaks: Callable[[Site], AbstractContextManager[object]]


def broken(site: Site, fault: Fault, wait: Callable[[float], object] = time.sleep) -> Outage:
    """Break something for a while, and say when that was."""
    began = time.monotonic()
    with fault.breaks(site):
        wait(LASTS)
    outage = Outage(fault.name, began, time.monotonic())
    site.outages.append(outage)
    return outage


def in_turn(store: str, chance: random.Random) -> Iterator[Fault]:
    """Return the faults that a store can have, again and again, each time in another order."""
    possible = [one for one in FAULTS if store in one.stores]
    while True:
        chance.shuffle(possible)
        yield from possible


# -- the workers ------------------------------------------------------------------------------------------------------


@contextmanager
def _worker_killed(site: Site) -> Iterator[None]:
    fleet = _fleet(site)
    fleet.signal(fleet.workers[0], signal.SIGKILL)
    yield
    fleet.mend()


@contextmanager
def _worker_paused(site: Site) -> Iterator[None]:
    fleet = _fleet(site)
    paused = fleet.workers[0]
    fleet.signal(paused, signal.SIGSTOP)
    try:
        yield
    finally:
        fleet.signal(paused, signal.SIGCONT)


@contextmanager
def _two_clocks(site: Site) -> Iterator[None]:
    fleet = _fleet(site)
    ahead = fleet.workers[::2]
    for pid in ahead:
        fleet.set_clock(pid, _AHEAD)
    try:
        yield
    finally:
        for pid in ahead:
            fleet.set_clock(pid, 0)


def _fleet(site: Site) -> Fleet:
    assert site.fleet is not None, "nobody serves"
    return site.fleet


# -- the network and the servers --------------------------------------------------------------------------------------


def _network(mode: str, site: Site) -> AbstractContextManager[object]:
    assert site.proxy is not None, "nothing passes"
    return site.proxy.doing(mode)


@contextmanager
def _store_paused(site: Site) -> Iterator[None]:
    server: Any = site.server
    pause, go_on = (
        (server.pause, server.resume)
        if site.store == REDIS
        else (partial(server.signal_all, signal.SIGSTOP), partial(server.signal_all, signal.SIGCONT))
    )
    pause()
    try:
        yield
    finally:
        go_on()


@contextmanager
def _store_down(site: Site, *, kill: bool) -> Iterator[None]:
    server: Any = site.server
    (server.kill if kill else server.stop)()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _listeners_killed(site: Site) -> Iterator[None]:
    server: Any = site.server
    if site.store == REDIS:
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    else:
        _terminate(server, "query LIKE 'LISTEN %' OR query = 'SELECT 1'")
    yield


@contextmanager
def _backends_terminated(site: Site) -> Iterator[None]:
    _terminate(site.server, "true")
    yield


def _terminate(server: Any, which: str) -> None:
    others = "backend_type = 'client backend' AND pid != pg_backend_pid()"
    server.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others} AND ({which})")  # noqa: S608


@contextmanager
def _garbage_published(site: Site) -> Iterator[None]:
    server: Any = site.server
    if site.store == REDIS:
        for channel in server.ask("PUBSUB", "CHANNELS", "*"):
            for text in (*(one.encode() for one in _GARBAGE), b"\xff\xfe\x00"):
                server.ask("PUBLISH", channel, text)
    else:
        with closing(open_store(site.direct[-1])) as store:
            channel = store._database._channel  # type: ignore[attr-defined] # noqa: SLF001 -- nobody is told its name
        for text in _GARBAGE:
            server.ask(f"SELECT pg_notify('{channel}', '{text}')")
    yield


@contextmanager
def _out_of_memory(site: Site) -> Iterator[None]:
    server: Any = site.server
    server.ask("CONFIG", "SET", "maxmemory", 1)
    try:
        yield
    finally:
        server.ask("CONFIG", "SET", "maxmemory", 0)


@contextmanager
def _read_only(site: Site) -> Iterator[None]:
    server: Any = site.server
    server.ask("REPLICAOF", "127.0.0.1", 1)  # of nobody, so that it keeps what it has
    try:
        yield
    finally:
        server.ask("REPLICAOF", "NO", "ONE")


# -- the file ---------------------------------------------------------------------------------------------------------


@contextmanager
def _locked(site: Site) -> Iterator[None]:
    with closing(sqlite3.connect(site.file, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


@contextmanager
def _disk_full(site: Site) -> Iterator[None]:
    # What a worker writes fails, as on a disk that is full, and nobody else's does.
    limited = {pid: _limit(pid, 0) for pid in _fleet(site).workers}
    try:
        yield
    finally:
        for pid, before in limited.items():
            _limit(pid, before)


def _limit(pid: int, size: int) -> int:
    """Let files that a process writes be so large at most, and return the limit of before."""
    try:
        before, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    except ProcessLookupError:
        return size
    return before


FAULTS = (
    Fault("a worker killed", _ALL, _worker_killed),
    Fault("a worker paused", _ALL, _worker_paused),
    Fault("two clocks", _ALL, _two_clocks),
    *(Fault(f"the network {mode}", _SERVED, partial(_network, mode)) for mode in MODES),
    Fault("the store paused", _SERVED, _store_paused),
    Fault("the store killed", _SERVED, partial(_store_down, kill=True)),
    Fault("the store restarted", _SERVED, partial(_store_down, kill=False)),
    Fault("the listeners' connections killed", _SERVED, _listeners_killed),
    Fault("garbage published", _SERVED, _garbage_published),
    Fault("all backends terminated", (POSTGRES,), _backends_terminated),
    Fault("Redis out of memory", (REDIS,), _out_of_memory),
    Fault("Redis read-only", (REDIS,), _read_only),
    Fault("the file locked", (SQLITE,), _locked),
    Fault("the disk full", (SQLITE,), _disk_full),
)
