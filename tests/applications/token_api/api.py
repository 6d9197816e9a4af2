"""An API for programs: tokens in a header by ``request_loader``, and browsers whose users have alternative ids."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

from admit.flask import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

if TYPE_CHECKING:
    from flask import Request
    from flask.typing import ResponseReturnValue

__all__ = ["PASSWORD", "Api"]

PASSWORD = "a password of long ago"


class Api:
    """The application, at step 1 (cookies) or 2 (a store), in debug mode or not."""

    def __init__(self, step: int, *, debug: bool = False) -> None:
        self.app = app = Flask("api")
        app.debug = debug
        app.config.update(SECRET_KEY="0b7ae5c1f28d4e2f9a4c6b1d3e5f7a90", SQLALCHEMY_DATABASE_URI="sqlite://")
        self.db = db = SQLAlchemy(app)

        class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80), unique=True, nullable=False)
            password = db.Column(db.String(200), nullable=False)
            alternative_id = db.Column(db.String(32), unique=True, nullable=False, default=secrets.token_hex)
            api_key = db.Column(db.String(64), unique=True, default=secrets.token_hex)

            def get_id(self) -> str:
                """Return the alternative id, which a new password replaces."""
                return str(self.alternative_id)

        self.user = User
        login_manager = self.login_manager = LoginManager(app, store=db if step == 2 else None)

        @login_manager.user_loader
        def load(alternative_id: str) -> Any:
            return User.query.filter_by(alternative_id=alternative_id).first()

        @login_manager.request_loader
        def load_by_key(request: Request) -> Any:
            key = request.headers.get("X-Api-Key")
            return User.query.filter_by(api_key=key).first() if key else None

        @app.post("/login")
        def login() -> ResponseReturnValue:
            user = User.query.filter_by(name=request.form["name"]).first()
            if user is None or not check_password_hash(user.password, request.form["password"]):
                return jsonify(error="wrong"), 403
            login_user(user)
            return jsonify(name=user.name)

        @app.post("/logout")
        def logout() -> ResponseReturnValue:
            logout_user()
            return "", 204

        @app.post("/password")
        @login_required
        def change() -> ResponseReturnValue:
            current_user.password = generate_password_hash(request.form["password"], "scrypt:1024:8:1")
            current_user.alternative_id = secrets.token_hex()
            db.session.commit()
            return "", 204

        @app.get("/me")
        @login_required
        def me() -> ResponseReturnValue:
            return jsonify(name=current_user.name)

    def add(self, name: str) -> str:
        """Add a user, and return their API key."""
        hashed = generate_password_hash(PASSWORD, "scrypt:1024:8:1")
        self.db.session.add(user := self.user(name=name, password=hashed))
        self.db.session.commit()
        return str(user.api_key)
