"""What changes in an application's own table when its accounts change, and what does not."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ForeignKey,
    Integer,
    String,
    event,
    text,
)
from sqlalchemy.orm import mapped_column

from admit.errors import ConfigurationError, IdentifierTaken, StoreError
from admit.model import ECHO, Account, Identifier, IdentifierKind
from admit.testing.samples import NOW, a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stores.conftest import Place

from tests.stores.conftest import HASH, KEYS, one_password

# -- changing ---------------------------------------------------------------------------------------------------------


def test_names_are_changed_in_their_columns(place: Place) -> None:
    """A new name is in the application's own column, and one that was given up is gone from it."""
    store = place.store()
    account_id = place.add(login="ada", address="ada@example.org")
    account = store.get_account(account_id)
    assert account
    email = Identifier(IdentifierKind.EMAIL, "Lovelace@example.org", "lovelace@example.org")
    assert store.replace_account(account, replace(account, identifiers=(email,)))
    row = place.row(account_id, store)
    assert (row.login, row.address) == (None, "Lovelace@example.org")
    assert store.find_account("ada") is None
    assert store.find_account("lovelace@example.org")


def test_a_taken_name_changes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that another user has is refused, in whatever case, and also if it was taken at that very moment."""
    store = place.store()
    account_id = place.add(login="ada")
    place.add(login="Grace")
    account = store.get_account(account_id)
    assert account
    for name in ("Grace", "grace"):
        wanted = replace(account, identifiers=(Identifier(IdentifierKind.USERNAME, name, "grace"),), locked_at=NOW)
        with pytest.raises(IdentifierTaken):
            store.replace_account(account, wanted)
        assert store.get_account(account_id) == account
    monkeypatch.setattr(store, "_refuse_taken", lambda *given, **named: None)
    wanted = replace(account, identifiers=(Identifier(IdentifierKind.USERNAME, "Grace", "grace"),), locked_at=NOW)
    with pytest.raises(IdentifierTaken):
        store.replace_account(account, wanted)
    after = store.get_account(account_id)
    assert after
    assert replace(after, revision=0) == account


def test_one_of_two_changes_wins(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that was made on an older one is refused, the first one that is noted included."""
    store = place.store()
    account_id = place.add(login="ada")
    account = store.get_account(account_id)
    assert account
    get = store.get_account
    raced: list[bool] = []

    def beaten(asked: str) -> Account | None:
        found = get(asked)
        if not raced:
            raced.append(True)
            assert store.replace_account(account, replace(account, roles=frozenset({"first"})))
        return found

    monkeypatch.setattr(store, "get_account", beaten)
    assert not store.replace_account(account, replace(account, roles=frozenset({"second"})))
    found = get(account_id)
    assert found
    assert found.roles == {"first"}
    raced.clear()
    newer = get(account_id)
    assert newer
    raced.append(True)
    assert store.replace_account(newer, replace(newer, roles=frozenset({"third"})))


def test_a_change_of_the_applications_own_stands(place: Place) -> None:
    """What the application has changed since an account was read is not put back by a change of that account."""
    store = place.store()
    account_id = place.add(login="ada", address="ada@example.org")
    account = store.get_account(account_id)
    assert account
    place.set(address="lovelace@example.org")
    assert not store.replace_account(account, replace(account, roles=frozenset({"admin"})))
    assert place.row(account_id, store).address == "lovelace@example.org"


