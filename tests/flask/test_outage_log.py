"""What an operator reads in the log when a request is answered with 503."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.exceptions import ServiceUnavailable

from admit.errors import Overloaded, StoreError
from admit.features.password.pool import Pool
from admit.flask import LoginManager, UserMixin, current_user, login_user, logout_user
from admit.flask.outages import log_outage, remedy_for
from admit.stores.memory import MemoryStore
from tests.attacks.site import API, PASSWORD, Outage, make_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.redis import RedisServer

ADA = "ada@people.example"

User = type("User", (UserMixin,), {"id": "ada"})


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what gives the lines of the log since it was last asked."""
    caplog.set_level(logging.WARNING, "admit.flask")

    def lines() -> list[str]:
        found = [record.getMessage() for record in caplog.records if "with 503" in record.getMessage()]
        caplog.clear()
        return found

    return lines


def site(store: Any) -> Flask:
    """Return an application of step 2 that asks its store at each request."""
    app = Flask("site")
    app.config.update(ADMIT_STORE_NEAR_ENTRIES=0, SECRET_KEY="s" * 40, TESTING=True)
    LoginManager(app, store=store).user_loader(lambda _: User())
    app.add_url_rule("/in", "in", lambda: str(login_user(User())))
    app.add_url_rule("/out", "out", lambda: str(logout_user()))
    app.add_url_rule("/me", "me", lambda: str(current_user.get_id()))
    app.register_error_handler(503, lambda error: (f"sorry, {current_user.get_id()}", 503))
    app.test_cli_runner().invoke(args=["admit", "db", "upgrade"])
    return app


def close(app: Flask) -> None:
    """Let go of the store."""
    app.login_manager.sessions.gate.store.close()  # type: ignore[attr-defined]


# -- real stores ------------------------------------------------------------------------------------------------------


def test_a_locked_file(tmp_path: Path, logged: Callable[[], list[str]]) -> None:
    """Whoever logs in and out within a transaction of their own on SQLite reads that it holds the lock."""
    app = site(f"sqlite:///{tmp_path}/app.db")
    client = app.test_client()
    client.get("/in")
    logged()
    with sqlite3.connect(tmp_path / "app.db", isolation_level=None) as own:
        own.execute("BEGIN IMMEDIATE")
        for path in ("/in", "/out"):
            answer = client.get(path)
            assert (answer.status_code, answer.text[:5]) == (503, "sorry")
            (line,) = logged()
            assert "locked" in line
            assert "Commit or roll back your own transaction" in line
            assert f"GET {path[1:]}" in line
        own.execute("ROLLBACK")
    own.close()
    assert client.get("/out").status_code == 200
    assert logged() == []
    close(app)


def test_a_refused_connection(logged: Callable[[], list[str]]) -> None:
    """A Redis that nobody serves is named, with its address and what to check, and without its password."""
    app = site("redis://ada:password-of-redis@127.0.0.1:1")
    client = app.test_client()
    client.set_cookie("admit", "A" * 22 + "." + "B" * 56)
    assert client.get("/me").status_code == 503
    (line,) = logged()
    assert "refused" in line
    assert "127.0.0.1" in line
    assert "Check that the store runs" in line
    assert "password-of-redis" not in line


def test_a_full_and_a_read_only_redis(redis_server: RedisServer, logged: Callable[[], list[str]]) -> None:
    """A Redis that is full, and one that is a replica, are told apart from one that is away."""
    app = site(redis_server.url)
    client = app.test_client()
    for command, remedy, undo in (
        (("CONFIG", "SET", "maxmemory", "1"), "Redis is full", ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), "address of the primary", ("REPLICAOF", "NO", "ONE")),
    ):
        redis_server.ask(*command)
        assert client.get("/in").status_code == 503
        redis_server.ask(*undo)
        (line,) = logged()
        assert remedy in line
    close(app)


def test_a_postgresql_that_is_gone(logged: Callable[[], list[str]]) -> None:
    """A PostgreSQL that can't be reached says so once per request, without the password."""
    app = site("postgresql+psycopg://ada:secret-word@127.0.0.1:1/accounts")
    client = app.test_client()
    client.set_cookie("admit", "A" * 22 + "." + "B" * 56)
    for _ in range(2):
        assert client.get("/me").status_code == 503
        (line,) = logged()
        assert "refused" in line
        assert "secret-word" not in line
    close(app)


