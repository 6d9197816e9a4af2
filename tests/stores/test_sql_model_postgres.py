"""An application's own users in PostgreSQL: other keys, other cases, and others who come at the same moment."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import BigInteger, Integer, SmallInteger, String, create_engine
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator
from werkzeug.security import check_password_hash, generate_password_hash

from admit.errors import IdentifierTaken
from admit.features.password import Password
from admit.features.registration import Registration
from admit.flask import LoginManager
from admit.testing.racing import Threads
from admit.testing.samples import an_account
from tests.stores.conftest import KEYS, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.types import TypeEngine

    from admit.model import Account
    from admit.stores.sql_model import ModelAccounts
    from tests.services.postgres import PostgresServer

OLD, NEW = "a password of long ago", "the moon is made of green cheese"
ROUNDS = 5
#: What can be no key, or no name.
ODD = ("", "01", "-1", "'", "\0", "\ud800", "9" * 18, "9" * 30, "x" * 500, "é", "1.0")


class Numbered(TypeDecorator[int]):
    """A type of the application's own, which is kept as a large number."""

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type:
        """Say that it is a number."""
        return int


@pytest.fixture
def in_postgres(
    postgres_server: PostgresServer, postgres_schema: str, tmp_path: Path
) -> Iterator[Callable[..., Place]]:
    """Return what makes a place in a schema of the test's own; Admit's tables are made as an operator does."""
    with ExitStack() as closing:

        def make(key: str = "int", **more: Any) -> Place:
            options = {"options": f"-csearch_path={postgres_schema}"}
            place = Place(tmp_path, key, engine=create_engine(postgres_server.url, connect_args=options), **more)
            closing.callback(place.closing.close)
            place.store().upgrade()
            return place

        yield make


def sign_in(client: FlaskClient, name: str, password: str) -> int:
    """Sign in by the API."""
    return client.post("/api/account/sign-in", json={"identifier": name, "password": password}).status_code


@pytest.mark.parametrize("key", ["int", "str", "made uuid"])
def test_users_of_any_key_sign_in_and_up(in_postgres: Callable[..., Place], key: str) -> None:
    """Who was there signs in by the old hash, which moves; who signs up is a row that the old code reads."""
    place = in_postgres(key)
    ada = place.add(login="Ada", address="Ada@example.org", secret=generate_password_hash(OLD, "scrypt:1024:8:1"))
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    accounts = place.store()
    LoginManager(app, store=accounts, features=[Password(), Registration(identifiers=("username",))])
    client = app.test_client()
    assert [sign_in(client, "ada", "wrong"), sign_in(client, "ADA@example.org", OLD)] == [401, 200]
    moved = accounts.get_credential("password", ada)
    assert moved
    assert moved.secret.startswith("$argon2id$")
    change = client.post("/api/account/password", json={"old_password": OLD, "password": NEW})
    assert change.status_code == 200
    assert check_password_hash(place.row(ada, accounts).secret, NEW)
    signed_up = app.test_client()
    assert signed_up.post("/api/account/sign-up", json={"username": "Grace", "password": NEW}).status_code == 202
    assert sign_in(signed_up, "grace", NEW) == 200
    grace = accounts.find_account("grace")
    assert grace
    assert check_password_hash(place.row(grace.id, accounts).secret, NEW)


@pytest.mark.parametrize("key", KEYS)
def test_what_is_no_id_or_name(in_postgres: Callable[..., Place], key: str) -> None:
    """What can be no key of the table, or no text of PostgreSQL, finds nothing and breaks nothing."""
    store = in_postgres(key).store()
    for odd in ODD:
        assert store.get_account(odd) is None
        assert store.find_account(odd) is None
        assert store.load_user(odd) is None
        assert not store.delete_account(odd)


@pytest.mark.parametrize(("kind", "bits"), [(SmallInteger, 15), (Integer, 31), (BigInteger, 63), (Numbered, 63)])
def test_the_largest_id(in_postgres: Callable[..., Place], kind: type[TypeEngine[int]], bits: int) -> None:
    """The largest number that the column holds is an id, and the next one is none."""
    place = in_postgres(number=mapped_column(kind, primary_key=True))
    largest = (1 << bits) - 1
    place.add(number=largest, login="ada")
    store = place.store()
    assert store.get_account(str(largest))
    assert store.get_account(str(largest + 1)) is None


def test_whatever_case_is_stored(in_postgres: Callable[..., Place]) -> None:
    """A name is found in the spelling that the table has, though this server's locale knows the case of ASCII alone."""
    place = in_postgres()
    ids = [place.add(login=stored) for stored in ("Ada", "ZOË", "E\u0301mile", "Straße", "ΝΙΚΟΣ", "Ада")]
    store = place.store()
    for account in map(store.get_account, ids):
        assert account
        assert store.find_account(account.identifiers[0].key) == account


def try_to_add(store: ModelAccounts, name: str) -> bool:
    """Sign up; tell whether the name was free."""
    try:
        store.add_account(an_account(name))
    except IdentifierTaken:
        return False
    return True


def test_one_of_those_who_sign_up_at_once_gets_the_name(in_postgres: Callable[..., Place]) -> None:
    """Of several who want one name at the same moment exactly one has it, and the others are told (attack 72)."""
    store, threads = in_postgres().store(), Threads()
    moves = [[partial(try_to_add, name=f"user{number}")] * threads.size for number in range(ROUNDS)]
    assert [won.count(True) for won in threads.race(lambda: store, store, moves)] == [1] * ROUNDS
    assert store.count_accounts() == ROUNDS
    assert all(store.find_account(f"user{number}") for number in range(ROUNDS))


def test_without_a_rule_no_two_get_the_name(in_postgres: Callable[..., Place]) -> None:
    """Where the table has no rule that a name is unique, never do two have it; all may have to try again."""
    place = in_postgres(login=mapped_column("LOGIN", String(80)))
    store, threads = place.store(), Threads()
    moves = [[partial(try_to_add, name="ada")] * threads.size for _ in range(ROUNDS)]
    won = [one for each in threads.race(lambda: store, store, moves) for one in each]
    assert won.count(True) == store.count_accounts() <= 1
    assert won.count(True) == 1 or try_to_add(store, "ada")


def try_to_rename(store: ModelAccounts, account: Account, name: str) -> bool:
    """Take another name; tell whether it was free."""
    try:
        return store.replace_account(account, replace(account, identifiers=an_account(name).identifiers))
    except IdentifierTaken:
        return False


def test_one_of_those_who_change_at_once_gets_the_name(in_postgres: Callable[..., Place]) -> None:
    """Of several who change to one name at the same moment exactly one has it, and the others keep theirs."""
    store, threads = in_postgres().store(), Threads()
    accounts = [store.add_account(an_account(f"user{number}")) for number in range(threads.size)]
    [won] = threads.race(lambda: store, store, [[partial(try_to_rename, account=one, name="x") for one in accounts]])
    assert won.count(True) == 1
    kept = {one.label for one in store.list_accounts()}
    assert kept == {"x", *(one.label for one, has_won in zip(accounts, won, strict=True) if not has_won)}
