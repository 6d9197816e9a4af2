"""A store and a dictionary in memory, side by side, through any order of verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test

from admit import tokens
from admit.model import Client, Ending, EndReason, Session
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from admit.store import SessionStore

__all__ = ["run_beside_memory"]

_START = datetime.now(UTC)
_MOMENTS = st.integers(0, 3_000).map(lambda minutes: _START + timedelta(minutes=minutes))
_SUBJECTS = st.sampled_from(["ada", "grace", "Ünï"])
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
        # The store under test is not emptied between runs, so that each has subjects of its own.
        self.run = tokens.new_id()

    @rule(target=ids, subject=_SUBJECTS, created_at=_MOMENTS, hours=st.integers(1, 48))
    def add(self, subject: str, created_at: datetime, hours: int) -> str:
        session = self._session(subject, created_at, hours)
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

    @rule(target=ids, session_id=ids, subject=_SUBJECTS, at=_MOMENTS, ending=_ENDINGS)
    def replace(self, session_id: str, subject: str, at: datetime, ending: Ending) -> str:
        new = self._session(subject, at, 24)
        answers = [store.replace_session(session_id, new, ending=ending) for store in self._both()]
        assert answers[0] == answers[1]
        self._same(session_id)
        return new.id

    @rule(session_id=ids, at=_MOMENTS, is_stale=st.booleans(), is_confirmed=st.booleans())
    def rotate(self, session_id: str, at: datetime, *, is_stale: bool, is_confirmed: bool) -> None:
        old = self.model.get_session(session_id)
        if old is None:
            return
        new = replace(old, secret_hash=tokens.new_seed() * 2, rotated_at=at, confirmed_at=at if is_confirmed else None)
        believed = replace(old, secret_hash=b"x" * 32) if is_stale else old
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
        whose = self._whose(subject)
        answers = [store.delete_sessions(whose, keep=keep, ending=ending) for store in self._both()]
        assert answers[0] == answers[1]

    @rule(subject=_SUBJECTS)
    def look(self, subject: str) -> None:
        whose = self._whose(subject)
        listed, expected = (list(store.list_sessions(whose)) for store in self._both())
        assert sorted(listed, key=_by_id) == sorted(expected, key=_by_id)
        assert [one.created_at for one in listed] == [one.created_at for one in expected]
        assert self.tested.count_sessions(whose) == self.model.count_sessions(whose)

    def _session(self, subject: str, at: datetime, hours: int) -> Session:
        return Session(
            id=tokens.new_id(),
            subject=self._whose(subject),
            secret_hash=tokens.new_seed() * 2,
            seed=tokens.new_seed(),
            created_at=at,
            seen_at=at,
            idle=timedelta(hours=hours),
            ends_at=at + timedelta(days=3),
            rotated_at=at,
            confirmed_at=at,
            client=Client("127.0.0.1", "a browser"),
        )

    def _whose(self, subject: str) -> str:
        return f"{subject} {self.run}"

    def _both(self) -> tuple[SessionStore, SessionStore]:
        return self.tested, self.model

    def _same(self, session_id: str) -> None:
        assert self.tested.get_session(session_id) == self.model.get_session(session_id)
        assert self.tested.get_ending(session_id) == self.model.get_ending(session_id)


def _by_id(session: Session) -> str:
    return session.id
