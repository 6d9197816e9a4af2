"""Passwords in an application's own column: moved, changed on either side, and never two that count."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from admit.model import ECHO
from admit.testing.samples import a_credential, an_account

if TYPE_CHECKING:
    from admit.model import Credential
    from admit.stores.sql_model import ModelAccounts
    from tests.stores.conftest import Place


from tests.stores.conftest import HASH, one_password

MOVED = "$argon2id$…"


def moved(store: ModelAccounts, account_id: str, secret: str = MOVED) -> Credential:
    """Do what a login does: put a better hash beside the old one."""
    old = one_password(store, account_id)
    assert store.replace_credential(old, replace(old, secret=secret, details={}))
    return one_password(store, account_id)


def changed(store: ModelAccounts, account_id: str, secret: str, echo: str) -> bool:
    """Do what a change of the password does."""
    old = one_password(store, account_id)
    return store.replace_credential(old, replace(old, secret=secret, details={ECHO: echo}))


# -- passwords --------------------------------------------------------------------------------------------------------


def test_the_column_is_a_credential(place: Place) -> None:
    """The hash in the column is the password until it is moved, and nothing is written by looking."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    found = one_password(store, account_id)
    assert (found.secret, found.subject, found.is_adopted) == (HASH, account_id, True)
    assert list(store.list_credentials(account_id)) == [found]
    assert store._credentials.list_credentials(account_id) == []
    assert store.examples() == (HASH,)
    place.set(pw="scrypt:other")
    assert store.examples() == (HASH,)  # asked once


def test_moving_leaves_the_column_alone(place: Place) -> None:
    """The better hash is beside the column, whose old code can go on with what it has (rolling back)."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    old = one_password(store, account_id)
    new = moved(store, account_id)
    assert (new.secret, new.is_adopted) == ("$argon2id$…", False)
    assert place.row(account_id, store).secret == HASH
    assert not store.replace_credential(old, replace(old, secret="late", details={}))
    assert not store.add_credential(replace(new, id="x"))
    assert list(store.list_credentials(account_id)) == [new]
    again = moved(store, account_id, "$argon2id$ stronger")
    assert again.secret == "$argon2id$ stronger"


def test_what_the_old_code_changes_counts(place: Place) -> None:
    """After a rollback the old code changes a password: from then on that one counts here too, and moves again."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    moved(store, account_id)
    place.set(pw="pbkdf2:sha256:1000$another")
    found = one_password(store, account_id)
    assert (found.secret, found.is_adopted) == ("pbkdf2:sha256:1000$another", True)
    assert moved(store, account_id, "$argon2id$ of that").secret == "$argon2id$ of that"
    for nothing in (None, ""):
        place.set(pw=nothing)
        assert store.get_credential("password", account_id) is None
        assert list(store.list_credentials(account_id)) == []


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_change_is_in_both_places(place: Place, *, is_moved: bool) -> None:
    """A password that is changed here is in the column as the old code reads it: the one before works nowhere."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    if is_moved:
        moved(store, account_id)
    stale = one_password(store, account_id)
    assert changed(store, account_id, "$argon2id$ new", "scrypt:new")
    assert place.row(account_id, store).secret == "scrypt:new"
    found = one_password(store, account_id)
    assert (found.secret, found.is_adopted, found.details.get(ECHO)) == ("$argon2id$ new", False, None)
    assert not store.replace_credential(stale, replace(stale, details={ECHO: "scrypt:late"}))
    assert place.row(account_id, store).secret == "scrypt:new"


def test_of_two_changes_one_wins(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes of one password at the same moment: one is told that it lost, and what counts is whole."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    replace_password = store._table.replace_password

    def beaten(*given: Any) -> bool:
        monkeypatch.undo()
        assert changed(store, account_id, "$argon2id$ first", "scrypt:first")
        return replace_password(*given)

    monkeypatch.setattr(store._table, "replace_password", beaten)
    assert not changed(store, account_id, "$argon2id$ second", "scrypt:second")
    assert one_password(store, account_id).secret == "$argon2id$ first"
    assert place.row(account_id, store).secret == "scrypt:first"


def test_a_login_does_not_undo_a_change(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that verified the old password while it was changed moves nothing."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    old = one_password(store, account_id)
    password_of = store._table.password_of

    def beaten(asked: str) -> str | None:
        monkeypatch.undo()
        found = password_of(asked)
        assert changed(store, account_id, "$argon2id$ new", "scrypt:new")
        return found

    monkeypatch.setattr(store._table, "password_of", beaten)
    store.replace_credential(old, replace(old, secret="$argon2id$ old", details={}))
    assert one_password(store, account_id).secret == "$argon2id$ new"


def test_a_first_password(place: Place) -> None:
    """A user without a password gets one, in both places."""
    store = place.store()
    account_id = place.add(login="ada")
    assert store.get_credential("password", account_id) is None
    first = a_credential(key=account_id, subject=account_id, secret="$argon2id$", details={ECHO: "scrypt:first"})
    assert store.add_credential(first)
    assert place.row(account_id, store).secret == "scrypt:first"
    assert one_password(store, account_id).secret == "$argon2id$"


def test_a_password_that_is_void_is_void_everywhere(place: Place) -> None:
    """Deleting the credential leaves a mark in the column that no program takes for a hash; one caller did it."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    for _ in range(2):
        found = moved(store, account_id)
        assert store.delete_credential(found.id)
        assert place.row(account_id, store).secret == "!"
    assert not store.delete_credential(found.id)
    assert not store.delete_credential("password:unknown")
    assert one_password(store, account_id).secret == "!"
    assert changed(store, account_id, "$argon2id$", "scrypt:again")


