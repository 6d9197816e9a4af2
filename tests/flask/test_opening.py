"""Opening an application's store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from admit.errors import ConfigurationError
from admit.flask.opening import open_for
from admit.stores import open_store
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
