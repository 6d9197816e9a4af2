"""An application's own users as accounts: any table, any key, and nothing of it changed that need not be."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Boolean,
    DateTime,
    Float,
    Integer,
    String,
    UniqueConstraint,
    create_engine,
    select,
    text,
)
from sqlalchemy.exc import DataError, InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, scoped_session
from sqlalchemy.types import UserDefinedType

from admit.adopting import Adopting
from admit.errors import ConfigurationError, StoreError
from admit.model import ADOPTED, IdentifierKind
from admit.store import AccountStore, CredentialStore
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.stores.sql_model import ModelAccounts
from admit.stores.sql_model_columns import trouble
from admit.testing.samples import NOW, a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from admit.model import Account
    from tests.stores.conftest import Place

from tests.stores.conftest import HASH, KEYS


def test_it_is_what_it_says(place: Place) -> None:
    """It keeps accounts and credentials, and says that it adopts."""
    store = place.store()
    assert isinstance(store, AccountStore)
    assert isinstance(store, CredentialStore)
    assert isinstance(store, Adopting)


# -- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_users_are_accounts(open_place: Callable[..., Place], key: str) -> None:
    """A user is found by its key, as text, and by each of its names; whatever else is unknown."""
    place = open_place(key)
    store = place.store()
    ids = [place.add(login=f"Ada{n}", address=f"Ada{n}@Example.org", secret=HASH) for n in range(3)]
    for number, account_id in enumerate(ids):
        account = store.get_account(account_id)
        assert account
        assert account.id == account_id
        assert account.label == f"Ada{number}"
        assert account.email
        assert account.email.value == f"Ada{number}@Example.org"
        assert not account.is_verified
        assert account.is_open
        assert store.find_account(f"ada{number}") == store.find_account(f"ada{number}@example.org") == account
    listed = list(store.list_accounts(limit=2))
    assert len(listed) == 2
    listed += store.list_accounts(after=listed[-1].id)
    assert {one.id for one in listed} == set(ids)
    assert store.count_accounts() == 3


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("odd", ["", "0", "01", "-1", " 1", "1 ", "'", "\0", "\ud800", "9" * 30, "x" * 32, "é", "1.0"])
def test_what_is_no_id(open_place: Callable[..., Place], key: str, odd: str) -> None:
    """An id has one spelling, and what is none finds nothing and breaks nothing."""
    place = open_place(key)
    store = place.store()
    place.add(login="ada", address="ada@example.org", secret=HASH)
    assert store.get_account(odd) is None
    assert store.find_account(odd) is None
    assert store.load_user(odd) is None
    assert odd == "\ud800" or store.get_credential("password", odd) is None
    assert not store.delete_account(odd)


@pytest.mark.parametrize(
    ("stored", "key"),
    [
        ("ADA", "ada"),
        ("Ada@EXAMPLE.org", "ada@example.org"),
        ("ZOË", "zoë"),
        ("zoe\u0308", "zoë"),
        ("ZOE\u0308", "zoë"),
        ("Straße", "strasse"),
        ("ΝΙΚΟΣ", "νικοσ"),
        ("Νίκος", "νίκοσ"),
        ("ÄÖÜÄÖÜ", "äöüäöü"),
        ("Ада Лавлейс", "ада лавлейс"),
        ("info@Bücher.example", "info@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
        ("李雷", "李雷"),
    ],
)
def test_whatever_case_is_stored(place: Place, stored: str, key: str) -> None:
    """A name is found in the spelling that the table has."""
    store = place.store()
    account_id = place.add(login=stored)
    found = store.find_account(key)
    assert found
    assert found.id == account_id
    assert found.identifiers[0].key == key


def test_names_are_not_patterns(place: Place) -> None:
    """What means something to a database means nothing in a name, and near misses are misses."""
    store = place.store()
    place.add(login="ada")
    place.add(login="xn--a@xn--\u00e9")
    for odd in ("a%", "%", "ad_", "a*", "ad", "adaa", "", "' OR ''='", "a@xn--\udcff", "x" * 500, "nobody@example.org"):
        assert store.find_account(odd) is None


def test_twins_are_refused_and_reported(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Of two users whose names differ by case alone neither is found, and the operator is told which they are."""
    store = place.store()
    first, second = place.add(login="Ada", address="one@example.org"), place.add(login="ada")
    with caplog.at_level(logging.ERROR):
        assert store.find_account("ada") is None
    assert f"{first}, {second}" in caplog.text
    assert store.find_account("one@example.org")
    account = store.get_account(first)
    assert account
    assert store.replace_account(account, replace(account, locked_at=NOW))
    place.add(login="\u200bhidden")
    assert list(store.findings()) == [
        "login: several users are called 'ada', but for its case. Rename all but one.",
        "username of 3: '\\u200bhidden' can't be typed. Give this user another one.",
    ]


