"""The time of a store: machines whose clocks disagree agree through it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError, Throttled
from admit.events import Events
from admit.gate import Gate
from admit.model import Client, EndReason
from admit.settings import SessionSettings
from admit.store_clock import StoreClock, Timed, clock_of
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from admit.testing.samples import NOW
from admit.throttle import Throttle, ThrottleSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.postgres import PostgresServer

SECOND = timedelta(seconds=1)
APART = [timedelta(seconds=31), timedelta(minutes=15), timedelta(hours=2), timedelta(days=400)]


class World:
    """A store's clock, and a monotonic one that every machine has."""

    def __init__(self) -> None:
        self.at = NOW
        self.ticks = 100.0
        self.asked = 0
        self.is_down = False

    def ask(self) -> datetime:
        """Tell the store's time, as a question to the store does."""
        self.asked += 1
        if self.is_down:
            raise StoreError
        return self.at

    def advance(self, duration: timedelta) -> None:
        """Let time pass everywhere."""
        self.at += duration
        self.ticks += duration.total_seconds()


class Machine:
    """A machine whose wall clock is wrong."""

    def __init__(self, world: World, wrong: timedelta = timedelta(0)) -> None:
        self.world = world
        self.wrong = wrong
        self.clock = StoreClock(world.ask, ticks=lambda: world.ticks, wall=self.wall)

    def wall(self) -> float:
        """Tell the time of the machine."""
        return (self.world.at + self.wrong).timestamp()


@pytest.fixture
def world() -> World:
    """Return a world."""
    return World()


@pytest.mark.parametrize("wrong", [sign * apart for apart in APART for sign in (1, -1)], ids=str)
def test_a_wrong_clock_tells_the_stores_time(world: World, wrong: timedelta) -> None:
    """However wrong the machine's clock is, the time that is told is the store's, at once and later."""
    machine = Machine(world, wrong)
    for _ in range(100):
        assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)
        world.advance(7 * SECOND)


def test_the_store_is_asked_now_and_then(world: World) -> None:
    """However often the time is told, the store is asked at first and once in a minute."""
    machine = Machine(world)
    for _ in range(1000):
        machine.clock()
    assert world.asked == 1
    world.advance(59 * SECOND)
    machine.clock()
    assert world.asked == 1
    world.advance(SECOND)
    machine.clock()
    machine.clock()
    assert world.asked == 2


def test_a_wall_clock_that_is_set_changes_nothing(world: World) -> None:
    """When somebody sets the machine's clock the store is asked once more, and the time goes on as before."""
    machine = Machine(world)
    machine.clock()
    for wrong in APART:
        machine.wrong = wrong
        assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)
    assert world.asked == 1 + len(APART)
    world.is_down = True
    machine.wrong = timedelta(0)
    for _ in range(10):
        assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)
    assert world.asked == 2 + len(APART)


def test_a_machine_that_slept_asks_again(world: World) -> None:
    """A machine whose monotonic clock stood still while it slept knows the time at once when it wakes up."""
    machine = Machine(world)
    machine.clock()
    world.at += timedelta(hours=3)
    assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)


def test_a_store_that_is_down_stops_no_clock(world: World) -> None:
    """Until the store has answered the machine's time is told; afterwards its time goes on while it is down."""
    world.is_down = True
    machine = Machine(world, 31 * SECOND)
    assert abs(machine.clock() - world.at - 31 * SECOND) < timedelta(milliseconds=1)
    for _ in range(10):
        machine.clock()
    assert world.asked == 1
    world.is_down = False
    world.advance(SECOND)
    assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)
    world.is_down = True
    for _ in range(10):
        world.advance(30 * SECOND)
        assert abs(machine.clock() - world.at) < timedelta(milliseconds=1)
    assert world.asked > 2


def test_the_way_to_the_store_is_halved(world: World) -> None:
    """A store that takes a second to answer has looked at its clock about half a second ago."""

    def ask() -> datetime:
        world.advance(SECOND)
        at = world.at
        world.advance(SECOND)
        return at

    clock = StoreClock(ask, ticks=lambda: world.ticks, wall=Machine(world).wall)
    assert abs(clock() - world.at) < timedelta(milliseconds=1)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "cluster", "postgres", "near"])
