"""An application's own users in its own table, behind the pages and the API of accounts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import flask_login
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, create_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship, scoped_session, sessionmaker, synonym
from werkzeug.security import check_password_hash, generate_password_hash

from admit.errors import ConfigurationError
from admit.events import AccountCreated
from admit.features.closing import Closing
from admit.features.password import Password
from admit.features.registration import Registration
from admit.flask import LoginManager, ModelAccounts, UserMixin, current_user, login_required, login_user, roles_required
from admit.operations import create_account, new_account
from tests.steps import Steps, aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

    from admit.mail import Message

OLD, NEW = "a password of long ago", "the moon is made of green cheese"
CHEAP = "scrypt:1024:8:1"
KINDS = ("flask-sqlalchemy", "flask-sqlalchemy-lite", "scoped session", "sessionmaker")


class Site:
    """The tutorial's application: users with a name and a hash, in one of the ways to have SQLAlchemy in Flask."""

    def __init__(self, folder: Path, kind: str, columns: dict[str, Any] | None = None) -> None:
        self.closing = ExitStack()
        self.app = Flask("site", instance_path=str(folder))
        self.app.config.update(TESTING=True, SECRET_KEY="x" * 40, ADMIT_PUBLIC_URL="https://app.example")
        base, self.session, self.engine = self._open(f"sqlite:///{folder}/site.db", kind)
        self.base = base
        named = {
            "__tablename__": "user",
            "id": mapped_column(Integer, primary_key=True),
            "username": mapped_column(String(80), unique=True),
            "password": mapped_column(String(300)),
            **(columns or {}),
        }
        self.user: Any = type("User", (UserMixin, base), named)
        self.mails: list[Message] = []

    def _open(self, url: str, kind: str) -> tuple[Any, Callable[[], Any], Callable[[], Any]]:
        if kind == "flask-sqlalchemy":
            self.app.config["SQLALCHEMY_DATABASE_URI"] = url
            db: Any = SQLAlchemy(self.app)
            return db.Model, db.session, lambda: db.engine
        base = type("Base", (DeclarativeBase,), {})
        if kind == "flask-sqlalchemy-lite":
            self.app.config["SQLALCHEMY_ENGINES"] = {"default": url}
            lite = Lite(self.app)
            return base, lambda: lite.session, lambda: lite.engine
        engine = create_engine(url)
        self.closing.callback(engine.dispose)
        if kind == "sessionmaker":
            return base, sessionmaker(engine), lambda: engine
        session = scoped_session(sessionmaker(engine))
        self.app.teardown_appcontext(lambda error: session.remove())
        return base, session, lambda: engine

    def start(self, *features: Any, **options: Any) -> FlaskClient:
        """Adopt the users, and return a browser."""
        with self.app.app_context():
            self.base.metadata.create_all(self.engine())
            self.closing.callback(self.engine().dispose)
        watch = options.pop("watch", lambda store: store)
        named: dict[str, Any] = {"identifiers": ["username"], "password": "password"}
        self.accounts = watch(ModelAccounts(self.session, self.user, **(named | options)))
        self.closing.callback(self.accounts.close)
        self.manager = LoginManager(
            self.app, store=self.accounts, features=[Password(), *features], mail=self.mails.append
        )
        self.app.add_url_rule("/me", "me", login_required(self._me))
        self.app.add_url_rule("/admin", "admin", roles_required("admin")(lambda: "admin"))
        return self.app.test_client()

    def _me(self) -> str:
        assert isinstance(current_user._get_current_object(), self.user)
        return str(current_user.username)

    def add(self, name: str, password: str = OLD, **values: Any) -> int:
        """Sign somebody up as the old code does."""
        with self.app.app_context(), sessionmaker(self.engine())() as session:
            session.add(user := self.user(username=name, password=generate_password_hash(password, CHEAP), **values))
            session.commit()
            return int(user.id)

    def old_code_takes(self, name: str, password: str) -> bool:
        """Log in as the old code does: the tutorial's own lines."""
        with self.app.app_context(), sessionmaker(self.engine())() as session:
            user = session.query(self.user).filter_by(username=name).first()
            return user is not None and check_password_hash(user.password, password)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return what makes the application."""
    with ExitStack() as closing:

        def make(kind: str = "flask-sqlalchemy", **columns: Any) -> Site:
            site = Site(tmp_path, kind, columns)
            closing.callback(site.closing.close)
            return site

        yield make


def sign_in(client: FlaskClient, name: str, password: str) -> int:
    """Sign in by the API."""
    return client.post("/api/account/sign-in", json={"identifier": name, "password": password}).status_code


def test_its_name_is_at_hand() -> None:
    """It is among the names of Flask's, but not of those that `import *` takes, which would need SQLAlchemy."""
    import admit.flask
    from admit.stores import sql_model

    assert admit.flask.ModelAccounts is sql_model.ModelAccounts
    assert "ModelAccounts" not in admit.flask.__all__


