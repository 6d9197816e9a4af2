"""The way from Flask-Login, walked to its end and back by a real application of Flask-Login's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docs.guides import Guide
from tests.serving import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.docs

TUTORIAL = ROOT / "examples/tutorial/app.py"
OLD, NEW = "a password of long ago", "the moon is made of green cheese"
USERS = ("ada", "Grace", "Zoë")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Guide, httpx.Cookies]:
    """Let the tutorial make its database, on the real Flask-Login, and log one of its users in."""
    assert "from flask_login import" in TUTORIAL.read_text()
    guide = Guide("coming-from-flask-login.md", TUTORIAL, tmp_path_factory.mktemp("tutorial"))
    with guide.served() as site, httpx.Client(timeout=30) as ada:
        for name in USERS:
            assert httpx.post(f"{site}/signup", json={"username": name, "password": OLD}).status_code == 201
        assert log_in(ada, site, "ada", "wrong") == 401
        assert log_in(ada, site, "ada", remember=True) == 201
        return guide, ada.cookies


@pytest.fixture
def guide(filled: tuple[Guide, httpx.Cookies], tmp_path: Path) -> Guide:
    """Return the guide, and the application with its database in a folder of the reader's."""
    return filled[0].copied(tmp_path / "app")


@pytest.fixture
def browser(filled: tuple[Guide, httpx.Cookies]) -> Iterator[httpx.Client]:
    """Return the browser of ada, who has logged in before the first step."""
    with httpx.Client(timeout=30, cookies=filled[1]) as client:
        yield client


@pytest.fixture
def joan() -> Iterator[httpx.Client]:
    """Return the browser of somebody who comes later."""
    with httpx.Client(timeout=30) as client:
        yield client


def log_in(client: httpx.Client, site: str, username: str, password: str = OLD, *, remember: bool = False) -> int:
    """Log in by the tutorial's own view."""
    body = {"username": username, "password": password, "remember": remember}
    return client.post(f"{site}/login", json=body).status_code


def sign_in(client: httpx.Client, site: str, username: str, password: str = OLD) -> int:
    """Sign in by Admit."""
    body = {"identifier": username, "password": password}
    return client.post(f"{site}/api/account/sign-in", json=body).status_code


def rows(guide: Guide, statement: str) -> list[tuple[str, ...]]:
    """Ask the database."""
    with closing(sqlite3.connect(guide.folder / "instance/app.db")) as connection:
        return connection.execute(statement).fetchall()


def test_the_first_two_steps(guide: Guide, browser: httpx.Client) -> None:
    """One line runs the application, everybody logged in; a second one makes each login a row that can be ended."""
    assert guide.change("Step 1: one import") == 1
    with guide.served() as site:
        assert browser.get(f"{site}/me").json() == {"id": 1, "username": "ada"}
        assert browser.post(f"{site}/login", json={"username": "ada", "password": "wrong"}).status_code == 401
    assert guide.change("Step 2: logins that can be ended") == 1
    with guide.served() as site:
        # The remember cookie is exchanged, once.
        assert browser.get(f"{site}/me").json()["username"] == "ada"
        assert browser.get(f"{site}/me").status_code == 200
        assert "remember_token" not in browser.cookies
        said = guide.type("Step 2: logins that can be ended")
        assert "The tables are up to date." in said
        assert "127.0.0.1" in said
        assert "Ended 1 session." in said
        assert browser.get(f"{site}/me").status_code == 401


def test_three_lines_adopt_the_users(guide: Guide, browser: httpx.Client, joan: httpx.Client) -> None:
    """The database that Flask-Login's tutorial has filled is adopted by three lines, and the way back is open."""
    before = rows(guide, "SELECT id, username, password FROM user")
    assert guide.change("Step 3: accounts, by three lines") == 3
    with guide.served() as site:
        assert "The tables are up to date." in guide.type("Step 3: accounts, by three lines")
        assert browser.get(f"{site}/me").json()["username"] == "ada"
        for name in USERS:
            with httpx.Client(timeout=30) as client:
                assert sign_in(client, site, name, "wrong") == 401
                assert sign_in(client, site, name.upper()) == 200
                assert client.get(f"{site}/me").json()["username"] == name
        # The tutorial's own views go on.
        assert joan.post(f"{site}/signup", json={"username": "joan", "password": OLD}).status_code == 201
        assert log_in(joan, site, "joan") == 201
        assert joan.post(f"{site}/logout").status_code == 200
        assert sign_in(joan, site, "joan") == 200
        change = {"old_password": OLD, "password": NEW}
        assert joan.post(f"{site}/api/account/password", json=change).status_code == 200
    moved = rows(guide, "SELECT secret FROM admit_credentials WHERE kind = 'password'")
    assert len(moved) == len(USERS) + 1
    assert all(secret.startswith("$argon2id$") for (secret,) in moved)
    assert rows(guide, "SELECT id, username, password FROM user")[: len(USERS)] == before

    guide.change("Step 3: accounts, by three lines", back=True)
    assert guide.app.read_text() == TUTORIAL.read_text()
    with guide.served() as site, httpx.Client(timeout=30) as client:
        assert [log_in(client, site, name) for name in USERS] == [201] * len(USERS)
        assert [log_in(client, site, "joan", one) for one in (OLD, NEW)] == [401, 201]
        # Sessions of Admit's are none of Flask-Login's; those that Flask-Login has made count again.
        assert joan.get(f"{site}/me").status_code == 401
        assert browser.get(f"{site}/me").json()["username"] == "ada"
