"""The contract finds what is wrong with a store."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

import admit.testing
from admit.errors import StoreError
from admit.model import Client
from admit.stores.memory import MemoryStore
from admit.testing import StoreContract, a_challenge, a_credential, a_session, an_account, racing
from admit.testing.racing import Processes, Threads
from admit.testing.store_machine import run_beside_memory
from tests.breaches import breach

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from admit.model import Ending, Session


def a_moment() -> None:
    """Give other threads the time to come between two steps that should have been one."""
    time.sleep(0.001)


class LosesTheClient(MemoryStore):
    """Keeps a session without what is known of the client."""

    def add_session(self, session: Session) -> None:
        """Keep too little."""
        super().add_session(replace(session, client=Client()))


class KeepsBuffers(MemoryStore):
    """Gives a buffer where it was given bytes, as a driver might."""

    def get_session(self, session_id: str) -> Session | None:
        """Give what equals bytes, but is not."""
        session = super().get_session(session_id)
        return session and replace(session, seed=memoryview(session.seed))


class IgnoresCase(MemoryStore):
    """Compares subjects as some collations do."""

    def list_sessions(self, subject: str) -> Sequence[Session]:
        """List the sessions of everybody with about that name."""
        everybody = [one for name in list(self._ids) for one in super(IgnoresCase, self).list_sessions(name)]
        found = [one for one in everybody if one.subject.casefold() == subject.casefold()]
        return sorted(found, key=lambda one: one.created_at)


class ListsTheLatestFirst(MemoryStore):
    """Lists in the wrong order."""

    def list_sessions(self, subject: str) -> Sequence[Session]:
        """List backwards."""
        return list(super().list_sessions(subject))[::-1]


class TouchesBackwards(MemoryStore):
    """Lets an overtaken touch win."""

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Write whatever comes last."""
        session = self._sessions.get(session_id)
        if session is not None:
            self._sessions[session_id] = replace(session, seen_at=seen_at)
        return session is not None


class WritesBack(MemoryStore):
    """Reads, waits, and writes all of what it read: a session that ended meanwhile is back."""

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Write the whole session back."""
        session = self._sessions.get(session_id)
        if session is not None and session.seen_at < seen_at:
            a_moment()
            self._sessions[session_id] = replace(session, seen_at=seen_at)
        return session is not None


class DoesNotCompare(MemoryStore):
    """Swaps a secret without looking at the one that stands."""

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Swap."""
        current = self._sessions.get(old.id)
        return current is not None and super().replace_secret(current, new)


class ComparesTheHashOnly(MemoryStore):
    """Confirms a secret twice."""

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Leave out the time of confirmation."""
        current = self._sessions.get(old.id)
        if current is None or current.secret_hash != old.secret_hash:
            return False
        return super().replace_secret(current, new)


class SwapsEverything(MemoryStore):
    """Writes all fields with the secret."""

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write the whole new value."""
        swapped = super().replace_secret(old, new)
        if swapped:
            self._sessions[old.id] = new
        return swapped


class LeavesTheLoser(MemoryStore):
    """Keeps the new session even if there was none to replace."""

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """Begin first, and end then."""
        self.add_session(new)
        return self.delete_session(old_id, ending=ending)


class EndsInTwoSteps(MemoryStore):
    """Looks whether a session is there, and ends it a moment later."""

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """Look, then end."""
        found = self.get_session(session_id) is not None
        a_moment()
        super().delete_session(session_id, ending=ending)
        return found


class ChangesItsReasons(MemoryStore):
    """Lets the last word about an ending win, not the first."""

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """Write the reason again."""
        ended = super().delete_session(session_id, ending=ending)
        if not ended and session_id in self._endings:
            self._endings[session_id] = (ending, self._endings[session_id][1])
        return ended


class EndsWhatItListed(MemoryStore):
    """Ends all sessions of a list that is old by then: who replaces one meanwhile stays in."""

    def delete_sessions(self, subject: str, *, keep: str | None = None, ending: Ending) -> int:
        """List, then end."""
        listed = self.list_sessions(subject)
        a_moment()
        return sum(self.delete_session(one.id, ending=ending) for one in listed if one.id != keep)


class KeepsNobody(MemoryStore):
    """Ends the session that was to be kept, too."""

    def delete_sessions(self, subject: str, *, keep: str | None = None, ending: Ending) -> int:
        """End them all."""
        return super().delete_sessions(subject, ending=ending)


class CountsEverybody(MemoryStore):
    """Counts all sessions, whoever's count is asked for."""

    def count_sessions(self, subject: str | None = None) -> int:
        """Count them all."""
        return super().count_sessions()