@pytest.mark.parametrize("kind", KINDS)
def test_the_users_of_the_tutorial_sign_in(make: Callable[..., Site], kind: str) -> None:
    """Every user signs in by the old password at the first try, `current_user` is the model's object, and moves."""
    site = make(kind)
    browser = site.start()
    site.add("Ada")
    for _ in range(2):
        client = site.app.test_client()
        assert client.get("/me").status_code in {302, 401}
        assert sign_in(client, "ada", "wrong") == 401
        assert sign_in(client, "ada", OLD) == 200
        assert client.get("/me").text == "Ada"
    assert sign_in(browser, "nobody", OLD) == 401
    credential = site.accounts.get_credential("password", "1")
    assert credential
    assert credential.secret.startswith("$argon2id$")
    assert site.old_code_takes("Ada", OLD)


def test_a_password_that_was_changed_is_there_after_a_rollback(make: Callable[..., Site]) -> None:
    """The old code takes the new password and not the one before, and what it changes itself counts afterwards."""
    site = make()
    client = site.start()
    site.add("ada")
    assert sign_in(client, "ada", OLD) == 200
    answer = client.post("/api/account/password", json={"old_password": OLD, "password": NEW})
    assert answer.status_code == 200
    assert site.old_code_takes("ada", NEW)
    assert not site.old_code_takes("ada", OLD)
    assert sign_in(client, "ada", OLD) == 401
    with site.app.app_context(), sessionmaker(site.engine())() as session:
        session.query(site.user).one().password = generate_password_hash("changed by the old code", CHEAP)
        session.commit()
    assert sign_in(client, "ada", NEW) == 401
    assert sign_in(client, "ada", "changed by the old code") == 200
    assert site.old_code_takes("ada", "changed by the old code")


def test_signing_up_makes_a_user_of_the_applications(make: Callable[..., Site]) -> None:
    """Who signs up here is a row that the old code can log in."""
    site = make()
    client = site.start(Registration(identifiers=("username",)))
    answer = client.post("/api/account/sign-up", json={"username": "Grace", "password": NEW})
    assert answer.status_code == 202
    assert sign_in(client, "grace", NEW) == 200
    assert client.get("/me").text == "Grace"
    assert site.old_code_takes("Grace", NEW)
    site.add("ada")
    assert client.post("/api/account/sign-up", json={"username": "ADA", "password": NEW}).status_code == 409


def test_an_operator_makes_a_user_of_the_applications(make: Callable[..., Site]) -> None:
    """Whom an operator makes is told of by the key that the application's own table gave them."""
    site = make()
    site.start()
    gate, told = site.manager.keeper.gate, list[AccountCreated]()
    gate.events.subscribe(AccountCreated, told.append)
    with site.app.app_context():
        made = new_account(username="grace", email=None, at=datetime.now(UTC))
        kept = create_account(gate, site.accounts, made)
    assert kept.id != made.id
    assert [one.subject for one in told] == [kept.id]
    with site.app.app_context(), sessionmaker(site.engine())() as session:
        assert str(session.query(site.user).one().id) == kept.id


def test_who_is_switched_off_is_out(make: Callable[..., Site]) -> None:
    """A column that says who is active is heeded at the login and at each request, as is a property."""
    site = make(is_active=mapped_column(Boolean, default=True))
    client = site.start()
    site.add("ada")
    site.add("eve", is_active=False)
    assert sign_in(client, "eve", OLD) == 403  # who has the right password is told
    assert sign_in(client, "ada", OLD) == 200
    assert client.get("/me").text == "ada"
    with site.app.app_context(), sessionmaker(site.engine())() as session:
        session.query(site.user).filter_by(username="ada").one().is_active = False
        session.commit()
    assert client.get("/me").status_code != 200


