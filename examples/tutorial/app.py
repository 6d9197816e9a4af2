"""The application of many tutorials, on Flask-Login: users in a table, and a JSON API to sign up, in and out."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
db = SQLAlchemy(app)


class User(UserMixin, db.Model):
    """Somebody with a name and a password."""

    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True, nullable=False)
    password = db.Column(db.String(255), nullable=False)


with app.app_context():
    db.create_all()

login_manager = LoginManager(app)


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Find the user of a session."""
    return db.session.get(User, int(user_id))


@app.post("/signup")
def signup() -> Any:
    """Make a user."""
    sent = request.get_json()
    user = User(username=sent["username"], password=generate_password_hash(sent["password"]))
    db.session.add(user)
    db.session.commit()
    return {"id": user.id, "username": user.username}, 201


@app.post("/login")
def login() -> Any:
    """Log in."""
    sent = request.get_json()
    user = db.session.execute(db.select(User).filter_by(username=sent["username"])).scalar()
    if user is None or not check_password_hash(user.password, sent["password"]):
        return {"error": "Invalid username or password"}, 401
    login_user(user, remember=sent.get("remember", False))
    return {"id": user.id, "username": user.username}, 201


@app.post("/logout")
@login_required
def logout() -> Any:
    """Log out."""
    logout_user()
    return {}


@app.get("/me")
@login_required
def me() -> Any:
    """Tell a page that was loaded again who is logged in."""
    return {"id": current_user.id, "username": current_user.username}
