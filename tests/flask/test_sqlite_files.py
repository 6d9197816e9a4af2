"""The file that a relative URL of SQLite means, in an application and on the command line."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from flask import Flask

from admit.flask import LoginManager
from admit.flask.sqlite_files import chosen, located
from admit.flask.state import state_of
from admit.server.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to the folder of an application."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_flask(folder: Path, url: str) -> str:
    """Begin a session in an application in this folder, and return its id."""
    app = Flask("app", root_path=str(folder), instance_path=str(folder / "instance"))
    app.testing = True
    manager: Any = LoginManager(app, store=url)
    session: str = manager.sessions.gate.admit("ada", "password").session.id
    stores: Any = state_of(app).stores
    stores.close()
    return session


def on_the_command_line(*words: str) -> str:
    """Return what `admit` prints."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("url", ["sqlite:///app.db", "sqlite+pysqlite:///app.db", "sqlite:///file:app.db?uri=true"])
@pytest.mark.parametrize("first", ["command", "application"])
def test_n05_one_file_for_flask_and_the_command_line(folder: Path, url: str, first: str) -> None:
    """What the application keeps is what the command finds by the same URL, whichever came first."""
    if first == "command":
        on_the_command_line("--db", url, "db", "upgrade")
    session = in_flask(folder, url)
    assert session in on_the_command_line("--db", url, "sessions", "list", "ada")
    assert on_the_command_line("--db", url, "sessions", "revoke", "--user", "ada") == "Ended 1 session.\n"
    assert len(list(folder.rglob("app.db"))) == 1


def test_n05_the_file_of_the_applications_own_tables(folder: Path) -> None:
    """A file that has other tables is the application's: Admit's go where Flask-SQLAlchemy has put it."""
    (folder / "app.db").write_bytes(b"")  # as an older Flask-SQLAlchemy left it
    other = sqlite3.connect(folder / "app.db")
    other.execute("CREATE TABLE notes (id INTEGER)")
    other.close()
    session = in_flask(folder, "sqlite:///app.db")
    assert (folder / "instance/app.db").is_file()
    assert session in on_the_command_line("--db", "sqlite:///app.db", "sessions", "list", "ada")


def test_n05_a_file_that_cant_be_read_now(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is locked is taken for one with Admit's tables, and a file that is no database is not."""
    (folder / "instance").mkdir()
    (folder / "app.db").write_text("no database, but long enough to be looked at as one" * 100)
    assert located(folder / "instance", "sqlite:///app.db") == f"sqlite:///{folder}/instance/app.db"
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: connect("file:nowhere?mode=ro", uri=True))
    assert located(folder / "instance", "sqlite:///app.db") == f"sqlite:///{folder}/app.db"


def test_n05_sessions_of_their_own_are_in_one_file_too(folder: Path) -> None:
    """The second URL of a pair means the same file as well."""
    session = in_flask(folder, "sqlite:///sessions.db")
    (folder / "admit.toml").write_text('sessions = "sqlite:///sessions.db"\n')
    assert session in on_the_command_line("--config", "admit.toml", "sessions", "list", "ada")


def test_n05_a_file_that_was_there_before_is_used(folder: Path) -> None:
    """A database in the folder itself goes on to be used, with the secret beside it."""
    on_the_command_line("db", "upgrade")
    assert (folder / "admit.db").is_file()
    for words in (["--db", "sqlite:///admit.db", "db", "upgrade"], ["db", "upgrade"]):
        on_the_command_line(*words)
    assert sorted(path.name for path in folder.iterdir()) == ["admit.db", "admit.db.secret"]


def test_n05_an_application_may_have_the_default(folder: Path) -> None:
    """Where only an application has a database of the default's name, that one is meant."""
    session = in_flask(folder, "sqlite:///admit.db")
    assert session in on_the_command_line("sessions", "list", "ada")


def test_n05_two_files_are_refused(folder: Path) -> None:
    """Where there are two, the command names both and does nothing; a full path says which one is meant."""
    in_flask(folder, "sqlite:///admit.db")
    shutil.copy(folder / "instance/admit.db", folder)
    for words in (["--db", "sqlite:///admit.db"], []):
        result = CliRunner().invoke(main, [*words, "sessions", "list", "ada"])
        assert result.exit_code == 1
        assert str(folder / "admit.db") in result.output
        assert str(folder / "instance/admit.db") in result.output
    on_the_command_line("--db", f"sqlite:///{folder}/instance/admit.db", "sessions", "list", "ada")
    in_flask(folder, "sqlite:///admit.db")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:////srv/app.db",
        "sqlite:///file:/srv/app.db?uri=true",
        "postgresql://host/app.db",
        "redis://host",
        "memory:",
    ],
)
def test_n05_other_urls_are_as_they_were(folder: Path, url: str) -> None:
    """What is no relative path of SQLite is left alone, and no folder is made for it."""
    assert located(folder / "instance", url) == chosen(folder, url) == url
    assert list(folder.iterdir()) == []


def test_n05_what_follows_the_path_stays(folder: Path) -> None:
    """The options behind the path go along."""
    url = "sqlite:///a/b.db?timeout=5"
    assert located(folder / "instance", url) == f"sqlite:///{folder}/instance/a/b.db?timeout=5"
    assert chosen(folder, url) == f"sqlite:///{folder}/a/b.db?timeout=5"
    (folder / "instance/a").mkdir()
    (folder / "instance/a/b.db").touch()
    assert chosen(folder, url) == f"sqlite:///{folder}/instance/a/b.db?timeout=5"
