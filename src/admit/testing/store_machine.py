"""A store and a dictionary in memory, side by side, through any order of verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)

from admit.model import Authentication, Client, Ending, EndReason, Factor
from admit.stores.memory import MemoryStore
from admit.testing.samples import a_session

if TYPE_CHECKING:
    from admit.model import Session
    from admit.store import SessionStore

__all__ = ["run_beside_memory"]

_START = datetime.now(UTC)
_MOMENTS = st.integers(0, 3_000).map(lambda minutes: _START + timedelta(minutes=minutes, microseconds=minutes))
_AFTER_ALL = _START + timedelta(days=36_500)
_SUBJECTS = st.sampled_from(["ada", "grace", "Ünï"])
# Any text that a database takes: no half of a surrogate pair, and not the character zero.
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300)
_SECRETS = st.binary(min_size=32, max_size=32)
_PROOFS = st.builds(
    Authentication, _TEXTS.map(lambda text: text[:30]), st.frozensets(st.sampled_from(Factor)), _MOMENTS
)
_DETAILS = st.fixed_dictionaries(
    {
        "secret_hash": _SECRETS,
        "seed": st.binary(min_size=16, max_size=16),
        "nonce": st.binary(min_size=16, max_size=16) | st.just(b""),
        "rotated_at": _MOMENTS,
        "confirmed_at": st.none() | _MOMENTS,
        "remembered": st.booleans(),
        "authentications": st.lists(_PROOFS, max_size=3).map(tuple),
        "client": st.builds(Client, st.none() | _TEXTS.map(lambda text: text[:45]), st.none() | _TEXTS),
    }
)
_ENDINGS = st.builds(Ending, st.sampled_from(EndReason), _MOMENTS, st.none() | st.just("admin"))


def run_beside_memory(store: SessionStore) -> None:
    """Drive ``store`` and a ``MemoryStore`` with the same verbs and compare every answer."""

    class Machine(_SideBySide):
        tested = store

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
        ),
    )


class _SideBySide(RuleBasedStateMachine):
    tested: SessionStore
    ids: Bundle[str] = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.model = MemoryStore()

    def teardown(self) -> None:
        # The next run begins with an empty store.
        _purge(self.tested, _AFTER_ALL, 1000)
        assert self.tested.count_sessions() == 0

    @rule(target=ids, subject=_SUBJECTS, created_at=_MOMENTS, hours=st.integers(1, 48), details=_DETAILS)
    def add(self, subject: str, created_at: datetime, hours: int, details: dict[str, Any]) -> str:
        session = _session(subject, created_at, hours, details)
        self.tested.add_session(session)
        self.model.add_session(session)
        return session.id

    @rule(session_id=ids, seen_at=_MOMENTS)
    def touch(self, session_id: str, seen_at: datetime) -> None:
        session = self.model.get_session(session_id)
        expires_at = replace(session, seen_at=seen_at).expires_at if session else seen_at
        answers = [store.touch_session(session_id, seen_at=seen_at, expires_at=expires_at) for store in self._both()]
        assert answers[0] == answers[1]
        self._same(session_id)

    @rule(target=ids, session_id=ids, subject=_SUBJECTS, at=_MOMENTS, ending=_ENDINGS, details=_DETAILS)
    def replace(self, session_id: str, subject: str, at: datetime, ending: Ending, details: dict[str, Any]) -> str:
        new = _session(subject, at, 24, details)
        answers = [store.replace_session(session_id, new, ending=ending) for store in self._both()]
        assert answers[0] == answers[1]
        self._same(session_id)
        self._same(new.id)
        return new.id

    @rule(session_id=ids, at=_MOMENTS, is_stale=st.booleans(), is_confirmed=st.booleans(), secret=_SECRETS)
    def rotate(self, session_id: str, at: datetime, *, is_stale: bool, is_confirmed: bool, secret: bytes) -> None:
        old = self.model.get_session(session_id)
        if old is None:
            return
        new = replace(old, secret_hash=secret, rotated_at=at, confirmed_at=at if is_confirmed else None)
        believed = replace(old, secret_hash=old.secret_hash[::-1] + b"x") if is_stale else old
        answers = [store.replace_secret(believed, new) for store in self._both()]
        assert answers == [not is_stale] * 2
        self._same(session_id)

    @rule(session_id=ids, ending=_ENDINGS)
    def end(self, session_id: str, ending: Ending) -> None:
        answers = [store.delete_session(session_id, ending=ending) for store in self._both()]
        assert answers[0] == answers[1]
        self._same(session_id)

    @rule(subject=_SUBJECTS, keep=st.none() | ids, ending=_ENDINGS)
    def end_all(self, subject: str, keep: str | None, ending: Ending) -> None:
        answers = [store.delete_sessions(subject, keep=keep, ending=ending) for store in self._both()]
        assert answers[0] == answers[1]

    @rule(before=_MOMENTS, batch=st.integers(1, 4))
    def purge(self, before: datetime, batch: int) -> None:
        assert _purge(self.tested, before, batch) == _purge(self.model, before, batch)

    @rule(subject=_SUBJECTS)
    def look(self, subject: str) -> None:
        listed, expected = (list(store.list_sessions(subject)) for store in self._both())
        assert sorted(listed, key=_by_id) == sorted(expected, key=_by_id)
        assert [one.created_at for one in listed] == [one.created_at for one in expected]
        assert self.tested.count_sessions(subject) == self.model.count_sessions(subject)
        assert self.tested.count_sessions() == self.model.count_sessions()

    @rule(session_id=ids)
    def look_at_one(self, session_id: str) -> None:
        self._same(session_id)

    def _both(self) -> tuple[SessionStore, SessionStore]:
        return self.tested, self.model

    def _same(self, session_id: str) -> None:
        assert self.tested.get_session(session_id) == self.model.get_session(session_id)
        assert self.tested.get_ending(session_id) == self.model.get_ending(session_id)


def _session(subject: str, at: datetime, hours: int, details: dict[str, Any]) -> Session:
    idle, ends_at = timedelta(hours=hours), at + timedelta(days=3)
    return a_session(subject=subject, created_at=at, seen_at=at, idle=idle, ends_at=ends_at, **details)


def _purge(store: SessionStore, before: datetime, batch: int) -> int:
    removed = 0
    while count := store.purge(before=before, batch=batch):
        assert count <= batch
        removed += count
    return removed


def _by_id(session: Session) -> str:
    return session.id