def test_a_user_closes_their_account(make: Callable[..., Site]) -> None:
    """A user of the application's own comes back in time, and is deleted by the purge once the grace is over."""
    site = make()
    client = site.start(Closing(erases_users=True))
    for name in ("ada", "eve"):
        site.add(name)
    for _ in range(2):  # the second login opens the account again
        assert sign_in(client, "ada", OLD) == 200
        assert client.post("/api/account/close").status_code == 200
        assert client.get("/me").status_code != 200
    with site.app.app_context():
        account = site.accounts.find_account("ada")
        assert account
        closed_at = datetime.now(UTC) - timedelta(days=15)
        assert site.accounts.replace_account(account, replace(account, closed_at=closed_at))
    assert sign_in(client, "ada", OLD) == 401
    purged = site.app.test_cli_runner().invoke(args=["admit", "purge"])
    assert "erased 1 account." in purged.stdout
    with site.app.app_context(), sessionmaker(site.engine())() as session:
        assert [user.username for user in session.query(site.user)] == ["eve"]
    assert sign_in(client, "eve", OLD) == 200


def test_a_property_may_switch_off(make: Callable[..., Site]) -> None:
    """A user whose class says that they are not active does not get in."""
    site = make(is_active=property(lambda user: user.username != "eve"))
    client = site.start()
    for name, status in (("ada", 200), ("eve", 401)):
        site.add(name)
        assert sign_in(client, name, OLD) == status
        assert (client.get("/me").status_code == 200) == (name == "ada")


def test_roles_are_the_applications(make: Callable[..., Site]) -> None:
    """`roles_required` asks the model's object."""
    site = make(roles=property(lambda user: ["admin"] if user.username == "ada" else []))
    client = site.start()
    for name, status in (("ada", 200), ("eve", 403)):
        site.add(name)
        sign_in(client, name, OLD)
        assert client.get("/admin").status_code == status


def test_a_class_that_is_no_user_is_told(tmp_path: Path, make: Callable[..., Site]) -> None:
    """A model that Flask-Login would not take is a mistake that says what to inherit from."""
    site = make("scoped session")
    site.user = type(
        "Plain",
        (site.base,),
        {
            "__tablename__": "plain",
            "id": mapped_column(Integer, primary_key=True),
            "username": mapped_column(String),
            "password": mapped_column(String),
        },
    )
    client = site.start()
    site.add("ada")
    sign_in(client, "ada", OLD)
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(
        Exception, match=r"Plain has no is_authenticated\. Let Plain inherit from admit\.flask\.UserMixin"
    ):
        client.get("/me")


def test_flask_login_users_are_fine(make: Callable[..., Site]) -> None:
    """A class that inherits from Flask-Login's own mixin is a user here."""
    site = make("scoped session")
    site.user = type(
        "Old",
        (flask_login.UserMixin, site.base),
        {
            "__tablename__": "old",
            "id": mapped_column(Integer, primary_key=True),
            "username": mapped_column(String),
            "password": mapped_column(String),
        },
    )
    client = site.start()
    site.add("ada")
    assert sign_in(client, "ada", OLD) == 200
    assert client.get("/me").text == "ada"


def test_the_objects_relations_can_be_read(make: Callable[..., Site]) -> None:
    """The object is in the session of the request, so that what it refers to is loaded when it is asked for."""
    site = make()
    friends = Table(
        "friends", site.base.metadata, Column("a", ForeignKey("user.id")), Column("b", ForeignKey("user.id"))
    )
    site.user.friends = relationship(
        site.user,
        secondary=friends,
        primaryjoin=site.user.id == friends.c.a,
        secondaryjoin=site.user.id == friends.c.b,
    )
    client = site.start()
    site.app.add_url_rule("/friends", "friends", lambda: str(len(current_user.friends)))
    site.add("ada")
    sign_in(client, "ada", OLD)
    assert client.get("/friends").text == "0"


def test_logging_in_by_the_applications_own_view(make: Callable[..., Site]) -> None:
    """A view of the application's may still log in its own object."""
    from admit.flask import login_user

    site = make()
    client = site.start()
    user_id = site.add("ada")

    def enter() -> str:
        return str(login_user(site.accounts.load_user(str(user_id))))

    site.app.add_url_rule("/enter", "enter", enter)
    assert client.get("/enter").text == "True"
    assert client.get("/me").text == "ada"


def test_the_tables_beside_are_brought_up_to_date(make: Callable[..., Site]) -> None:
    """`flask admit db upgrade` looks after Admit's tables, wherever they are."""
    site = make()
    site.start()
    result = site.app.test_cli_runner().invoke(args=["admit", "db", "upgrade"])
    assert result.output == "The tables are up to date.\n"


