"""The test suite that the tutorial has, on a database in memory, at each step; and the way from step to step."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from admit.testing import a_session
from tests.applications.tutorial_blog.blog import TestConfig, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

STEPS = (1, 2, 3)
OLD = "a password of long ago"
ADA = {"username": "ada", "password": OLD, "email": "ada@example.org"}


@contextmanager
def the_blog(step: int, config: Any = TestConfig) -> Iterator[tuple[Flask, Any, Any]]:
    """Set up as the tutorial's test case does, and tear down."""
    app, db, user = opened(step, config)
    with app.app_context():
        db.create_all()
        yield app, db, user
        db.session.remove()
        db.engine.dispose()
    login_manager: Any = vars(app)["login_manager"]
    if step > 1:
        login_manager.sessions.gate.store.close()


def login(client: FlaskClient, password: str = OLD) -> int:
    """Log in at the blog's own page."""
    return client.post("/login", data={"username": "ada", "password": password}).status_code


@pytest.mark.parametrize("step", STEPS)
def test_u11_the_tutorials_test_suite_runs_in_memory(step: int) -> None:
    """People register, are logged in by a view that has only flushed them, write, log out and log in again."""
    with the_blog(step) as (app, _, user):
        client = app.test_client()
        assert client.post("/register", data=ADA).status_code == 302
        assert client.post("/write", data={"body": "first"}).location == "/"
        assert client.get("/").text == "ada: first"
        assert user.query.count() == 1
        client.get("/logout")
        assert client.post("/write", data={"body": "second"}).location != "/"
        assert login(client, "wrong") == 403
        assert login(client) == 302
        assert client.post("/write", data={"body": "third"}).location == "/"
        assert client.get("/").text == "ada: first; ada: third"


@pytest.mark.parametrize("step", STEPS)
def test_u11_each_test_has_a_database_of_its_own(step: int) -> None:
    """Nobody is left of the test before, and tables that the tutorial drops and makes again hinder nobody."""
    for _ in range(2):
        with the_blog(step) as (app, db, user):
            assert user.query.count() == 0
            db.drop_all()
            db.create_all()
            client = app.test_client()
            client.post("/register", data=ADA)
            assert client.post("/write", data={"body": "first"}).location == "/"
            db.session.remove()
            db.drop_all()


def test_u11_accounts_live_in_the_applications_memory() -> None:
    """With accounts, people sign in over the API and sign up, and the tutorial's own session sees whom that made."""
    with the_blog(3) as (app, _, user):
        app.test_client().post("/register", data=ADA)
        client = app.test_client()
        assert client.post("/api/account/sign-in", json={"identifier": "ada", "password": OLD}).status_code == 200
        assert client.post("/write", data={"body": "first"}).location == "/"
        form = {"email": "eve@example.org", "username": "eve", "password": "the moon is made of green cheese"}
        eve = app.test_client()
        assert eve.post("/api/account/sign-up", json=form).status_code == 202
        signed_in = eve.post("/api/account/sign-in", json={"identifier": "eve", "password": form["password"]})
        assert signed_in.status_code == 200
        assert [one.username for one in user.query.order_by(user.id)] == ["ada", "eve"]
        assert eve.post("/write", data={"body": "second"}).location == "/"


@pytest.mark.parametrize("step", [2, 3])
def test_u11_what_the_application_undoes_is_undone_for_both(step: int) -> None:
    """A login in a transaction that the application rolls back is gone with it, and the next request is as before."""
    with the_blog(step) as (app, db, user):
        client = app.test_client()
        client.post("/register", data=ADA)
        login_manager: Any = vars(app)["login_manager"]
        ada = user.query.one()
        ada.email = "other@example.org"
        db.session.flush()
        login_manager.sessions.gate.store.add_session(a_session(subject=str(ada.id)))
        assert login_manager.sessions.count(ada) == 2
        db.session.rollback()
        assert login_manager.sessions.count(ada) == 1
        assert user.query.one().email == "ada@example.org"


def test_u11_from_step_to_step_and_back(tmp_path: Path) -> None:
    """Over one file, each step takes the logins of the tutorial's own page and all passwords; the way back is open."""

    class Config(TestConfig):
        SQLALCHEMY_DATABASE_URI = f"sqlite:///{tmp_path}/blog.db"

    with the_blog(1, Config) as (app, db, user):
        db.session.add(user(username="ada", email="ada@example.org", password_hash=hashed(OLD)))
        db.session.commit()
    for step in (1, 2, 3, 2, 1, 3):
        with the_blog(step, Config) as (app, _, _):
            client = app.test_client()
            assert login(client, "wrong") == 403
            assert login(client) == 302
            assert client.post("/write", data={"body": f"step {step}"}).location == "/"
            if step == 3:
                body = {"identifier": "ada@example.org", "password": OLD}
                assert app.test_client().post("/api/account/sign-in", json=body).status_code == 200
    with the_blog(1, Config) as (app, _, _):
        assert app.test_client().get("/").text.count("ada") == 6


def hashed(password: str) -> str:
    """Return the hash that Flask-Bcrypt makes of a password."""
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
