"""A blog as tutorials write it: a factory, Flask-SQLAlchemy, Flask-Migrate, Flask-Bcrypt, and a test configuration."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, redirect, request
from flask_bcrypt import Bcrypt
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from admit.features.account import AccountPages
from admit.features.password import Password
from admit.features.registration import Registration
from admit.flask import (
    LoginManager,
    ModelAccounts,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

__all__ = ["TestConfig", "create_app", "opened"]


class TestConfig:
    """What tutorials write for their test suites."""

    TESTING = True
    SECRET_KEY = "0b7ae5c1f28d4e2f9a4c6b1d3e5f7a90"
    SQLALCHEMY_DATABASE_URI = "sqlite://"
    BCRYPT_LOG_ROUNDS = 4
    ADMIT_PUBLIC_URL = "https://blog.example"


def opened(step: int, config: Any) -> tuple[Flask, Any, Any]:
    """Return the application at a step, its ``db`` and its ``User``."""
    app = create_app(step, config)
    return app, app.extensions["sqlalchemy"], app.extensions["blog"]


def create_app(step: int, config: Any = TestConfig) -> Flask:
    """Return the application: with Flask-Login's logins (1), with a store (2) or with accounts (3)."""
    app = Flask("blog")
    app.config.from_object(config)
    db: Any = SQLAlchemy(app)
    bcrypt = Bcrypt(app)
    Migrate(app, db)

    class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True, nullable=False)
        email = db.Column(db.String(120), unique=True, nullable=False)
        password_hash = db.Column(db.String(128))
        posts = db.relationship("Post", backref="author", cascade="all, delete-orphan")

    class Post(db.Model):  # type: ignore[misc, name-defined]
        id = db.Column(db.Integer, primary_key=True)
        body = db.Column(db.String(140), nullable=False)
        user_id = db.Column(db.Integer, db.ForeignKey("user.id"), nullable=False)

    app.extensions["blog"] = User
    if step == 3:
        accounts = ModelAccounts(
            db.session, User, identifiers=["username", "email"], password="password_hash", verified=True
        )
        features = [AccountPages(), Password(), Registration(identifiers=("username", "email"))]
        login_manager = LoginManager(app, store=accounts, features=features, mail="console:")
    else:
        login_manager = LoginManager(app, store=db if step == 2 else None)
        login_manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))
    login_manager.login_view = "login"

    @app.get("/")
    def index() -> str:
        return "; ".join(f"{post.author.username}: {post.body}" for post in Post.query.order_by(Post.id))

    @app.post("/register")
    def register() -> Any:
        hashed = bcrypt.generate_password_hash(request.form["password"]).decode()
        user = User(username=request.form["username"], email=request.form["email"], password_hash=hashed)
        db.session.add(user)
        if app.config.get("BLOG_COMMITS_FIRST"):
            db.session.commit()
        db.session.flush()
        login_user(user)
        db.session.commit()
        return redirect("/")

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        if request.method == "GET":
            return "Please log in."
        user = User.query.filter_by(username=request.form["username"]).first()
        if user is None or not bcrypt.check_password_hash(user.password_hash, request.form["password"]):
            abort(403)
        login_user(user)
        return redirect("/")

    @app.get("/logout")
    def logout() -> Any:
        logout_user()
        return redirect("/")

    @app.post("/write")
    @login_required
    def write() -> Any:
        db.session.add(Post(body=request.form["body"], author=current_user))
        db.session.commit()
        return redirect("/")

    return app
