"""What a request notes of accounts before it proves something, and what it is worth in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from admit.adopting import Adopting
from admit.changing import change_account, outdated
from admit.errors import InvalidCredentials
from admit.events import Events
from admit.gate import Gate
from admit.model import ECHO, Admitted
from admit.proofs import NotingAccounts, Proofs, noting_credentials
from admit.store import AccountStore, CredentialStore
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.testing.samples import NOW, a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.model import Account, Credential


class Owned(MemoryStore):
    """A store whose passwords the application changes by itself, whenever it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()

    def counts(self, credential: Credential) -> bool:
        """Tell whether the application has changed it."""
        return credential.id not in self.gone

    def open(self, **_options: Any) -> MemoryStore:
        """Return what is beside."""
        return self

    def examples(self) -> Sequence[str] | None:
        """Return some hashes."""
        return ["$hash"]

    def load_user(self, account_id: str) -> object | None:
        """Return the application's object."""
        return f"user {account_id}"


class Request:
    """What one request has."""

    def __init__(self, store: MemoryStore) -> None:
        self.proofs = Proofs(store, store)
        self.accounts = NotingAccounts(store, self.proofs)
        self.credentials = noting_credentials(store, self.proofs)


@pytest.fixture
def store() -> Owned:
    """Return a store."""
    return Owned()


def raised(store: MemoryStore, account: Account) -> Account:
    """End the logins of an account as another request does, and return it as it is then."""
    change_account(store, account.id, outdated, Events().telling())
    found = store.get_account(account.id)
    assert found is not None
    return found


READINGS: dict[str, Any] = {
    "get_account": lambda of, account: of.accounts.get_account(account.id),
    "find_account": lambda of, account: of.accounts.find_account(account.label),
    "list_accounts": lambda of, account: of.accounts.list_accounts(),
    "get_credential": lambda of, account: of.credentials.get_credential("password", account.id),
    "list_credentials": lambda of, account: of.credentials.list_credentials(account.id),
    "epoch_of": lambda of, account: of.proofs.epoch_of(account.id),
}


@pytest.mark.parametrize("reading", READINGS)
def test_the_first_reading_counts(store: Owned, reading: str) -> None:
    """Whatever a request reads of an account first, it is at that epoch for it, whatever it reads later."""
    account = an_account("ada")
    store.add_account(account, a_credential(key=account.id, subject=account.id))
    request = Request(store)
    assert READINGS[reading](request, account) is not None
    now = raised(store, account)
    for other in READINGS.values():
        other(request, account)
    assert request.proofs.epoch_of(account.id) == 0
    with pytest.raises(InvalidCredentials) as caught:
        request.proofs.demand(now)
    assert caught.value.reason == "changed meanwhile"
    Request(store).proofs.demand(now)


def test_a_credential_that_changes_while_its_owner_is_looked_for(store: Owned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential that is read before it is known whose it is, is read once more when the epoch is noted."""
    account, reading = an_account(), store.get_credential
    old = a_credential(key="k", subject=account.id)
    store.add_account(account, old)
    request = Request(store)

    def changed_meanwhile(kind: str, key: str) -> Credential | None:
        found = reading(kind, key)
        if found == old:
            new = replace(old, created_at=NOW, details={"new": "yes"})
            assert store.replace_account(account, outdated(account), new)
        return found

    monkeypatch.setattr(store, "get_credential", changed_meanwhile)
    found = request.credentials.get_credential("password", "k")
    assert found is not None
    assert found.details == {"new": "yes"}
    assert request.proofs.epoch_of(account.id) == 1
    assert request.credentials.get_credential("password", "nobody's") is None


def test_own_changes_move_the_note(store: Owned) -> None:
    """What a request has proven still counts in it after a change that it has made itself, and not after another's."""
    account = an_account()
    store.add_account(account)
    request = Request(store)
    change_account(request.accounts, account.id, outdated, Events().telling())
    standing = request.accounts.get_account(account.id)
    assert standing is not None
    request.proofs.demand(standing)
    assert request.accounts.replace_account(standing, standing)
    now = raised(store, standing)
    with pytest.raises(InvalidCredentials):
        request.accounts.replace_account(now, now)
    assert not Request(store).accounts.replace_account(standing, standing)


def test_what_the_application_changes_by_itself(store: Owned) -> None:
    """Where the application owns the passwords, the one that was read must still be its password."""
    account = an_account()
    password = a_credential(key=account.id, subject=account.id)
    store.add_account(account, password)
    request = Request(store)
    request.credentials.get_credential("password", account.id)
    request.proofs.demand(account, "password")
    store.gone.add(password.id)
    request.proofs.demand(account, "badge")
    for method in ("password", None):
        with pytest.raises(InvalidCredentials):
            request.proofs.demand(account, method)


@pytest.mark.parametrize("how", ["deleted", "replaced", "rehashed"])
def test_own_credentials(store: Owned, how: str) -> None:
    """A credential that the request itself deletes or changes is not asked for again; one that it rehashes is."""
    account = an_account()
    password = a_credential(key=account.id, subject=account.id)
    store.add_account(account, password)
    request = Request(store)
    request.credentials.list_credentials(account.id)
    if how == "deleted":
        assert request.credentials.delete_credential(password.id)
    else:
        details = {ECHO: "echo"} if how == "replaced" else {}
        assert request.credentials.replace_credential(password, replace(password, details=details))
        assert not request.credentials.replace_credential(password, password)
    store.gone.add(password.id)
    if how == "rehashed":
        with pytest.raises(InvalidCredentials):
            request.proofs.demand(account)
    else:
        request.proofs.demand(account)


def test_what_is_no_account() -> None:
    """Whoever is no account of ours is at the first epoch, and nothing is read where there are no accounts."""
    assert Proofs(None).epoch_of("somebody") == Proofs(MemoryStore()).epoch_of("somebody") == 0
    assert Proofs(MemoryStore()).epoch_of("") == 0


def test_what_was_proven_at_first() -> None:
    """What was proven before anything has ended logins counts until something does, and an epoch read before stays."""
    store = MemoryStore()
    account = store.add_account(an_account("ada"))
    gate = Gate(store, stores=open_stores(store))
    assert isinstance(gate.from_first(account.id).admit(account.id, "login"), Admitted)
    change_account(store, account.id, outdated, gate.events.telling())
    with pytest.raises(InvalidCredentials):
        gate.from_first(account.id).admit(account.id, "login")
    assert isinstance(gate.from_first("somebody").admit("somebody", "login"), Admitted)
    proofs = Proofs(store)
    assert proofs.epoch_of(account.id) == 1
    proofs.note_first(account.id)
    assert proofs.epoch_of(account.id) == 1


def test_all_other_verbs_are_those_of_the_store(store: Owned) -> None:
    """What a request is given is a store of accounts and of credentials, with the examples of adopted ones."""
    request = Request(store)
    account = request.accounts.add_account(an_account("ada"))
    assert isinstance(request.accounts, AccountStore)
    assert isinstance(request.credentials, CredentialStore)
    assert request.credentials.add_credential(a_credential(subject=account.id))
    assert request.accounts.count_accounts() == 1
    assert list(request.accounts.list_closed(before=NOW)) == []
    assert request.accounts.delete_account(account.id)
    assert isinstance(request.credentials, Adopting)
    assert request.credentials.examples() == ["$hash"]
    assert request.credentials.load_user("7") == "user 7"
    assert request.credentials.open() is store
    assert not isinstance(Request(MemoryStore()).credentials, Adopting)
