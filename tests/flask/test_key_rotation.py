"""A new SECRET_KEY logs nobody out: not in a cookie, not in a store, and not where there are accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit import identifiers, tokens
from admit.features.devices import Devices
from admit.features.password_reset import PasswordReset
from admit.flask import LoginManager, UserMixin, current_user, encode_cookie, login_fresh, login_user
from admit.model import Account, Credential
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from tests.features.conftest import PHRASE, Codes, Phrases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask.testing import FlaskClient

    from admit.mail import Message

OLD, NEW = "1f2c4e7a1b5d8063" * 4, "2f2c4e7a1b5d8063" * 4
ROTATED = {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]}
REMOVED = {"SECRET_KEY": NEW}
ADA = "ada@example.org"


class User(UserMixin):
    """Whoever it says."""

    def __init__(self, id: str) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


def site(store: Any = None, **config: Any) -> Flask:
    """Return an application of step 1 or 2 as it is deployed with these keys."""
    app = Flask("site")
    app.config.update({"SECRET_KEY": OLD} | config)
    manager: LoginManager = LoginManager(app, store=store)
    manager.user_loader(User)

    @app.get("/login")
    def login() -> str:
        login_user(User("ada"), remember=True)
        return "in"

    @app.get("/")
    def who() -> str:
        return f"{current_user.id} {login_fresh()}" if current_user.is_authenticated else "nobody"

    return app


def move(client: FlaskClient, app: Flask, names: Iterable[str]) -> FlaskClient:
    """Return a browser with some cookies of another one, before the same site as it is deployed now."""
    moved = app.test_client()
    for name in names:
        cookie = client.get_cookie(name)
        assert cookie is not None, name
        moved.set_cookie(name, cookie.decoded_value)
    return moved


@pytest.fixture
def browser() -> FlaskClient:
    """Return the browser of somebody who has logged in under the old key, in a cookie."""
    client = site().test_client()
    assert client.get("/login").text == "in"
    return client


# -- a login in a cookie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "answer"), [("session", "ada True"), ("remember_token", "ada False")])
def test_a_login_in_a_cookie_stays(browser: FlaskClient, name: str, answer: str) -> None:
    """Either cookie that the old key has signed is a login under the new one, as long as the old one is believed."""
    assert move(browser, site(**ROTATED), [name]).get("/").text == answer
    assert move(browser, site(**REMOVED), [name]).get("/").text == "nobody"


def test_new_cookies_are_signed_with_the_new_key(browser: FlaskClient) -> None:
    """What is given out after the rotation needs no old key any more."""
    after = site(**ROTATED).test_client()
    after.get("/login")
    for name in ("session", "remember_token"):
        assert move(after, site(**REMOVED), [name]).get("/").text.startswith("ada")
        assert move(after, site(), [name]).get("/").text == "nobody"


def test_a_remember_cookie_is_signed_anew(browser: FlaskClient) -> None:
    """A cookie that is refreshed while the old key is believed outlives it."""
    meanwhile = move(browser, site(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True, **ROTATED), ["remember_token"])
    assert meanwhile.get("/").text == "ada False"
    assert move(meanwhile, site(**REMOVED), ["remember_token"]).get("/").text == "ada False"


def test_a_second_rotation(browser: FlaskClient) -> None:
    """Of several old keys each is believed."""
    third = {"SECRET_KEY": "3f2c4e7a1b5d8063" * 4, "SECRET_KEY_FALLBACKS": [NEW, OLD]}
    assert move(browser, site(**third), ["session"]).get("/").text == "ada True"


def test_a_cookie_that_is_forged_with_a_removed_key() -> None:
    """Whoever has found an old key can't log in as anybody once it is removed (attack 28)."""
    thief = site(**REMOVED).test_client()
    forged = encode_cookie("ada", key=OLD)
    thief.set_cookie("remember_token", forged)
    assert thief.get("/").text == "nobody"
    trusting = site(**ROTATED).test_client()
    trusting.set_cookie("remember_token", forged)
    assert trusting.get("/").text == "ada False"  # which is why it is to be removed


