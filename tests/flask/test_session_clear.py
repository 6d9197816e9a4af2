"""``session.clear()`` ends the login, whatever keeps Flask's own session and the login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cachelib import SimpleCache
from flask import Flask, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface, SessionMixin
from flask_session import Session

from admit.flask import LoginManager, UserMixin, current_user, login_user, logout_user
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient

    Setup = Callable[[Flask], object]

KEY = "0f3b1c7e9a5d42688bd1f0c4e7a93d5566"


class User(UserMixin):
    """A user who is whoever was named."""

    def __init__(self, name: str) -> None:
        self.id = name


class Slotted(dict[str, Any], SessionMixin):
    """A session of an application's own class."""

    __slots__ = ()


class Own(SessionInterface):
    """Keeps one session in memory, and asks for itself what it does not know, as wrappers do."""

    def __init__(self) -> None:
        self.kept = Slotted()

    def open_session(self, app: Flask, request: Any) -> Any:
        """Return what is kept, each time the same."""
        return self.kept

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Keep it as it is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


def on_server(app: Flask) -> None:
    """Keep Flask's session in a cache, by Flask-Session."""
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)


def with_own(app: Flask) -> None:
    """Give the application an interface of its own."""
    app.session_interface = Own()


SETUPS: list[Setup] = [lambda _app: None, on_server, with_own]


def make(store: Any, *, before: Setup | None = None, after: Setup | None = None, **config: Any) -> Flask:
    """Make an application that logs in and out in every way."""
    app = Flask("site")
    app.config.update(SECRET_KEY=KEY, **config)
    if before:
        before(app)
    LoginManager(app, store=store).user_loader(User)
    if after:
        after(app)

    def log_in(name: str) -> str:
        return str(login_user(User(name), remember=True))

    def change(name: str) -> str:
        session.clear()
        return log_in(name)

    def clear() -> dict[str, Any]:
        session.clear()
        return {"id": current_user.get_id(), "session": dict(session)}

    app.add_url_rule("/in/<name>", "in", log_in)
    app.add_url_rule("/change/<name>", "change", change)
    app.add_url_rule("/clear", "clear", clear)
    app.add_url_rule("/out", "out", lambda: str((logout_user(), session.clear())))
    app.add_url_rule("/note", "note", lambda: str(session.setdefault("noted", 1)))
    app.add_url_rule("/pop", "pop", lambda: str(session.pop("noted")))
    app.add_url_rule("/me", "me", lambda: {"id": current_user.get_id()})
    return app


def who(client: FlaskClient) -> str | None:
    """Return who is logged in."""
    found: str | None = client.get("/me").json["id"]
    return found


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_u16_clearing_the_session_ends_the_login(setup: Setup, order: str, lazy: bool) -> None:  # noqa: FBT001 -- a parameter
    """A view that clears Flask's session logs out, in the store too, and in that very request."""
    store = MemoryStore()
    options: dict[str, Any] = {order: setup}
    client = make(store, ADMIT_LAZY_SESSION=lazy, **options).test_client()
    client.get("/in/ada")
    client.get("/note")
    copied = client.get_cookie("admit").value
    answer = client.get("/clear")
    assert answer.json["id"] is None
    assert "noted" not in answer.json["session"]
    assert store.count_sessions("ada") == 0
    assert client.get_cookie("admit") is None
    client.set_cookie("admit", copied)
    assert who(client) is None


def test_u16_a_lazy_session_in_a_cookie_is_not_opened_to_be_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask's cookie is deleted and the login ended, and what the cookie held is neither verified nor read."""
    app, opened = make(MemoryStore(), ADMIT_LAZY_SESSION=True), list[str]()
    app.add_url_rule("/only-clear", "only", lambda: str(session.clear()))
    client = app.test_client()
    client.get("/in/ada")
    client.get("/note")
    monkeypatch.setattr(
        SecureCookieSessionInterface, "get_signing_serializer", lambda _self, app: opened.append(app.name)
    )
    client.get("/only-clear")
    assert opened == []
    assert client.get_cookie("session") is None
    assert who(client) is None


