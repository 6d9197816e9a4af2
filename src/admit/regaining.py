"""Ending the logins of an account, for who changes what people log in with, and taking it back for its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from admit import tokens
from admit.changing import change_account, outdated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.context import Context, Post, SecretKeeper
    from admit.feature import Feature
    from admit.gate import Gate
    from admit.known_devices import KnownDevices
    from admit.model import Account, Credential
    from admit.proofs import Proofs
    from admit.store import AccountStore

__all__ = ["Regaining"]


class Regaining:
    """The part of :class:`admit.context.Context` that ends logins."""

    gate: Gate
    accounts: AccountStore
    devices: KnownDevices
    features: Mapping[str, Feature]
    account: Account | None
    post: Post
    proofs: Proofs
    mark: str | None
    leaves: bool

    if TYPE_CHECKING:

        def secret_keeper(self) -> SecretKeeper | None:
            """Return the feature that keeps passwords, if there is one."""

    def end_logins(
        self,
        account: Account,
        *credentials: Credential,
        by: str,
        change: Callable[[Account], Account | None] = outdated,
        keep: str | None = None,
    ) -> int:
        """End what rests on what somebody logs in with, and change that in one step; return how many sessions ended.

        For a feature that changes a password, a factor or an address. Sessions, links, half-done logins and known
        devices end, those that are under way as well, and exactly one of several changes at once wins. What this very
        request has proven still counts in it.

        Args:
            account: The account.
            credentials: Those that take the place of others of their kind and key, or are added.
            by: What ends them, for the record.
            change: Returns the account as it is to be, at its next epoch (:func:`admit.changing.outdated`), or
                ``None`` if there is nothing to change; called again if the account is changed by others.
            keep: The id of a session that stays.

        Raises:
            InvalidCredentials: Somebody else has ended the logins of the account since this request has read it.
            IdentifierTaken: Another account has one of the new names.

        .. versionadded:: 0.2
        """
        return self._end_logins(self.accounts, account, *credentials, by=by, change=change, keep=keep)

    def _end_logins(
        self,
        accounts: AccountStore,
        account: Account,
        *credentials: Credential,
        by: str,
        change: Callable[[Account], Account | None],
        keep: str | None = None,
    ) -> int:
        # Where one of these fails nothing is changed, and may be tried again.
        ended = self.gate.revoke_all(account.id, keep=keep, by=by)
        self.devices.forget(account.id)
        change_account(accounts, account.id, change, self.gate.events.telling(), *credentials)
        # What began while the others were ended.
        ended += self.gate.revoke_all(account.id, keep=keep, by=by)
        self.gate.challenges.void(account.id)
        return ended

    def evict(
        self,
        account: Account,
        claim: Callable[[], object],
        *,
        key: str,
        change: Callable[[Account], Account] = outdated,
    ) -> bool:
        """End all that a thief may have of an account, and mail its owner a link to choose a new password.

        Sessions, links, half-done logins and known devices end, and a password is replaced by one that nobody knows: a
        deleted one might come back to life from a table that the application had before. Second factors stay, so that
        whoever reads the owner's mails does not get past them. Nobody is logged in by it. The link goes to the address,
        and not to whoever asks, so that a mail that got into wrong hands locks an account at worst. No change that a
        thief makes at the same moment keeps it from being done. All of it may be done again, if it was interrupted.

        Args:
            account: The account.
            claim: Uses up what has proven whose the address is, or raises if somebody else was first. It is called
                last, so that whatever was interrupted can be done again.
            key: The address that is proven to be the person's; a mail goes to no other, such as the thief's.
            change: As in :meth:`end_logins`.

        Returns:
            Whether a mail was sent.

        Raises:
            Overloaded: Too many ask for passwords at once; nothing has happened.
        """
        ctx = cast("Context", self)
        keeper, accounts = self.secret_keeper(), cast("AccountStore", self.proofs.accounts)
        unknown = [] if keeper is None else [keeper.enroll(ctx, account, tokens.new_secret())]
        self._end_logins(accounts, account, *unknown, by="owner", change=change)
        self.leaves = self.account is not None and self.account.id == account.id
        self.mark = self.devices.mark(account.id)
        is_mailed = self._mail_way_back(accounts.get_account(account.id), key)
        claim()
        return is_mailed

    def _mail_way_back(self, account: Account | None, key: str) -> bool:
        """Send a link to choose a new password to an address, if it is the account's; tell whether it was sent."""
        if account is None or account.email is None or account.email.key != key:
            return False
        self.proofs.move(account)
        ctx = cast("Context", self)
        ways = (feature.recover(ctx, account) for feature in self.features.values())
        url = next((way for way in ways if way is not None), None)
        if url is None:
            return False
        # Not counted with other mails: whoever has used those up must not keep this one from the owner.
        self.post(account.email.value, "admit/regain", {"account": account, "url": url})
        return True
