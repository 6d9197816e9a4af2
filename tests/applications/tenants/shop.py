"""A shop for several tenants, as people write it: global extensions, and a factory for their applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column  # noqa: TC002 -- SQLAlchemy reads the annotations
from werkzeug.security import check_password_hash, generate_password_hash

from admit.features.account import AccountPages
from admit.features.activity import Activity
from admit.features.password import Password
from admit.flask import LoginManager, ModelAccounts, UserMixin, current_user, login_required, login_user, logout_user

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "the moon is made of green cheese"
HASH = generate_password_hash(PASSWORD, "scrypt:1024:8:1")


class Base(DeclarativeBase):
    """The models of the shop."""


db = SQLAlchemy(model_class=Base)


class User(UserMixin, db.Model):  # type: ignore[name-defined, misc]
    """A customer of one tenant."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    password: Mapped[str] = mapped_column(String(300))


accounts = ModelAccounts(db.session, User, identifiers=["email"], password="password", verified=True)

#: What this login manager has for each step, for all tenants.
MANAGERS: dict[int, LoginManager[User]] = {
    1: LoginManager(),
    2: LoginManager(store=db),
    3: LoginManager(store=accounts, features=[AccountPages(), Password(), Activity()], mail="console:"),
}


def create_app(folder: Path, step: int, **config: Any) -> Flask:
    """Return the application of a tenant, with one user, Ada."""
    app = Flask(__name__, instance_path=str(folder))
    app.config.update(
        TESTING=True,
        # The tenants are on one host, so that one browser has the cookies of both.
        SECRET_KEY="5b0c8a7e1f" * 6,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/shop.db",
        **config,
    )
    db.init_app(app)
    login_manager = MANAGERS[step]
    login_manager.init_app(app)
    if step < max(MANAGERS):
        login_manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))
    app.add_url_rule("/login", view_func=login, methods=["POST"])
    app.add_url_rule("/logout", view_func=logout, methods=["POST"])
    app.add_url_rule("/me", view_func=me)
    with app.app_context():
        db.create_all()
        if db.session.query(User).first() is None:
            db.session.add(User(email="ada@example.org", password=HASH))
            db.session.commit()
    return app


def login() -> tuple[dict[str, Any], int]:
    """Sign in."""
    form = request.get_json()
    user = db.session.query(User).filter_by(email=form["email"]).one_or_none()
    if user is None or not check_password_hash(user.password, form["password"]):
        return {"error": "Wrong email or password."}, 401
    login_user(user)
    return {"email": user.email}, 201


def logout() -> tuple[str, int]:
    """Sign out."""
    logout_user()
    return "", 204


@login_required
def me() -> dict[str, Any]:
    """Say who is asking."""
    return {"email": current_user.email}
