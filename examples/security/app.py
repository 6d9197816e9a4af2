"""An application on Flask-Security: users with roles in its tables, one page for everybody and one for some."""

import os
from typing import Any

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, roles_required
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["SECURITY_PASSWORD_SALT"] = os.environ["PASSWORD_SALT"]
app.config["SECURITY_EMAIL_VALIDATOR_ARGS"] = {"check_deliverability": False}  # ask no name server
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
db = SQLAlchemy(app)
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    """What somebody may do."""


class User(db.Model, fsqla_v3.FsUserMixin):
    """Somebody with a mail address and a password."""


with app.app_context():
    db.create_all()

app.security = Security(app, SQLAlchemyUserDatastore(db, User, Role))


@app.get("/me")
@auth_required()
def me() -> Any:
    """Tell who is logged in."""
    return {"id": current_user.id, "email": current_user.email}


@app.get("/admin")
@roles_required("admin")
def admin() -> Any:
    """Show what only some may see."""
    return {"admin": current_user.email}
