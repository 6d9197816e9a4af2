"""What a thief, a hurry or an odd setting may try on the gate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError
from admit.events import Events, SessionStolen
from admit.gate import Gate
from admit.model import EndReason, Factor
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from admit.model import Session

HOUR = timedelta(hours=1)
GRACE = timedelta(seconds=30)


class Stolen:
    """Events whose subscriber fails, having counted thefts."""

    def __init__(self) -> None:
        self.seen: list[SessionStolen] = []
        self.events = Events()
        self.events.subscribe(SessionStolen, self.fail)

    def fail(self, event: SessionStolen) -> None:
        """Note the event, and fail."""
        self.seen.append(event)
        message = "no disk"
        raise OSError(message)


class Unsure(MemoryStore):
    """A store that does what it is told, and then loses the answer when that is wished."""

    loses = False

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Replace, then fail to say so."""
        done = super().replace_secret(old, new)
        if self.loses:
            self.loses = False
            raise StoreError
        return done


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    """Return a gate with the default settings."""
    return Gate(MemoryStore(), clock=clock)


def rotated(gate: Gate, token: str) -> str:
    """Return the successor that the client is sent."""
    successor = gate.resume(token).token
    assert successor is not None
    return successor


# -- rotation ---------------------------------------------------------------------------------------------------------


def test_a_client_that_comes_back_late_is_not_rotated_in_one_breath(gate: Gate, clock: Clock) -> None:
    """After a lost response and hours of silence, requests that were sent side by side all go on (attack 34)."""
    first = gate.admit("ada", "password").token
    clock.advance(HOUR)
    rotated(gate, first)  # the response is lost
    clock.advance(3 * HOUR)
    second = rotated(gate, first)
    for _ in range(3):
        assert gate.resume(second).session is not None
        assert gate.resume(first).session is not None  # sent before the response to the other arrived


def test_a_response_that_is_overtaken_harms_nobody(gate: Gate, clock: Clock) -> None:
    """A response that names a secret in the grace arrives before there is a newer one that it could undo."""
    first = gate.admit("ada", "password").token
    clock.advance(HOUR)
    rotated(gate, first)
    clock.advance(3 * HOUR)
    second = rotated(gate, first)
    assert gate.resume(second).session is not None
    clock.advance(GRACE)
    slow = rotated(gate, first)  # sent before `second` arrived, and its response takes a while
    assert gate.resume(second).token is None
    clock.advance(GRACE - timedelta(microseconds=1))
    assert gate.resume(second).token is None
    assert slow == second  # this is when it arrives at the latest: nothing is undone
    clock.advance(timedelta(microseconds=1))
    assert gate.resume(second).token is not None


def test_an_answer_that_the_store_lost_logs_nobody_out(clock: Clock) -> None:
    """A request whose rotation nobody knows the outcome of is served, and the next one carries it on."""
    store = Unsure()
    gate = Gate(store, clock=clock)
    token = gate.admit("ada", "password").token
    clock.advance(HOUR)
    store.loses = True
    served = gate.resume(token)
    assert (served.session is not None, served.token, store.loses) == (True, None, False)
    successor = rotated(gate, token)
    store.loses = True
    assert gate.resume(successor).session is not None
    assert gate.resume(successor).session is not None


def test_a_theft_is_told_once_and_no_subscriber_makes_it_a_login(clock: Clock) -> None:
    """Whoever replays a spent secret gets nothing, however often, and even if the alarm itself fails."""
    stolen = Stolen()
    gate = Gate(MemoryStore(), clock=clock, events=stolen.events)
    first = gate.admit("ada", "password").token
    clock.advance(HOUR)
    second = rotated(gate, first)
    gate.resume(second)
    clock.advance(HOUR)
    third = rotated(gate, second)
    for token in (first, first, second, third):
        resumed = gate.resume(token)
        assert resumed.session is resumed.token is None
        assert resumed.ending is not None
        assert resumed.ending.reason is EndReason.STOLEN
    assert [event.session_id for event in stolen.seen] == [first.split(".")[0]]


def test_a_spent_secret_of_a_session_that_is_over_is_no_theft(gate: Gate, clock: Clock) -> None:
    """What comes back after the session has run out finds it run out."""
    first = gate.admit("ada", "password").token
    clock.advance(HOUR)
    gate.resume(rotated(gate, first))
    clock.advance(timedelta(days=7))
    ending = gate.resume(first).ending
    assert ending is not None
    assert ending.reason is EndReason.IDLE


