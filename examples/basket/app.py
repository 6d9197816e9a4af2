"""A shop on Flask-Login and Flask-Session: login and basket are in one dictionary on the server."""

from __future__ import annotations

import os
from typing import Any

from cachelib import FileSystemCache
from flask import Flask, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_session import Session
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["SESSION_TYPE"] = "cachelib"
app.config["SESSION_CACHELIB"] = FileSystemCache(f"{app.root_path}/baskets")
Session(app)
login_manager = LoginManager(app)


class User(UserMixin):
    """Somebody with a name and a password."""

    def __init__(self, name: str, password: str) -> None:
        self.id = name
        self.password = generate_password_hash(password)


USERS = {"ada": User("ada", "correct horse battery staple")}
NOBODY = User("", "nobody's password")


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Find the user of a session."""
    return USERS.get(user_id)


@app.post("/login")
def login() -> Any:
    """Log in."""
    sent = request.get_json()
    user = USERS.get(sent["username"], NOBODY)
    if not check_password_hash(user.password, sent["password"]):
        return {"error": "Invalid username or password"}, 401
    login_user(user, remember=sent.get("remember", False))
    return {"id": user.id}, 201


@app.post("/logout")
def logout() -> Any:
    """Log out; the basket stays."""
    logout_user()
    return {}


@app.post("/basket/<thing>")
def put(thing: str) -> Any:
    """Put something into the basket."""
    session["basket"] = [*session.get("basket", []), thing]
    return show()


@app.get("/basket")
def show() -> Any:
    """Show the basket, and whose it is."""
    return {"user": current_user.get_id(), "basket": session.get("basket", [])}
