"""The application, its database, its API and its logins."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flask import Flask
from flask_restful import Api
from flask_sqlalchemy import SQLAlchemy

from admit.flask import LoginManager

app = Flask(__name__, instance_path=os.environ.get("RECIPE_INSTANCE"))


def kept_secret_key() -> str:
    """Return the secret key in the instance folder, made on the first run."""
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "secret_key"
    made = folder / f"secret_key.{secrets.token_hex(8)}"
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        # One of any number of processes that start at once wins, and all read what it has written.
        os.link(made, kept)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return kept.read_text()


app.config.update(
    SECRET_KEY=kept_secret_key(),
    SQLALCHEMY_DATABASE_URI=f"sqlite:///{app.instance_path}/recipe.db",
    SESSION_COOKIE_SAMESITE="Lax",
    REMEMBER_COOKIE_SAMESITE="Lax",
    MAX_CONTENT_LENGTH=16 * 1024,
    BUNDLE_ERRORS=True,
)

db = SQLAlchemy(app)
api = Api(app)

# With a store a login is a row that its owner can see and end; without one, a signed cookie.
login_manager = LoginManager(store=os.environ.get("RECIPE_STORE") or db)
login_manager.init_app(app)
