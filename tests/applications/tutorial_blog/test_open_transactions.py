"""Views that call Admit in the middle of a transaction of their own, on an SQLite file that has one writer."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.flask import confirm_login, login_user, logout_user
from tests.applications.tutorial_blog.blog import TestConfig
from tests.applications.tutorial_blog.test_tutorial_blog import ADA, OLD, hashed, login, the_blog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REMEDY = "Commit or roll back your own transaction before you call Admit"
CALLS: dict[str, Callable[[Any, Any], object]] = {
    "login": lambda manager, user: login_user(user),
    "logout": lambda manager, user: logout_user(),
    "confirm": lambda manager, user: confirm_login(),
    "revoke all": lambda manager, user: manager.sessions.revoke_all(user),
    "revoke one": lambda manager, user: manager.sessions.of(user)[0].revoke(),
    "issue": lambda manager, user: manager.sessions.issue(user),
}


def in_file(folder: Path, *, debug: bool = False) -> Any:
    """Return the configuration of a blog in a file, whose store does not wait for long."""

    class Config(TestConfig):
        TESTING = False
        DEBUG = debug
        SQLALCHEMY_DATABASE_URI = f"sqlite:///{folder}/blog.db"
        ADMIT_STORE_COMMAND_TIMEOUT = timedelta(milliseconds=50)

    return Config


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("step", "mode"), [(2, "debug"), (2, "production"), (3, "production")])
def test_u08_the_log_says_why_and_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step: int, mode: str, call: Callable[[Any, Any], object]
) -> None:
    """After a flush each change of a login is answered with 503, and the log has the cause and the remedy, once."""
    with the_blog(step, in_file(tmp_path, debug=mode == "debug")) as (app, db, user):
        db.session.add(user(username="ada", email="ada@example.org", password_hash=hashed(OLD)))
        db.session.commit()
        manager: Any = vars(app)["login_manager"]

        @app.post("/flush")
        def flush() -> str:
            ada = user.query.one()
            ada.email = "new@example.org"
            db.session.flush()
            call(manager, ada)
            db.session.commit()
            return "done"

        @app.post("/commit")
        def commit() -> str:
            ada = user.query.one()
            ada.email = "new@example.org"
            db.session.commit()
            call(manager, ada)
            return "done"

        db.session.remove()
        client = app.test_client()
        assert login(client) == 302
        with caplog.at_level(logging.ERROR):
            assert client.post("/flush").status_code == 503
        assert caplog.text.count(REMEDY) == 1
        assert "database is locked" in caplog.text
        db.session.rollback()
        assert client.post("/commit").text == "done"


@pytest.mark.parametrize("step", [2, 3])
def test_u08_a_sign_up_that_commits_first_works(tmp_path: Path, step: int) -> None:
    """What the remedy says is enough; in memory, where there is one connection, it is not even needed."""
    with the_blog(step, in_file(tmp_path)) as (app, db, _):
        client = app.test_client()
        assert client.post("/register", data=ADA).status_code == 503
        db.session.rollback()
        app.config["BLOG_COMMITS_FIRST"] = True
        assert client.post("/register", data=ADA).status_code == 302
        assert client.post("/write", data={"body": "first"}).location == "/"
