"""What every store of challenges has to do, as tests: the executable form of :class:`admit.store.ChallengeStore`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING

from admit.model import Authentication, Factor
from admit.store import SessionStore
from admit.testing.contract import Contract
from admit.testing.machines import run_challenges_beside_memory
from admit.testing.racing import close
from admit.testing.samples import NOW, a_challenge

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Challenge
    from admit.store import ChallengeStore
    from admit.testing.racing import Crew

    Opener = Callable[[], ChallengeStore]

__all__ = ["ChallengeContract"]

_ROUNDS = 10


def _added(store: ChallengeStore, *challenges: Challenge) -> list[Challenge]:
    for challenge in challenges:
        store.add_challenge(challenge)
    return [*challenges]


def _left(store: ChallengeStore, challenges: list[Challenge]) -> list[Challenge]:
    return [one for one in challenges if store.get_challenge(one.id) is not None]


class ChallengeContract(Contract):
    """Subclass it, and give it a fixture ``opener`` as for :class:`admit.testing.StoreContract`.

    .. versionadded:: 0.2
    """

    def test_what_is_added_is_returned(self, store: ChallengeStore) -> None:
        """Every field of a challenge comes back as it was, when it is looked at and when it is taken."""
        proofs = (
            Authentication("password", frozenset({Factor.KNOW}), NOW - timedelta(days=3)),
            Authentication("passkey", frozenset({Factor.HAVE, Factor.ARE}), NOW),
        )
        details = {"": "", "next": "/ü?a=1&b=2", "quote\"'": "\x00\n", "half": "\ud800"}
        subject = "Ünïcode|ユーザー " * 5
        full = a_challenge(subject=subject, kind="a kind: {x}", details=details, authentications=proofs, epoch=2**40)
        for challenge in _added(store, a_challenge(), full, a_challenge(subject="", kind="", secret_hash=b"")):
            for found in (store.get_challenge(challenge.id), store.take_challenge(challenge.id)):
                assert found == challenge
                assert found is not None
                assert type(found.secret_hash) is bytes
                assert found.expires_at.utcoffset() == timedelta(0)

    def test_times_are_arguments(self, store: ChallengeStore) -> None:
        """A challenge of any century is kept alike: the store has no clock to compare it with."""
        for year in (1999, 2100):
            at = datetime(year, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
            [challenge] = _added(store, a_challenge(created_at=at, expires_at=at + timedelta(minutes=1)))
            assert store.get_challenge(challenge.id) == challenge
            assert store.take_challenge(challenge.id) == challenge

    def test_absence_is_none(self, store: ChallengeStore) -> None:
        """Of an unknown challenge there is nothing to see, to take or to delete."""
        challenge = a_challenge()
        assert store.get_challenge(challenge.id) is None
        assert store.take_challenge(challenge.id) is None
        assert store.delete_challenges("ada") == store.delete_challenges("ada", kind="link") == 0

    def test_ids_that_are_no_ids(self, store: ChallengeStore) -> None:
        """An id with characters that mean something to a database finds nothing and breaks nothing."""
        _added(store, a_challenge())
        for odd in ("", "'", "' OR ''='", "%", "*", "{x}", "a\r\nFLUSHALL", "é" * 300):
            assert store.get_challenge(odd) is None
            assert store.take_challenge(odd) is None
        assert store.get_challenge("\x00") is None

    def test_it_is_taken_once(self, store: ChallengeStore) -> None:
        """What was taken is gone for every verb, and looking at it before changed nothing."""
        taken, other = _added(store, a_challenge(), a_challenge())
        for _ in range(3):
            assert store.get_challenge(taken.id) == taken
        assert store.take_challenge(taken.id) == taken
        assert store.take_challenge(taken.id) is None
        assert store.get_challenge(taken.id) is None
        assert store.delete_challenges("ada") == 1
        assert store.take_challenge(other.id) is None

    def test_alone_it_takes_the_place_of_its_kind(self, store: ChallengeStore) -> None:
        """A challenge that is added alone ends those of its kind and subject, and no others."""
        older = _added(store, a_challenge(), a_challenge())
        others = _added(store, a_challenge(kind="code"), a_challenge(kind="lin"), a_challenge(subject="grace"))
        newer = a_challenge()
        store.add_challenge(newer, alone=True)
        assert _left(store, older) == []
        assert _left(store, others) == others
        assert store.take_challenge(newer.id) == newer
        assert [store.take_challenge(one.id) for one in older] == [None, None]

    def test_deleting_one_kind_or_all(self, store: ChallengeStore) -> None:
        """A subject's challenges are deleted and counted, of one kind to the letter, or all."""
        kinds = ["link", "lin", "link2", "LINK", "", "4:link", "%", "*"]
        kept = _added(store, *(a_challenge(kind=kind) for kind in kinds))
        [other] = _added(store, a_challenge(subject="ad"))
        assert store.delete_challenges("ada", kind="link") == 1
        assert store.delete_challenges("ada", kind="link") == 0
        assert _left(store, kept) == kept[1:]
        assert store.delete_challenges("ada", kind="") == 1
        assert store.delete_challenges("ada") == len(kinds) - 2
        assert _left(store, [*kept, other]) == [other]

    def test_subjects_are_compared_to_the_letter(self, store: ChallengeStore) -> None:
        """Subjects that differ in case, in a space, in an accent's spelling or by a pattern are different people."""
        names = ["7", "07", "a", "A", "a ", " a", "e\u0301", "\u00e9", "a%", "a*", "{a}", "a:b", "_", "\n", "}"]
        challenges = _added(store, *(a_challenge(subject=name) for name in names))
        assert [store.delete_challenges(name) for name in names] == [1] * len(names)
        assert _left(store, challenges) == []

    def test_another_object_sees_the_same(self, opener: Opener, store: ChallengeStore) -> None:
        """What one object keeps another that was opened on the same storage knows, also after the first is closed."""
        if not self.shared:
            return
        first = opener()
        kept, taken = _added(first, a_challenge(), a_challenge())
        first.take_challenge(taken.id)
        close(first)
        assert store.get_challenge(taken.id) is None
        assert store.take_challenge(kept.id) == kept

    def test_purge_forgets_what_is_too_old(self, store: ChallengeStore) -> None:
        """A store that can be purged forgets challenges that expired before, in batches; until then they stay."""
        if not isinstance(store, SessionStore):
            return
        old = _added(store, *(a_challenge(subject=f"subject {number % 3}") for number in range(25)))
        [young] = _added(store, a_challenge(expires_at=NOW + timedelta(hours=3)))
        assert store.purge(before=NOW + timedelta(hours=1)) == 0
        assert _left(store, old) == old
        assert [store.purge(before=NOW + timedelta(hours=2), batch=10) for _ in range(4)] == [10, 10, 5, 0]
        assert _left(store, [*old, young]) == [young]
        assert store.delete_challenges("subject 0") == 0

    # -- races -----------------------------------------------------------------------------------

    def test_one_caller_takes_it(self, opener: Opener, store: ChallengeStore, crew: Crew) -> None:
        """Of many callers who take one challenge exactly one gets it."""
        challenges = _added(store, *(a_challenge() for _ in range(_ROUNDS)))
        rounds = [[methodcaller("take_challenge", one.id)] * crew.size for one in challenges]
        for challenge, taken in zip(challenges, crew.race(opener, store, rounds), strict=True):
            assert taken.count(challenge) == 1
            assert taken.count(None) == crew.size - 1

    def test_one_stays_alone(self, opener: Opener, store: ChallengeStore, crew: Crew) -> None:
        """Of challenges that are added alone at once exactly one is left."""
        rounds = [[a_challenge(subject=f"subject {number}") for _ in range(crew.size)] for number in range(_ROUNDS)]
        crew.race(opener, store, [[methodcaller("add_challenge", one, alone=True) for one in each] for each in rounds])
        assert [len(_left(store, each)) for each in rounds] == [1] * _ROUNDS
        assert [store.delete_challenges(each[0].subject) for each in rounds] == [1] * _ROUNDS

    def test_it_is_taken_or_superseded(self, opener: Opener, store: ChallengeStore, crew: Crew) -> None:
        """A challenge that is taken while others are added alone is taken once at most, and is gone."""
        challenges = _added(store, *(a_challenge(subject=f"subject {number}") for number in range(_ROUNDS)))
        newer = [[a_challenge(subject=one.subject) for _ in range(crew.size - 2)] for one in challenges]
        rounds = [
            [
                *[methodcaller("take_challenge", one.id)] * 2,
                *(methodcaller("add_challenge", rival, alone=True) for rival in each),
            ]
            for one, each in zip(challenges, newer, strict=True)
        ]
        for one, each, results in zip(challenges, newer, crew.race(opener, store, rounds), strict=True):
            assert results[:2].count(one) <= 1
            assert store.take_challenge(one.id) is None
            assert len(_left(store, each)) == 1

    def test_it_is_taken_or_deleted(self, opener: Opener, store: ChallengeStore, crew: Crew) -> None:
        """A challenge that is taken while all are deleted is taken or counted as deleted, and not both."""
        challenges = _added(store, *(a_challenge(subject=f"subject {number}") for number in range(_ROUNDS)))
        rounds = [
            [
                *[methodcaller("take_challenge", one.id)] * (crew.size - 1),
                methodcaller("delete_challenges", one.subject),
            ]
            for one in challenges
        ]
        for one, (*taken, deleted) in zip(challenges, crew.race(opener, store, rounds), strict=True):
            assert taken.count(one) <= 1
            assert deleted <= 1
            assert taken.count(one) or deleted
            assert store.get_challenge(one.id) is None

    def test_deleting_ends_all_that_were_added_at_once(self, opener: Opener, store: ChallengeStore, crew: Crew) -> None:
        """However many are added while others are deleted, the next deletion leaves none."""
        rounds = [[a_challenge() for _ in range(crew.size - 1)] for _ in range(_ROUNDS)]
        moves = [
            [*(methodcaller("add_challenge", one) for one in each), methodcaller("delete_challenges", "ada")]
            for each in rounds
        ]
        deleted = sum(results[-1] for results in crew.race(opener, store, moves)) + store.delete_challenges("ada")
        assert deleted == _ROUNDS * (crew.size - 1)
        assert [_left(store, each) for each in rounds] == [[]] * _ROUNDS

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: ChallengeStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_challenges_beside_memory(store)
