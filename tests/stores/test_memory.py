"""The store in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.stores.memory import MemoryStore
from admit.testing import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable


class TestMemoryStore(StoreContract):
    """It keeps the contract, within one object."""

    shared = False

    @pytest.fixture
    def opener(self) -> Callable[[], MemoryStore]:
        """Open an empty one."""
        return MemoryStore
