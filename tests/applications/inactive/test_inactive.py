"""``is_active`` as a property of the user class, which no column knows, at each step."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import flask_login
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import generate_password_hash

import admit.flask
from admit.features.account import AccountPages
from admit.features.magic_link import MagicLink
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts, UserMixin, current_user, login_required, login_user
from admit.operations import create_account, new_account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.mail import Message

API, SECRET, KEY = "/api/account", "a password of long ago", "0f3b1c7e9a5d42688bd1f0c4e7a93d5566"
WRONG = "another password of long ago"


class Shop:
    """Users in a table, who are banned by a column that only the property looks at."""

    def __init__(self, folder: Path, *, debug: bool = False, loader: bool = True) -> None:
        self.app, self.mails = Flask("shop", instance_path=str(folder)), list["Message"]()
        self.app.debug = debug
        self.app.config.update(
            SECRET_KEY=KEY,
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/shop.db",
            ADMIT_PUBLIC_URL="http://127.0.0.1",
        )
        self.db: Any = SQLAlchemy(self.app)
        db = self.db

        class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
            id = db.Column(db.Integer, primary_key=True)
            email = db.Column(db.String(80), unique=True)
            password = db.Column(db.String(300))
            banned = db.Column(db.Boolean, default=False)

            @property
            def is_active(self) -> bool:
                return not self.banned

        self.user = User
        with self.app.app_context():
            db.create_all()
            db.session.add(User(email="ada@people.example", password=generate_password_hash(SECRET, "scrypt:1024:8:1")))
            db.session.commit()
        accounts = ModelAccounts(db.session, User, identifiers=["email"], password="password", verified=True)
        features = [Password(), MagicLink(), AccountPages()]
        self.manager: Any = LoginManager(self.app, store=accounts, features=features, mail=self.mails.append)
        if loader:
            self.manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))
        self.app.add_url_rule("/private", "private", login_required(lambda: "private"))
        self.app.add_url_rule("/in", "in", lambda: str(login_user(db.session.get(User, 1))))
        self.app.add_url_rule("/force", "force", lambda: str(login_user(db.session.get(User, 1), force=True)))

    def ban(self, *, banned: bool = True) -> None:
        """Ban the user."""
        with self.app.app_context():
            self.db.session.get(self.user, 1).banned = banned
            self.db.session.commit()

    def sign_in(self, client: Any, password: str = SECRET) -> Any:
        """Try to sign in."""
        return client.post(f"{API}/sign-in", json={"identifier": "ada@people.example", "password": password})


@pytest.fixture(params=[(True, True), (True, False), (False, True), (False, False)], ids=str)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """Return the shop in debug and in production, with a user loader and without."""
    debug, loader = request.param
    found = Shop(tmp_path, debug=debug, loader=loader)
    yield found
    with found.app.app_context():
        found.db.engine.dispose()


def test_u20_an_inactive_user_is_answered_as_a_wrong_password_is(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """At step 3 only the log tells an inactive user from a wrong password, and active again they get in."""
    shop.ban()
    client = shop.app.test_client()
    right, wrong = shop.sign_in(client), shop.sign_in(client, WRONG)
    assert (right.status_code, right.json) == (wrong.status_code, wrong.json)
    assert right.status_code == 401
    assert client.get_cookie("admit") is None
    assert [line.getMessage() for line in caplog.records if "is_active" in line.getMessage()] == [
        "User 1 was not logged in by password: is_active is false."
    ]
    shop.ban(banned=False)
    assert shop.sign_in(client).status_code == 200
    assert client.get("/private").text == "private"


def test_u20_no_link_lets_an_inactive_user_in(shop: Shop) -> None:
    """Any other way to log in asks the property as well."""
    client = shop.app.test_client()
    client.post(f"{API}/magic-link", json={"identifier": "ada@people.example"})
    found = re.search(r"/account/magic-link/([\w.-]+)", shop.mails[-1].text)
    assert found is not None
    shop.ban()
    assert client.post(f"{API}/magic-link/use", json={"token": found[1]}).status_code == 401
    shop.ban(banned=False)
    assert client.post(f"{API}/magic-link/use", json={"token": found[1]}).status_code == 200
    shop.ban()
    assert client.get(f"{API}/").status_code == 401


def test_u20_a_session_of_a_user_who_became_inactive_opens_nothing(shop: Shop) -> None:
    """A user who is banned while signed in is nobody, in the API too, until they are active again."""
    client = shop.app.test_client()
    shop.sign_in(client)
    assert client.get(f"{API}/").status_code == 200
    shop.ban()
    assert client.get(f"{API}/").status_code == 401
    assert client.get("/private").status_code == 302
    shop.ban(banned=False)
    assert client.get(f"{API}/").status_code == 200


def test_u20_login_user_is_false_unless_it_is_forced(shop: Shop) -> None:
    """login_user() returns False for an inactive user, and lets them in by force."""
    shop.ban()
    client = shop.app.test_client()
    assert client.get("/in").text == "False"
    assert client.get("/force").text == "True"


@pytest.mark.parametrize("options", [{}, {"store": "memory:"}, {"store": "memory:", "features": [Password()]}])
@pytest.mark.parametrize("testing", [True, False])
def test_u20_login_user_says_why_in_the_log(
    options: dict[str, Any],
    testing: bool,  # noqa: FBT001 -- a parameter
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At every step login_user() returns False for an inactive user, and the log says why."""
    user = type("Member", (UserMixin,), {"id": "ada", "is_active": property(lambda _: False)})()
    app = Flask("site")
    app.config.update(SECRET_KEY=KEY, TESTING=testing, ADMIT_PUBLIC_URL="https://app.example")
    LoginManager(app, **options).user_loader(lambda _: user)
    app.add_url_rule("/in", "in", lambda: str(login_user(user)))
    with caplog.at_level(logging.WARNING):
        assert app.test_client().get("/in").text == "False"
    assert "of class Member was not logged in by login_user(): is_active is false." in caplog.text


