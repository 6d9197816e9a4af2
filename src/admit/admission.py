"""Admission: what stands between a right proof and a session, and opens a closed account again.

An attacker wants to learn whether an account is locked, to get into one that is, to bring back by an old cookie what
its owner has closed, or to slip in while it is closed or erased. So all of it is asked in one place, which every way to
log in meets, after the proof was right and with the session in the store: whoever locks, closes or erases an account,
or changes its password, does so before its sessions are ended, so that a login at the same moment is caught by one of
the two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.changing import change_account
from admit.errors import InvalidCredentials, LockedAccount, NotFound, VerificationRequired
from admit.events import AccountReopened

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from admit.events import Events
    from admit.model import Account
    from admit.proofs import Proofs
    from admit.store import AccountStore

__all__ = ["Admission"]


class Admission:
    """Tells who may log in: to an account that is open, or that was closed a short time ago.

    Args:
        accounts: Where accounts are kept; ``None`` where there are none.
        clock: Returns the present time, aware and UTC.
        events: Who is told.
        verified_only: Whether an account can be used only once its mail address is confirmed.
        grace: How long a closed account is opened again by a login; ``None`` for never.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        accounts: AccountStore | None,
        *,
        clock: Callable[[], datetime],
        events: Events,
        verified_only: bool = False,
        grace: timedelta | None = None,
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._events = events
        #: Whether the application lets in who has logged in by a method: it may know more of its users than is kept.
        self.lets_in: Callable[[str, str], bool] = _everybody
        self.verified_only = verified_only
        self.grace = grace

    @property
    def has_accounts(self) -> bool:
        """Whether there are accounts that a login may be refused for."""
        return self._accounts is not None

    def is_over(self, account: Account) -> bool:
        """Tell whether an account is closed for good: it has the face of one that never was."""
        if account.closed_at is None:
            return False
        return self.grace is None or self._clock() - account.closed_at >= self.grace

    def can_return(self, account: Account) -> bool:
        """Tell whether the owner of an account may log in, be it to open it again."""
        return account.locked_at is None and not self.is_over(account)

    def bar(self, account: Account, method: str = "") -> None:
        """Refuse whoever has proven that an account is theirs, if it may not be used.

        Args:
            account: The account.
            method: What has verified it.

        Raises:
            InvalidCredentials: It is closed for good, or the application does not let its user in.
            LockedAccount: It is locked.
        """
        if self.is_over(account):
            raise InvalidCredentials(reason="closed")
        if account.locked_at is not None:
            raise LockedAccount(reason="locked")
        if not self.lets_in(account.id, method):
            raise InvalidCredentials(reason="inactive")

    def enter(  # noqa: PLR0913 -- what an entry is made of
        self,
        subject: str,
        method: str,
        proofs: Proofs,
        *,
        is_proven: bool,
        of_account: bool,
        end_others: Callable[[], object],
    ) -> Account | None:
        """Let the subject of a new session in, and return their account if that has opened it again.

        Args:
            subject: Whom the session is about.
            method: What verified it.
            proofs: What was noted before it was verified.
            is_proven: Whether they have proven it just now. A cookie of long ago opens no closed account.
            of_account: Whether there has to be an account; one that is gone may have been erased a moment ago.
            end_others: Ends the other sessions of the subject: called before a closed account is opened again, whose
                closing may have been interrupted.

        Raises:
            InvalidCredentials: The account is gone, or closed for good, or what was proven counts no more.
            LockedAccount: The account is locked.
            VerificationRequired: The account's mail address is not confirmed, and has to be.
            StoreError: The store did not answer.
        """
        if self._accounts is None:
            return None
        reopened: Account | None = None

        def let_in(account: Account) -> Account | None:
            nonlocal reopened
            reopened = self._let_in(account, is_proven=is_proven, method=method, proofs=proofs, end_others=end_others)
            return reopened

        told = self._events.telling(AccountReopened(at=self._clock(), subject=subject, method=method))
        try:
            change_account(self._accounts, subject, let_in, told)
        except NotFound as error:
            if of_account:
                raise InvalidCredentials(reason="the account is gone") from error
            return None
        if reopened is not None:
            told.publish()
        return reopened

    def stay(self, subject: str, method: str, proofs: Proofs) -> None:
        """Let the subject of a session that has just been replaced stay in.

        Args:
            subject: Whom the session is about.
            method: What verified once more who that is.
            proofs: What was noted before it was verified.

        Raises:
            InvalidCredentials: What was proven counts no more.
            StoreError: The store did not answer.
        """
        account = None if self._accounts is None else self._accounts.get_account(subject)
        if account is not None:
            proofs.demand(account, method)

    def _let_in(
        self, account: Account, *, is_proven: bool, method: str, proofs: Proofs, end_others: Callable[[], object]
    ) -> Account | None:
        """Return the account as it is to be opened again, or ``None`` if it is open."""
        # First of all: a closing that came after the proof must not be undone by it.
        proofs.demand(account, method)
        self.bar(account, method)
        if self.verified_only and not account.is_verified:
            raise VerificationRequired(reason="address not confirmed")
        if account.closed_at is None:
            return None
        if not is_proven:
            raise InvalidCredentials(reason="closed")
        end_others()
        return replace(account, closed_at=None)


def _everybody(_subject: str, _method: str) -> bool:
    return True
