"""Opening an application's store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from admit.errors import ConfigurationError
from admit.flask import LoginManager
from admit.flask.opening import open_for
from admit.stores import open_store, sql
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.testing import a_session


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Return an application with an instance folder that is yet to be made."""
    return Flask("site", instance_path=str(tmp_path / "instance"))


def test_memory_needs_nothing_in_front_of_it(app: Flask) -> None:
    """A store in memory, by URL or as an object, is used as it is."""
    store = MemoryStore()
    assert open_for(app, store).sessions is store
    assert isinstance(open_for(app, "memory:").sessions, MemoryStore)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_u11_a_database_in_memory_is_no_file(app: Flask, url: str) -> None:
    """A URL of SQLite in memory makes no file in the instance folder, and needs no near cache either."""
    store = open_for(app, url).sessions
    store.add_session(session := a_session())
    assert store.get_session(session.id) == session
    assert not any(Path(app.instance_path).glob("*"))
    store.close()  # type: ignore[attr-defined]


def test_u20_a_command_keeps_our_tables_out_of_migrations(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if Flask-Migrate is imported later; and where there is no Alembic, a command runs all the same."""
    asked: list[str] = []
    app.config["SECRET_KEY"] = "x" * 40
    monkeypatch.setattr(sql, "keep_from_migrations", lambda: asked.append("asked"))
    monkeypatch.delitem(sys.modules, "alembic", raising=False)
    LoginManager(app, store="sqlite://")
    assert asked == []
    with click.Context(click.Command("migrate")):
        LoginManager(Flask("other"), store="sqlite://")
        assert asked == ["asked"]

        def fail() -> None:
            raise ModuleNotFoundError

        monkeypatch.setattr(sql, "keep_from_migrations", fail)
        LoginManager(Flask("third"), store="sqlite://")


def test_a_relative_path_is_below_the_instance_folder(app: Flask) -> None:
    """SQLite's relative path means the same file as it does to Flask-SQLAlchemy; a near cache is in front."""
    store = open_for(app, "sqlite:///app.db").sessions
    try:
        assert isinstance(store, NearStore)
        store.add_session(a_session())
        assert (Path(app.instance_path) / "app.db").is_file()
    finally:
        store.close()


def test_an_absolute_path_and_no_near_cache(app: Flask, tmp_path: Path) -> None:
    """An absolute path is taken as it is, and the near cache can be switched off."""
    app.config["ADMIT_STORE_NEAR_ENTRIES"] = 0
    store = open_for(app, f"sqlite:///{tmp_path}/other.db").sessions
    try:
        assert not isinstance(store, NearStore)
        store.add_session(a_session())
        assert (tmp_path / "other.db").is_file()
    finally:
        store.close()


@pytest.mark.parametrize("kind", ["db", "engine"])
def test_what_the_application_has(app: Flask, kind: str) -> None:
    """Flask-SQLAlchemy's db, or an engine, is used: the tables are in the application's own database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///own.db"
    db: Any = SQLAlchemy(app)
    with app.app_context():
        source = db if kind == "db" else db.engine
        store = open_for(app, source).sessions
        try:
            session = a_session()
            store.add_session(session)
            assert db.session.execute(db.text("SELECT id FROM admit_sessions")).scalar() == session.id
        finally:
            store.close()
            db.session.remove()
            db.engine.dispose()


def test_redis(app: Flask, redis_url: str) -> None:
    """A Redis by its URL, with a near cache in front."""
    store = open_for(app, redis_url).sessions
    try:
        session = a_session()
        store.add_session(session)
        assert store.get_session(session.id) == session
        assert isinstance(store, NearStore)
    finally:
        store.close()


@pytest.mark.parametrize("url", ["mysql://user:secret@host/name", "nonsense", ""])
def test_an_unknown_url(url: str) -> None:
    """A URL that names no store is refused with the forms that there are, and without its password."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///app\.db") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