def test_other_credentials_are_beside(place: Place) -> None:
    """Whatever is no password is kept beside the table."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    device = a_credential(kind="totp", key="k", subject=account_id)
    assert store.add_credential(device)
    assert store.get_credential("totp", "k") == device
    assert store.replace_credential(device, replace(device, secret="other"))
    assert {one.kind for one in store.list_credentials(account_id)} == {"totp", "password"}
    assert store.delete_credential(device.id)


def test_without_a_column_passwords_are_beside(place: Place) -> None:
    """Once the column is not named any more, nothing reads or writes it."""
    store = place.store(password=None)
    account_id = place.add(login="ada", secret=HASH)
    assert store.examples() is None
    assert store.get_credential("password", account_id) is None
    assert store.add_credential(a_credential(key=account_id, subject=account_id))
    assert [one.kind for one in store.list_credentials(account_id)] == ["password"]
    made = store.add_account(an_account("grace"))
    assert place.row(made.id, store).secret is None


# -- with the epoch ---------------------------------------------------------------------------------------------------


def test_a_password_comes_with_the_epoch(place: Place) -> None:
    """A new password is in the column, and beside it, once the account is at its next epoch."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    account = store.get_account(account_id)
    assert account is not None
    new = a_credential(key=account_id, subject=account_id, secret=MOVED, details={ECHO: "scrypt:new"})
    badge = a_credential(kind="badge", key=account_id, subject=account_id)
    assert store.replace_account(account, replace(account, epoch=1), new, badge)
    changed = store.get_account(account_id)
    assert changed is not None
    assert changed.epoch == 1
    assert place.row(account_id, store).secret == "scrypt:new"
    assert one_password(store, account_id).secret == MOVED
    assert store.get_credential("badge", account_id) == badge
    assert not store.replace_account(account, replace(account, epoch=1), new)
    again = replace(new, details={ECHO: "scrypt:newer"})
    assert store.replace_account(changed, replace(changed, epoch=2), again)
    assert place.row(account_id, store).secret == "scrypt:newer"


def test_a_first_password_comes_with_the_epoch(place: Place) -> None:
    """A user whose column holds none gets one."""
    store = place.store()
    account_id = place.add(login="ada", secret="")
    account = store.get_account(account_id)
    assert account is not None
    new = a_credential(key=account_id, subject=account_id, secret=MOVED, details={ECHO: "scrypt:new"})
    assert store.replace_account(account, replace(account, epoch=1), new)
    assert one_password(store, account_id).secret == MOVED


def test_the_application_is_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that the application changes at the same moment stays, and the change is told to be lost."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    account = store.get_account(account_id)
    assert account is not None
    new = a_credential(key=account_id, subject=account_id, secret=MOVED, details={ECHO: "scrypt:new"})
    monkeypatch.setattr(store._table, "replace_password", lambda *_: False)
    assert not store.replace_account(account, replace(account, epoch=1), new)
    assert place.row(account_id, store).secret == HASH


def test_what_the_application_changes_counts_no_more(place: Place) -> None:
    """A password that was read counts until the column holds another; in a better hash it is the same."""
    store = place.store()
    account_id = place.add(login="ada", secret=HASH)
    read = one_password(store, account_id)
    better = moved(store, account_id)
    assert store.counts(read)
    assert store.counts(better)
    place.set(pw="scrypt:another")
    assert not store.counts(read)
    assert not store.counts(better)
    assert store.counts(a_credential(kind="badge"))
