"""An application with accounts that is not ready for production: nobody has said where it is served."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from admit.features.password import Password
from admit.features.password_reset import PasswordReset
from admit.flask import LoginManager

app = Flask(__name__)
app.config.update(SECRET_KEY="dev", SQLALCHEMY_DATABASE_URI="sqlite:///app.db")
db = SQLAlchemy(app)
Migrate(app, db)
LoginManager(app, store=db, features=[Password(), PasswordReset()])


@app.get("/")
def home() -> str:
    """Return a page."""
    return "home"
