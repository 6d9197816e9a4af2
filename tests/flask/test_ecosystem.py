"""Beside other extensions, each as its own documentation says to set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask, session
from flask_migrate import Migrate
from flask_session import Session as ServerSideSession
from flask_sqlalchemy import SQLAlchemy

from admit.flask import LoginManager, UserMixin, current_user, login_user
from admit.stores.sql import is_ours

if TYPE_CHECKING:
    from pathlib import Path


class User(UserMixin):
    """A user with an id."""

    def __init__(self, id: str) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


def site(app: Flask, store: Any) -> LoginManager[User]:
    """Add a login, a basket in Flask's session, and who is asking."""
    login_manager: LoginManager[User] = LoginManager(app, store=store)
    login_manager.user_loader(User)

    @app.get("/login")
    def login() -> str:
        login_user(User("ada"))
        return ""

    @app.get("/basket")
    def basket() -> dict[str, Any]:
        session["count"] = session.get("count", 0) + 1
        return {"id": current_user.get_id(), "count": session["count"]}

    return login_manager


def test_flask_session_keeps_the_basket_and_we_the_login(tmp_path: Path) -> None:
    """With Flask-Session the basket stays on its server, and ending the login leaves the basket alone."""
    app = Flask("site")
    app.config.update(SECRET_KEY="key", SESSION_TYPE="filesystem", SESSION_FILE_DIR=str(tmp_path))
    with pytest.warns(DeprecationWarning, match="FileSystem"):
        ServerSideSession(app)
    login_manager = site(app, "memory:")
    client = app.test_client()
    client.get("/basket")
    client.get("/login")
    assert client.get("/basket").json == {"id": "ada", "count": 2}
    login_manager.sessions.revoke_all("ada")
    assert client.get("/basket").json == {"id": None, "count": 3}


def test_flask_migrate_does_not_drop_our_tables(tmp_path: Path) -> None:
    """An application's migrations leave our tables alone, also with the include_name of earlier versions."""
    app = Flask("site", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
    db: Any = SQLAlchemy(app)

    def include_name(name: str | None, kind: str, _parents: object) -> bool:
        return not (kind == "table" and name is not None and is_ours(name))

    Migrate(app, db, include_name=include_name)
    login_manager = site(app, db)
    with app.app_context():
        db.create_all()
        with db.engine.connect() as connection:
            tables = {"admit_sessions", "admit_endings"}
            assert tables <= set(db.inspect(connection).get_table_names())
            for options in ({}, {"include_name": include_name}):
                context = MigrationContext.configure(connection, opts=options)
                changes = [change for change in compare_metadata(context, db.metadata) if change[0] == "remove_table"]
                assert changes == []
        login_manager.sessions.gate.store.close()
        db.engine.dispose()