class PurgesItAll(MemoryStore):
    """Does not stop at the end of a batch."""

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove everything."""
        return super().purge(before=before, batch=1_000_000)


class PurgesOnTheMoment(MemoryStore):
    """Removes what expires at the given time, not only what expired before."""

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Go a little too far."""
        return super().purge(before=before.replace(microsecond=before.microsecond // 1000 * 1000 + 999), batch=batch)


class PurgesByTheFirstTouch(MemoryStore):
    """Does not notice that a session will live longer since it was touched."""

    def _expires_at(self, session_id: str) -> datetime:
        session = self._sessions.get(session_id)
        return session.created_at + session.idle if session else super()._expires_at(session_id)


class ForgetsReasons(MemoryStore):
    """Keeps no endings."""

    def get_ending(self, session_id: str) -> Ending | None:
        """Know nothing."""
        return None


BROKEN = [
    LosesTheClient,
    KeepsBuffers,
    IgnoresCase,
    ListsTheLatestFirst,
    TouchesBackwards,
    WritesBack,
    DoesNotCompare,
    ComparesTheHashOnly,
    SwapsEverything,
    LeavesTheLoser,
    EndsInTwoSteps,
    ChangesItsReasons,
    EndsWhatItListed,
    KeepsNobody,
    CountsEverybody,
    PurgesItAll,
    PurgesOnTheMoment,
    PurgesByTheFirstTouch,
    ForgetsReasons,
]


@pytest.mark.parametrize("store", BROKEN)
def test_a_broken_store_is_found(store: type[MemoryStore]) -> None:
    """Each way in which a store can break its word fails a test."""
    assert breach(StoreContract, store) is not None


def test_a_store_that_keeps_its_word_passes() -> None:
    """Where nothing is broken, nothing fails."""
    assert breach(StoreContract, MemoryStore) is None


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let Hypothesis be content with the first example that it finds."""
    before = settings.default
    settings.register_profile("impatient", before, phases=[Phase.generate], derandomize=True)
    settings.load_profile("impatient")
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


@pytest.mark.parametrize("store", [TouchesBackwards, LeavesTheLoser, CountsEverybody])
def test_the_model_finds_it_too(impatient: None, store: type[MemoryStore]) -> None:
    """A store that differs from the dictionary in memory is found by trying verbs in any order."""
    with pytest.raises(AssertionError):
        run_beside_memory(store())


# -- racers -----------------------------------------------------------------------------------------------------------


def fail(_store: object) -> None:
    """Do what a store does that is not there."""
    raise StoreError


def open_nothing() -> MemoryStore:
    """Fail to open."""
    raise StoreError


def count(store: MemoryStore) -> int:
    """Count the sessions."""
    return store.count_sessions()


def test_a_failure_leaves_nobody_waiting() -> None:
    """What a move raises is raised by the race, once all rounds have been run."""
    store, ran = MemoryStore(), []
    moves = [fail, *[count] * (Threads.size - 1)]
    with pytest.raises(StoreError):
        Threads().race(MemoryStore, store, [moves, [ran.append] * Threads.size])
    assert len(ran) == Threads.size - 1 + 1


def test_every_racer_has_a_move() -> None:
    """A round with a move too few is a mistake, and not a race that waits for ever."""
    with pytest.raises(AssertionError):
        Threads().race(MemoryStore, MemoryStore(), [[count]])


def test_processes_open_the_store_themselves() -> None:
    """Racers in other processes get the function that opens the store, and their failures come back."""
    crew = Processes()
    try:
        with pytest.raises(StoreError):
            crew.race(open_nothing, MemoryStore(), [[count] * crew.size])
        full = MemoryStore()
        full.add_session(a_session())
        assert crew.race(MemoryStore, full, [[count] * crew.size] * 2) == [[0] * crew.size] * 2
    finally:
        crew.close()


def test_a_store_that_cannot_be_closed_is_left() -> None:
    """A store of accounts alone need not have anything to close."""
    racing.close(object())


def test_what_a_racer_does_in_its_process() -> None:
    """A racer opens the store, starts with the others, makes its moves and closes the store."""

    class Closing(MemoryStore):
        closed = False

        def close(self) -> None:
            self.closed = True

    store = Closing()
    racing.Start.meet_at(Barrier(1))
    assert racing._open_and_run(lambda: store, [count, count]) == [0, 0]
    assert store.closed


# -- what tests of applications need ----------------------------------------------------------------------------------


def test_a_noun_can_be_sent_to_another_process() -> None:
    """The nouns are picklable: the racers are given them."""
    for noun in (a_session(), an_account("ada"), a_credential(), a_challenge()):
        assert pickle.loads(pickle.dumps(noun)) == noun  # noqa: S301 -- our own bytes


def test_the_contract_is_loaded_when_asked_for() -> None:
    """Whoever wants a clock or a session needs neither pytest nor Hypothesis; an unknown name is an error."""
    code = "import sys, admit.testing; admit.testing.Clock(); print({'pytest', 'hypothesis'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "set()"
    for name in ("StoreContract", "AccountContract", "CredentialContract", "ChallengeContract", "CounterContract"):
        assert getattr(admit.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="Contract"):
        _ = admit.testing.Contract