def test_each_store_tells_its_time(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Every store goes by a clock: its server's if it has one, and else the machine's; a near cache has the store's."""
    opened: dict[str, Any] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqlStore(f"sqlite:///{tmp_path}/app.db"),
        "redis": lambda: RedisStore(request.getfixturevalue("redis_url"), command_timeout=30),
        "cluster": lambda: RedisStore(request.getfixturevalue("redis_cluster_url"), command_timeout=30),
        "postgres": lambda: SqlStore(postgres(request).url, connect_timeout=30, command_timeout=30),
        "near": lambda: NearStore(SqlStore(f"sqlite:///{tmp_path}/app.db")),
    }
    store = opened[kind]()
    clock = clock_of(store)
    before = datetime.now(UTC) - SECOND
    assert before < clock() < datetime.now(UTC) + SECOND
    assert clock().tzinfo is UTC
    assert isinstance(clock, StoreClock) is (kind != "memory")
    assert isinstance(store, Timed) is (kind not in {"memory", "near"})
    assert isinstance(Gate(store).clock, StoreClock) is (kind != "memory")
    store.close()


def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """Return the shared server."""
    found: PostgresServer = request.getfixturevalue("postgres_server")
    return found


# -- what wrong clocks did ---------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Return a store that machines share."""
    store = MemoryStore()
    yield store
    store.close()


@pytest.mark.parametrize("wrong", [sign * apart for apart in APART for sign in (1, -1)], ids=str)
def test_nobody_is_taken_for_a_thief(world: World, store: MemoryStore, wrong: timedelta) -> None:
    """A client whose requests go to two machines in turn, side by side too, is rotated and never accused or ended."""
    settings = SessionSettings(rotate_every=timedelta(minutes=10))
    gates = [Gate(store, settings, clock=Machine(world, by).clock) for by in (timedelta(0), wrong)]
    token = gates[0].admit("ada", "password").token
    for turn in range(60):
        world.advance(timedelta(minutes=3, seconds=turn))
        for gate in (gates[turn % 2], gates[1 - turn % 2]):
            resumed = gate.resume(token)
            assert resumed.session is not None, resumed.ending
            assert resumed.token is None or gate is gates[turn % 2] or resumed.token != token
            world.advance(SECOND)
        resumed = gates[0].resume(token)
        assert resumed.session is not None
        token = resumed.token or token
        gates[turn % 2].touch(resumed.session)


@pytest.mark.parametrize("wrong", [sign * apart for apart in APART for sign in (1, -1)], ids=str)
def test_counters_are_neither_swept_nor_locked(world: World, store: MemoryStore, wrong: timedelta) -> None:
    """Guesses at two machines are as many as at one, and nobody waits for longer than the interval says."""
    throttles = [
        Throttle(store, ThrottleSettings(), clock=Machine(world, by).clock, events=Events())
        for by in (timedelta(0), wrong)
    ]
    looked_at, waits = 0, []
    for turn in range(60):
        try:
            throttles[turn % 2].attempt("ada", Client("192.0.2.1"))
            looked_at += 1
        except Throttled as error:
            waits.append(error.retry_after)
        throttles[1 - turn % 2].request(Client(f"198.51.100.{turn}"))
    assert looked_at == ThrottleSettings().pair_burst
    assert max(waits) <= ThrottleSettings().pair_interval.total_seconds()


@pytest.mark.parametrize("wrong", APART, ids=str)
def test_a_purge_deletes_no_living_session(world: World, store: MemoryStore, wrong: timedelta) -> None:
    """A machine whose clock is ahead purges what is over, and nothing else."""
    right, ahead = (Gate(store, clock=Machine(world, by).clock) for by in (timedelta(0), wrong))
    admitted = right.admit("ada", "password")
    assert ahead.purge() == 0
    assert right.resume(admitted.token).session is not None
    world.advance(timedelta(days=400))
    assert ahead.purge() == 1
    assert right.why(admitted.session.id) is None


def test_a_clock_that_is_given_is_taken(store: MemoryStore) -> None:
    """An application or a test that gives a clock has it; the store is not asked."""

    class Asked(MemoryStore):
        def now(self) -> datetime:
            raise AssertionError

    at = NOW - timedelta(days=1)
    gate = Gate(Asked(), clock=lambda: at)
    session = gate.admit("ada", "password").session
    assert session.created_at == gate.clock() == at
    assert gate.revoke(session.id)
    ending = gate.why(session.id)
    assert ending is not None
    assert (ending.reason, ending.at) == (EndReason.REVOKED, at)
