"""Step 2 beside Flask-Login's signed cookie: what a login in a store adds to a request over bare Flask."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

import flask_login
from flask import Flask, session
from werkzeug.test import EnvironBuilder

import admit.flask
from admit.stores.near import NearStore
from bench import services
from bench.dropin import BROWSER
from bench.rounds import Contender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.rounds import Environ

BASE = "bare Flask"
OTHER = "Flask-Login"


class Case(NamedTuple):
    """One kind of request over one store, and at most what multiple of Flask-Login's cost it may add."""

    title: str
    path: str
    method: str
    url: str
    config: dict[str, Any]
    target: float | None


NO_CACHE = {"ADMIT_STORE_NEAR_ENTRIES": 0}
LAZY = {"ADMIT_LAZY_SESSION": True, "SECRET_KEY": "a key for benchmarks that is long enough"}


def cases(folder: Path) -> Iterator[Case]:
    """Return the cases; stores that are not on this machine are left out, and said so."""
    sqlite = f"sqlite:///{folder}/bench.db"
    yield Case("GET, SQLite behind the near cache", "/who", "GET", sqlite, {}, 0.25)
    yield Case("GET, SQLite", "/who", "GET", sqlite, NO_CACHE, 0.5)
    yield Case("GET with a basket in Flask's session, opened lazily", "/who", "GET", sqlite, LAZY, 0.0)
    yield Case("GET that never asks, SQLite", "/nothing", "GET", sqlite, {}, 0.05)
    with services.redis() as redis:
        if redis:
            yield Case("GET, Redis behind the near cache", "/who", "GET", redis, {}, 0.25)
            yield Case("GET, Redis", "/who", "GET", redis, NO_CACHE, 1.4)
            yield Case("login, Redis", "/login", "POST", redis, {}, None)
    with services.postgres() as postgres:
        if postgres:
            yield Case("GET, PostgreSQL behind the near cache", "/who", "GET", postgres, {}, 0.25)
            yield Case("GET, PostgreSQL", "/who", "GET", postgres, NO_CACHE, 1.8)
            yield Case("login, PostgreSQL", "/login", "POST", postgres, {}, None)
    yield Case("login, memory", "/login", "POST", "memory:", {}, 1.5)
    yield Case("login, SQLite", "/login", "POST", sqlite, {}, None)


def contenders(case: Case) -> dict[str, Contender]:
    """Return bare Flask, Admit over the case's store, and Flask-Login over its cookie."""
    apps = {BASE: _bare(case), "Admit": _admit(case), OTHER: _flask_login()}
    return {name: Contender(app, _environ(app, case)) for name, app in apps.items()}


def close(found: dict[str, Contender]) -> None:
    """Let go of what the store of these contenders holds open."""
    login_manager: admit.flask.LoginManager[Any] = found["Admit"].app.login_manager  # type: ignore[attr-defined]
    login_manager.sessions.gate.store.close()


def _environ(app: Flask, case: Case) -> Environ:
    headers = {"User-Agent": BROWSER}
    if case.method == "GET":
        client = app.test_client()
        if case.config is LAZY:
            client.post("/basket", headers=headers)
        client.post("/login", headers=headers)
        cookies = [client.get_cookie(name) for name in ("session", "admit")]
        headers["Cookie"] = "; ".join(f"{cookie.key}={cookie.value}" for cookie in cookies if cookie)
    overrides = {"REMOTE_ADDR": "127.0.0.1"}
    return EnvironBuilder(
        path=case.path, method=case.method, headers=headers, environ_overrides=overrides
    ).get_environ()


def _flask() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/nothing", "nothing", lambda: "nothing")
    app.add_url_rule("/basket", "basket", lambda: session.update(basket=["apple"]) or "", methods=["POST"])
    return app


def _bare(case: Case) -> Flask:
    app = _flask()
    app.secret_key = case.config.get("SECRET_KEY")
    users = {"1": _user(object)}
    app.add_url_rule("/who", "who", lambda: str(users["1"].id))
    app.add_url_rule("/login", "login", lambda: "in", methods=["POST"])
    return app


def _admit(case: Case) -> Flask:
    app = _flask()
    app.config.update(case.config)
    login_manager: admit.flask.LoginManager[Any] = admit.flask.LoginManager(app, store=case.url)
    store = login_manager.sessions.gate.store
    create = getattr(store.store if isinstance(store, NearStore) else store, "create", None)
    if create is not None:
        create()
    return _with_views(app, admit.flask)


def _flask_login() -> Flask:
    app = _flask()
    app.secret_key = "a key for benchmarks that is long enough"  # noqa: S105
    flask_login.LoginManager(app)
    return _with_views(app, flask_login)


def _with_views(app: Flask, library: Any) -> Flask:
    users = {"1": _user(library.UserMixin)}
    app.login_manager.user_loader(users.get)  # type: ignore[attr-defined]
    app.add_url_rule("/who", "who", lambda: str(library.current_user.id))

    def login() -> str:
        library.login_user(users["1"])
        return "in"

    app.add_url_rule("/login", "login", login, methods=["POST"])
    return app


def _user(mixin: type) -> Any:
    return type("User", (mixin,), {"id": "1"})()


def folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for files of the stores, which goes when it is closed."""
    return tempfile.TemporaryDirectory(prefix="admit-bench-")