def test_one_of_two_first_notes_wins(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two changes at once, of which neither has found a note, one is refused."""
    store = place.store()
    account_id = place.add(login="ada")
    account = store.get_account(account_id)
    assert account
    assert store.replace_account(account, replace(account, roles=frozenset({"first"})))
    get, looks = store._notes.get_account, iter([None, None])
    monkeypatch.setattr(store._notes, "get_account", lambda asked: next(looks, get(asked)))
    assert not store.replace_account(account, replace(account, roles=frozenset({"second"})))
    monkeypatch.undo()
    found = store.get_account(account_id)
    assert found
    assert found.roles == {"first"}


def test_without_a_user_there_is_nothing_to_change(place: Place) -> None:
    """Who is gone is gone, for every verb."""
    store = place.store()
    account = an_account("ada", id="7")
    assert not store.replace_account(account, account)
    assert not store.delete_account("7")
    assert list(store.list_accounts()) == []
    assert not store.add_credential(a_credential(kind="password", key="7", subject="7", details={ECHO: HASH}))


def test_trouble_beside_is_trouble(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a note can't be written, nothing is."""
    store = place.store()
    account_id = place.add(login="ada")
    account = store.get_account(account_id)
    assert account

    def fail(*given: Any) -> None:
        raise StoreError

    monkeypatch.setattr(store._notes, "add_account", fail)
    with pytest.raises(StoreError):
        store.replace_account(account, replace(account, locked_at=NOW))
    assert store.get_account(account_id) == account


@pytest.mark.parametrize("key", KEYS)
def test_signing_up_makes_a_user(open_place: Callable[..., Place], key: str) -> None:
    """A new account is a row of the application's, whose key is its id, with its password and what goes with it."""
    place = open_place(key)
    store = place.store()
    asked = Account(
        str(UUID(int=secrets.randbits(128))),
        an_account("Ada", "ada@example.org").identifiers,
        NOW,
        roles=frozenset({"x"}),
    )
    password = a_credential(subject=asked.id, key=asked.id, secret="$argon2id$", details={ECHO: HASH})
    other = a_credential(kind="passkey", subject=asked.id, key="a key of its own")
    made = store.add_account(asked, password, other)
    assert made == replace(asked, id=made.id)
    assert store.get_account(made.id) == made
    assert store.find_account("ada@example.org") == made
    row = place.row(made.id, store)
    assert (row.login, row.address, row.secret) == ("Ada", "ada@example.org", HASH)
    assert one_password(store, made.id).secret == "$argon2id$"
    assert [one.subject for one in store.list_credentials(made.id)] == [made.id, made.id]
    with pytest.raises(IdentifierTaken):
        store.add_account(an_account("ADA@example.org"))
    assert store.count_accounts() == 1


def test_a_user_without_a_password(place: Place) -> None:
    """Whoever signs up without a password has what no program takes for the hash of one."""
    store = place.store()
    made = store.add_account(an_account("ada"))
    assert place.row(made.id, store).secret == "!"
    assert one_password(store, made.id).is_adopted


def test_two_at_once_in_a_table_without_a_rule(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sign-ups at the same moment whose names differ by case leave no pair of twins."""
    store = place.store()
    add = store._table.add

    def beaten(*given: Any) -> str:
        place.add(login="ADA")
        return add(*given)

    monkeypatch.setattr(store._table, "add", beaten)
    with pytest.raises(IdentifierTaken):
        store.add_account(an_account("ada"))
    assert [one.label for one in store.list_accounts()] == ["ADA"]


def test_two_at_once_in_a_table_with_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the database refuses because it is there is taken."""
    store = place.store()
    place.add(login="ada")
    monkeypatch.setattr(store, "_refuse_taken", lambda *given, **named: None)
    with pytest.raises(IdentifierTaken):
        store.add_account(an_account("ada"))


def test_half_an_account_is_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """If what is kept beside a new user can't be written, there is no user either, and the name is free."""
    store = place.store()

    def fail(*given: Any) -> None:
        raise StoreError

    with monkeypatch.context() as patched:
        patched.setattr(store._notes, "add_account", fail)
        with pytest.raises(StoreError):
            store.add_account(an_account("ada"))
    assert store.count_accounts() == 0
    assert store.add_account(an_account("ada"))


def test_a_new_user_inherits_nothing(place: Place) -> None:
    """A key that the database gives a second time brings nothing of who had it before."""
    store = place.store()
    first = store.add_account(replace(an_account("ada"), roles=frozenset({"admin"})))
    assert store.add_credential(a_credential(kind="totp", subject=first.id))
    with place.engine.begin() as connection:
        connection.execute(text("DELETE FROM people"))
    second = store.add_account(an_account("grace"))
    assert second.id == first.id
    assert second.roles == frozenset()
    assert [one.kind for one in store.list_credentials(second.id)] == ["password"]


def test_a_user_is_deleted_with_everything(place: Place) -> None:
    """Deleting an account deletes the row, its credentials and its notes."""
    store = place.store()
    made = store.add_account(an_account("ada"), a_credential(kind="totp", subject="x", key="k"))
    assert store.delete_account(made.id)
    assert store.count_accounts() == 0
    assert store.get_credential("totp", "k") is None
    assert not store.delete_account(made.id)
    before = place.add(login="grace", secret=HASH)
    assert store.add_credential(a_credential(kind="totp", subject=before, key="of grace"))
    assert store.delete_account(before)
    assert store.get_credential("totp", "of grace") is None


def test_what_the_table_does_not_allow(open_place: Callable[..., Place]) -> None:
    """A column that nobody fills, and a reference that holds on, are told to the developer, and nothing is lost."""
    place = open_place(country=mapped_column(String(2), nullable=False))
    type(
        "Post",
        (place.base,),
        {
            "__tablename__": "posts",
            "id": mapped_column(Integer, primary_key=True),
            "author": mapped_column(ForeignKey("people.number"), nullable=False),
        },
    )
    event.listen(place.engine, "connect", lambda raw, record: raw.execute("PRAGMA foreign_keys=ON"))
    store = place.store()
    with pytest.raises(ConfigurationError, match=r"a column without a default, does not allow it\. Give each column"):
        store.add_account(an_account("ada"))
    account_id = place.add(login="ada", country="GB", secret=HASH)
    with place.engine.begin() as connection:
        connection.execute(text("INSERT INTO posts (author) SELECT number FROM people"))
    with pytest.raises(ConfigurationError):
        store.delete_account(account_id)
    assert store.get_account(account_id)


def test_a_credential_that_is_there_already_makes_no_account(place: Place) -> None:
    """An account whose first credential clashes with somebody else's is not made, and its names stay free."""
    store = place.store()
    first, second = (an_account(f"{name}@example.org") for name in ("ada", "bob"))
    badge = a_credential(kind="badge", key="4711", subject=first.id)
    store.add_account(first, badge)
    with pytest.raises(StoreError, match="is there already"):
        store.add_account(second, a_credential(kind="badge", key="4711", subject=second.id))
    assert store.find_account("bob@example.org") is None
