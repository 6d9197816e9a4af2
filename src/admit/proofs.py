"""What a request has read before it proved something, and whether that still counts in the end.

A thief who signs in without pause has a sign-in under way at every moment: their proof is read before the owner changes
the password, and their session begins after all sessions were ended. So each request notes the epoch of an account when
it first reads that account, or a credential of it, whatever it reads later; and a session, a challenge or a change that
rests on a proof is good only if the account is still at that epoch. Features need do nothing for it: what
:class:`admit.context.Context` gives them as ``accounts`` and ``credentials`` takes the notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.adopting import Adopting, HavingRoles, SharingSecrets
from admit.errors import InvalidCredentials
from admit.model import ECHO

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from admit.model import Account, Credential
    from admit.store import AccountStore, CredentialStore, SessionStore

__all__ = ["CHANGED", "NotingAccounts", "NotingCredentials", "Proofs", "noting_credentials"]

#: Why a proof was refused that had been right, for the log.
CHANGED = "changed meanwhile"


class Proofs:
    """The notes of one request.

    Args:
        accounts: Where accounts are kept; ``None`` where there are none.
        credentials: Where their credentials are kept.

    .. versionadded:: 0.2
    """

    def __init__(self, accounts: AccountStore | None, credentials: CredentialStore | None = None) -> None:
        self.accounts = accounts
        store: object = credentials
        self._sharing = store if isinstance(store, SharingSecrets) else None
        self._epochs: dict[str, int] = {}
        self._credentials: dict[tuple[str, str], Credential] = {}

    def epoch_of(self, subject: str) -> int:
        """Return the epoch at which a subject's account was first read; it is read now if that is yet to come.

        It is 0 for what is no account: an application's own users, or what a challenge for nobody is about.
        """
        if subject and subject not in self._epochs and self.accounts is not None:
            self.note(self.accounts.get_account(subject))
        return self._epochs.get(subject, 0)

    def note(self, account: Account | None) -> None:
        """Note the epoch of an account, if none of it is noted."""
        if account is not None:
            self._epochs.setdefault(account.id, account.epoch)

    def note_first(self, subject: str) -> None:
        """Note that something was proven before anything has ended the logins of this subject's account."""
        self._epochs.setdefault(subject, 0)

    def has(self, subject: str) -> bool:
        """Tell whether an epoch of this subject's account is noted."""
        return subject in self._epochs

    def note_credential(self, credential: Credential) -> None:
        """Note a credential as it was when a request first read it."""
        self._credentials.setdefault((credential.subject, credential.kind), credential)

    def move(self, account: Account) -> None:
        """Note that this very request has changed an account: what was proven before the change still counts in it."""
        self._epochs[account.id] = account.epoch
        self._forget([one for one in self._credentials.values() if one.subject == account.id])

    def forget_credential(self, credential_id: str) -> None:
        """Forget a credential that this very request has changed or deleted."""
        self._forget([one for one in self._credentials.values() if one.id == credential_id])

    def _forget(self, credentials: Iterable[Credential]) -> None:
        for one in credentials:
            del self._credentials[one.subject, one.kind]

    def demand(self, account: Account, method: str | None = None) -> None:
        """Refuse what rests on a proof that counts no more.

        Args:
            account: The account as it is now.
            method: What the proof was made with; ``None`` for whatever was read of the account.

        Raises:
            InvalidCredentials: The account has another epoch than was noted, or the application has changed its secret.
        """
        if account.epoch != self.epoch_of(account.id):
            raise InvalidCredentials(reason=CHANGED)
        if self._sharing is None:
            return
        read = [one for one in self._credentials.values() if one.subject == account.id]
        if not all(self._sharing.counts(one) for one in read if method in {None, one.kind}):
            raise InvalidCredentials(reason=CHANGED)


