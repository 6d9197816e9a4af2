"""The store in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.stores.memory import MemoryStore
from admit.testing import AccountContract, ChallengeContract, CounterContract, CredentialContract, StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable


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
