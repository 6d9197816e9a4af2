"""What is done with accounts: to make one, to lock it and to open it again, and to close it.

Whoever locks an account wants its owner, or the thief in their place, to be out now: not when the session ends by
itself, and not when the page is next loaded from somewhere else. So the account is locked first, and what rests on it
ends after that: a login at the same moment finds either the lock, or its session among those that are ended.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from admit import identifiers, tokens
from admit.changing import change_account, outdated
from admit.errors import InvalidInput, Text
from admit.events import AccountClosed, AccountCreated, AccountLocked, AccountUnlocked
from admit.model import Account
from admit.origins import OPERATOR, set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from admit.gate import Gate
    from admit.model import Credential, Identifier
    from admit.store import AccountStore

__all__ = ["close_account", "create_account", "lock_account", "new_account", "unlock_account"]


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
    gate: Gate,
    accounts: AccountStore,
    account: Account,
    *credentials: Credential,
    method: str = OPERATOR,
    by_owner: bool = False,
) -> Account:
    """Keep a new account and its first credentials, tell of it, and return it as it is kept.

    Args:
        gate: Who tells of it.
        accounts: Where accounts are kept.
        account: The account.
        credentials: What its owner logs in with.
        method: What made it, for the record.
        by_owner: Whether its owner made it, by signing up.

    Raises:
        IdentifierTaken: Another account has one of its names.

    .. versionadded:: 0.2
    """
    made = AccountCreated(at=account.created_at, subject=account.id, method=method, by=None if by_owner else method)
    with gate.events.telling(made) as told:
        kept = accounts.add_account(account, *(one if by_owner else set_up(one, method) for one in credentials))
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
    return _shut(gate, accounts, AccountLocked(at=at, subject=account_id, by=by), partial(_locked, at=at))


def unlock_account(gate: Gate, accounts: AccountStore, account_id: str, *, at: datetime, by: str | None = None) -> None:
    """Let the owner of an account log in again; the arguments are those of :func:`lock_account`.

    What a lock that was interrupted has left ends before.

    Raises:
        NotFound: There is no such account.
        StoreError: Others kept changing the account.

    .. versionadded:: 0.2
    """
    told = gate.events.telling(AccountUnlocked(at=at, subject=account_id, by=by))
    standing = accounts.get_account(account_id)
    if standing is not None and standing.locked_at is not None:
        gate.revoke_all(account_id, by=by)
    change_account(accounts, account_id, _unlocked, told)
    told.publish()


def close_account(gate: Gate, accounts: AccountStore, account_id: str, *, at: datetime, by: str | None = None) -> int:
    """Close an account: its sessions and links end; return how many sessions did.

    It is erased once the grace is over (:func:`admit.erasure.erase_closed`); a login before that opens it again.
    Closing a closed one ends what there may be left, and the time at which it was closed first stays. The arguments are
    those of :func:`lock_account`.

    Raises:
        NotFound: There is no such account.
        StoreError: Others kept changing the account.

    .. versionadded:: 0.2
    """
    return _shut(gate, accounts, AccountClosed(at=at, subject=account_id, by=by), partial(_closed, at=at))


def _shut(
    gate: Gate,
    accounts: AccountStore,
    why: AccountLocked | AccountClosed,
    change: Callable[[Account], Account | None],
) -> int:
    """Change an account so that nobody gets in, and end what there is of it; return how many sessions ended."""
    told, account_id = gate.events.telling(why), why.subject
    change_account(accounts, account_id, change, told)
    try:
        ended = gate.revoke_all(account_id, by=why.by)
        # They open nothing at the new epoch, also when the account may be used again; nobody has to keep them.
        gate.challenges.void(account_id)
    finally:
        told.publish()
    return ended


def _locked(account: Account, *, at: datetime) -> Account | None:
    # The time of the first lock stays.
    return None if account.locked_at is not None else replace(outdated(account), locked_at=at)


def _unlocked(account: Account) -> Account | None:
    return None if account.locked_at is None else replace(account, locked_at=None)


def _closed(account: Account, *, at: datetime) -> Account | None:
    return None if account.closed_at is not None else replace(outdated(account), closed_at=at)
