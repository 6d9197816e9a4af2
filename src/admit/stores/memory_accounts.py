"""Accounts in the memory of one process."""

from __future__ import annotations

from dataclasses import replace
from heapq import nsmallest
from typing import TYPE_CHECKING

from admit.errors import IdentifierTaken, StoreError
from admit.identifiers import claim_of, claims_for
from admit.stores.memory_credentials import MemoryCredentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from admit.model import Account, Credential

__all__ = ["MemoryAccounts"]


class MemoryAccounts(MemoryCredentials):
    """Keeps accounts in dictionaries, and their credentials beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._accounts: dict[str, Account] = {}
        self._account_ids: dict[str, str] = {}

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Keep a new account and its first credentials, in one step; return it."""
        with self._people_lock:
            self._check_keys(account)
            if account.id in self._accounts or any(map(self._is_credential_taken, credentials)):
                message = "An account or a credential with this id or key is there already."
                raise StoreError(message)
            self._put_account(account)
            for credential in credentials:
                self._put_credential(credential)
        return account

    def get_account(self, account_id: str) -> Account | None:
        """Return the account with this id, or ``None``."""
        return self._accounts.get(account_id)

    def find_account(self, key: str) -> Account | None:
        """Return the account that has an identifier with this canonical key, or ``None``."""
        with self._people_lock:
            account_id = next(filter(None, map(self._account_ids.get, claims_for(key))), None)
            return None if account_id is None else self._accounts[account_id]

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write ``new`` and its credentials if ``old`` still stands; ``False`` if it was changed or is gone."""
        with self._people_lock:
            standing = self._accounts.get(old.id)
            if standing is None or standing.revision != old.revision:
                return False
            written = replace(new, id=old.id, revision=old.revision + 1)
            self._check_keys(written)
            if not all(map(self._is_credential_free_for, credentials)):
                message = "A credential with this kind and key, or this id, is another account's."
                raise StoreError(message)
            self._drop_keys(standing)
            self._put_account(written)
            for credential in credentials:
                self._put_in_place(credential)
            return True

    def delete_account(self, account_id: str) -> bool:
        """Forget the account and its credentials; ``False`` if there is none."""
        with self._people_lock:
            account = self._accounts.pop(account_id, None)
            if account is None:
                return False
            self._drop_keys(account)
            for credential_id in list(self._credentials_of.get(account_id, ())):
                self._drop_credential(credential_id)
            return True

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts whose id follows ``after``, in the order of their ids."""
        with self._people_lock:
            return [self._accounts[one] for one in nsmallest(limit, (one for one in self._accounts if one > after))]

    def list_closed(self, *, before: datetime, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts closed before ``before``, whose id follows ``after``, in that order."""
        with self._people_lock:
            closed = (one.id for one in self._accounts.values() if one.closed_at is not None and one.closed_at < before)
            return [self._accounts[one] for one in nsmallest(limit, (one for one in closed if one > after))]

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return len(self._accounts)

    def _check_keys(self, account: Account) -> None:
        if any(self._account_ids.get(claim_of(one), account.id) != account.id for one in account.identifiers):
            raise IdentifierTaken

    def _put_account(self, account: Account) -> None:
        self._accounts[account.id] = account
        self._account_ids.update((claim_of(one), account.id) for one in account.identifiers)

    def _drop_keys(self, account: Account) -> None:
        for one in account.identifiers:
            del self._account_ids[claim_of(one)]
