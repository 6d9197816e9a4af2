"""An application with Flask-Security: make its database, and sign in to it as it does itself."""

import json
import sys

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, hash_password
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

SCHEMES = ("argon2", "bcrypt", "pbkdf2_sha512")


def create_app(database: str) -> Flask:
    """Return the application."""
    app = Flask("old")
    app.config.update(
        SECRET_KEY="x" * 40,
        SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{database}",
        SECURITY_PASSWORD_SCHEMES=list(SCHEMES),
        SECURITY_PASSWORD_HASH="argon2",
        WTF_CSRF_ENABLED=False,
    )
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin):
        pass

    class User(db.Model, fsqla_v3.FsUserMixin):
        pass

    app.security = Security(app, SQLAlchemyUserDatastore(db, User, Role))
    with app.app_context():
        db.create_all()
    return app


def make(app: Flask, users: list[list[str]]) -> None:
    """Make users, each third by another scheme, as sites have them that have changed it."""
    users_of = app.security.datastore
    with app.app_context():
        for number, (name, password) in enumerate(users):
            app.config["SECURITY_PASSWORD_HASH"] = SCHEMES[number % len(SCHEMES)]
            app.security.pwd_context.update(default=SCHEMES[number % len(SCHEMES)])
            normalized = app.security.password_util.normalize(password)
            users_of.create_user(email=f"{name.lower()}@example.org", password=hash_password(normalized))
        users_of.commit()


def sign_in(app: Flask, name: str, password: str) -> bool:
    """Sign in by the application's own endpoint."""
    answer = app.test_client().post("/login", json={"email": f"{name.lower()}@example.org", "password": password})
    return answer.status_code == 200


def main() -> None:
    """Do what the command line asks for with the users on standard input."""
    app, users = create_app(sys.argv[1]), json.load(sys.stdin)
    if sys.argv[2] == "make":
        make(app, users)
    else:
        sys.stdout.write(json.dumps([sign_in(app, *user) for user in users]))


if __name__ == "__main__":
    main()
