"""The gate under parallel requests, lost and late responses, and thieves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from admit.gate import Gate
from admit.model import EndReason
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock

GRACE = timedelta(seconds=30)
LONG = SessionSettings(idle=None, absolute=timedelta(days=365))


def test_fifty_requests_at_once_through_many_rotations() -> None:
    """Fifty parallel requests through a hundred rotations: nobody is logged out, every replay is caught."""
    clock = Clock()
    gate = Gate(MemoryStore(), LONG, clock=clock)
    token = gate.admit("ada", "password").token
    seen = [token]
    with ThreadPoolExecutor(16) as threads:
        for _ in range(100):
            clock.advance(timedelta(hours=1))
            resumed = list(threads.map(gate.resume, [token] * 50))
            assert all(one.session is not None for one in resumed)
            successors = {one.token for one in resumed} - {None}
            assert len(successors) == 1
            [successor] = successors
            assert successor is not None
            token = successor
            seen.append(token)
            assert all(one.session is not None for one in threads.map(gate.resume, [token] * 5))
    clock.advance(GRACE * 2)
    assert gate.resume(seen[len(seen) // 2]).ending is not None
    ending = gate.resume(token).ending
    assert ending is not None
    assert ending.reason is EndReason.STOLEN


class Browser(RuleBasedStateMachine):
    """A browser whose responses arrive in any order or never, and a thief who may hold any old secret."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.gate = Gate(MemoryStore(), LONG, clock=self.clock)
        self.jar = self.gate.admit("ada", "password").token
        self.on_the_way: list[str] = []
        self.used = [self.jar]
        self.stolen = False

    @rule()
    def request(self) -> None:
        """Send a request with what the jar holds; its response is under way."""
        resumed = self.gate.resume(self.jar)
        assert (resumed.session is None) is self.stolen
        if self.jar not in self.used:
            self.used.append(self.jar)
        if resumed.token is not None:
            self.on_the_way.append(resumed.token)

    @precondition(lambda self: self.on_the_way)
    @rule(which=st.integers(0, 9), is_lost=st.booleans())
    def response(self, which: int, *, is_lost: bool) -> None:
        """One of the responses under way arrives, in whatever order, or never."""
        token = self.on_the_way.pop(which % len(self.on_the_way))
        if not is_lost:
            self.jar = token

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        """Time passes; what was under way for longer than the grace has arrived or is lost."""
        self.on_the_way = self.on_the_way[-1:]
        for token in self.on_the_way:
            self.jar = token
        self.on_the_way.clear()
        self.clock.advance(timedelta(minutes=minutes))

    @precondition(lambda self: len(self.used) > 2)
    @rule(which=st.integers(0, 9))
    def replay(self, which: int) -> None:
        """A thief uses a secret that has been superseded at least twice: the session ends."""
        self.clock.advance(GRACE * 2)
        old = self.used[: len(self.used) - 2]
        assert self.gate.resume(old[which % len(old)]).session is None
        self.stolen = True

    @invariant()
    def owner_or_nobody(self) -> None:
        """There is at most the one session, and it is there until a theft was noticed."""
        assert len(self.gate.sessions_of("ada")) == (0 if self.stolen else 1)


TestBrowser = Browser.TestCase
TestBrowser.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
