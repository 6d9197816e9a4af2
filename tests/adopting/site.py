"""The application that has adopted the users of another one: what gunicorn serves in the tests."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from sqlalchemy import Table, create_engine
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker

from admit.features.password import Password
from admit.flask import LoginManager, UserMixin, current_user, login_required
from admit.stores.sql_model import ModelAccounts

#: Of each program: its table, what of it are names, what says that an address is confirmed, and its secret.
ORIGINS: dict[str, dict[str, Any]] = {
    "tutorial": {"table": "user", "identifiers": ["username"], "password": "password"},
    "flask_security": {
        "table": "user",
        "identifiers": ["email"],
        "password": "password",
        "verified": "confirmed_at",
        "salt": "146585145368132386173505678016728509634",
    },
    "django": {"table": "auth_user", "identifiers": ["username", "email"], "password": "password"},
    "fastapi_users": {
        "table": "user",
        "identifiers": ["email"],
        "password": "hashed_password",
        "verified": "is_verified",
    },
}


def create_app() -> Flask:
    """Return the application, as three lines adopt the users."""
    origin = dict(ORIGINS[os.environ["ADOPT_ORIGIN"]])
    engine = create_engine(f"sqlite:///{os.environ['ADOPT_DB']}")
    session = scoped_session(sessionmaker(engine))

    class Base(DeclarativeBase):
        pass

    class User(UserMixin, Base):
        __table__ = Table(origin.pop("table"), Base.metadata, autoload_with=engine)

    app = Flask("new")
    app.config.update(SECRET_KEY=os.urandom(32).hex(), ADMIT_PUBLIC_URL="http://127.0.0.1")
    app.config["ADMIT_PASSWORD_FLASK_SECURITY_SALT"] = origin.pop("salt", None)
    LoginManager(app, store=ModelAccounts(session, User, **origin), features=[Password()])
    app.teardown_appcontext(lambda error: session.remove())
    app.add_url_rule("/", "home", lambda: "welcome")
    app.add_url_rule("/me", "me", login_required(lambda: str(current_user.id)))
    return app
