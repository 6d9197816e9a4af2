"""Accounts, credentials, challenges and counters beside a dictionary in memory, through any order of verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)

from admit.errors import IdentifierTaken
from admit.stores.memory import MemoryStore
from admit.testing.samples import NOW, a_challenge, a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Account, Challenge, Credential
    from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore

__all__ = [
    "run_accounts_beside_memory",
    "run_challenges_beside_memory",
    "run_counters_beside_memory",
    "run_credentials_beside_memory",
]

_KINDS = st.sampled_from(["password", "totp"])
_PEOPLE = ("ada", "grace", "Ünï")
_SUBJECTS = st.sampled_from(_PEOPLE)
_KEYS = st.sampled_from(["a", "b", "c"])
_NAMES = st.lists(st.sampled_from(["ada", "grace", "a@x", "b@x"]), min_size=1, max_size=2, unique=True)
_SPANS = st.integers(0, 200_000_000).map(lambda count: timedelta(microseconds=count))
_MOMENTS = _SPANS.map(lambda span: NOW + span)
_TEXTS = st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=3)
_INTERVALS = st.sampled_from([timedelta(microseconds=7), timedelta(seconds=1), timedelta(seconds=59.5)])


def run_accounts_beside_memory(store: AccountStore) -> None:
    """Drive ``store`` and a ``MemoryStore`` with the same verbs about accounts and compare every answer."""
    _run(type("Machine", (_Accounts,), {"tested": store}))


def run_credentials_beside_memory(store: CredentialStore) -> None:
    """Drive ``store`` and a ``MemoryStore`` with the same verbs about credentials and compare every answer."""
    _run(type("Machine", (_Credentials,), {"tested": store}))


def run_challenges_beside_memory(store: ChallengeStore) -> None:
    """Drive ``store`` and a ``MemoryStore`` with the same verbs about challenges and compare every answer."""
    _run(type("Machine", (_Challenges,), {"tested": store}))


def run_counters_beside_memory(store: CounterStore) -> None:
    """Drive ``store`` and a ``MemoryStore`` with the same verbs about counters and compare every answer."""
    _run(type("Machine", (_Counters,), {"tested": store}))


def _run(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
        ),
    )


class _SideBySide(RuleBasedStateMachine):
    tested: Any

    def __init__(self) -> None:
        super().__init__()
        self.model = MemoryStore()

    def both(self, ask: Callable[[Any], Any]) -> Any:
        answers = [ask(store) for store in (self.tested, self.model)]
        assert answers[0] == answers[1]
        return answers[1]


class _Accounts(_SideBySide):
    accounts: Bundle[Account] = Bundle("accounts")

    def teardown(self) -> None:
        for account in self.tested.list_accounts(limit=1000):
            assert self.tested.delete_account(account.id)
        assert self.tested.count_accounts() == 0

    @rule(target=accounts, names=_NAMES, at=_MOMENTS)
    def add(self, names: list[str], at: Any) -> Account:
        account = an_account(*names, created_at=at)
        self.both(lambda store: _tried(store.add_account, account))
        return account

    @rule(
        target=accounts,
        account=accounts,
        names=_NAMES,
        at=st.none() | _MOMENTS,
        roles=st.frozensets(_KEYS),
        epoch=st.integers(0, 9),
    )
    def replace(self, account: Account, names: list[str], at: Any, roles: frozenset[str], epoch: int) -> Account:
        new = an_account(*names, created_at=account.created_at, id=account.id, locked_at=at, roles=roles, epoch=epoch)
        self.both(lambda store: _tried(store.replace_account, account, new))
        standing: Account | None = self.both(lambda store: store.get_account(account.id))
        return standing or account

    @rule(account=accounts)
    def delete(self, account: Account) -> None:
        self.both(lambda store: store.delete_account(account.id))

    @rule(name=_NAMES, after=st.just("") | accounts.map(lambda account: account.id), limit=st.integers(1, 3))
    def look(self, name: list[str], after: str, limit: int) -> None:
        self.both(lambda store: store.find_account(name[0]))
        self.both(lambda store: list(store.list_accounts(after=after, limit=limit)))
        self.both(lambda store: store.count_accounts())


class _Credentials(_SideBySide):
    credentials: Bundle[Credential] = Bundle("credentials")

    def teardown(self) -> None:
        # All that the next run might meet, also what a broken store has kept too much.
        for subject in _PEOPLE:
            for one in self.tested.list_credentials(subject):
                self.tested.delete_credential(one.id)

    @rule(target=credentials, kind=_KINDS, key=_KEYS, subject=_SUBJECTS, at=_MOMENTS, details=_TEXTS)
    def add(self, kind: str, key: str, subject: str, at: Any, details: dict[str, str]) -> Credential:
        credential = a_credential(kind=kind, key=key, subject=subject, created_at=at, details=details)
        self.both(lambda store: store.add_credential(credential))
        return credential

    @rule(target=credentials, old=credentials, secret=_KEYS, used_at=st.none() | _MOMENTS, details=_TEXTS)
    def replace(self, old: Credential, secret: str, used_at: Any, details: dict[str, str]) -> Credential:
        new = replace(old, secret=secret, used_at=used_at, details=details)
        is_written = self.both(lambda store: store.replace_credential(old, new))
        return replace(new, revision=old.revision + 1) if is_written else old

    @rule(credential=credentials)
    def delete(self, credential: Credential) -> None:
        self.both(lambda store: store.delete_credential(credential.id))

    @rule(kind=_KINDS, key=_KEYS, subject=_SUBJECTS)
    def look(self, kind: str, key: str, subject: str) -> None:
        self.both(lambda store: store.get_credential(kind, key))
        self.both(lambda store: list(store.list_credentials(subject)))


class _Challenges(_SideBySide):
    challenges: Bundle[Challenge] = Bundle("challenges")

    def teardown(self) -> None:
        for subject in _PEOPLE:
            self.tested.delete_challenges(subject)

    @rule(target=challenges, kind=_KINDS, subject=_SUBJECTS, at=_MOMENTS, alone=st.booleans(), details=_TEXTS)
    def add(self, kind: str, subject: str, at: Any, *, alone: bool, details: dict[str, str]) -> Challenge:
        challenge = a_challenge(kind=kind, subject=subject, expires_at=at, details=details, epoch=len(details))
        self.both(lambda store: store.add_challenge(challenge, alone=alone))
        return challenge

    @rule(challenge=challenges)
    def look(self, challenge: Challenge) -> None:
        self.both(lambda store: store.get_challenge(challenge.id))

    @rule(challenge=challenges)
    def take(self, challenge: Challenge) -> None:
        self.both(lambda store: store.take_challenge(challenge.id))

    @rule(subject=_SUBJECTS, kind=st.none() | _KINDS)
    def delete(self, subject: str, kind: str | None) -> None:
        self.both(lambda store: store.delete_challenges(subject, kind=kind))


class _Counters(_SideBySide):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW

    def teardown(self) -> None:
        for key in ("a", "b", "c"):
            self.tested.reset_count(key)

    @rule(span=_SPANS)
    def advance(self, span: timedelta) -> None:
        self.now += span

    @rule(key=_KEYS, interval=_INTERVALS, burst=st.integers(1, 4))
    def spend(self, key: str, interval: timedelta, burst: int) -> None:
        self.both(lambda store: store.spend(key, now=self.now, interval=interval, burst=burst))

    @rule(key=_KEYS, interval=_INTERVALS)
    def refund(self, key: str, interval: timedelta) -> None:
        self.both(lambda store: store.refund(key, now=self.now, interval=interval))

    @rule(key=_KEYS)
    def reset(self, key: str) -> None:
        self.both(lambda store: store.reset_count(key))


def _tried(verb: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return verb(*arguments)
    except IdentifierTaken:
        return IdentifierTaken
