"""The contracts of accounts, credentials, challenges and counters find what is wrong with a store."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings

from admit.errors import IdentifierTaken
from admit.store import AccountStore, ChallengeStore, CounterStore, CredentialStore
from admit.stores.memory import MemoryStore
from admit.testing import AccountContract, ChallengeContract, CounterContract, CredentialContract, machines
from tests.breaches import breach

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from admit.model import Account, Challenge, Credential


def a_moment() -> None:
    """Give other threads the time to come between two steps that should have been one."""
    time.sleep(0.001)


# -- accounts ---------------------------------------------------------------------------------------------------------


class LooksBeforeItAdds(MemoryStore):
    """Asks whether a name is taken, and writes a moment later."""

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Look, then write."""
        taken = any(self.find_account(one.key) for one in account.identifiers)
        a_moment()
        if taken:
            raise IdentifierTaken
        self._put_account(account)
        for one in credentials:
            self.add_credential(one)
        return account


class ChecksTheFirstNameOnly(MemoryStore):
    """Takes the second name from whoever has it."""

    def _check_keys(self, account: Account) -> None:
        super()._check_keys(replace(account, identifiers=account.identifiers[:1]))


class IgnoresCase(MemoryStore):
    """Compares keys as some collations do."""

    def find_account(self, key: str) -> Account | None:
        """Find whoever has about that name."""
        return super().find_account(key) or super().find_account(key.lower())


class SortsNames(MemoryStore):
    """Forgets in which order the names were."""

    def get_account(self, account_id: str) -> Account | None:
        """Sort them."""
        account = super().get_account(account_id)
        return account and replace(account, identifiers=tuple(sorted(account.identifiers, key=lambda one: one.key)))


class ReplacesWhateverStands(MemoryStore):
    """Does not compare the revision of an account."""

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Read, wait and write."""
        standing = self.get_account(old.id)
        a_moment()
        return standing is not None and super().replace_account(standing, new, *credentials)


class WritesCredentialsLater(MemoryStore):
    """Changes an account, and its credentials a moment later."""

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write one after the other."""
        is_written = super().replace_account(old, new)
        a_moment()
        with self._people_lock:
            for one in credentials:
                self._put_in_place(one)
        return is_written


class LeavesTheRevision(MemoryStore):
    """Lets whoever has read a credential before write it back after another took its place."""

    def _put_in_place(self, new: Credential) -> None:
        super()._put_in_place(new)
        standing = self._credential_ids[new.kind, new.key]
        self._credentials[standing] = replace(self._credentials[standing], revision=0)


class TakesCredentialsOfOthers(MemoryStore):
    """Puts a credential in the place of one of another account."""

    def _is_credential_free_for(self, new: Credential) -> bool:
        return (new.kind, new.key) in self._credential_ids or super()._is_credential_free_for(new)


class ForgetsEpochs(MemoryStore):
    """Keeps accounts and challenges without their epochs."""

    def _put_account(self, account: Account) -> None:
        super()._put_account(replace(account, epoch=0))

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Keep too little."""
        super().add_challenge(replace(challenge, epoch=0), alone=alone)


class HoldsOldNames(MemoryStore):
    """Keeps the names that an account gave up."""

    def _drop_keys(self, account: Account) -> None:
        """Keep them."""


class LeavesCredentials(MemoryStore):
    """Deletes the account and not what opens it."""

    def delete_account(self, account_id: str) -> bool:
        """Delete too little."""
        kept = self.list_credentials(account_id)
        deleted = super().delete_account(account_id)
        for one in kept:
            self.add_credential(one)
        return deleted


class LeavesAnAccount(MemoryStore):
    """Keeps an account whose credential could not be kept."""

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Write one after the other."""
        super().add_account(account)
        for one in credentials:
            super().add_credential(one)
        return account


class ListsFromTheFirst(MemoryStore):
    """Begins each page where the last one ended, not after it."""

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Repeat one."""
        return [one for one in super().list_accounts(limit=1000) if one.id >= after][:limit]


# -- credentials ------------------------------------------------------------------------------------------------------


class LooksBeforeItKeeps(MemoryStore):
    """Asks whether there is such a key, and writes a moment later."""

    def add_credential(self, credential: Credential) -> bool:
        """Look, then write."""
        if self._is_credential_taken(credential):
            return False
        a_moment()
        self._put_credential(credential)
        return True


class SwapsBlindly(MemoryStore):
    """Does not compare the revision of a credential."""

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Read, wait and write."""
        standing = self.get_credential(old.kind, old.key)
        a_moment()
        return standing is not None and super().replace_credential(standing, new)


