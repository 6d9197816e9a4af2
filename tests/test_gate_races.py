"""The gate under parallel requests, lost and late responses, and thieves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from admit.gate import Gate
from admit.model import EndReason
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

GRACE, UNDER_WAY = timedelta(seconds=30), timedelta(minutes=2)
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
    """A browser on a bad network, its owner, and a thief who copies the cookie now and then.

    Requests are on their way for up to two minutes and responses for up to the grace; they overtake each other, and get
    lost. What the gate has to answer follows from the secrets in the order they were handed out, and from when the
    latest of them was handed out and first used.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.gate = Gate(MemoryStore(), LONG, clock=self.clock)
        self.jar = self.gate.admit("ada", "password").token
        self.chain = [self.jar]
        self.used_at: datetime | None = self.clock()
        self.rotated_at = self.clock()
        self.requests: list[tuple[str, datetime]] = []
        self.responses: list[tuple[str | None, datetime]] = []
        self.copies: list[str] = []
        self.replayed = self.ended = False

    # -- the owner -------------------------------------------------------------------------------

    @rule(number=st.integers(1, 4))
    def send(self, number: int) -> None:
        """Send requests side by side, with what the jar holds now."""
        self.requests += [(self.jar, self.clock())] * number

    @precondition(lambda self: self.requests)
    @rule(pick=st.randoms(use_true_random=False))
    def request_arrives(self, pick: Random) -> None:
        """A request arrives, in whatever order: the owner is let in unless somebody else has been here."""
        token, sent_at = self.requests.pop(pick.randrange(len(self.requests)))
        # Some servers begin with a request as it is sent, and others once all of it is there.
        was_let_in, successor = self.use(token, pick.choice([None, sent_at]))
        assert was_let_in or self.replayed
        self.responses.append((successor, self.clock()))

    @precondition(lambda self: self.responses)
    @rule(pick=st.randoms(use_true_random=False), is_lost=st.booleans())
    def response_arrives(self, pick: Random, *, is_lost: bool) -> None:
        """A response arrives, in whatever order, or never."""
        token, _ = self.responses.pop(pick.randrange(len(self.responses)))
        if token is not None and not is_lost:
            self.jar = token

    # -- the thief -------------------------------------------------------------------------------

    @rule()
    def copy(self) -> None:
        """Somebody copies the cookie as it is now, and keeps it for later."""
        self.copies.append(self.jar)

    @precondition(lambda self: self.copies)
    @rule(pick=st.randoms(use_true_random=False))
    def replay(self, pick: Random) -> None:
        """The thief uses a copy, and keeps whatever comes back for it."""
        self.replayed = True
        _, successor = self.use(pick.choice(self.copies))
        if successor is not None:
            self.copies.append(successor)

    @rule(character=st.sampled_from("Aa0_"))
    def guess(self, character: str) -> None:
        """Somebody who knows the id guesses: nothing comes of it."""
        session_id, _, secret = self.jar.partition(".")
        resumed = self.gate.resume(f"{session_id}.{character * len(secret)}")
        assert resumed.session is None

    # -- time ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 29, 30, 59]))
    def a_moment(self, seconds: int) -> None:
        """A moment passes; what has been on its way for too long is lost."""
        self.pass_time(timedelta(seconds=seconds))

    @rule(minutes=st.sampled_from([1, 60, 180]))
    def a_while(self, minutes: int) -> None:
        """The person does something else for a while."""
        self.pass_time(timedelta(minutes=minutes))

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        now = self.clock.advance(by)
        # If a client was away before it used its secret, there is no telling when it got it: then a moment has to do.
        was_away = self.used_at is not None and self.used_at - self.rotated_at > UNDER_WAY
        self.requests = [one for one in self.requests if one[1] >= now - (GRACE if was_away else UNDER_WAY)]
        self.responses = [one for one in self.responses if one[1] >= now - GRACE]

    # -- what has to come of it ------------------------------------------------------------------

    def use(self, token: str, began: datetime | None = None) -> tuple[bool, str | None]:
        """Present a token; check that the answer is the one that has to be given."""
        now, behind = self.clock(), len(self.chain) - 1 - self.chain.index(token)
        was_right = began is not None and began <= self.rotated_at
        is_late = (
            self.used_at is not None
            and not was_right
            and now - self.used_at > GRACE
            and now - self.rotated_at > UNDER_WAY
        )
        self.ended = self.ended or (behind > 1 and not (began is not None and began < self.rotated_at))
        resumed = self.gate.resume(token, began=began)
        if self.ended:
            assert resumed.session is None
            assert resumed.ending is not None
            assert resumed.ending.reason is EndReason.STOLEN
            return False, None
        if behind > 1 or (behind == 1 and is_late):
            # Refused alone: nobody is accused, and the session lives on.
            assert (resumed.session, resumed.token, resumed.ending) == (None, None, None)
            assert resumed.outdated is not None
            return False, None
        assert resumed.session is not None
        if behind == 1:
            assert resumed.token == self.chain[-1]
        elif self.used_at is None:
            self.used_at = now
            assert resumed.token is None
        elif resumed.token is not None:
            assert now - self.rotated_at >= timedelta(hours=1)
            assert now - self.used_at >= 2 * GRACE
            self.chain.append(resumed.token)
            self.used_at, self.rotated_at = None, now
        else:
            assert now - self.rotated_at < timedelta(hours=1) or now - self.used_at < 2 * GRACE
        return True, resumed.token

    @invariant()
    def one_or_none(self) -> None:
        """There is the one session, and it is there until a theft was noticed."""
        assert len(self.gate.sessions_of("ada")) == (0 if self.ended else 1)


TestBrowser = Browser.TestCase
TestBrowser.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
