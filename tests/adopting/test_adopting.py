"""Databases of other programs, made by these themselves, are adopted: everybody signs in, and one can go back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import Integer, String
from werkzeug.security import check_password_hash, generate_password_hash

from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx import Response

pytestmark = pytest.mark.adopting

PROGRAMS = ROOT / "tests/adopting/programs"
NEW = "the moon is made of green cheese"
ORIGINS = ("tutorial", "flask_security", "django", "fastapi_users")


class User(NamedTuple):
    """Somebody, as the old program knows them."""

    name: str
    password: str


#: Short and long, of other scripts, composed and not, and one that bcrypt takes 72 bytes of where it may.
PASSWORDS = (
    "correct horse battery staple",
    "pässwörd ﬁne and long",
    "cafe\u0301 au lait s'il vous plaît",
    "короткий пароль",
    "x1Y2z3!",
    "  blanks around  ",
    "a" * 71,
    "emoji 🐎🔋 staple",
    'quotes " and \\ and %s',
)
USERS = [User(f"User{number}", password) for number, password in enumerate(PASSWORDS)]


class Old:
    """The old program over one database."""

    def __init__(self, origin: str, database: Path, python: str) -> None:
        self.origin, self.database, self.python = origin, database, python

    def _run(self, verb: str, users: list[User]) -> str:
        program = PROGRAMS / f"with_{self.origin}.py"
        command = [self.python, str(program), str(self.database), verb]
        ran = subprocess.run(command, input=json.dumps(users), capture_output=True, text=True, check=False)  # noqa: S603
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def make(self, users: list[User]) -> None:
        """Make the database, and these users in it."""
        self._run("make", users)

    def takes(self, users: list[User]) -> list[bool]:
        """Sign each of them in as the old program does."""
        found: list[bool] = json.loads(self._run("check", users))
        return found

    def identifier(self, user: User) -> str:
        """Return what the user types to sign in."""
        return user.name if self.origin in {"tutorial", "django"} else f"{user.name}@example.org"


class Tutorial(Old):
    """The tutorial's application, which lives beside ours: Flask-SQLAlchemy, and Werkzeug's two functions."""

    def make(self, users: list[User]) -> None:
        """Sign everybody up."""
        app = Flask("tutorial")
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{self.database}"
        db = SQLAlchemy(app)
        columns = {
            "id": mapped_column(Integer, primary_key=True),
            "username": mapped_column(String(80), unique=True, nullable=False),
            "password": mapped_column(String(255), nullable=False),
        }
        model = type("User", (db.Model,), columns)
        with app.app_context():
            db.create_all()
            for number, (name, password) in enumerate(users):
                method = "pbkdf2" if number == 0 else "scrypt"
                db.session.add(model(username=name, password=generate_password_hash(password, method)))
            db.session.commit()
            db.engine.dispose()

    def takes(self, users: list[User]) -> list[bool]:
        """Sign everybody in as its view does."""
        connection = sqlite3.connect(self.database)
        hashes = dict(connection.execute("SELECT username, password FROM user").fetchall())
        connection.close()
        return [check_password_hash(hashes[name], password) for name, password in users]


@pytest.fixture(params=ORIGINS, scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Old:
    """Return each of the old programs, with a database of users that it has made."""
    database = tmp_path_factory.mktemp(request.param) / "old.db"
    if request.param == "tutorial":
        old: Old = Tutorial("tutorial", database, sys.executable)
    else:
        old = Old(request.param, database, request.getfixturevalue("old_python"))
    old.make(USERS)
    return old


@pytest.fixture
def old(made: Old, tmp_path: Path) -> Old:
    """Return the old program with a copy of that database, which takes less than making another one."""
    return type(made)(made.origin, shutil.copy(made.database, tmp_path), made.python)


@contextmanager
def adopted(old: Old) -> Iterator[str]:
    """Serve the application that has adopted the users, by two processes of gunicorn, and yield its address."""
    environment = os.environ | {"ADOPT_ORIGIN": old.origin, "ADOPT_DB": str(old.database)}
    port = free_port()
    # The tables beside are made by whoever is first.
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    options = ["--preload", "--workers", "2", "--worker-class", "gthread", "--threads", "8"]
    with running([*command, *options, "tests.adopting.site:create_app()"], port, environment):
        yield f"http://127.0.0.1:{port}"


def sign_in(url: str, identifier: str, password: str) -> Response:
    """Sign in by the API."""
    body = {"identifier": identifier, "password": password}
    return httpx.post(f"{url}/api/account/sign-in", json=body, timeout=30)


def go_around(url: str, identifier: str, password: str) -> list[int]:
    """Sign in, and look at one's own page."""
    answer = sign_in(url, identifier, password)
    page = httpx.get(f"{url}/me", cookies=dict(answer.cookies), timeout=30)
    return [answer.status_code, page.status_code]


def test_everybody_signs_in_and_one_can_go_back(old: Old) -> None:
    """All sign in at the first try, and the old program goes on after it."""
    with adopted(old) as url:
        logins = [go_around(url, old.identifier(user), user.password) for user in USERS]
        assert logins == [[200, 200]] * len(USERS)
        for name in (old.identifier(USERS[0]), "nobody", "locked out"):
            assert sign_in(url, name, "wrong").status_code == 401
    kept = sqlite3.connect(old.database)
    moved = [secret for (secret,) in kept.execute("SELECT secret FROM admit_credentials WHERE kind = 'password'")]
    kept.close()
    assert len(moved) == len(USERS)
    assert all(secret.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for secret in moved)
    assert old.takes(USERS) == [True] * len(USERS)


def test_a_password_that_was_changed_here_counts_there(old: Old) -> None:
    """A change is in the form that the old program reads, which takes the new one alone; and the way back is open."""
    ada, *others = USERS[:4]
    with adopted(old) as url:
        cookies = dict(sign_in(url, old.identifier(ada), ada.password).cookies)
        form = {"old_password": ada.password, "password": NEW}
        assert httpx.post(f"{url}/api/account/password", json=form, cookies=cookies, timeout=30).status_code == 200
    assert old.takes([User(ada.name, NEW), ada, *others]) == [True, False, *[True] * len(others)]
    # Having signed in there, some have another hash: the old program moves them to its own newest form.
    with adopted(old) as url:
        assert sign_in(url, old.identifier(ada), ada.password).status_code == 401
        for user in (User(ada.name, NEW), *others[:2]):
            assert sign_in(url, old.identifier(user), user.password).status_code == 200