# -- actions of features ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{API}/", "/account/", f"{API}/sign-in", "/account/sign-in", "/private"])
def test_actions(path: str, logged: Callable[[], list[str]]) -> None:
    """Pages, JSON and views of the application are logged once for each request whose store does not answer."""
    store = Outage(MemoryStore())
    found = make_site(store)
    found.member(ADA)
    browser = found.signed_in(ADA)
    logged()
    store.is_down = True
    is_json = path.startswith("/api")
    body = {"identifier": ADA, "password": PASSWORD}
    for method in ("POST", "GET") if path.endswith("sign-in") else ("GET",):
        if (method, is_json) == ("GET", True) and path.endswith("sign-in"):
            continue
        kind = {"json": body} if is_json else {"data": body}
        options: dict[str, Any] = kind if method == "POST" else {}
        answer = browser.send(method, path, headers={"Sec-Fetch-Site": "same-origin"}, **options)
        assert answer.status_code == 503
        (line,) = logged()
        assert "StoreError: connection to database-7.internal as admit_rw lost" in line
        assert "database-7" not in answer.text
        assert PASSWORD not in line


def test_the_applications_own_users(logged: Callable[[], list[str]]) -> None:
    """A table of the application's own users that can't be read is an outage too, and no error of the view."""

    class Users:
        def load_user(self, account_id: str) -> object:
            message = f"the table of {account_id} is away"
            raise StoreError(message)

    found = make_site(MemoryStore())
    found.member(ADA)
    browser = found.signed_in(ADA)
    found.accounts.adopting = Users()
    assert browser.get("/private").status_code == 503
    (line,) = logged()
    assert "is away" in line


def test_more_than_can_be_hashed(logged: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is sent away because too many sign in is in the log, with what can be raised."""

    def run(*_: object) -> None:
        raise Overloaded(1)

    found = make_site(MemoryStore())
    monkeypatch.setattr(Pool, "run", run)
    answer = found.browser().sign_in(ADA)
    assert (answer.status_code, answer.json["code"]) == (503, "overloaded")  # type: ignore[index]
    (line,) = logged()
    assert "ADMIT_PASSWORD_LOGINS_AT_ONCE" in line
    assert remedy_for(StoreError("?")) not in line


# -- what is in it ----------------------------------------------------------------------------------------------------


def chained(*errors: Exception) -> Exception:
    """Return the first of errors, each of which is there because of the next."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_no_secret_is_in_it(logged: Callable[[], list[str]]) -> None:
    """Neither what a statement held, nor a password in an address, nor what looks like a token gets into the log."""
    said = (
        "(sqlite3.OperationalError) database is locked\n[SQL: UPDATE users SET hash = ?]\n[parameters: ('hush-1',)]",
        "connecting to redis://ada:hush-2@redis.example:6379 failed",
        f"no session {'hush3' * 10}",
        "duplicate key DETAIL:  Key (email)=(hush-4@people.example) already exists.",
        "Command # 1 (SET key hush-5) of pipeline caused error: OOM",
    )
    for text in said:
        log_outage(chained(ServiceUnavailable(), StoreError("write failed"), RuntimeError(text)))
    lines = logged()
    assert len(lines) == len(said)
    assert "hush" not in "".join(lines)
    assert "ServiceUnavailable" not in "".join(lines)
    assert "redis://ada:***@redis.example:6379" in lines[1]
    assert all("StoreError: write failed; caused by RuntimeError: " in line for line in lines)


def test_a_long_chain_has_an_end(logged: Callable[[], list[str]]) -> None:
    """A chain of causes is cut, and so is what a driver says at length; an error that says nothing is named."""
    first, second = StoreError(""), StoreError("y " * 5000)
    first.__cause__, second.__cause__ = second, first
    log_outage(first)
    log_outage(ServiceUnavailable())
    long, short = logged()
    assert len(long) < 3000
    assert long.count("StoreError") == 8
    assert "ServiceUnavailable" in short


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("database is locked", "Commit or roll back"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
        ("MISCONF Redis is configured to save", "Make room"),
        ("READONLY You can't write against a read only replica.", "primary"),
        ("attempt to write a readonly database", "rights of the files"),
        ("LOADING Redis is loading the dataset in memory", "Wait"),
        ("WRONGPASS invalid username-password pair", "password of the store"),
        ("no such table: sessions", "db upgrade"),
        ('relation "sessions" does not exist', "db upgrade"),
        ("FATAL: sorry, too many clients already", "more clients"),
        ("Timeout reading from socket", "ADMIT_STORE_COMMAND_TIMEOUT"),
        ("Connection refused", "address is right"),
    ],
)
def test_what_to_do(said: str, remedy: str) -> None:
    """For each kind of outage there is a sentence that says what to do."""
    assert remedy in remedy_for(chained(StoreError("it failed"), RuntimeError(said)))


def test_too_little_memory() -> None:
    """A machine that has no memory for a hash is told apart from one that has no time."""
    assert "memory" in remedy_for(chained(Overloaded(1), MemoryError()))
    assert "memory" not in remedy_for(Overloaded(1))
