"""One global login manager, several applications: each has its own store, settings, pages and events."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, current_app

from admit.errors import ConfigurationError
from admit.events import Events, LoggedIn
from admit.features.account import AccountPages
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts
from admit.stores.memory import MemoryStore
from tests.applications.tenants import shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

FORM = {"email": "ada@example.org", "password": shop.PASSWORD}


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return what makes the application of a tenant, by name."""
    made: list[Flask] = []

    def make(name: str, step: int, **config: Any) -> Flask:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        made.append(shop.create_app(folder, step, **config))
        return made[-1]

    yield make
    for app in made:
        stores = app.extensions["admit"].stores
        if stores is not None:
            stores.close()
        with app.app_context():
            shop.db.engine.dispose()


def sign_in(app: Flask) -> FlaskClient:
    """Return the client of somebody who has signed in."""
    client = app.test_client()
    assert client.post("/login", json=FORM).status_code == 201
    assert client.get("/me").json == {"email": "ada@example.org"}
    return client


def at(app: Flask, cookies_of: FlaskClient) -> FlaskClient:
    """Return a client of another application with the same cookies."""
    client = app.test_client()
    client._cookies = dict(cookies_of._cookies)  # type: ignore[attr-defined]
    return client


@pytest.mark.parametrize("step", [2, 3])
def test_u01_a_session_counts_where_it_began(tenants: Callable[..., Flask], step: int) -> None:
    """The cookie of one application opens nothing in another, whichever was made first, and ends nothing there."""
    first, second = tenants("first", step), tenants("second", step)
    for here, there in ((first, second), (second, first)):
        client = sign_in(here)
        assert at(there, client).get("/me").status_code in {302, 401}
        assert client.get("/me").status_code == 200
    with first.app_context():
        assert first.login_manager.sessions.count() == 1  # type: ignore[attr-defined]
        assert first.login_manager.sessions.revoke_all("1") == 1  # type: ignore[attr-defined]
    with second.app_context():
        assert second.login_manager.sessions.count() == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", [2, 3])
def test_u01_each_application_writes_to_its_own_database(
    tenants: Callable[..., Flask], step: int, tmp_path: Path
) -> None:
    """The tables of Admit are in the database of each application, also when a third one comes later."""
    for name in ("first", "second", "third"):
        app = tenants(name, step)
        sign_in(app)
        engine = app.extensions["admit"].stores.sessions.store._database._file
        assert engine == f"{tmp_path}/{name}/shop.db"


def test_u01_settings_and_pages_are_those_of_the_application(tenants: Callable[..., Flask]) -> None:
    """Two applications of one login manager differ in their cookies, their paths and the times of their sessions."""
    first = tenants("first", 3, ADMIT_COOKIE_NAME="one", ADMIT_PREFIX="/one", ADMIT_SESSION_IDLE=3600)
    second = tenants("second", 3, ADMIT_COOKIE_NAME="two", ADMIT_PREFIX="/two")
    for app, name, path in ((first, "one", "/one/sign-in"), (second, "two", "/two/sign-in")):
        client = app.test_client()
        assert client.get("/me").location.startswith(path)
        answer = client.post("/login", json=FORM)
        assert answer.headers["Set-Cookie"].split("=")[0].removeprefix("__Host-") == name
        assert client.get("/one/sign-in" if app is second else "/two/sign-in").status_code == 404
    lives = [app.extensions["admit"].keeper.gate.settings.idle for app in (first, second)]
    assert lives[0] != lives[1]


def test_u01_records_of_one_application_are_not_in_another(tenants: Callable[..., Flask]) -> None:
    """The activity of a person in one application is recorded there alone."""
    first, second = tenants("first", 3), tenants("second", 3)
    client = first.test_client()
    form = {"identifier": FORM["email"], "password": FORM["password"]}
    assert client.post("/api/account/sign-in", json=form).status_code == 200
    counts = [len(list(app.extensions["admit"].stores.events.list_events(limit=10))) for app in (first, second)]
    assert counts[0] > 0
    assert counts[1] == 0


@pytest.mark.parametrize("step", [1, 2, 3])
def test_u01_a_test_suite_makes_an_application_for_each_test(tenants: Callable[..., Flask], step: int) -> None:
    """The tenth application of a process works as the first one, and nobody is signed in there from before."""
    for number in range(10):
        app = tenants(f"test-{number}", step)
        assert app.test_client().get("/me").status_code in {302, 401}
        client = sign_in(app)
        assert client.post("/logout").status_code == 204
        assert client.get("/me").status_code in {302, 401}


def test_u01_steps_forth_and_back(tenants: Callable[..., Flask]) -> None:
    """The same application with the same table goes through all steps and back, and people sign in at each."""
    for step in (1, 2, 3, 2, 1):
        sign_in(tenants("shop", step))


