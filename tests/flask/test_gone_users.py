"""Users whose rows are deleted: their sessions end, and nobody who gets the same key later inherits them."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import bindparam, delete, text
from werkzeug.security import generate_password_hash

from admit.errors import StoreError
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts, UserMixin, current_user, gone_users, login_required
from admit.stores import sql_users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

PASSWORD = "a password of long ago"


class Site:
    """An application with users in SQLite, which gives keys again, at step 2 or 3."""

    def __init__(self, folder: Path, step: int, *, in_memory: bool) -> None:
        self.closing = ExitStack()
        self.app = app = Flask("site")
        place = "sqlite://" if in_memory else f"sqlite:///{folder}/app.db"
        app.config.update(TESTING=True, SECRET_KEY="x" * 40, SQLALCHEMY_DATABASE_URI=place)
        app.config["ADMIT_PUBLIC_URL"] = "https://app.example"
        self.db = db = SQLAlchemy(app)
        self.refuses = False

        class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
            id = db.Column(db.Integer, primary_key=True)
            username = db.Column(db.String(80), unique=True)
            password = db.Column(db.String(300))

        class Guest(UserMixin, db.Model):  # type: ignore[misc, name-defined]
            id = db.Column(db.Integer, primary_key=True)

        class Robot(UserMixin, db.Model):  # type: ignore[misc, name-defined]
            serial = db.Column(db.Integer, primary_key=True)

        self.user, self.guest, self.robot = User, Guest, Robot
        self.closing.enter_context(app.app_context())
        db.create_all()
        self.closing.callback(db.engine.dispose)
        self.closing.callback(db.session.remove)
        if step == 2:
            self.manager = LoginManager(app, store=db)
            self.manager.user_loader(self.load)
        else:
            self.accounts = ModelAccounts(db.session, User, identifiers=["username"], password="password")
            self.manager = LoginManager(app, store=self.accounts, features=[Password()])
        self.closing.callback(self.manager.sessions.gate.store.close)
        app.add_url_rule("/me", "me", login_required(lambda: str(current_user.username)))

    def load(self, user_id: str) -> Any:
        """Return a user, unless a filter of the application's hides them."""
        return None if self.refuses else self.db.session.get(self.user, int(user_id))

    def add(self, name: str) -> Any:
        """Sign somebody up as the application does."""
        hashed = generate_password_hash(PASSWORD, "scrypt:1024:8:1")
        self.db.session.add(user := self.user(username=name, password=hashed))
        self.db.session.commit()
        return user

    def give_role(self, role: str) -> None:
        """Give the first user a role."""
        account = self.accounts.get_account("1")
        assert account
        assert self.accounts.replace_account(account, replace(account, roles=frozenset({role})))

    def browser_of(self, name: str) -> FlaskClient:
        """Return a browser in which somebody is signed in."""
        client = self.app.test_client()
        user = self.user.query.filter_by(username=name).one()
        with self.app.test_request_context():
            token = self.manager.sessions.issue(user)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def who(self, client: FlaskClient) -> str | None:
        """Return who is signed in in a browser."""
        self.db.session.remove()
        answer = client.get("/me")
        return answer.text if answer.status_code == 200 else None


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return what makes the application."""
    with ExitStack() as closing:

        def make(step: int = 2, *, in_memory: bool = False) -> Site:
            site = Site(tmp_path, step, in_memory=in_memory)
            closing.enter_context(site.closing)
            return site

        yield make


def by_the_session(site: Site) -> None:
    """Delete Ada as most applications do."""
    site.db.session.delete(site.user.query.filter_by(username="ada").one())
    site.db.session.commit()


def by_a_query(site: Site) -> None:
    """Delete Ada without loading her."""
    site.user.query.filter_by(username="ada").delete()
    site.db.session.commit()


def by_a_statement(site: Site) -> None:
    """Delete everybody."""
    site.db.session.execute(delete(site.user))
    site.db.session.commit()


def by_a_value(site: Site) -> None:
    """Delete whom a value names that is given apart from the statement."""
    statement = delete(site.user).where(site.user.username == bindparam("name"))
    site.db.session.execute(statement, {"name": "ada"})
    site.db.session.commit()


def by_sql(site: Site) -> None:
    """Delete Ada behind everybody's back."""
    with site.db.engine.begin() as connection:
        connection.execute(text("DELETE FROM user"))