def test_a_mail_address_that_is_anothers_user_name(place: Place) -> None:
    """Whoever has an address is found by it, and nobody who has taken it for a user name; they are told of."""
    store = place.store()
    squatter = place.add(login="eve@example.org")
    alone = store.find_account("eve@example.org")
    assert alone
    assert alone.id == squatter  # as long as it is nobody's address
    assert list(store.findings()) == []
    owner = place.add(login="ada", address="EVE@example.org")
    found = store.find_account("eve@example.org")
    assert found
    assert found.id == owner
    sentence = "username of 1: 'eve@example.org' names user 2 as well, who is found in their place. Give this user"
    assert list(store.findings()) == [f"{sentence} another one."]


# -- notes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", ["own", "url", "engine", "memory"])
def test_what_has_no_column_is_noted_beside(place: Place, tmp_path: Path, beside: str) -> None:
    """Roles, locks, times and confirmed addresses survive beside the table, which has no column more than before."""
    url = f"sqlite:///{tmp_path}/beside.db"
    engine = create_engine(url)
    place.closing.callback(engine.dispose)
    sources = {"own": None, "url": url, "engine": engine, "memory": MemoryStore()}
    store = place.store(beside=sources[beside])
    account_id = place.add(login="ada", address="ada@example.org", secret=HASH)
    old = store.get_account(account_id)
    assert old
    verified = tuple(replace(one, verified_at=NOW) for one in old.identifiers if one.kind is IdentifierKind.EMAIL)
    new = replace(
        old, identifiers=(old.identifiers[0], *verified), roles=frozenset({"admin"}), locked_at=NOW, created_at=NOW
    )
    assert store.replace_account(old, new)
    assert store.get_account(account_id) == replace(new, revision=1)
    assert not store.replace_account(old, old)
    current = store.get_account(account_id)
    assert current
    assert store.replace_account(current, replace(current, locked_at=None))
    again = store.get_account(account_id)
    assert again
    assert again.is_open
    assert again.is_verified
    assert again.revision == 2
    with place.engine.connect() as connection:
        columns = [row[1] for row in connection.execute(text("PRAGMA table_info(people)"))]
    assert columns == ["number", "LOGIN", "address", "pw"]


def test_a_confirmed_address_is_that_address(place: Place) -> None:
    """When the application changes an address, the new one is not confirmed."""
    store = place.store()
    account_id = place.add(login="ada", address="ada@example.org")
    account = store.get_account(account_id)
    assert account
    verified = tuple(replace(one, verified_at=NOW) for one in account.identifiers)
    assert store.replace_account(account, replace(account, identifiers=verified))
    place.set(address="eve@example.org")
    other = store.get_account(account_id)
    assert other
    assert not other.is_verified


def test_addresses_from_before_may_count_as_confirmed(place: Place) -> None:
    """With `verified=True` what was there counts as confirmed, also once something is noted; what is new does not."""
    store = place.store(verified=True)
    account_id = place.add(login="ada", address="ada@example.org")
    account = store.get_account(account_id)
    assert account
    assert account.is_verified
    assert store.replace_account(account, replace(account, roles=frozenset({"x"})))
    noted = store.get_account(account_id)
    assert noted
    assert noted.is_verified
    made = store.add_account(an_account("new@example.org"))
    assert not made.is_verified
    assert store.get_account(made.id) == made


@pytest.mark.parametrize("column", ["when", "whether"])
def test_a_column_may_say_what_is_confirmed(open_place: Callable[..., Place], column: str) -> None:
    """A column with a time or a flag is read, and written when an address is confirmed here."""
    kind = DateTime if column == "when" else Boolean
    place = open_place(confirmed=mapped_column(kind))
    store = place.store(verified="confirmed")
    at = datetime(2020, 1, 2)  # noqa: DTZ001 -- as SQLite gives it
    old = place.add(login="ada", address="ada@example.org", confirmed=at if column == "when" else True)
    new = place.add(login="eve", address="eve@example.org")
    [first, second] = store.list_accounts()
    assert first.id == old
    assert first.email
    assert first.email.verified_at == (at.replace(tzinfo=UTC) if column == "when" else datetime(1970, 1, 1, tzinfo=UTC))
    assert second.id == new
    assert not second.is_verified
    verified = tuple(replace(one, verified_at=NOW) for one in second.identifiers)
    assert store.replace_account(second, replace(second, identifiers=verified))
    assert place.row(new, store).confirmed
    again = store.get_account(new)
    assert again
    assert again.is_verified
    assert store.replace_account(again, replace(again, roles=frozenset({"x"})))
    place.set(confirmed=None)
    assert [one.is_verified for one in store.list_accounts()] == [False, False]


