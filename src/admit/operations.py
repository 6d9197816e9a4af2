"""What an operator does with accounts: to make one, to lock it and to open it again.

Whoever locks an account wants its owner, or the thief in their place, to be out now: not when the session ends by
itself, and not when the page is next loaded from somewhere else. So the account is locked first, and what rests on it
ends after that: a login at the same moment finds either the lock, or its session among those that are ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit import identifiers, tokens
from admit.errors import InvalidInput, NotFound, StoreError, Text
from admit.events import AccountCreated, AccountLocked, AccountUnlocked
from admit.model import Account

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from admit.gate import Gate
    from admit.model import Credential, Identifier
    from admit.store import AccountStore
    from admit.telling import Telling

__all__ = ["create_account", "lock_account", "new_account", "unlock_account"]

# How often to try again when somebody else changes the account at the same moment.
_TRIES = 20


def new_account(
    *,
    at: datetime,
    email: str | None = None,
    username: str | None = None,
    roles: Iterable[str] = (),
    verified: bool = False,
) -> Account:
    """Return an account that is yet to be kept.

    Args:
        at: The present time, aware and UTC.
        email: Its mail address.
        username: Its user name.
        roles: What its owner may be asked to be.
        verified: Whether the address is known to be the owner's.

    Raises:
        InvalidInput: It has no name, or one that can't be; all that is wrong is said at once.

    .. versionadded:: 0.2
    """
    found: list[Identifier] = []
    wrong: dict[str, str] = {}
    for text, read in ((email, identifiers.email), (username, identifiers.username)):
        try:
            found += [read(text)] if text is not None else []
        except InvalidInput as error:
            wrong.update(error.fields)
    if not found and not wrong:
        wrong["email"] = Text("An account needs a mail address or a user name.")
    if wrong:
        raise InvalidInput(wrong)
    named = tuple(replace(one, verified_at=at) if verified else one for one in found)
    return Account(id=tokens.new_account_id(at), identifiers=named, created_at=at, roles=frozenset(roles))


def create_account(
    gate: Gate, accounts: AccountStore, account: Account, *credentials: Credential, method: str = "operator"
) -> Account:
    """Keep a new account and its first credentials, tell of it, and return it as it is kept.

    Args:
        gate: Who tells of it.
        accounts: Where accounts are kept.
        account: The account.
        credentials: What its owner logs in with.
        method: What made it, for the record.

    Raises:
        IdentifierTaken: Another account has one of its names.

    .. versionadded:: 0.2
    """
    made = AccountCreated(at=account.created_at, subject=account.id, method=method, by=method)
    with gate.events.telling(made) as told:
        kept = accounts.add_account(account, *credentials)
    if kept.id == account.id:
        told.publish()
    else:  # the application's own database has made another, and keeps no events
        gate.events.publish(replace(made, subject=kept.id))
    return kept


def lock_account(gate: Gate, accounts: AccountStore, account_id: str, *, at: datetime, by: str | None = None) -> int:
    """Lock an account: nobody can log in to it, and its sessions and links end; return how many sessions did.

    Locking a locked one ends what there may be left, and is told again.

    Args:
        gate: Who ends the sessions.
        accounts: Where accounts are kept.
        account_id: Which one.
        at: The present time, aware and UTC.
        by: Who does it, for the record.

    Raises:
        NotFound: There is no such account.
        StoreError: Others kept changing the account.

    .. versionadded:: 0.2
    """
    told = gate.events.telling(AccountLocked(at=at, subject=account_id, by=by))
    _set_lock(accounts, account_id, at, told)
    # A link that was sent out before must not open the account when it is unlocked again.
    gate.challenges.void(account_id)
    ended = gate.revoke_all(account_id, by=by)
    told.publish()
    return ended


def unlock_account(gate: Gate, accounts: AccountStore, account_id: str, *, at: datetime, by: str | None = None) -> None:
    """Let the owner of an account log in again; the arguments are those of :func:`lock_account`.

    Raises:
        NotFound: There is no such account.
        StoreError: Others kept changing the account.

    .. versionadded:: 0.2
    """
    told = gate.events.telling(AccountUnlocked(at=at, subject=account_id, by=by))
    _set_lock(accounts, account_id, None, told)
    told.publish()


def _set_lock(accounts: AccountStore, account_id: str, locked_at: datetime | None, told: Telling) -> None:
    for _ in range(_TRIES):
        account = accounts.get_account(account_id)
        if account is None:
            raise NotFound(reason="no such account")
        # The time of the first lock stays.
        if (account.locked_at is None) == (locked_at is None):
            return
        with told:
            replaced = accounts.replace_account(account, replace(account, locked_at=locked_at))
        if replaced:
            return
    message = "The account was changed by others again and again."
    raise StoreError(message)
