"""Races that every store has to survive, with real threads and real processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from admit import tokens
from admit.model import Ending, EndReason, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.store import SessionStore

    Opener = Callable[[], SessionStore]

__all__ = ["NOW", "REVOKED", "StoreRaces", "a_session"]

#: Whole microseconds in the present, as a clock gives them.
NOW = datetime.now(UTC)

#: An ending to compare with.
REVOKED = Ending(EndReason.REVOKED, NOW, "somebody")

_RACERS = 8


def a_session(**changes: Any) -> Session:
    """Return a session with an id and a secret of its own, changed as a test needs it."""
    session = Session(
        id=tokens.new_id(),
        subject="ada",
        secret_hash=tokens.hash_secret(tokens.new_id()),
        seed=tokens.new_seed(),
        created_at=NOW,
        seen_at=NOW,
        idle=timedelta(days=1),
        ends_at=NOW + timedelta(days=7),
        rotated_at=NOW,
        confirmed_at=NOW,
    )
    return replace(session, **changes)


class StoreRaces:
    """The part of the contract that is about doing things at once."""

    #: Whether what one object of the store keeps is seen by another, in other processes too.
    shared = True

    def test_one_thread_ends_a_session(self, opener: Opener, store: SessionStore) -> None:
        """Of many threads that end one session, exactly one did it."""

        def end(mine: SessionStore, _: int, session: Session) -> bool:
            return mine.delete_session(session.id, ending=REVOKED)

        for session in _added(store, 5):
            assert self._race(opener, store, end, session).count(True) == 1

    def test_one_thread_replaces_a_session(self, opener: Opener, store: SessionStore) -> None:
        """Of many threads that replace one session, one wins, and of the others nothing is left."""
        rivals: list[Session] = []

        def replace_it(mine: SessionStore, turn: int, session: Session) -> bool:
            return mine.replace_session(session.id, rivals[turn], ending=REVOKED)

        for session in _added(store, 5):
            rivals[:] = [a_session(subject=session.subject) for _ in range(_RACERS)]
            won = self._race(opener, store, replace_it, session)
            assert won.count(True) == 1
            winner = rivals[won.index(True)]
            assert list(store.list_sessions(session.subject)) == [winner]
            assert [store.get_session(rival.id) for rival in rivals if rival != winner] == [None] * (_RACERS - 1)

    def test_one_thread_replaces_a_secret(self, opener: Opener, store: SessionStore) -> None:
        """Of many threads that replace one secret, one wins, and its secret stands."""

        def rotate(mine: SessionStore, turn: int, session: Session) -> bool:
            return mine.replace_secret(session, replace(session, secret_hash=bytes([turn]) * 32))

        for session in _added(store, 5):
            won = self._race(opener, store, rotate, session)
            assert won.count(True) == 1
            assert store.get_session(session.id) == replace(session, secret_hash=bytes([won.index(True)]) * 32)

    def test_nothing_brings_back_what_ended(self, opener: Opener, store: SessionStore) -> None:
        """A session that ends while others touch and rotate it stays ended (attacks 6 and 154)."""

        def end_or_use(mine: SessionStore, turn: int, session: Session) -> bool:
            if turn == 0:
                return mine.delete_session(session.id, ending=REVOKED)
            mine.touch_session(session.id, seen_at=NOW + timedelta(minutes=turn), expires_at=session.expires_at)
            return mine.replace_secret(session, replace(session, secret_hash=bytes([turn]) * 32))

        for session in _added(store, 10):
            assert self._race(opener, store, end_or_use, session)[0]
            assert store.get_session(session.id) is None
            assert store.get_ending(session.id) == REVOKED
            assert list(store.list_sessions(session.subject)) == []

    def test_one_process_ends_a_session(self, opener: Opener, store: SessionStore) -> None:
        """Of many processes that end the same sessions, each session was ended by exactly one."""
        if not self.shared:
            return
        sessions = _added(store, 30)
        ids = [session.id for session in sessions]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            others = [processes.submit(_end_all, opener, ids) for _ in range(2)]
            ended = [_end_all(opener, ids), *(other.result() for other in others)]
        assert sorted(chain.from_iterable(ended)) == sorted(ids)
        assert store.count_sessions() == 0

    def _race(
        self,
        opener: Opener,
        store: SessionStore,
        turn: Callable[[SessionStore, int, Session], bool],
        session: Session,
    ) -> list[bool]:
        """Run ``turn`` in many threads at once, each with a store of its own where that is possible."""
        stores = [opener() if self.shared else store for _ in range(_RACERS)]
        try:
            with ThreadPoolExecutor(_RACERS) as threads:
                return list(threads.map(turn, stores, range(_RACERS), [session] * _RACERS))
        finally:
            for mine in stores:
                if mine is not store:
                    mine.close()


def _added(store: SessionStore, count: int) -> list[Session]:
    sessions = [a_session(subject=f"subject {number}") for number in range(count)]
    for session in sessions:
        store.add_session(session)
    return sessions


def _end_all(opener: Opener, ids: list[str]) -> list[str]:
    store = opener()
    try:
        return [session_id for session_id in ids if store.delete_session(session_id, ending=REVOKED)]
    finally:
        store.close()