def test_a_revocation_wins_over_every_use(gate: Gate, clock: Clock) -> None:
    """Whatever requests do while a session is revoked, afterwards it is out (attacks 6 and 154)."""
    for _ in range(20):
        admitted = gate.admit("ada", "password")
        clock.advance(HOUR)
        start = Barrier(8)

        def use(turn: int, admitted: Any = admitted, start: Barrier = start) -> bool:
            start.wait()
            if turn == 0:
                return gate.revoke(admitted.session.id)
            if turn % 2:
                gate.resume(admitted.token)
            else:
                gate.touch(admitted.session)
            return False

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(use, range(8))) == 1
        assert gate.resume(admitted.token).session is None
        assert gate.sessions_of("ada") == []


# -- times ------------------------------------------------------------------------------------------------------------


def test_reauthentication_never_lengthens_the_next_life(gate: Gate, clock: Clock) -> None:
    """However often a person proves who they are, the session ends as long after the last time as after the first."""
    admitted = gate.admit("ada", "password")
    lifetime = admitted.session.ends_at - clock()
    for _ in range(10):
        used = gate.resume(admitted.token).session
        assert used is not None
        clock.advance(timedelta(hours=20))
        again = gate.reauthenticate(used, "password")
        assert again is not None
        admitted = again
        assert admitted.session.ends_at - clock() == lifetime


def test_reauthentication_does_not_fill_the_store(gate: Gate) -> None:
    """A session keeps the latest of each kind of proof, not one for every time somebody asked."""
    admitted = gate.admit("ada", "password", frozenset({Factor.KNOW}))
    for method in ("password", "totp", "password", "password"):
        again = gate.reauthenticate(admitted.session, method, frozenset({Factor.KNOW}))
        assert again is not None
        admitted = again
    assert [proof.method for proof in admitted.session.authentications] == ["totp", "password"]


def test_what_is_over_is_not_brought_back(gate: Gate, clock: Clock) -> None:
    """Neither a late touch nor a proof revives a session whose time is over (attack 23)."""
    admitted = gate.admit("ada", "password")
    clock.advance(timedelta(days=1))
    gate.touch(admitted.session)
    assert gate.reauthenticate(admitted.session, "password") is None
    assert gate.resume(admitted.token).session is None
    assert gate.sessions_of("ada") == []


@pytest.mark.parametrize("duration", [timedelta.max, timedelta(days=40_000)])
def test_for_ever_is_a_long_time(gate: Gate, duration: timedelta) -> None:
    """A duration that no date can hold logs in all the same."""
    admitted = gate.admit("ada", "password", remember=True, duration=duration)
    again = gate.reauthenticate(admitted.session, "password")
    assert again is not None
    assert gate.resume(again.token).session is not None


# -- subjects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [7, None, b"7", True], ids=repr)
def test_a_subject_is_text(gate: Gate, subject: Any) -> None:
    """An id of another type is refused aloud: it would be compared with text, and its revocation end nothing."""
    for verb in (gate.revoke_all, gate.sessions_of, lambda subject: gate.admit(subject, "password")):
        with pytest.raises(TypeError, match="A subject is a str"):
            verb(subject)


# -- the cap ----------------------------------------------------------------------------------------------------------


def test_the_cap_holds_when_the_clock_stands_still(clock: Clock) -> None:
    """Of sessions that began in the same moment the new one lives, and no more than the cap."""
    gate = Gate(MemoryStore(), SessionSettings(max_per_user=2), clock=clock)
    for _ in range(20):
        new = gate.admit("ada", "password").session
        living = gate.sessions_of("ada")
        assert new in living
        assert len(living) <= 2


def test_logins_at_once_do_not_end_each_other(clock: Clock) -> None:
    """Of logins that race, the latest stands: they never leave a person with nothing."""
    gate = Gate(MemoryStore(), SessionSettings(max_per_user=1), clock=lambda: clock.advance(timedelta(microseconds=1)))
    for _ in range(20):
        start = Barrier(8)

        def login(_turn: int, start: Barrier = start) -> Session:
            start.wait()
            return gate.admit("ada", "password").session

        with ThreadPoolExecutor(8) as threads:
            begun = list(threads.map(login, range(8)))
        latest = max(begun, key=lambda session: session.created_at)
        assert latest in gate.sessions_of("ada")
        alone = gate.admit("ada", "password").session
        assert gate.sessions_of("ada") == [alone]