class SwapsEverything(MemoryStore):
    """Lets a credential change hands."""

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write all of the new value."""
        swapped = super().replace_credential(old, new)
        if swapped:
            self._credentials[old.id] = replace(new, id=old.id, revision=old.revision + 1)
        return swapped


class WritesCredentialsBack(MemoryStore):
    """Writes a credential that was deleted in the meantime."""

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Read, wait and write."""
        if old.id not in self._credentials:
            return False
        a_moment()
        self._put_credential(replace(new, revision=old.revision + 1))
        return True


class ListsTheLatestFirst(MemoryStore):
    """Lists in the wrong order."""

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """List backwards."""
        return list(super().list_credentials(subject))[::-1]


class LosesTheDetails(MemoryStore):
    """Keeps a credential without its details."""

    def add_credential(self, credential: Credential) -> bool:
        """Keep too little."""
        return super().add_credential(replace(credential, details={}))


# -- challenges -------------------------------------------------------------------------------------------------------


class TakesInTwoSteps(MemoryStore):
    """Reads a challenge, and forgets it a moment later."""

    def take_challenge(self, challenge_id: str) -> Challenge | None:
        """Read, then forget."""
        challenge = self.get_challenge(challenge_id)
        a_moment()
        super().take_challenge(challenge_id)
        return challenge


class StaysInTwoSteps(MemoryStore):
    """Adds a challenge, and ends those that it knew of before."""

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """List, wait, then end and add."""
        older = [one for one in list(self._challenges.values()) if one.subject == challenge.subject]
        a_moment()
        for one in older:
            if alone and one.kind == challenge.kind:
                self.take_challenge(one.id)
        super().add_challenge(challenge)


class LeavesTheOlder(MemoryStore):
    """Does not end the older ones."""

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Add it beside them."""
        super().add_challenge(challenge)


class EndsEveryKind(MemoryStore):
    """Deletes all kinds, whichever was meant."""

    def delete_challenges(self, subject: str, *, kind: str | None = None) -> int:
        """Delete too much."""
        return super().delete_challenges(subject)


class MatchesBeginnings(MemoryStore):
    """Takes a kind that begins with the name for the kind."""

    def _drop_challenges(self, subject: str, kind: str | None) -> int:
        found = [one for one in self._challenges.values() if one.subject == subject]
        return sum(self._drop_challenge(one.id) is not None for one in found if one.kind.startswith(kind or ""))


class LooksAtTheClock(MemoryStore):
    """Decides by itself what is too old."""

    def get_challenge(self, challenge_id: str) -> Challenge | None:
        """Give only what is young."""
        challenge = super().get_challenge(challenge_id)
        return challenge if challenge and challenge.expires_at.timestamp() > time.time() else None


class PurgesTheYoung(MemoryStore):
    """Purges challenges that were made before."""

    def _purge_challenges(self, before: datetime, batch: int) -> int:
        return super()._purge_challenges(before + timedelta(hours=3), batch)


# -- counters ---------------------------------------------------------------------------------------------------------


class LosesCounts(MemoryStore):
    """Reads a counter, and writes it a moment later."""

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Read, wait and write."""
        rest = max(self._rests.get(key, now), now) + interval
        wait = rest - now - burst * interval
        if wait > timedelta(0):
            return wait
        a_moment()
        self._set_rest(key, rest)
        return timedelta(0)


class LosesRefunds(MemoryStore):
    """Reads a counter, and gives back a moment later."""

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Read, wait and write."""
        rest = self._rests.get(key, now)
        a_moment()
        self._set_rest(key, max(rest - interval, now))


class ChargesForRefusals(MemoryStore):
    """Moves the counter on when it refuses, too."""

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Charge in any case."""
        wait = super().spend(key, now=now, interval=interval, burst=burst)
        if wait:
            self._set_rest(key, self._rests[key] + interval)
        return wait


class GivesCredit(MemoryStore):
    """Lets refunds move a counter into the past."""

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Count from wherever it is."""
        rest = self._rests.get(key, now) + interval
        if rest - now > burst * interval:
            return rest - now - burst * interval
        self._set_rest(key, rest)
        return timedelta(0)

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Move it back however far."""
        self._set_rest(key, self._rests.get(key, now) - interval)


