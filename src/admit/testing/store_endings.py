"""How sessions end and are forgotten, in any store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.model import Ending, EndReason
from admit.testing.samples import NOW, REVOKED, a_session

if TYPE_CHECKING:
    from admit.store import SessionStore

__all__ = ["StoreEndings"]

#: More than any store ends in one step of what it locks.
_MANY = 130


class StoreEndings:
    """The part of the contract that is about endings."""

    # -- ending ----------------------------------------------------------------------------------

    def test_an_ended_session_is_gone_for_every_verb(self, store: SessionStore) -> None:
        """Nothing brings a session back that has ended, and its ending stays as it was."""
        session = a_session()
        store.add_session(session)
        assert store.delete_session(session.id, ending=REVOKED)
        assert store.get_session(session.id) is None
        assert not store.touch_session(session.id, seen_at=NOW, expires_at=session.expires_at)
        assert not store.replace_secret(session, session)
        assert not store.delete_session(session.id, ending=Ending(EndReason.LOGOUT, NOW))
        assert store.get_session(session.id) is None
        assert store.get_ending(session.id) == REVOKED
        assert store.count_sessions("ada") == 0

    @pytest.mark.parametrize("reason", EndReason)
    def test_an_ending_says_why(self, store: SessionStore, reason: EndReason) -> None:
        """Each reason is kept with its time and with who ended it, if anybody did."""
        for by in (None, "ädmin:7"):
            session = a_session()
            store.add_session(session)
            ending = Ending(reason, NOW + timedelta(microseconds=7), by)
            store.delete_session(session.id, ending=ending)
            assert store.get_ending(session.id) == ending

    def test_all_but_one(self, store: SessionStore) -> None:
        """All sessions of a subject end at once, but the one to keep and those of others."""
        kept, *ended = (a_session() for _ in range(4))
        other = a_session(subject="grace")
        for session in (kept, *ended, other):
            store.add_session(session)
        assert store.delete_sessions("ada", keep=kept.id, ending=REVOKED) == len(ended)
        assert list(store.list_sessions("ada")) == [kept]
        assert [store.get_ending(session.id) for session in ended] == [REVOKED] * len(ended)
        assert store.get_session(other.id) == other
        assert store.delete_sessions("ada", ending=REVOKED) == 1
        assert store.get_session(kept.id) is None

    def test_the_one_to_keep_may_be_anybody(self, store: SessionStore) -> None:
        """Keeping somebody else's session, or one that is not there, keeps none of the subject's."""
        other = a_session(subject="grace")
        store.add_session(other)
        for keep in (other.id, "unknown", ""):
            store.add_session(a_session())
            assert store.delete_sessions("ada", keep=keep, ending=REVOKED) == 1
        assert store.get_session(other.id) == other

    def test_only_some_end(self, store: SessionStore) -> None:
        """Of the sessions that are named those of the subject end, but the one to keep, and no others."""
        kept, named, other = a_session(), [a_session() for _ in range(3)], a_session(subject="grace")
        for session in (kept, *named, other):
            store.add_session(session)
        ids = [named[0].id, named[1].id, named[1].id, other.id, "unknown"]
        assert store.delete_sessions("ada", keep=named[1].id, only=ids, ending=REVOKED) == 1
        assert store.get_ending(named[0].id) == REVOKED
        assert {one.id for one in store.list_sessions("ada")} == {kept.id, named[1].id, named[2].id}
        assert store.get_session(other.id) == other
        for nothing in ([], ["unknown"], [other.id]):
            assert store.delete_sessions("ada", only=nothing, ending=REVOKED) == 0
        assert store.delete_sessions("ada", only=ids, ending=REVOKED) == 1

    def test_many_end(self, store: SessionStore) -> None:
        """However many sessions a subject has, all end, each with its reason, and none of others."""
        many, other = [a_session() for _ in range(_MANY)], a_session(subject="grace")
        for session in (*many, other):
            store.add_session(session)
        half = [one.id for one in many[: _MANY // 2]]
        assert store.delete_sessions("ada", only=half, ending=REVOKED) == len(half)
        assert store.delete_sessions("ada", ending=REVOKED) == _MANY - len(half)
        assert {store.get_ending(one.id) for one in many} == {REVOKED}
        assert store.count_sessions() == 1

    def test_a_replaced_session_is_gone_like_any_other(self, store: SessionStore) -> None:
        """Nothing brings a session back that was replaced, and it can't be replaced twice."""
        old, new = a_session(), a_session()
        store.add_session(old)
        assert store.replace_session(old.id, new, ending=REVOKED)
        assert not store.replace_session(old.id, a_session(), ending=REVOKED)
        assert not store.touch_session(old.id, seen_at=NOW, expires_at=old.expires_at)
        assert not store.replace_secret(old, old)
        assert not store.delete_session(old.id, ending=Ending(EndReason.LOGOUT, NOW))
        assert store.get_ending(old.id) == REVOKED
        assert store.count_sessions() == 1

    # -- purging ---------------------------------------------------------------------------------

    def test_purge_removes_what_is_over(self, store: SessionStore) -> None:
        """A purge takes sessions and endings whose time is over, in batches, and nothing that lives."""
        short = [a_session(idle=timedelta(hours=1)) for _ in range(5)]
        living, ended = a_session(), a_session(idle=timedelta(hours=1))
        for session in [*short, living, ended]:
            store.add_session(session)
        store.delete_session(ended.id, ending=REVOKED)
        assert store.purge(before=NOW + timedelta(minutes=59)) == 0
        after = NOW + timedelta(hours=2)
        removed = [store.purge(before=after, batch=2) for _ in range(5)]
        assert all(count <= 2 for count in removed)  # noqa: PLR2004 -- the batch above
        assert removed[-1] == 0
        assert [store.get_session(session.id) for session in short] == [None] * len(short)
        assert store.get_ending(ended.id) is None
        assert list(store.list_sessions("ada")) == [store.get_session(living.id)] == [living]

    def test_a_touched_session_is_not_purged(self, store: SessionStore) -> None:
        """What counts for a purge is when the session ends now, not when it was made."""
        session = a_session(idle=timedelta(hours=1))
        store.add_session(session)
        seen_at = NOW + timedelta(minutes=50)
        touched = replace(session, seen_at=seen_at)
        store.touch_session(session.id, seen_at=seen_at, expires_at=touched.expires_at)
        store.purge(before=NOW + timedelta(hours=1, minutes=30))
        assert store.get_session(session.id) == touched

    def test_a_late_touch_does_not_shorten_a_life(self, store: SessionStore) -> None:
        """A touch that was overtaken by a later one does not bring the purge forward either."""
        session = a_session(idle=timedelta(hours=1))
        store.add_session(session)
        for minutes in (50, 10):
            touched = replace(session, seen_at=NOW + timedelta(minutes=minutes))
            store.touch_session(session.id, seen_at=touched.seen_at, expires_at=touched.expires_at)
        assert store.purge(before=NOW + timedelta(hours=1, minutes=30)) == 0
        assert store.get_session(session.id) is not None

    def test_an_ending_is_kept_as_long_as_the_session_would_have_lived(self, store: SessionStore) -> None:
        """The last touch counts for an ending too, and the very moment of expiry is not before itself."""
        session = a_session(idle=timedelta(hours=1))
        store.add_session(session)
        touched = replace(session, seen_at=NOW + timedelta(minutes=50))
        store.touch_session(session.id, seen_at=touched.seen_at, expires_at=touched.expires_at)
        store.delete_session(session.id, ending=REVOKED)
        assert store.purge(before=touched.expires_at) == 0
        assert store.get_ending(session.id) == REVOKED
        assert store.purge(before=touched.expires_at + timedelta(microseconds=1)) == 1
        assert store.get_ending(session.id) is None

    def test_what_ran_out_says_so_until_it_is_purged(self, store: SessionStore) -> None:
        """A session that is ended after its time has an ending like any other: the store does not judge."""
        session = a_session(idle=timedelta(hours=1))
        store.add_session(session)
        ending = Ending(EndReason.IDLE, session.expires_at)
        assert store.delete_session(session.id, ending=ending)
        assert store.get_ending(session.id) == ending
        assert store.purge(before=NOW + timedelta(days=1)) == 1
        assert store.get_ending(session.id) is None

    def test_what_was_purged_is_gone_for_every_verb(self, store: SessionStore) -> None:
        """After a purge nothing is left to touch, to end or to list, and no reason is known."""
        session = a_session()
        store.add_session(session)
        assert store.purge(before=session.expires_at + timedelta(seconds=1)) == 1
        assert store.get_session(session.id) is None
        assert store.get_ending(session.id) is None
        assert not store.touch_session(session.id, seen_at=NOW, expires_at=session.expires_at)
        assert not store.replace_secret(session, session)
        assert not store.delete_session(session.id, ending=REVOKED)
        assert list(store.list_sessions("ada")) == []
        assert store.count_sessions() == store.count_sessions("ada") == 0

    def test_a_purge_counts_to_its_batch(self, store: SessionStore) -> None:
        """A full batch says that there may be more, and a smaller one that there is not."""
        for number in range(25):
            session = a_session(subject=f"subject {number % 3}")
            store.add_session(session)
            if number % 2:
                store.delete_session(session.id, ending=REVOKED)
        after = NOW + timedelta(days=2)
        assert [store.purge(before=after, batch=10) for _ in range(4)] == [10, 10, 5, 0]