@pytest.mark.parametrize("name", ["is_active", "active"])
def test_a_column_says_who_may_log_in(open_place: Callable[..., Place], name: str) -> None:
    """Whom the application has switched off is locked, and whom Admit locks is switched off for the application too."""
    place = open_place(**{name: mapped_column(Boolean, default=True)})
    store = place.store()
    account_id = place.add(login="ada")
    account = store.get_account(account_id)
    assert account
    assert account.is_open
    assert store.replace_account(account, replace(account, locked_at=NOW))
    assert getattr(place.row(account_id, store), name) is False
    place.set(**{name: True})
    locked = store.get_account(account_id)
    assert locked
    assert locked.locked_at == NOW  # until it is unlocked here, too
    assert store.replace_account(locked, replace(locked, locked_at=None))
    place.set(**{name: False})
    off = store.get_account(account_id)
    assert off
    assert off.locked_at
    assert store.replace_account(off, replace(off, locked_at=None))
    assert getattr(place.row(account_id, store), name) is True


# -- setting up -------------------------------------------------------------------------------------------------------


def test_it_opens_with_everything_or_as_one_of_a_pair(place: Place) -> None:
    """Alone it keeps everything, beside the table; in a pair the second store has the sessions."""
    store = place.store()
    alone = open_stores(store, command_timeout=1)
    assert alone.accounts is alone.credentials
    assert isinstance(alone.sessions, SqlStore)
    assert alone.counters is alone.challenges is alone.sessions
    memory = MemoryStore()
    pair = open_stores((store, memory))
    assert (pair.sessions, pair.counters) == (memory, memory)
    assert isinstance(pair.accounts, ModelAccounts)
    store.upgrade()
    assert store.is_current()
    for opened in (alone, pair):
        opened.close()


def test_memory_has_no_tables(place: Place) -> None:
    """What is beside may have no tables to look after."""
    store = place.store(beside=MemoryStore())
    store.upgrade()
    assert store.is_current()


def test_what_can_not_be_beside(place: Place) -> None:
    """A store that keeps no accounts is refused."""
    with pytest.raises(ConfigurationError, match=r"object keeps no accounts\. Give an SQL database as beside=\."):
        place.store(beside=object()).open()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"identifiers": ["login"]}, r"does not say which names are mail addresses\. Say what kind"),
        ({"identifiers": []}, "does not say which"),
        ({"identifiers": {"nick": "username"}}, r"Person has no column 'nick'\. Name one of its attributes: address, "),
        ({"password": "hash"}, "Person has no column 'hash'"),
        ({"verified": "confirmed"}, "Person has no column 'confirmed'"),
    ],
)
def test_a_wrong_name_is_told_at_once(place: Place, options: dict[str, Any], sentence: str) -> None:
    """A name that the model does not have, and one of no known kind, are mistakes that are told at the start."""
    with pytest.raises(ConfigurationError, match=sentence):
        place.store(**options)


class Strange(UserDefinedType[Any]):
    """A type that says nothing of what it is in Python."""

    cache_ok = True

    @property
    def python_type(self) -> Any:
        """Refuse, as types of other packages do."""
        raise NotImplementedError  # what SQLAlchemy documents for a type without one

    def get_col_spec(self) -> str:
        """Return how the database calls it."""
        return "STRANGE"


@pytest.mark.parametrize("kind", [Float, Strange, None])
def test_a_key_that_can_be_no_id(open_place: Callable[..., Place], kind: Any) -> None:
    """Two columns, or a key of a kind that has several spellings, can't be an id."""
    place = open_place()

    class Base(DeclarativeBase):
        pass

    columns: dict[str, Any] = {
        "key": mapped_column(kind or Integer, primary_key=True),
        "username": mapped_column(String),
    }
    if kind is None:
        columns["site"] = mapped_column(Integer, primary_key=True)
    model = type("Odd", (Base,), {"__tablename__": "odd", **columns})
    with pytest.raises(ConfigurationError, match=r"Odd has no key of one whole number, text or UUID\. Give a model"):
        ModelAccounts(place.sessions, model, identifiers=["username"])


def test_a_kind_of_name_that_has_no_column(place: Place) -> None:
    """Nobody signs up with a name that the table has no place for."""
    store = place.store(identifiers={"login": "username"})
    with pytest.raises(ConfigurationError, match=r"Person has no column for email\. Name it in identifiers="):
        store.add_account(an_account("ada@example.org"))