HEARD = (by_the_session, by_a_query, by_a_statement, by_a_value)


@pytest.mark.parametrize("delete_her", [*HEARD, by_sql])
@pytest.mark.parametrize("place", ["file", "memory"])
@pytest.mark.parametrize("step", [2, 3])
def test_u04_the_next_user_of_a_key_is_not_opened_by_an_old_session(
    make: Callable[..., Site], step: int, delete_her: Callable[[Site], None], place: str
) -> None:
    """However Ada's row was deleted, her browser is nobody's when Eve gets her key, and Eve's goes on."""
    site = make(step, in_memory=place == "memory")
    key = site.add("ada").id
    hers = site.browser_of("ada")
    assert site.who(hers) == "ada"
    delete_her(site)
    assert site.who(hers) is None
    eve = site.add("eve")
    assert eve.id == key
    eves = site.browser_of("eve")
    assert site.who(hers) is None
    assert site.who(eves) == "eve"
    assert site.manager.sessions.count("1") == 1


@pytest.mark.parametrize("delete_her", HEARD)
def test_u04_a_deletion_ends_the_sessions(make: Callable[..., Site], delete_her: Callable[[Site], None]) -> None:
    """They end with the commit, and not with a deletion that is undone."""
    site = make()
    site.add("ada")
    hers = site.browser_of("ada")
    assert site.who(hers) == "ada"
    site.db.session.delete(site.user.query.one())
    site.db.session.flush()
    site.db.session.rollback()
    assert site.who(hers) == "ada"
    delete_her(site)
    assert site.manager.sessions.count() == 0


def test_u04_a_savepoint_that_is_undone_ends_nothing(make: Callable[..., Site]) -> None:
    """Neither does its release: what counts is the commit of the whole."""
    site = make()
    site.add("ada")
    site.add("bob")
    site.browser_of("ada")
    site.browser_of("bob")
    site.add("carol")
    site.browser_of("carol")
    site.db.session.delete(site.user.query.filter_by(username="carol").one())
    site.db.session.flush()
    savepoint = site.db.session.begin_nested()
    site.db.session.delete(site.user.query.filter_by(username="ada").one())
    site.db.session.flush()
    savepoint.rollback()
    site.db.session.commit()
    assert [site.manager.sessions.count(key) for key in ("1", "2", "3")] == [1, 1, 0]
    # The driver of SQLite begins a transaction with the first row that is written, and not with a savepoint.
    site.user.query.filter_by(username="ada").one().password = "changed"
    site.db.session.flush()
    with site.db.session.begin_nested():
        site.db.session.delete(site.user.query.filter_by(username="bob").one())
    site.db.session.rollback()
    site.db.session.commit()
    with site.db.session.begin_nested():
        site.db.session.delete(site.user.query.filter_by(username="bob").one())
    assert site.manager.sessions.count() == 2
    site.db.session.commit()
    assert [site.manager.sessions.count(key) for key in ("1", "2")] == [1, 0]


def test_u04_a_loader_that_finds_nobody_ends_nothing(make: Callable[..., Site]) -> None:
    """A filter that hides a user refuses the request, and the same session goes on afterwards."""
    site = make()
    site.add("ada")
    hers = site.browser_of("ada")
    site.refuses = True
    assert site.who(hers) is None
    site.refuses = False
    assert site.who(hers) == "ada"


@pytest.mark.parametrize("delete_her", [by_the_session, by_sql])
def test_u04_the_next_user_inherits_no_role(make: Callable[..., Site], delete_her: Callable[[Site], None]) -> None:
    """What was noted of the former user is forgotten, second factors and links included."""
    site = make(3)
    site.add("ada")
    site.give_role("admin")
    gate = site.manager.sessions.gate
    link = gate.challenges.issue("password_reset", "1", gate.settings.idle)
    account = site.accounts.get_account("1")
    assert account
    assert account.roles == {"admin"}
    delete_her(site)
    site.add("eve")
    account = site.accounts.get_account("1")
    assert account
    assert account.roles == frozenset()
    assert gate._stores.challenges.get_challenge(link.partition(".")[0]) is None


