"""An application with a table of its own making: odd names, hashes as bytes, no column of confirmed addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bcrypt
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from admit.features.account import AccountPages
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts, UserMixin, current_user, login_required

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

__all__ = ["NEW", "OLD", "SITE", "Members", "asked_for", "sign_in"]

OLD, NEW = "a password of long ago", "the moon is made of green cheese"
SITE = "https://members.example"


class Members:
    """The application, with a column of bytes or of text that holds bytes."""

    def __init__(self, folder: Path, column: str = "bytes", **more: Any) -> None:
        self.app = app = Flask("members")
        app.config.update(SECRET_KEY="0b7ae5c1f28d4e2f9a4c6b1d3e5f7a90", ADMIT_PUBLIC_URL=SITE)
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder}/members.db"
        self.db = db = SQLAlchemy(app)
        self.mails: list[Any] = []

        kinds = {"bytes": db.LargeBinary(128), "bytes in text": db.String(128), "text": db.String(128)}
        columns = {
            "__tablename__": "tblMitglied",
            "nr": db.Column("MitgliedNr", db.Integer, primary_key=True),
            "login": db.Column("LoginName", db.String(80), unique=True, nullable=False),
            "post": db.Column("E_Mail", db.String(120), unique=True),
            "secret": db.Column("PwHash", kinds[column]),
            "id": property(lambda self: self.nr),
            **more,
        }
        self.member: Any = type("Mitglied", (UserMixin, db.Model), columns)
        self.column = column

    def start(self, *features: Any, **options: Any) -> FlaskClient:
        """Adopt the users, and return a browser."""
        with self.app.app_context():
            self.db.create_all()
        names = {"identifiers": {"login": "username", "post": "email"}, "password": "secret"}
        self.accounts = ModelAccounts(self.db.session, self.member, **(names | options))
        listed = [AccountPages(), Password(), *features]
        self.manager = LoginManager(self.app, store=self.accounts, features=listed, mail=self.mails.append)
        self.app.add_url_rule("/me", "me", login_required(lambda: str(current_user.login)))
        return self.app.test_client()

    def close(self) -> None:
        """Let go of the database."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()

    def add(self, login: str, stored: Any = None, **values: Any) -> int:
        """Add somebody as the old code does."""
        hashed = bcrypt.hashpw(OLD.encode(), bcrypt.gensalt(4)) if stored is None else stored
        with self.app.app_context():
            kept = hashed.decode() if self.column == "text" and isinstance(hashed, bytes) else hashed
            post = values.pop("post", f"{login}@example.org")
            self.db.create_all()
            self.db.session.add(row := self.member(login=login, post=post, secret=kept, **values))
            self.db.session.commit()
            return int(row.nr)

    def old_code_takes(self, login: str, password: str) -> bool:
        """Log in as the old code does, which fails for text where it expects bytes."""
        with self.app.app_context():
            held = self.db.session.query(self.member).filter_by(login=login).one().secret
            return bool(bcrypt.checkpw(password.encode(), held.encode() if self.column == "text" else held))


def sign_in(client: FlaskClient, name: str, password: str = OLD) -> int:
    """Sign in over the API."""
    body = {"identifier": name, "password": password}
    return client.post("/api/account/sign-in", json=body, base_url=SITE).status_code


def asked_for(client: FlaskClient, path: str, **form: str) -> Any:
    """Post a form to the API."""
    return client.post(f"/api/account/{path}", json=form, base_url=SITE)