@pytest.mark.parametrize("lazy", [False, True])
def test_u16_taking_one_thing_out_of_the_session_ends_nothing(lazy: bool) -> None:  # noqa: FBT001 -- a parameter
    """A session that is emptied otherwise, such as by showing the last message, is no logout."""
    client = make(MemoryStore(), ADMIT_LAZY_SESSION=lazy).test_client()
    for path in ("/in/ada", "/note", "/pop"):
        client.get(path)
    assert who(client) == "ada"


def test_u16_clearing_before_a_login_leaves_the_new_one() -> None:
    """A view that clears the session before it logs in, as Flask's tutorial does, ends the old login only."""
    store = MemoryStore()
    client = make(store, ADMIT_COOKIE_CLEAR_SITE_DATA=True).test_client()
    client.get("/in/ada")
    answer = client.get("/change/grace")
    assert "Clear-Site-Data" not in answer.headers
    assert who(client) == "grace"
    assert (store.count_sessions("ada"), store.count_sessions("grace")) == (0, 1)


def test_u16_clearing_after_logging_out_is_no_harm() -> None:
    """Logging out and clearing the session goes as before."""
    client = make(MemoryStore()).test_client()
    client.get("/in/ada")
    assert client.get("/out").status_code == 200
    assert who(client) is None


def test_u16_clearing_leaves_the_login_of_a_bearer_alone() -> None:
    """The token of a client without cookies was never in the session."""
    app = make(MemoryStore())
    with app.test_request_context():
        token = app.login_manager.sessions.issue(User("ada"))
    headers, client = {"Authorization": f"Bearer {token}"}, app.test_client()
    client.get("/clear", headers=headers)
    assert client.get("/me", headers=headers).json == {"id": "ada"}


@pytest.mark.parametrize("path", ["/clear", "/me"])
def test_u16_a_stranger_who_clears_gets_no_cookie(path: str) -> None:
    """Clearing a session in which nobody is logged in touches no cookie of ours, nor the store."""
    client = make(MemoryStore()).test_client()
    client.set_cookie("admit", "of another application")
    answer = client.get(path)
    assert not [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("admit=")]


@pytest.mark.parametrize("store", [None, MemoryStore()])
def test_u16_the_session_keeps_its_class(store: Any) -> None:
    """Code that asks what the session and its interface are goes on, and another application's are its own."""
    app, other = make(store), Flask("other")
    with app.test_request_context():
        session["noted"] = 1
        assert isinstance(session._get_current_object(), SecureCookieSession)
        assert type(session._get_current_object()).__name__ == "SecureCookieSession"
    assert isinstance(app.session_interface, SecureCookieSessionInterface)
    assert type(other.session_interface) is SecureCookieSessionInterface
    other.secret_key = KEY
    with other.test_request_context():
        assert type(session._get_current_object()) is SecureCookieSession


def test_u16_two_applications_may_share_an_interface() -> None:
    """A session that is cleared in one application ends no login of another, nor needs a login manager."""
    shared, store = Own(), MemoryStore()

    def share(app: Flask) -> None:
        app.session_interface = shared

    first, second, bare = make(store, before=share), make(MemoryStore(), before=share), Flask("bare")
    share(bare)
    bare.add_url_rule("/clear", "clear", lambda: str(session.clear()))
    client = first.test_client()
    client.get("/in/ada")
    second.test_client().get("/clear")
    bare.test_client().get("/clear")
    assert who(client) == "ada"


def test_u16_a_test_may_clear_the_session_between_requests() -> None:
    """``session_transaction()`` clears what Flask's session holds."""
    client = make(MemoryStore()).test_client()
    client.get("/note")
    with client.session_transaction() as held:
        held.clear()
    with client.session_transaction() as held:
        assert dict(held) == {}


@pytest.mark.parametrize("lazy", [False, True])
def test_u16_without_a_key_clearing_says_what_is_missing(lazy: bool) -> None:  # noqa: FBT001 -- a parameter
    """Where Flask has no session, clearing it is the error that it always was."""
    app = make(MemoryStore(), ADMIT_LAZY_SESSION=lazy)
    app.secret_key = None
    app.testing = True
    with pytest.raises(RuntimeError, match="secret key"):
        app.test_client().get("/clear")