def test_u01_a_login_manager_without_features_keeps_its_login_page(tmp_path: Path) -> None:
    """Features in one application do not change where another one sends people, nor what it tells them."""
    manager = LoginManager(store="memory:")
    first, second = Flask("first"), Flask("second")
    for app in (first, second):
        app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    manager.init_app(first, features=[AccountPages(), Password()], mail="console:")
    manager.init_app(second)
    assert manager.login_view is None
    assert manager.login_message == "Please log in to access this page."
    assert first.extensions["admit"].login_page == "/account/sign-in"
    assert second.extensions["admit"].login_page is None


def test_u01_an_application_says_what_it_wants(tmp_path: Path) -> None:
    """``init_app`` takes store, features and mail, and they win over those of the login manager."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    mine, own, sent = MemoryStore(), MemoryStore(), []
    manager = LoginManager(store=mine)
    manager.init_app(app, store=own, features=[AccountPages(), Password()], mail=sent.append)
    assert app.extensions["admit"].stores.sessions is own
    assert app.test_client().get("/account/sign-in").status_code == 200


@pytest.mark.parametrize(
    "store",
    [
        lambda: MemoryStore(),  # noqa: PLW0108 -- as people write it
        lambda app: app.config["STORE"],
        lambda app: (app.config["STORE"], "memory:"),
        (lambda: MemoryStore(), lambda app: app.config["STORE"]),  # noqa: PLW0108
    ],
    ids=["without", "with the application", "a pair", "two"],
)
def test_u01_a_store_may_be_a_function(store: Any) -> None:
    """``store=`` may be a function, of the application or of nothing, that is called for each application."""
    manager, stores = LoginManager(store=store), []
    for name in ("first", "second"):
        app = Flask(name)
        app.config.update(TESTING=True, SECRET_KEY="x" * 40, STORE="memory:")
        manager.init_app(app)
        stores.append(app.extensions["admit"].stores.sessions)
    assert stores[0] is not stores[1]
    assert all(isinstance(one, MemoryStore) for one in stores)


def test_u01_a_function_finds_its_application() -> None:
    """A function that names the store may use ``current_app``."""
    app = Flask("shop")
    app.config.update(TESTING=True, SECRET_KEY="x" * 40, STORE="memory:")
    LoginManager(app, store=lambda: current_app.config["STORE"])
    assert isinstance(app.extensions["admit"].stores.sessions, MemoryStore)


def test_u01_sessions_outside_of_an_application_are_those_of_the_only_one() -> None:
    """A script need not push a context as long as there is one application; with two it has to say which it means."""
    manager, apps = LoginManager(store="memory:"), [Flask("first"), Flask("second")]
    with pytest.raises(ConfigurationError, match="serves 0 applications"):
        _ = manager.sessions
    manager.init_app(apps[0])
    assert manager.sessions.count() == 0
    manager.init_app(apps[1])
    with pytest.raises(ConfigurationError, match=r"serves 2 applications\. Say which one you mean"):
        _ = manager.sessions
    with apps[1].app_context():
        assert manager.sessions.gate is apps[1].extensions["admit"].keeper.gate


def test_u01_an_application_that_is_gone_leaves_nothing_open(tmp_path: Path) -> None:
    """When nobody uses an application any more its store is closed; one that the caller made is not."""

    class Own(MemoryStore):
        closed = False

        def close(self) -> None:
            self.closed = True

    manager, own = LoginManager(), Own()
    app = Flask("shop", instance_path=str(tmp_path))
    manager.init_app(app, store=(f"sqlite:///{tmp_path}/shop.db", own))
    opened = app.extensions["admit"].stores.accounts
    opened.get_account("nobody")
    database, gone = opened._database, weakref.ref(app)
    assert database._readers._idle.get()
    del app
    gc.collect()
    assert gone() is None
    assert not database._readers._idle.get()
    assert not own.closed


def test_u01_events_reach_the_application_that_they_are_of() -> None:
    """Whoever gave one ``events=`` hears of both applications; who subscribes to one application hears of that one."""
    heard: dict[str, list[str]] = {"all": [], "first": [], "second": []}
    events = Events()
    events.subscribe(LoggedIn, lambda event: heard["all"].append(event.subject))
    manager, gates = LoginManager(store="memory:", events=events), {}
    for name in ("first", "second"):
        app = Flask(name)
        manager.init_app(app)
        gates[name] = app.extensions["admit"].keeper.gate
        gates[name].events.subscribe(LoggedIn, lambda event, name=name: heard[name].append(event.subject))
    gates["first"].admit("ada", "password")
    gates["second"].admit("bob", "password")
    assert heard == {"all": ["ada", "bob"], "first": ["ada"], "second": ["bob"]}


def test_u01_accounts_of_two_applications_need_to_know_which_is_meant(tenants: Callable[..., Flask]) -> None:
    """Outside of an application the one database of users is asked if there is one, and nobody guesses between two."""
    accounts = ModelAccounts(shop.db.session, shop.User, identifiers=["email"])
    apps = [tenants("first", 2), tenants("second", 2)]
    with apps[0].app_context():
        assert accounts.find_account("ada@example.org")
    assert accounts.find_account("ada@example.org")
    with apps[1].app_context():
        assert accounts.find_account("ada@example.org")
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        accounts.find_account("ada@example.org")
    accounts.close()
