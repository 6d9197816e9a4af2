"""What every store has to do, as tests: the executable form of :mod:`admit.store`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.model import Authentication, Client, Ending, EndReason, Factor
from admit.testing.store_machine import run_beside_memory
from admit.testing.store_races import NOW, REVOKED, StoreRaces, a_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.store import SessionStore

    Opener = Callable[[], SessionStore]

__all__ = ["StoreContract"]


class StoreContract(StoreRaces):
    """Subclass it, and give it a fixture ``opener``: a function that opens the store under test.

    Each test gets an ``opener`` of its own whose storage is empty. Calling it again opens the same storage
    once more, as another process would; it is sent to other processes, so that it has to be picklable
    (``functools.partial(MyStore, url)``). Say ``shared = False`` for a store that lives in one object.

    >>> from functools import partial
    >>> import pytest
    >>> class TestMyStore(StoreContract):
    ...     @pytest.fixture
    ...     def opener(self, tmp_path):
    ...         return partial(MyStore, tmp_path / "sessions")

    .. versionadded:: 0.1
    """

    @pytest.fixture
    def store(self, opener: Opener) -> Iterator[SessionStore]:
        """Open the store under test."""
        store = opener()
        yield store
        store.close()

    # -- keeping ---------------------------------------------------------------------------------

    def test_what_is_added_is_returned(self, store: SessionStore) -> None:
        """Every field of a session comes back as it was, to the microsecond."""
        plain = a_session()
        full = a_session(
            subject="Ünïcode|ユーザー " * 5,
            idle=timedelta(microseconds=1),
            confirmed_at=None,
            nonce=tokens.new_seed(),
            remembered=True,
            authentications=(
                Authentication("password", frozenset({Factor.KNOW}), NOW - timedelta(days=3)),
                Authentication("passkey", frozenset({Factor.HAVE, Factor.ARE}), NOW),
                Authentication("nothing", frozenset(), NOW),
            ),
            client=Client("2001:db8::1", "Mozilla/5.0 " * 40),
        )
        empty = a_session(subject="", client=Client("", ""))
        for session in (plain, full, empty):
            store.add_session(session)
        for session in (plain, full, empty):
            assert store.get_session(session.id) == session

    def test_absence_is_none_or_false(self, store: SessionStore) -> None:
        """Every verb says of an unknown session that there is none, and raises nothing."""
        session = a_session()
        assert store.get_session(session.id) is None
        assert store.get_ending(session.id) is None
        assert not store.touch_session(session.id, seen_at=NOW, expires_at=NOW)
        assert not store.replace_session(session.id, a_session(), ending=REVOKED)
        assert not store.replace_secret(session, session)
        assert not store.delete_session(session.id, ending=REVOKED)
        assert store.delete_sessions("ada", ending=REVOKED) == 0
        assert list(store.list_sessions("ada")) == []
        assert store.count_sessions() == store.count_sessions("ada") == 0

    def test_ids_that_are_no_ids(self, store: SessionStore) -> None:
        """An id with characters that mean something to a database finds nothing and breaks nothing."""
        for odd in ("", "'", "' OR ''='", "%", "*", "{x}", "a\r\nFLUSHALL", "\x00", "é" * 300):
            assert store.get_session(odd) is None
            assert store.get_ending(odd) is None

    def test_lists_by_subject_oldest_first(self, store: SessionStore) -> None:
        """A subject's sessions are listed oldest first, those of others are not, and the count agrees."""
        ages = [3, 1, 2, 0]
        sessions = [a_session(created_at=NOW - timedelta(hours=age)) for age in ages]
        other = a_session(subject="ad")
        for session in [*sessions, other]:
            store.add_session(session)
        listed = list(store.list_sessions("ada"))
        assert listed == sorted(sessions, key=lambda session: session.created_at)
        assert store.count_sessions("ada") == len(ages)
        assert store.count_sessions() == len(ages) + 1
        assert list(store.list_sessions("ad")) == [other]

    # -- touching --------------------------------------------------------------------------------

    def test_touch_notes_the_use(self, store: SessionStore) -> None:
        """A touch moves seen_at forward, never back, and changes nothing else."""
        session = a_session()
        store.add_session(session)
        later = NOW + timedelta(hours=2)
        for seen_at in (later, NOW + timedelta(hours=1), NOW - timedelta(days=1)):
            touched = replace(session, seen_at=seen_at)
            assert store.touch_session(session.id, seen_at=seen_at, expires_at=touched.expires_at)
            assert store.get_session(session.id) == replace(session, seen_at=later)

    # -- replacing -------------------------------------------------------------------------------

    def test_replace_ends_one_and_keeps_the_other(self, store: SessionStore) -> None:
        """After a replacement the old session is gone with its reason, and the new one is there."""
        old, new = a_session(), a_session()
        store.add_session(old)
        ending = Ending(EndReason.REPLACED, NOW)
        assert store.replace_session(old.id, new, ending=ending)
        assert store.get_session(old.id) is None
        assert store.get_ending(old.id) == ending
        assert list(store.list_sessions("ada")) == [new] == [store.get_session(new.id)]

    def test_replace_for_another_subject(self, store: SessionStore) -> None:
        """A login on somebody else's device ends that one's session there, and no other."""
        old, new = a_session(), a_session(subject="grace")
        store.add_session(old)
        assert store.replace_session(old.id, new, ending=REVOKED)
        assert list(store.list_sessions("ada")) == []
        assert list(store.list_sessions("grace")) == [new]

    def test_what_lost_leaves_nothing(self, store: SessionStore) -> None:
        """A replacement of a session that is gone already keeps nothing of the new one."""
        old, late = a_session(), a_session()
        store.add_session(old)
        assert store.delete_session(old.id, ending=REVOKED)
        assert not store.replace_session(old.id, late, ending=Ending(EndReason.REPLACED, NOW))
        assert store.get_session(late.id) is None
        assert list(store.list_sessions("ada")) == []
        assert store.get_ending(old.id) == REVOKED

    def test_secrets_are_compared_and_swapped(self, store: SessionStore) -> None:
        """A secret is replaced only where the one that was read still stands; other fields stay as they are."""
        session = a_session()
        store.add_session(session)
        seen_at = NOW + timedelta(minutes=5)
        store.touch_session(session.id, seen_at=seen_at, expires_at=replace(session, seen_at=seen_at).expires_at)
        rotated = replace(
            session, secret_hash=b"r" * 32, nonce=b"n" * 16, rotated_at=NOW + timedelta(hours=1), confirmed_at=None
        )
        confirmed = replace(rotated, confirmed_at=NOW + timedelta(hours=2))
        assert store.replace_secret(session, rotated)
        assert not store.replace_secret(session, rotated)
        assert store.get_session(session.id) == replace(rotated, seen_at=seen_at)
        assert store.replace_secret(rotated, confirmed)
        assert not store.replace_secret(rotated, confirmed)
        assert store.get_session(session.id) == replace(confirmed, seen_at=seen_at)

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

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: SessionStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_beside_memory(store)
