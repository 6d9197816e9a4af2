"""What every store has to do, as tests: the executable form of :mod:`admit.store`."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from admit import tokens
from admit.model import Authentication, Client, Ending, EndReason, Factor
from admit.testing.samples import NOW, REVOKED, a_session
from admit.testing.store_endings import StoreEndings
from admit.testing.store_machine import run_beside_memory
from admit.testing.store_races import StoreRaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Session
    from admit.store import SessionStore

    Opener = Callable[[], SessionStore]

__all__ = ["StoreContract"]


class StoreContract(StoreEndings, StoreRaces):
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
            found = store.get_session(session.id)
            assert found is not None
            assert found == session
            assert _kinds(found) == _kinds(session)

    def test_times_are_arguments(self, store: SessionStore) -> None:
        """A session of any century is kept alike: the store has no clock to compare it with."""
        for year in (1999, 2100):
            at = datetime(year, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
            session = a_session(created_at=at, seen_at=at, rotated_at=at, ends_at=at + timedelta(days=7))
            store.add_session(session)
            assert store.get_session(session.id) == session
            later = at + timedelta(hours=1)
            assert store.touch_session(session.id, seen_at=later, expires_at=later + session.idle)
            assert list(store.list_sessions("ada")) == [replace(session, seen_at=later)]
            ending = Ending(EndReason.LOGOUT, later)
            assert store.delete_session(session.id, ending=ending)
            assert store.get_ending(session.id) == ending

    def test_another_object_sees_the_same(self, opener: Opener, store: SessionStore) -> None:
        """What one object keeps another that was opened on the same storage knows, also after the first is closed."""
        if not self.shared:
            return
        kept, ended = a_session(), a_session()
        first = opener()
        first.add_session(kept)
        first.add_session(ended)
        first.delete_session(ended.id, ending=REVOKED)
        first.close()
        assert list(store.list_sessions("ada")) == [kept]
        assert store.get_session(kept.id) == kept
        assert store.get_ending(ended.id) == REVOKED

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

    def test_lists_the_newest(self, store: SessionStore) -> None:
        """With a limit the newest are listed, oldest first, and without one all."""
        sessions = [a_session(created_at=NOW + timedelta(minutes=age), idle=timedelta(days=1)) for age in range(5)]
        for session in (sessions[3], sessions[0], sessions[4], sessions[2], sessions[1]):
            store.add_session(session)
        for limit in (1, 3, 5, 9):
            assert list(store.list_sessions("ada", limit=limit)) == sessions[-limit:]
        assert list(store.list_sessions("grace", limit=3)) == []

    def test_subjects_are_compared_to_the_letter(self, store: SessionStore) -> None:
        """Subjects that differ in case, in a space, in an accent's spelling or by a pattern are different people."""
        names = ["7", "07", "a", "A", "a ", " a", "e\u0301", "\u00e9", "ß", "ss", "a%", "a*", "{a}", "a:b", "_", "\n"]
        sessions = [a_session(subject=name) for name in names]
        for session in sessions:
            store.add_session(session)
        for session in sessions:
            assert list(store.list_sessions(session.subject)) == [session]
        for session in sessions:
            assert store.delete_sessions(session.subject, ending=REVOKED) == 1
        assert store.count_sessions() == 0

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
        """A secret is replaced only where the one that was read still stands."""
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

    def test_a_new_secret_changes_nothing_else(self, store: SessionStore) -> None:
        """What else differs in the new value is not written: it may be older than what is kept."""
        session = a_session()
        store.add_session(session)
        rotated_at = NOW + timedelta(hours=1)
        new = a_session(
            id=session.id, subject="grace", remembered=True, rotated_at=rotated_at, nonce=b"n" * 16, client=Client("?")
        )
        assert store.replace_secret(session, new)
        assert store.get_session(session.id) == replace(
            session, secret_hash=new.secret_hash, nonce=new.nonce, rotated_at=rotated_at, confirmed_at=new.confirmed_at
        )
        assert list(store.list_sessions("grace")) == []

    # -- the model -------------------------------------------------------------------------------

    def test_it_does_what_memory_does(self, store: SessionStore) -> None:
        """In any order of verbs, the store answers what a dictionary in memory answers."""
        run_beside_memory(store)


def _kinds(session: Session) -> list[Any]:
    """Return what equality does not tell: a memoryview equals bytes, and a time in one zone that in another."""
    values = [getattr(session, one.name) for one in fields(session)]
    return [value.utcoffset() if isinstance(value, datetime) else type(value) for value in values]