@pytest.mark.parametrize("is_moved", [False, True])
def test_the_application_changes_a_password_during_a_login(make: Callable[..., Site], *, is_moved: bool) -> None:
    """Whenever the application changes a hash in its column, nobody who was logging in by the old one stays in."""
    site = make("sessionmaker")
    site.app.config.update({f"ADMIT_THROTTLE_{name}_BURST": 1000 for name in ("PAIR", "ADDRESS", "ACCOUNT")})
    site.app.config.update(ADMIT_STORE_NEAR_ENTRIES=0, ADMIT_PASSWORD_MEMORY_KIB=7168, ADMIT_PASSWORD_TIME_COST=5)
    steps = Steps()
    site.start(watch=steps.watched)
    other = generate_password_hash("another one, by the old code", CHEAP)
    for at in range(1, 60):
        user_id = site.add(f"ada{at}")
        name, browser = f"ada{at}", site.app.test_client()
        if is_moved:
            assert site.app.test_client().post("/api/account/sign-in", json=_login(name)).status_code == 200

        def change(user_id: int = user_id) -> None:
            with site.app.app_context(), sessionmaker(site.engine())() as session:
                session.get(site.user, user_id).password = other
                session.commit()

        with steps.acting(aside(change), at):
            answer = browser.post("/api/account/sign-in", json=_login(name))
        if steps.count < at:
            assert answer.status_code == 200
            return
        # What came after the login was let in is the application's own to end: it revokes what it wants to end.
        assert answer.status_code == 401 or "counts" in steps.verbs
    pytest.fail("A login has more steps than are tried.")


def _login(name: str) -> dict[str, str]:
    return {"identifier": name, "password": OLD}


class Alternative:
    """A user who calls themselves by a token, which a change of the password replaces."""

    token: str

    def get_id(self) -> str:
        """Return the token."""
        return str(self.token)


class Text:
    """A user who calls themselves by their key, as tutorials write it."""

    id: int

    def get_id(self) -> str:
        """Return the key."""
        return str(self.id)


class Failing:
    """A user whose id needs more than a key."""

    def get_id(self) -> str:
        """Fail."""
        raise LookupError


@pytest.mark.parametrize("kind", [Alternative, Failing])
@pytest.mark.parametrize("mode", ["debug", "production"])
def test_u10_alternative_ids_are_refused_at_start(make: Callable[..., Site], kind: type, mode: str) -> None:
    """Somebody with two ids would be signed in under one and locked under the other: the message says what to do."""
    site = make(token=mapped_column(String(40), default="t"), get_id=kind.get_id)
    site.app.debug = mode == "debug"
    with pytest.raises(ConfigurationError, match=r"User.get_id\(\) does not return the key 'id'.*revoke_all"):
        site.start()


@pytest.mark.parametrize("get_id", [Text.get_id, UserMixin.get_id, lambda self: self.id], ids=["text", "ours", "key"])
def test_u10_one_person_is_one_subject(make: Callable[..., Site], get_id: Any) -> None:
    """Both ways in are sessions of one subject, so that a lock and an end of all sessions reach both."""
    site = make(get_id=get_id)
    site.start()
    user_id = site.add("Ada")
    session: Any = site.session
    site.app.add_url_rule("/old", "old", lambda: str(login_user(session.get(site.user, user_id))), methods=["POST"])
    ours, theirs = site.app.test_client(), site.app.test_client()
    assert sign_in(ours, "ada", OLD) == 200
    assert theirs.post("/old").text == "True"
    assert [one.get("/me").text for one in (ours, theirs)] == ["Ada", "Ada"]
    with site.app.app_context():
        assert site.manager.sessions.revoke_all(str(user_id)) == 2


def test_u10_the_method_may_have_another_name(make: Callable[..., Site]) -> None:
    """What id_attribute names is asked."""
    site = make(get_public_id=lambda self: "public", start_id=lambda self: self.id)
    site.start()
    site.accounts.check_ids("start_id")
    site.accounts.check_ids("not_there")
    with pytest.raises(ConfigurationError, match="get_public_id"):
        site.accounts.check_ids("get_public_id")


def test_u10_a_method_of_the_models_base_is_asked() -> None:
    """A get_id() that calls the one of its base, a property, or another name of the key is no other id."""

    class Base(DeclarativeBase):
        pass

    class User(UserMixin, Base):
        __tablename__ = "user"
        number = mapped_column(Integer, primary_key=True)
        username = mapped_column(String(80))

        @property
        def id(self) -> int:
            return self.number

        def get_id(self) -> str:
            return super().get_id()

    class Renamed(UserMixin, Base):
        __tablename__ = "renamed"
        number = mapped_column(Integer, primary_key=True)
        username = mapped_column(String(80))
        id = synonym("number")

    for model in (User, Renamed):
        ModelAccounts(sessionmaker(), model, identifiers=["username"]).check_ids("get_id")
