"""The store in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from admit.errors import StoreError
from admit.stores.memory import MemoryStore
from admit.testing import (
    AccountContract,
    ChallengeContract,
    CounterContract,
    CredentialContract,
    EventContract,
    StoreContract,
    an_account,
)

if TYPE_CHECKING:
    from collections.abc import Callable


NOW = datetime.now(UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class InMemory:
    """How a store in memory is opened."""

    shared = False

    @pytest.fixture
    def opener(self) -> Callable[[], MemoryStore]:
        """Open an empty one."""
        return MemoryStore


class TestMemoryStore(InMemory, StoreContract):
    """It keeps the contract of sessions, within one object."""


class TestAccounts(InMemory, AccountContract):
    """It keeps the contract of accounts."""


class TestCredentials(InMemory, CredentialContract):
    """It keeps the contract of credentials."""


class TestChallenges(InMemory, ChallengeContract):
    """It keeps the contract of challenges."""


class TestCounters(InMemory, CounterContract):
    """It keeps the contract of counters."""


class TestEvents(InMemory, EventContract):
    """It keeps the contract of events."""


def test_a_million_names_stay_under_the_bound() -> None:
    """Whoever tries random names fills no memory, and does not push out the counters that hold somebody off."""
    store = MemoryStore(max_counters=1_000)
    while not store.spend("held off", now=NOW, interval=MINUTE, burst=5):
        pass
    for number in range(1_000_000):
        store.spend(f"random {number}", now=NOW, interval=SECOND, burst=5)
    assert len(store._rests) == 1_000
    assert len(store._next_rests) <= 3_000
    assert store.spend("held off", now=NOW, interval=MINUTE, burst=5) == MINUTE


def test_what_is_at_rest_is_not_kept() -> None:
    """A counter that came to rest leaves nothing, and neither does one that was spent and given back."""
    store = MemoryStore()
    for number in range(100):
        store.spend(f"old {number}", now=NOW, interval=SECOND, burst=5)
    for _ in range(500):
        store.spend("new", now=NOW + MINUTE, interval=SECOND, burst=5)
        store.refund("new", now=NOW + MINUTE, interval=SECOND)
    assert store._rests == {}
    assert len(store._next_rests) <= 70


def test_an_account_that_is_there_is_not_overwritten() -> None:
    """An id that is used a second time is an error, and nothing of the second account is kept."""
    store = MemoryStore()
    store.add_account(first := an_account("ada"))
    with pytest.raises(StoreError):
        store.add_account(an_account("grace", id=first.id))
    assert store.get_account(first.id) == first
    assert store.find_account("grace") is None
