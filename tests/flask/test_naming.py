"""Naming users in commands: by id, email address or user name, and what is said of those that are not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column, sessionmaker

from admit.features.activity import Activity
from admit.features.password import Password
from admit.flask import LoginManager, UserMixin
from admit.operations import create_account, new_account
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.stores.sql_model import ModelAccounts
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from admit.model import Account


class Site:
    """An application, and its command line."""

    def __init__(self, store: Any, *features: Any) -> None:
        self.app = Flask("site")
        self.app.config["TESTING"] = True
        self.manager: LoginManager = LoginManager(self.app, store=store, features=features, clock=Clock())

    def run(self, *words: str) -> Result:
        """Run ``flask admit`` with these words."""
        return self.app.test_cli_runner().invoke(args=["admit", *words])

    def signed_in(self, subject: str) -> str:
        """Begin a session, and return its id."""
        return self.manager.sessions.gate.admit(subject, "password").session.id


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a site with accounts and records."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db")
    yield Site(store, Password(), Activity())
    store.close()


def an_account(site: Site, email: str = "ada@example.org", username: str = "ada") -> Account:
    """Make an account."""
    accounts = site.manager.keeper.accounts
    made = new_account(at=accounts.now(), email=email, username=username, verified=True)
    return create_account(accounts.keeper.gate, accounts.store, made, method="operator")


@pytest.mark.parametrize("name", ["id", "ada@example.org", "ADA@Example.org", "ada", " Ada "])
def test_n01_any_name_of_an_account_will_do(site: Site, name: str) -> None:
    """Sessions are listed and ended, and records found, by the id, the email address or the user name."""
    account = an_account(site)
    session, named = site.signed_in(account.id), account.id if name == "id" else name
    assert [one["id"] for one in json.loads(site.run("sessions", "list", named, "--json").stdout)] == [session]
    assert site.run("sessions", "revoke", "--user", named).output == "Ended 1 session.\n"
    assert site.manager.sessions.gate.why(session) is not None
    assert json.loads(site.run("events", "list", "--subject", named, "--json").stdout)
    assert "Erased what was personal in 3 records." in site.run("events", "erase", named, "--yes").output


@pytest.mark.parametrize(
    "words",
    [
        ["sessions", "list"],
        ["sessions", "revoke", "--user"],
        ["events", "list", "--subject"],
        ["events", "erase", "--yes"],
    ],
    ids=["list", "revoke", "events", "erase"],
)
@pytest.mark.parametrize("name", ["bob@example.org", "bob", "", "no\0body", "\udcff"], ids=repr)
def test_n01_an_unknown_account_is_an_error(site: Site, words: list[str], name: str) -> None:
    """A name that nobody has ends each command with 1, and the message says which names will do."""
    session = site.signed_in(an_account(site).id)
    result = site.run(*words, name)
    assert result.exit_code == 1
    assert "There is no account" in result.output
    assert "Give its id, its email address or its user name." in result.output
    assert site.manager.sessions.gate.why(session) is None


def test_n01_nothing_ends_by_half(site: Site) -> None:
    """An unknown user beside the ID of a session is an error before anything has ended."""
    session = site.signed_in(an_account(site).id)
    assert site.run("sessions", "revoke", session, "--user", "bob").exit_code == 1
    assert site.manager.sessions.gate.why(session) is None


def test_n01_lists_stay_json(site: Site) -> None:
    """A program that asks for JSON reads an empty list of an unknown account, and the code is 1 all the same."""
    for words in (["sessions", "list", "bob"], ["events", "list", "--subject", "bob"]):
        result = site.run(*words, "--json")
        assert (json.loads(result.stdout), result.exit_code) == ([], 1)


def test_n01_an_account_without_sessions(site: Site) -> None:
    """That an account has no session is said, and is no error."""
    an_account(site)
    assert site.run("sessions", "list", "ada").output == "ada has no session.\n"
    result = site.run("sessions", "revoke", "--user", "ada")
    assert (result.output, result.exit_code) == ("Ended 0 sessions.\nNo session of ada was found.\n", 0)


def test_n01_what_is_left_of_a_deleted_account(site: Site) -> None:
    """Sessions and records of a subject that is no account are found by its id."""
    account = an_account(site)
    site.signed_in(account.id)
    site.manager.keeper.accounts.store.delete_account(account.id)
    assert site.run("sessions", "revoke", "--user", account.id).output == "Ended 1 session.\n"
    assert site.run("events", "list", "--subject", account.id).exit_code == 0
    assert site.run("sessions", "revoke", "--user", account.id).exit_code == 1


def test_n01_an_id_is_nobody_elses_name(site: Site) -> None:
    """A user name that is the id of another account does not stand for it."""
    ada = an_account(site)
    bob = an_account(site, "bob@example.org", ada.id)
    session, other = site.signed_in(ada.id), site.signed_in(bob.id)
    assert site.run("sessions", "revoke", "--user", ada.id).output == "Ended 1 session.\n"
    assert site.manager.sessions.gate.why(session) is not None
    assert site.manager.sessions.gate.why(other) is None


def test_n01_without_accounts_any_subject_will_do() -> None:
    """Where only the application knows its users, any id will do, and one without sessions is said to have none."""
    site = Site(MemoryStore())
    site.signed_in("7")
    assert site.run("sessions", "revoke", "--user", "7").output == "Ended 1 session.\n"
    result = site.run("sessions", "revoke", "--user", "ada@example.org")
    assert result.exit_code == 0
    assert "No session of ada@example.org was found." in result.output
    assert "named by what get_id() returns" in result.output


@pytest.mark.parametrize("features", [(), (Password(),)], ids=["step 2", "step 3"])
def test_n01_users_of_an_adopted_table(tmp_path: Path, features: tuple[Any, ...]) -> None:
    """The users of an application's own table are named by their key, their address or their user name."""
    base: Any = type("Base", (DeclarativeBase,), {})

    class User(UserMixin, base):
        __tablename__ = "user"
        id = mapped_column(Integer, primary_key=True)
        email = mapped_column(String(80))
        username = mapped_column(String(80))
        password = mapped_column(String(300))

    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    with sessions() as session:
        session.add(User(id=7, email="ada@example.org", username="ada", password="x"))
        session.commit()
    accounts = ModelAccounts(sessions, User, identifiers=["email", "username"], password="password")
    site = Site(accounts, *features)
    for name in ("7", "ada@example.org", "Ada"):
        site.signed_in("7")
        assert site.run("sessions", "revoke", "--user", name).output == "Ended 1 session.\n"
    for name in ("8", "bob", "99999999999999999999"):
        assert site.run("sessions", "revoke", "--user", name).exit_code == 1
    accounts.close()
    engine.dispose()