def test_u20_users_of_a_class_of_their_own_beside_our_accounts(caplog: pytest.LogCaptureFixture) -> None:
    """Where accounts are Admit's, the loader's user decides, unless it is none or has no ``is_active``."""
    app, active = Flask("site"), {"is_active": False}
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    manager: Any = LoginManager(app, store="memory:", features=[Password()])
    found: list[Any] = [type("Member", (UserMixin,), active)()]
    manager.user_loader(lambda _: found[0])
    with app.test_request_context():
        ctx = manager.keeper.accounts.context()
        account = new_account(at=ctx.now, username="ada")
        create_account(ctx.gate, ctx.accounts, account, ctx.secret_keeper().enroll(ctx, account, SECRET))
    login = {"identifier": "ada", "password": SECRET}
    assert app.test_client().post(f"{API}/sign-in", json=login).status_code == 401
    assert "is_active" in caplog.text
    for found[0] in (type("Member", (), {"is_authenticated": True})(), None):
        assert app.test_client().post(f"{API}/sign-in", json=login).status_code == 200


def test_u20_a_remember_cookie_of_an_inactive_user_begins_no_session() -> None:
    """A remember cookie of Flask-Login's is not exchanged for a session as long as its user is inactive."""
    member: Any = type("Member", (UserMixin,), {"id": "ada", "is_active": True})
    apps = []
    for library, options in ((flask_login, {}), (admit.flask, {"store": "memory:"})):
        app = Flask("site")
        app.secret_key = KEY
        library.LoginManager(app, **options).user_loader(lambda _: member())
        apps.append(app)
    before, after = apps
    with after.test_request_context():
        cookie = admit.flask.encode_cookie("ada")
    client = after.test_client()
    client.set_cookie("remember_token", cookie)
    after.add_url_rule("/me", "me", lambda: str(current_user.get_id()))
    member.is_active = False
    assert client.get("/me").text == "None"
    assert client.get_cookie("admit") is None
    member.is_active = True
    assert client.get("/me").text == "ada"
    assert before.name == after.name
