"""Ending many sessions: all of them, in short steps, each with its event, and again where it was interrupted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError
from admit.events import Events, SessionEnded
from admit.gate import Gate
from admit.model import Admitted, Ending, EndReason
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock, a_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPLACED = EndReason.REPLACED
DEFAULT = SessionSettings().max_per_user or 0


class Stepwise(MemoryStore):
    """A store that notes how many sessions end at once, and lets somebody act before each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.before: dict[int, Callable[[], Any]] = {}

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """Let somebody else act, note the step, and do it."""
        self.before.pop(len(self.steps), int)()
        self.steps.append(len(only or ()))
        return super().delete_sessions(subject, keep=keep, only=only, ending=ending)


class House:
    """A gate over a store in memory, with sessions of Ada's in it, and what it published."""

    def __init__(self, sessions: int, **settings: Any) -> None:
        self.clock, self.store, events = Clock(), Stepwise(), Events()
        self.heard: list[SessionEnded] = []
        events.subscribe(SessionEnded, self.heard.append)
        self.gate = Gate(self.store, SessionSettings(**settings), clock=self.clock, events=events)
        began = self.clock()
        self.sessions = [
            a_session(created_at=began - timedelta(minutes=number), seen_at=began, ends_at=began + timedelta(days=2))
            for number in range(sessions)
        ]
        for session in self.sessions:
            self.store.add_session(session)

    def ended(self) -> list[str]:
        """Return the ids that events told of."""
        return [one.session_id for one in self.heard]


def test_many_end_in_steps() -> None:
    """All sessions end in steps of at most twenty-five, and each is told of once (attack 162)."""
    house = House(2345)
    kept = house.sessions[7]
    assert house.gate.revoke_all("ada", keep=kept.id, by="owner") == 2344
    assert house.store.list_sessions("ada") == [kept]
    assert max(house.store.steps) == 25
    assert sorted(house.ended()) == sorted(one.id for one in house.sessions if one != kept)
    assert {(one.reason, one.by) for one in house.heard} == {(EndReason.REVOKED, "owner")}


@pytest.mark.parametrize("step", [0, 1, 8])
def test_what_takes_the_place_of_another_ends(step: int) -> None:
    """A session that replaces one of those that are ended, at whatever step, ends with them."""
    house = House(220)
    newest, thief = house.sessions[0], a_session(subject="ada")
    at = house.clock()

    def slip_through() -> None:
        assert house.store.replace_session(newest.id, thief, ending=Ending(REPLACED, at))

    house.store.before[step] = slip_through
    assert house.gate.revoke_all("ada") == 220
    assert house.store.count_sessions("ada") == 0
    assert house.gate.why(thief.id) is not None


def test_what_was_interrupted_is_finished() -> None:
    """When a step fails, what ended before stays so, and the same call ends the rest."""
    house = House(180)

    def down() -> None:
        raise StoreError

    house.store.before[4] = down
    with pytest.raises(StoreError):
        house.gate.revoke_all("ada")
    assert house.store.count_sessions("ada") == 80
    assert len(house.heard) == 100
    assert house.gate.revoke_all("ada") == 80
    assert house.gate.revoke_all("ada") == 0
    assert len(house.heard) == 180


def test_what_others_have_ended_is_not_told_again() -> None:
    """Where somebody else was first, nothing is told of what they have ended."""
    house = House(3)
    house.store.before[0] = lambda: MemoryStore.delete_sessions(
        house.store, "ada", ending=Ending(EndReason.LOGOUT, house.clock())
    )
    assert house.gate.revoke_all("ada") == 0
    assert house.heard == []


def test_a_user_has_any_number_of_sessions_without_a_limit() -> None:
    """With no limit nothing ends for a new session."""
    house = House(DEFAULT + 1, max_per_user=None)
    house.gate.admit("ada", "password")
    assert house.store.count_sessions("ada") == DEFAULT + 2
    assert house.heard == []


def test_a_user_has_a_hundred_sessions_at_most() -> None:
    """Without a setting, the oldest session ends when there are more than a hundred (attack 162)."""
    house = House(DEFAULT)
    oldest = house.sessions[-1]
    house.gate.admit("ada", "password")
    assert DEFAULT == house.store.count_sessions("ada") == 100
    assert [(one.session_id, one.reason) for one in house.heard] == [(oldest.id, EndReason.CAP)]


def test_sessions_of_before_there_was_a_limit_end_by_and_by() -> None:
    """Each login ends a bounded number of the sessions that are too many, until the limit holds."""
    house, counts = House(1700), []
    for _ in range(5):
        new = house.gate.admit("ada", "password")
        assert isinstance(new, Admitted)
        assert house.store.get_session(new.session.id) is not None
        house.clock.advance(timedelta(seconds=1))
        counts.append(house.store.count_sessions("ada"))
    assert counts == [1201, 702, 203, 100, 100]
    assert {one.id for one in house.sessions[:95]} <= {one.id for one in house.store.list_sessions("ada")}


def test_what_is_over_is_no_session() -> None:
    """Sessions whose time is over count for nothing: they push out none that lives."""
    house = House(3, max_per_user=3)
    over = replace(house.sessions[0], id="over" * 6, idle=timedelta(seconds=1), created_at=house.clock())
    house.store.add_session(over)
    house.clock.advance(timedelta(minutes=1))
    house.gate.admit("ada", "password")
    assert house.ended() == [house.sessions[2].id]


def test_listing_the_newest() -> None:
    """Of very many sessions the newest are listed, and one can be asked for without a list."""
    house = House(300)
    other = a_session(subject="grace")
    house.store.add_session(other)
    assert house.gate.sessions_of("ada", limit=20) == house.sessions[:20][::-1]
    assert house.gate.has_session("ada", house.sessions[-1].id)
    assert not house.gate.has_session("ada", other.id)
    assert not house.gate.has_session("ada", "unknown")
    house.clock.advance(timedelta(days=3))
    assert not house.gate.has_session("ada", house.sessions[0].id)
