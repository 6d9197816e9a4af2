"""Races that every store has to survive, with real threads and real processes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from admit.testing.contract import Contract
from admit.testing.samples import NOW, REVOKED, a_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Session
    from admit.store import SessionStore
    from admit.testing.racing import Crew

    Opener = Callable[[], SessionStore]

__all__ = ["StoreRaces"]

_ROUNDS = 10


class StoreRaces(Contract):
    """The part of the contract that is about doing things at once."""

    def test_one_caller_ends_a_session(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Of many callers who end one session exactly one did it, and the reason that is kept is that one's."""
        sessions, endings = _added(store), [replace(REVOKED, by=f"racer {turn}") for turn in range(crew.size)]
        rounds = [[methodcaller("delete_session", one.id, ending=end) for end in endings] for one in sessions]
        for session, won in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert won.count(True) == 1
            assert store.get_ending(session.id) == endings[won.index(True)]
            assert store.get_session(session.id) is None

    def test_one_caller_replaces_a_session(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Of many callers who replace one session one wins, and of the others nothing is left."""
        sessions = _added(store)
        rivals = [[a_session(subject=one.subject) for _ in range(crew.size)] for one in sessions]
        rounds = [
            [methodcaller("replace_session", one.id, rival, ending=REVOKED) for rival in of_one]
            for one, of_one in zip(sessions, rivals, strict=True)
        ]
        for session, of_one, won in zip(sessions, rivals, crew.race(opener, store, rounds), strict=True):
            assert won.count(True) == 1
            winner = of_one[won.index(True)]
            assert list(store.list_sessions(session.subject)) == [winner]
            assert [store.get_session(rival.id) for rival in of_one if rival != winner] == [None] * (crew.size - 1)
            assert store.count_sessions(session.subject) == 1

    def test_one_caller_replaces_a_secret(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Of many callers who replace one secret one wins, and its secret stands."""
        sessions = _added(store)
        rounds = [
            [methodcaller("replace_secret", one, _with_secret(one, turn)) for turn in range(crew.size)]
            for one in sessions
        ]
        for session, won in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert won.count(True) == 1
            assert store.get_session(session.id) == _with_secret(session, won.index(True))

    def test_nothing_brings_back_what_ended(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """A session that ends while others touch and rotate it stays ended (attacks 6 and 154)."""
        sessions = _added(store)
        rounds = [
            [methodcaller("delete_session", one.id, ending=REVOKED), *_uses(one, crew.size - 1)] for one in sessions
        ]
        for session, results in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert results[0]
            _assert_gone(store, session)
            assert list(store.list_sessions(session.subject)) == []

    def test_nothing_brings_back_what_was_replaced(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """A session that is replaced while others touch and rotate it stays ended, and its successor is untouched."""
        sessions = _added(store)
        successors = [a_session(subject=one.subject) for one in sessions]
        rounds = [
            [methodcaller("replace_session", one.id, new, ending=REVOKED), *_uses(one, crew.size - 1)]
            for one, new in zip(sessions, successors, strict=True)
        ]
        for session, new, results in zip(sessions, successors, crew.race(opener, store, rounds), strict=True):
            assert results[0]
            _assert_gone(store, session)
            assert list(store.list_sessions(session.subject)) == [new]

    def test_the_latest_use_is_kept(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Of touches that overtake each other the latest stands."""
        sessions = _added(store)
        rounds = [[_touch(one, NOW + timedelta(minutes=turn + 1)) for turn in range(crew.size)] for one in sessions]
        for session, touched in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert all(touched)
            assert store.get_session(session.id) == replace(session, seen_at=NOW + timedelta(minutes=crew.size))

    def test_a_touch_and_a_new_secret_both_stand(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Noting a use and replacing the secret at once loses neither."""
        sessions, seen_at = _added(store), NOW + timedelta(minutes=1)
        rounds = [
            [
                methodcaller("replace_secret", one, _with_secret(one, 1)),
                *(_touch(one, seen_at) for _ in range(crew.size - 1)),
            ]
            for one in sessions
        ]
        for session, results in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert all(results)
            assert store.get_session(session.id) == replace(_with_secret(session, 1), seen_at=seen_at)

    def test_logins_at_once_are_all_listed(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Sessions of one subject that begin at once are all kept, listed and counted."""
        rounds = [[a_session() for _ in range(crew.size)] for _ in range(_ROUNDS)]
        crew.race(opener, store, [[methodcaller("add_session", one) for one in begun] for begun in rounds])
        ids = sorted(one.id for begun in rounds for one in begun)
        assert sorted(one.id for one in store.list_sessions("ada")) == ids
        assert store.count_sessions() == store.count_sessions("ada") == len(ids)

    def test_ending_all_leaves_no_gap(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Whoever replaces a session while all are ended has ended too: a thief can't slip through."""
        sessions = _added(store)
        rivals = [[a_session(subject=one.subject) for _ in range(crew.size - 1)] for one in sessions]
        rounds = [
            [
                methodcaller("delete_sessions", one.subject, ending=REVOKED),
                *(methodcaller("replace_session", one.id, rival, ending=REVOKED) for rival in of_one),
            ]
            for one, of_one in zip(sessions, rivals, strict=True)
        ]
        for session, of_one, results in zip(sessions, rivals, crew.race(opener, store, rounds), strict=True):
            assert results[0] == 1
            assert [store.get_session(one.id) for one in (session, *of_one)] == [None] * crew.size
            assert store.count_sessions(session.subject) == 0

    def test_each_ending_is_counted_once(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Of callers who end all sessions of a subject at once, each counts those that it ended and no others."""
        subjects, each = [f"subject {number}" for number in range(_ROUNDS)], 5
        for subject in subjects:
            for _ in range(each):
                store.add_session(a_session(subject=subject))
        rounds = [[methodcaller("delete_sessions", one, ending=REVOKED)] * crew.size for one in subjects]
        assert [sum(counts) for counts in crew.race(opener, store, rounds)] == [each] * _ROUNDS

    def test_a_purge_takes_nothing_that_was_just_used(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Whoever notes the use of a session before the purge takes it keeps it."""
        short, used_at = timedelta(hours=1), NOW + timedelta(days=400)
        sessions = [
            a_session(created_at=at, seen_at=at, idle=short, ends_at=used_at + timedelta(days=1))
            for at in (NOW + timedelta(days=number) for number in range(_ROUNDS))
        ]
        for session in sessions:
            store.add_session(session)
        rounds = [
            [
                methodcaller("purge", before=session.seen_at + 2 * short),
                *(_touch(session, used_at) for _ in range(crew.size - 1)),
            ]
            for session in sessions
        ]
        for session, (_, *touched) in zip(sessions, crew.race(opener, store, rounds), strict=True):
            assert (store.get_session(session.id) is not None) is any(touched)

    def test_what_is_purged_is_counted_once(self, opener: Opener, store: SessionStore, crew: Crew) -> None:
        """Purges that run at once remove everything that is over, each thing once, and never more than a batch."""
        over, batch = 60, 5
        for number in range(over):
            session = a_session(idle=timedelta(hours=1))
            store.add_session(session)
            if number % 2:
                store.delete_session(session.id, ending=REVOKED)
        living = a_session()
        store.add_session(living)
        purge = methodcaller("purge", before=NOW + timedelta(hours=2), batch=batch)
        removed = [count for counts in crew.race(opener, store, [[purge] * crew.size] * 2) for count in counts]
        assert max(removed) <= batch
        while count := store.purge(before=NOW + timedelta(hours=2)):
            removed.append(count)
        assert sum(removed) == over
        assert list(store.list_sessions("ada")) == [living]


def _added(store: SessionStore) -> list[Session]:
    sessions = [a_session(subject=f"subject {number}") for number in range(_ROUNDS)]
    for session in sessions:
        store.add_session(session)
    return sessions


def _with_secret(session: Session, number: int) -> Session:
    return replace(session, secret_hash=bytes([number]) * 32, confirmed_at=None)


def _touch(session: Session, seen_at: Any) -> methodcaller:
    touched = replace(session, seen_at=seen_at)
    return methodcaller("touch_session", session.id, seen_at=seen_at, expires_at=touched.expires_at)


def _uses(session: Session, number: int) -> list[methodcaller]:
    rotations = [methodcaller("replace_secret", session, _with_secret(session, turn)) for turn in range(number // 2)]
    return [*rotations, *(_touch(session, NOW + timedelta(minutes=1)) for _ in range(number - len(rotations)))]


def _assert_gone(store: SessionStore, session: Session) -> None:
    assert store.get_session(session.id) is None
    assert store.get_ending(session.id) == REVOKED