def test_u04_other_classes_of_users_end_nothing(make: Callable[..., Site]) -> None:
    """Rows of a class that the loader does not return, and of one that has no id, are not this application's users."""
    site = make()
    site.add("ada")
    hers = site.browser_of("ada")
    site.db.session.add(site.robot())
    site.db.session.commit()
    assert site.who(hers) == "ada"
    site.db.session.add(site.guest())
    site.db.session.commit()
    site.db.session.execute(delete(site.guest))
    site.db.session.commit()
    assert site.who(hers) == "ada"


def test_u04_the_first_request_of_a_process_may_be_a_sign_up(make: Callable[..., Site]) -> None:
    """Before anybody was loaded in this process, a class that looks like one of users is taken for one."""
    site = make()
    site.add("ada")
    site.browser_of("ada")
    by_sql(site)
    site.db.session.remove()
    site.add("eve")
    assert site.manager.sessions.count() == 0


def test_u04_sessions_that_cant_be_ended_are_logged(
    make: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application's change stands, and the log says what to call."""
    site = make()
    site.add("ada")
    site.browser_of("ada")

    def fail(*given: Any, **more: Any) -> Any:
        raise StoreError

    monkeypatch.setattr(gone_users, "end_former_user", fail)
    with caplog.at_level(logging.ERROR):
        by_the_session(site)
    assert site.user.query.count() == 0
    assert "revoke_all('1')" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(type(site.manager.sessions.gate), "sessions_of", fail)
    site.add("eve")
    assert site.manager.sessions.count() == 0


def test_u04_an_application_without_a_store_is_left_alone(tmp_path: Path) -> None:
    """At step 1, and outside of an application, rows come and go as before."""
    app = Flask("site")
    app.config.update(SECRET_KEY="x" * 40, SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/app.db")
    db = SQLAlchemy(app)

    class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
        id = db.Column(db.Integer, primary_key=True)

    LoginManager(app)
    gone_users.end_sessions_of_gone_users()
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "sqlalchemy.orm")
        gone_users.end_sessions_of_gone_users()
    with app.app_context():
        db.create_all()
        db.session.add(user := User())
        db.session.commit()
        db.session.delete(user)
        db.session.commit()
        db.session.execute(delete(User))
        db.session.commit()
        engine = db.engine
    from sqlalchemy.orm import Session

    with Session(engine) as session:
        session.add(User())
        session.commit()
    engine.dispose()


def test_u04_each_who_wants_to_know_is_told_once(make: Callable[..., Site]) -> None:
    """Whoever listens twice is asked once, and one who has nothing to do with a change is left out."""
    asked: list[str] = []

    def nobody() -> None:
        asked.append("asked")

    site = make()
    try:
        for _ in range(2):
            sql_users.watch_users(nobody)
        site.add("ada")
        assert len(asked) == 1
    finally:
        sql_users._finders.remove(nobody)


def test_u04_findings_tell_of_what_a_deleted_user_has_left(make: Callable[..., Site]) -> None:
    """If another program deletes a user, findings() and the doctor name the key and what to call."""
    site = make(3)
    site.add("ada")
    site.give_role("admin")
    assert list(site.accounts.findings()) == []
    by_sql(site)
    [found] = site.accounts.findings()
    assert "user 1" in found
    assert "accounts.forget('1')" in found
    site.accounts.forget("1")
    assert list(site.accounts.findings()) == []


def test_u04_the_doctor_tells_of_keys_that_are_used_again(make: Callable[..., Site]) -> None:
    """It names the remedy, and a table that has it is in order."""
    site = make(3)
    told = site.app.test_cli_runner().invoke(args=["admit", "doctor"]).output
    assert "sqlite_autoincrement" in told
    with site.db.engine.begin() as connection:
        connection.execute(text("DROP TABLE user"))
        connection.execute(
            text("CREATE TABLE user (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT, password TEXT)")
        )
    assert not site.accounts.uses_keys_again()
    assert "sqlite_autoincrement" not in site.app.test_cli_runner().invoke(args=["admit", "doctor"]).output