# -- a login in a store -----------------------------------------------------------------------------------------------


def test_a_login_in_a_store_needs_no_key() -> None:
    """A session in a store stays whatever becomes of the key, with all that it knows."""
    store = MemoryStore()
    client = site(store).test_client()
    client.get("/login")
    for keys in (ROTATED, REMOVED, {"SECRET_KEY": None}):
        assert move(client, site(store, **keys), ["admit"]).get("/").text == "ada True"


def test_a_remember_cookie_is_exchanged(browser: FlaskClient) -> None:
    """A remember cookie of step 1 that the old key has signed becomes a session, and none once the key is removed."""
    store = MemoryStore()
    client = move(browser, site(store, **ROTATED), ["remember_token"])
    assert client.get("/").text == "ada False"
    assert move(client, site(store, **REMOVED), ["admit"]).get("/").text == "ada False"
    assert move(browser, site(store, **REMOVED), ["remember_token"]).get("/").text == "nobody"


# -- accounts ---------------------------------------------------------------------------------------------------------


class Accounts:
    """A site with accounts, of whom Ada is one; its store outlives each deployment."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), Clock()
        self.mails: list[Message] = []
        address = identifiers.email(ADA)
        named = type(address)(address.kind, address.value, address.key, self.clock())
        self.ada = Account(tokens.new_account_id(self.clock()), (named,), self.clock())
        phrase = Credential(tokens.new_id(), "phrases", self.ada.id, self.ada.id, PHRASE, self.clock())
        self.store.add_account(self.ada, phrase)

    def deployed(self, **config: Any) -> Flask:
        """Return the application with these keys."""
        app = Flask("site")
        app.config.update({"TESTING": True, "SECRET_KEY": OLD} | config)
        features = [Phrases(), Codes(), PasswordReset(), Devices()]
        LoginManager(app, store=self.store, features=features, mail=self.mails.append, clock=self.clock)
        return app

    def add_code(self) -> None:
        """Give Ada a second factor."""
        code = Credential(tokens.new_id(), "codes", self.ada.id, self.ada.id, PHRASE, self.clock())
        self.store.add_credential(code)


def post(client: FlaskClient, path: str, **fields: Any) -> Any:
    """Send an action its input as JSON."""
    return client.post(f"/api/account{path}", json=fields)


PROOF = {"identifier": ADA, "phrase": PHRASE}


@pytest.mark.parametrize("keys", [ROTATED, REMOVED], ids=["rotated", "removed"])
def test_accounts_need_no_key(keys: dict[str, Any]) -> None:
    """Sessions, known devices and links in mails go on under a new key, with the old one or without."""
    accounts = Accounts()
    client = accounts.deployed().test_client()
    assert post(client, "/phrase", **PROOF).status_code == 200
    moved = move(client, accounts.deployed(**keys), ["admit", "admit-devices"])
    assert moved.get("/api/account/devices").status_code == 200
    again = post(moved, "/phrase", **PROOF)
    assert again.status_code == 200
    assert "admit-devices" not in str(again.headers)  # a device that is not known is given a mark:
    assert "admit-devices" in str(post(accounts.deployed(**keys).test_client(), "/phrase", **PROOF).headers)
    assert post(client, "/password-reset", identifier=ADA).status_code == 202
    token = next(word for word in accounts.mails[-1].text.split() if "/account/" in word).rpartition("/")[2]
    answer = post(moved, "/password-reset/choose", token=token, password="a new phrase that will do")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("keys", [ROTATED, REMOVED], ids=["rotated", "removed"])
def test_a_login_that_lacks_a_factor_goes_on(keys: dict[str, Any]) -> None:
    """Whoever has proven one factor under the old key proves the second one under the new key."""
    accounts = Accounts()
    accounts.add_code()
    client = accounts.deployed().test_client()
    assert post(client, "/phrase", **PROOF).json["status"] == "pending"
    moved = move(client, accounts.deployed(**keys), ["admit-pending"])
    assert post(moved, "/code", **PROOF).json["status"] == "signed_in"
