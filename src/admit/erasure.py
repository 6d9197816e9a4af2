"""Erasing accounts: all that is kept of somebody who has left, so that whoever comes after them inherits nothing.

Somebody who takes the name of an account that was erased would like to have its sessions, links, roles or history; an
owner who comes back at the last moment must not lose half of an account; and the machine may stop at any step. So an
account is first marked as erased, by the same compare and swap that would open it again: exactly one of the two is
done, and nothing opens it after that. The account itself goes last, so that whatever was interrupted is found by the
next purge. And sessions end once more after that, for a login that was under way.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from admit import throttle
from admit.adopting import SharingKeys
from admit.changing import change_account, outdated
from admit.errors import ConfigurationError, NotFound
from admit.events import AccountErased
from admit.known_devices import KIND
from admit.model import Ending, EndReason
from admit.origins import KIND as SIGN_UP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from admit.feature import Feature
    from admit.gate import Gate
    from admit.model import Account
    from admit.store import AccountStore, Stores

__all__ = ["end_former_user", "erase_account", "erase_closed"]

#: Since when an account is closed that is being erased: no grace is so long.
_FOR_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_BY = "erasure"
_DELETION = "deletion"

_logger = logging.getLogger("admit.erasure")


def erase_account(  # noqa: PLR0913 -- what an erasure is made of
    gate: Gate, stores: Stores, features: Collection[Feature], account: Account, *, at: datetime, by: str | None = None
) -> bool:
    """Erase a closed account and all that is kept of it; ``False`` if it is not closed any more, or gone.

    It may be called again for what was interrupted, and by several at once.

    Args:
        gate: Who ends its sessions, and tells.
        stores: What keeps what.
        features: Those that keep something of accounts.
        account: The account, as it was read.
        at: The present time, aware and UTC.
        by: Who does it, for the record.

    Raises:
        StoreError: A store did not answer; the rest is done by the next purge.
        ConfigurationError: The application's own database does not let go of its user.

    .. versionadded:: 0.2
    """
    accounts = stores.accounts
    if accounts is None or not _is_claimed(gate, accounts, account):
        return False
    gate.revoke_all(account.id, by=by or _BY)
    gate.challenges.void(account.id)
    devices = _forget_credentials(stores, account)
    _forget_counters(stores, features, account, devices)
    # Before what is kept of events is erased, so that this one tells nobody later who it was.
    gate.events.publish(AccountErased(at=at, subject=account.id, by=by))
    for feature in features:
        feature.erase(stores, account)
    accounts.delete_account(account.id)
    # A login that had its proof before finds no account after this, or its session is among these.
    stores.sessions.delete_sessions(account.id, ending=Ending(EndReason.REVOKED, at, by or _BY))
    return True


def end_former_user(gate: Gate, stores: Stores, subject: str, *, session_ids: Iterable[str] | None = None) -> None:
    """End the sessions of a user whom an application has deleted by itself, and forget what is kept of them.

    The database may give the same key to the next user, who must not inherit anything.

    Args:
        gate: Who ends the sessions, and tells.
        stores: What keeps what.
        subject: The id that the user had.
        session_ids: The sessions that were the former user's; all of them, if it is missing.

    Raises:
        StoreError: A store did not answer.

    .. versionadded:: 0.2
    """
    if stores.challenges is not None:
        stores.challenges.delete_challenges(subject)
    if isinstance(stores.accounts, SharingKeys):
        stores.accounts.forget(subject)
    if session_ids is None:
        gate.revoke_all(subject, by=_DELETION)
    for session_id in session_ids or ():
        gate.revoke(session_id, by=_DELETION)


def erase_closed(
    gate: Gate, stores: Stores, features: Collection[Feature], *, now: datetime, batch: int = 100
) -> Iterator[int]:
    """Erase the accounts whose grace is over, and give how many were erased after every ``batch``.

    An account that can't be erased keeps no other from it; that is logged, and raised at the end.

    Args:
        gate: Who knows how long the grace is; without one nothing is erased.
        stores: What keeps what.
        features: Those that keep something of accounts.
        now: The present time, aware and UTC.
        batch: How many accounts are read at once.

    Raises:
        StoreError: A store did not answer.
        ConfigurationError: The application's own database does not let go of one of its users.

    .. versionadded:: 0.2
    """
    accounts, grace, after = stores.accounts, gate.admission.grace, ""
    refusals: list[ConfigurationError] = []
    if accounts is None or grace is None:
        return
    while found := accounts.list_closed(before=now - grace, after=after, limit=batch):
        yield sum(_is_erased(gate, stores, features, one, now, refusals) for one in found)
        after = found[-1].id
    if refusals:
        raise refusals[0]


def _is_erased(  # noqa: PLR0913, PLR0917 -- what an erasure is made of
    gate: Gate,
    stores: Stores,
    features: Collection[Feature],
    account: Account,
    now: datetime,
    refusals: list[ConfigurationError],
) -> bool:
    try:
        return erase_account(gate, stores, features, account, at=now)
    except ConfigurationError as error:
        _logger.exception("The account %s can't be erased.", account.id)
        refusals.append(error)
        return False


def _is_claimed(gate: Gate, accounts: AccountStore, account: Account) -> bool:
    """Mark an account as erased, unless its owner has come back or somebody else has erased it."""
    try:
        return change_account(
            accounts, account.id, partial(_erased, closed_at=account.closed_at), gate.events.telling()
        )
    except NotFound:
        return False


def _erased(standing: Account, *, closed_at: datetime | None) -> Account | None:
    # Closed at another time than was read, it has been open in between: its grace has begun anew.
    is_meant = standing.closed_at is not None and standing.closed_at in {closed_at, _FOR_EVER}
    return replace(outdated(standing), closed_at=_FOR_EVER) if is_meant else None


def _forget_credentials(stores: Stores, account: Account) -> list[str]:
    """Forget all credentials of an account, and return the ids of the devices that it knew."""
    if stores.credentials is None:
        return []
    found = stores.credentials.list_credentials(account.id)
    for one in found:
        stores.credentials.delete_credential(one.id)
    return [one.key for one in found if one.kind == KIND]


def _forget_counters(stores: Stores, features: Collection[Feature], account: Account, devices: list[str]) -> None:
    if stores.counters is not None:
        names = [account.id, *(one.key for one in account.identifiers)]
        kinds = [SIGN_UP, *(one.name for one in features)]
        throttle.forget(stores.counters, names, kinds=kinds, devices=devices)
