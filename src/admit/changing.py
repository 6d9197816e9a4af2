"""Changing an account that others may change at the same moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.errors import NotFound, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Account, Credential
    from admit.store import AccountStore
    from admit.telling import Telling

__all__ = ["change_account", "outdated"]

# How often to try again when somebody else changes the account at the same moment.
_TRIES = 20


def outdated(account: Account) -> Account:
    """Return the account at its next epoch: what was proven, issued or begun before counts no more.

    .. versionadded:: 0.2
    """
    return replace(account, epoch=account.epoch + 1)


def change_account(
    accounts: AccountStore,
    account_id: str,
    change: Callable[[Account], Account | None],
    told: Telling,
    *credentials: Credential,
) -> bool:
    """Change an account as it stands, and keep what others change; tell whether there was something to change.

    Args:
        accounts: Where accounts are kept.
        account_id: Which one.
        change: Returns the account as it is to be, or ``None`` to leave it; called again if somebody else was first.
        told: What is written with the change, where that can be.
        credentials: Those that take the place of others, or are added, in the same step.

    Raises:
        NotFound: There is no such account.
        StoreError: Others kept changing the account.

    .. versionadded:: 0.2
    """
    for _ in range(_TRIES):
        account = accounts.get_account(account_id)
        if account is None:
            raise NotFound(reason="no such account")
        new = change(account)
        if new is None:
            return False
        with told:
            is_written = accounts.replace_account(account, new, *credentials)
        if is_written:
            return True
    message = "The account was changed by others again and again."
    raise StoreError(message)