def test_trouble_says_nothing_of_what_was_asked(place: Place) -> None:
    """A database that refuses is the machine's trouble, and no hash is in what is said of it."""
    store = place.store()
    place.add(login="ada", secret=HASH)
    store.open()
    with place.engine.begin() as connection:
        connection.execute(text("ALTER TABLE people RENAME TO gone"))
    with pytest.raises(StoreError) as caught:
        store._table.replace_password("1", HASH, "scrypt:new")
    assert "no such table" in str(caught.value)
    assert "scrypt" not in str(caught.value)


# -- the application's own objects ------------------------------------------------------------------------------------


def test_the_object_is_the_applications(place: Place) -> None:
    """With a session of the request's the object is in it; with a new one each time it is whole, and on its own."""
    store = place.store()
    account_id = place.add(login="ada")
    detached: Any = store.load_user(account_id)
    assert (detached.login, type(detached)) == ("ada", place.user)
    session = scoped_session(place.sessions)
    scoped = ModelAccounts(session, place.user, identifiers={"login": "username"})
    try:
        user: Any = scoped.load_user(account_id)
        assert user in session()
        assert session.execute(select(place.user)).scalar_one() is user
        assert scoped.load_user("99") is None
        assert store.load_user("99") is None
    finally:
        session.remove()
        scoped.close()


def test_a_session_on_a_connection(place: Place) -> None:
    """A session that is bound to a connection, as in tests, leads to the same engine."""
    place.base.metadata.create_all(place.engine)
    with place.engine.connect() as connection:
        store = ModelAccounts(lambda: Session(connection), place.user, identifiers={"login": "username"})
        assert store._table.engine is place.engine


def test_a_table_with_a_rule_of_several_columns(open_place: Callable[..., Place]) -> None:
    """A rule that is about more than a name is none about names."""
    place = open_place(tenant=mapped_column(Integer, default=1))
    place.user.__table__.append_constraint(UniqueConstraint("tenant"))
    store = place.store()
    place.add(login="ada")
    with pytest.raises(ConfigurationError):
        store.add_account(an_account("grace"))
    assert ADOPTED not in a_credential().details


# -- closing ----------------------------------------------------------------------------------------------------------


def closed(store: ModelAccounts, account_id: str) -> Account:
    """Close an account, and return it."""
    account = store.get_account(account_id)
    assert account
    assert store.replace_account(account, replace(account, closed_at=NOW))
    found = store.get_account(account_id)
    assert found
    return found


def test_a_closed_account(open_place: Callable[..., Place]) -> None:
    """That a user has closed their account is noted beside the table, and opening it switches nobody on."""
    place = open_place(is_active=mapped_column(Boolean, default=True))
    store = place.store()
    account_id = place.add(login="ada")
    account = closed(store, account_id)
    assert (account.closed_at, account.locked_at) == (NOW, None)
    assert place.row(account_id, store).is_active is True
    place.set(is_active=False)
    off = store.get_account(account_id)
    assert off
    assert off.locked_at
    assert store.replace_account(off, replace(off, closed_at=None))
    assert place.row(account_id, store).is_active is False


def test_closed_accounts_are_listed(place: Place) -> None:
    """Closed accounts are listed page by page, and deleting one deletes its user and what is noted of it."""
    store = place.store()
    accounts = [closed(store, place.add(login=f"ada{number}")) for number in range(5)]
    place.add(login="grace")
    after, found = "", []
    while page := store.list_closed(before=NOW + timedelta(seconds=1), after=after, limit=2):
        found += page
        after = page[-1].id
    assert sorted(found, key=lambda one: one.id) == sorted(accounts, key=lambda one: one.id)
    assert list(store.list_closed(before=NOW)) == []
    assert all(store.delete_account(one.id) for one in found)
    assert list(store.list_closed(before=NOW + timedelta(seconds=1))) == []
    assert [one.label for one in store.list_accounts()] == ["grace"]


def test_somebody_with_the_key_of_another(place: Place) -> None:
    """Whoever gets the key of a user whom the application has deleted by itself is not closed, and not listed so."""
    store = place.store()
    account_id = place.add(login="ada")
    closed(store, account_id)
    place.set(LOGIN="eve")
    another = store.get_account(account_id)
    assert another
    assert another.is_open
    assert list(store.list_closed(before=NOW + timedelta(seconds=1), limit=1)) == []


def test_u21_an_error_without_a_statement_is_told_by_its_name() -> None:
    """Nothing is hidden where SQLAlchemy has run no statement, and only the first line is told in any case."""
    with pytest.raises(StoreError, match=r"^InvalidRequestError$"), trouble():
        raise InvalidRequestError
    said = "a column is null.\nDETAIL: scrypt:secret"
    with pytest.raises(StoreError, match=r"^a column is null$"), trouble():
        raise DataError(said, ["scrypt:secret"], Exception(said))