class CountsInWindows(MemoryStore):
    """Lets twice the burst pass where two windows meet."""

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Round the time to a window."""
        window = now.replace(microsecond=0, second=0)
        return super().spend(key, now=window, interval=interval, burst=burst)


class MixesCounters(MemoryStore):
    """Counts names together that look alike."""

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Leave the case out."""
        return super().spend(key.strip().casefold(), now=now, interval=interval, burst=burst)


class ResetsEverything(MemoryStore):
    """Puts all counters at rest."""

    def reset_count(self, key: str) -> None:
        """Forget too much."""
        self._rests.clear()


class PurgesWhatCounts(MemoryStore):
    """Purges counters that are not at rest."""

    def _purge_counters(self, before: datetime, batch: int) -> int:
        return super()._purge_counters(before + timedelta(hours=3), batch)


BROKEN = {
    AccountContract: [
        LooksBeforeItAdds,
        ChecksTheFirstNameOnly,
        IgnoresCase,
        SortsNames,
        ReplacesWhateverStands,
        WritesCredentialsLater,
        LeavesTheRevision,
        TakesCredentialsOfOthers,
        ForgetsEpochs,
        HoldsOldNames,
        LeavesCredentials,
        LeavesAnAccount,
        ListsFromTheFirst,
    ],
    CredentialContract: [
        LooksBeforeItKeeps,
        SwapsBlindly,
        SwapsEverything,
        WritesCredentialsBack,
        ListsTheLatestFirst,
        LosesTheDetails,
    ],
    ChallengeContract: [
        ForgetsEpochs,
        TakesInTwoSteps,
        StaysInTwoSteps,
        LeavesTheOlder,
        EndsEveryKind,
        MatchesBeginnings,
        LooksAtTheClock,
        PurgesTheYoung,
    ],
    CounterContract: [
        LosesCounts,
        LosesRefunds,
        ChargesForRefusals,
        GivesCredit,
        CountsInWindows,
        MixesCounters,
        ResetsEverything,
        PurgesWhatCounts,
    ],
}


@pytest.mark.parametrize(
    ("contract", "store"), [(contract, store) for contract, stores in BROKEN.items() for store in stores]
)
def test_a_broken_store_is_found(contract: type[Any], store: type[MemoryStore]) -> None:
    """Each way in which a store can break its word fails a test."""
    assert breach(contract, store) is not None


@pytest.mark.parametrize("contract", BROKEN)
def test_a_store_that_keeps_its_word_passes(contract: type[Any]) -> None:
    """Where nothing is broken, nothing fails."""
    assert breach(contract, MemoryStore) is None


class Fewer:
    """A store in memory with the verbs of one protocol and no others."""

    def __init__(self, protocol: type) -> None:
        store = MemoryStore()
        for name in vars(protocol):
            if not name.startswith("_"):
                setattr(self, name, getattr(store, name))


@pytest.mark.parametrize(
    ("contract", "protocol"),
    [
        (AccountContract, AccountStore),
        (CredentialContract, CredentialStore),
        (ChallengeContract, ChallengeStore),
        (CounterContract, CounterStore),
    ],
)
def test_a_store_that_keeps_nothing_else_passes(contract: type[Any], protocol: type) -> None:
    """A store is held to the verbs that it has, and need not be able to do anything besides."""
    assert breach(contract, lambda: Fewer(protocol)) is None


# Ids are random, so that one round may miss what the next one meets.
_ROUNDS = 100


def again_and_again(run: Any, store: type[MemoryStore]) -> None:
    """Try a store for as many rounds."""
    for _ in range(_ROUNDS):
        run(store())


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let Hypothesis be content with the first example that it finds."""
    before = settings.default
    settings.register_profile(
        "impatient",
        before,
        phases=[Phase.generate],
        derandomize=False,
        database=None,
        report_multiple_bugs=False,
    )
    settings.load_profile("impatient")
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


@pytest.mark.parametrize(
    ("run", "store"),
    [
        (machines.run_accounts_beside_memory, ReplacesWhateverStands),
        (machines.run_accounts_beside_memory, ListsFromTheFirst),
        (machines.run_credentials_beside_memory, SwapsBlindly),
        (machines.run_challenges_beside_memory, LeavesTheOlder),
        (machines.run_counters_beside_memory, ChargesForRefusals),
        (machines.run_counters_beside_memory, GivesCredit),
    ],
)
def test_the_model_finds_it_too(impatient: None, run: Any, store: type[MemoryStore]) -> None:
    """A store that differs from the dictionary in memory is found by trying verbs in any order."""
    with pytest.raises(AssertionError):
        again_and_again(run, store)