class NotingAccounts:
    """The accounts of a store, noted by one request as it reads them.

    Args:
        accounts: The store.
        proofs: The notes of the request.
    """

    def __init__(self, accounts: AccountStore, proofs: Proofs) -> None:
        self._accounts = accounts
        self._proofs = proofs

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Keep a new account and its first credentials, in one step; return it as it is kept."""
        kept = self._accounts.add_account(account, *credentials)
        self._proofs.note(kept)
        return kept

    def get_account(self, account_id: str) -> Account | None:
        """Return the account with this id, or ``None``."""
        return self._noted(self._accounts.get_account(account_id))

    def find_account(self, key: str) -> Account | None:
        """Return the account that has an identifier with this canonical key, or ``None``."""
        return self._noted(self._accounts.find_account(key))

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write ``new`` and its credentials if ``old`` still stands; ``False`` if it was changed or is gone.

        Raises:
            InvalidCredentials: Somebody else has ended the logins of the account since this request first read it.
            IdentifierTaken: Another account has one of the new keys; nothing was written.
        """
        self._proofs.note(old)
        self._proofs.demand(old)
        is_written = self._accounts.replace_account(old, new, *credentials)
        if is_written:
            self._proofs.move(new)
        return is_written

    def delete_account(self, account_id: str) -> bool:
        """Forget the account and its credentials; ``False`` if there is none."""
        return self._accounts.delete_account(account_id)

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts whose id follows ``after``, in the order of their ids."""
        return self._all_noted(self._accounts.list_accounts(after=after, limit=limit))

    def list_closed(self, *, before: datetime, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts closed before ``before``, of those that :meth:`list_accounts` lists."""
        return self._all_noted(self._accounts.list_closed(before=before, after=after, limit=limit))

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return self._accounts.count_accounts()

    def _noted(self, account: Account | None) -> Account | None:
        self._proofs.note(account)
        return account

    def _all_noted(self, accounts: Iterable[Account]) -> list[Account]:
        found = list(accounts)
        for account in found:
            self._proofs.note(account)
        return found


class NotingCredentials:
    """The credentials of a store, each read after the epoch of its account is noted.

    Args:
        credentials: The store.
        proofs: The notes of the request.
    """

    def __init__(self, credentials: CredentialStore, proofs: Proofs) -> None:
        self._credentials = credentials
        self._proofs = proofs

    def add_credential(self, credential: Credential) -> bool:
        """Keep a new credential; ``False`` if its kind has one with this key, or its id is taken."""
        return self._credentials.add_credential(credential)

    def get_credential(self, kind: str, key: str) -> Credential | None:
        """Return the credential of this kind with this key, or ``None``."""
        found = self._credentials.get_credential(kind, key)
        if found is not None and not self._proofs.has(found.subject):
            # Whose it is was not known before: it is read once more, now that the epoch is noted.
            self._proofs.epoch_of(found.subject)
            found = self._credentials.get_credential(kind, key)
        return self._noted(found)

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """Return the subject's credentials, oldest first."""
        self._proofs.epoch_of(subject)
        found = self._credentials.list_credentials(subject)
        for one in found:
            self._proofs.note_credential(one)
        return found

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write ``new`` if ``old`` still stands; ``False`` if it was changed or is gone."""
        is_written = self._credentials.replace_credential(old, new)
        if is_written and ECHO in new.details:
            self._proofs.forget_credential(old.id)
        return is_written

    def delete_credential(self, credential_id: str) -> bool:
        """Forget the credential; ``True`` for exactly one caller."""
        self._proofs.forget_credential(credential_id)
        return self._credentials.delete_credential(credential_id)

    def _noted(self, credential: Credential | None) -> Credential | None:
        if credential is not None:
            self._proofs.note_credential(credential)
        return credential


class _NotingAdopted(NotingCredentials):
    """The same for a store whose accounts are an application's own users."""

    def __init__(self, credentials: CredentialStore, proofs: Proofs, adopting: Adopting) -> None:
        super().__init__(credentials, proofs)
        self._adopting = adopting

    def open(self, **options: Any) -> SessionStore:
        """Return what is kept beside the application's users."""
        return self._adopting.open(**options)

    def examples(self) -> Sequence[str] | None:
        """Return some of the secrets that the application made; ``None`` if it keeps none."""
        return self._adopting.examples()

    def roles_of(self, account_id: str) -> Collection[str] | None:
        """Return the roles that the application's own object has."""
        return self._adopting.roles_of(account_id) if isinstance(self._adopting, HavingRoles) else None

    def load_user(self, account_id: str) -> object | None:
        """Return the application's own object for an account, or ``None``."""
        return self._adopting.load_user(account_id)


def noting_credentials(credentials: CredentialStore, proofs: Proofs) -> NotingCredentials:
    """Return a store's credentials, as a request notes them.

    Args:
        credentials: The store.
        proofs: The notes of the request.
    """
    if isinstance(credentials, Adopting):
        return _NotingAdopted(credentials, proofs, credentials)
    return NotingCredentials(credentials, proofs)
