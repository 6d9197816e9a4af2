"""A store that others write to at the same moment, for the tests of what changes accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from admit.model import Account


class Contested(MemoryStore):
    """A store in which somebody else changes an account first, a number of times."""

    left = 0

    def replace_account(self, old: Account, new: Account) -> bool:
        """Give the account another role before."""
        if self.left:
            self.left -= 1
            super().replace_account(old, replace(old, roles=frozenset({f"role-{self.left}"})))
        return super().replace_account(old, new)
