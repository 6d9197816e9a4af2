"""Step 1 beside Flask-Login: what each adds to a request over the same view on bare Flask."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, session
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import EnvironBuilder

from bench.rounds import Contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.rounds import Environ

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
LIBRARIES = {"Admit": "admit.flask", "Flask-Login": "flask_login"}
BASE = "bare Flask"


class Case(NamedTuple):
    """One kind of request, and at most what multiple of Flask-Login's cost Admit may add."""

    title: str
    path: str
    method: str
    logged_in: bool
    target: float | None


CASES = (
    Case("GET that reads current_user.id", "/who", "GET", logged_in=True, target=0.5),
    Case("GET that never asks", "/nothing", "GET", logged_in=True, target=0.2),
    Case("anonymous GET that never asks", "/nothing", "GET", logged_in=False, target=None),
    Case("login", "/login", "POST", logged_in=False, target=None),
)

LOADERS = ("dictionary", "SQLAlchemy on SQLite")


def contenders(case: Case, loader: str) -> dict[str, Contender]:
    """Return bare Flask, Admit and Flask-Login, ready for the request of ``case``."""
    apps = {BASE: _bare(loader)} | {name: _app(module, loader) for name, module in LIBRARIES.items()}
    # One cookie for all, made by Flask-Login: the takeover is part of the promise.
    cookie = _cookie(apps["Flask-Login"]) if case.logged_in else None
    return {name: Contender(app, _environ(case, cookie)) for name, app in apps.items()}


def _environ(case: Case, cookie: str | None) -> Environ:
    headers = {"User-Agent": BROWSER} | ({"Cookie": cookie} if cookie else {})
    return EnvironBuilder(
        path=case.path, method=case.method, headers=headers, environ_overrides={"REMOTE_ADDR": "127.0.0.1"}
    ).get_environ()


def _cookie(app: Flask) -> str:
    client = app.test_client()
    client.post("/login", headers={"User-Agent": BROWSER})
    found = client.get_cookie("session")
    assert found is not None
    return f"session={found.value}"


def _flask() -> Flask:
    app = Flask(__name__)
    app.secret_key = "a key for benchmarks that is long enough"  # noqa: S105

    @app.get("/nothing")
    def nothing() -> str:
        return "nothing"

    return app


def _bare(loader: str) -> Flask:
    """Return the same views without any library: the session is Flask's, the user is loaded by hand."""
    app = _flask()
    load = _users(app, object, loader)

    @app.get("/who")
    def who() -> str:
        return str(load(session["_user_id"]).id)

    @app.post("/login")
    def login() -> str:
        session["_user_id"] = "1"
        session["_fresh"] = True
        session["_id"] = "0" * 128
        return "in"

    return app


def _app(module: str, loader: str) -> Flask:
    library = importlib.import_module(module)
    app = _flask()
    login_manager = library.LoginManager(app)
    load = _users(app, library.UserMixin, loader)
    login_manager.user_loader(load)
    with app.app_context():
        user = load("1")

    @app.get("/who")
    def who() -> str:
        return str(library.current_user.id)

    @app.post("/login")
    def login() -> str:
        library.login_user(user)
        return "in"

    return app


def _users(app: Flask, mixin: type, loader: str) -> Callable[[str], Any]:
    if loader == "dictionary":
        user: Any = type("User", (mixin,), {"id": "1"})()
        return {"1": user}.get
    return _database(app, mixin)


def _database(app: Flask, mixin: type) -> Callable[[str], Any]:
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db: Any = SQLAlchemy(app)
    bases = (db.Model,) if mixin is object else (db.Model, mixin)
    user_class: Any = type("User", bases, {"__tablename__": "user", "id": db.Column(db.Integer, primary_key=True)})
    with app.app_context():
        db.create_all()
        db.session.add(user_class(id=1))
        db.session.commit()
    return lambda user_id: db.session.get(user_class, int(user_id))
