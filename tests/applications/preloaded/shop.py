"""A shop with accounts, which also logs people in by a view of its own."""

from __future__ import annotations

import os

from flask import Flask

from admit.features import everything
from admit.flask import LoginManager, current_user, login_required

app = Flask(__name__)
app.config.update(
    SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566",
    ADMIT_PUBLIC_URL="http://127.0.0.1",
    ADMIT_MAIL_URL=os.environ["MAIL"],
    ADMIT_MAIL_SENDER="shop@example.org",
)
LoginManager(app, store=os.environ["STORE"], features=everything())


@app.get("/ping")
def ping() -> str:
    """Answer at once."""
    return "pong"


@app.get("/me")
@login_required
def me() -> str:
    """Return who is asking."""
    email: str = current_user.email
    return email
