"""An application that says who is asking: what servers serve in the tests of forks and of slow requests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask, request

from admit import tokens
from admit.flask import LoginManager, UserMixin, current_user, login_required, login_user
from admit.settings import SessionSettings


class Person(UserMixin):
    """Somebody, known by a number."""

    def __init__(self, number: str) -> None:
        self.id = number


def now() -> datetime:
    """Return the time, and as many seconds more as a file says."""
    ahead = Path(os.environ["AHEAD"]).read_text() if "AHEAD" in os.environ else "0"
    return datetime.now(UTC) + timedelta(seconds=int(ahead))


app = Flask(__name__)
# As long as a test lasts, an entry of the cache is only dropped because somebody told of its end.
app.config |= {"SECRET_KEY": "k" * 32, "ADMIT_STORE_NEAR_MAX_AGE": timedelta(hours=1)}
app.config |= {"ADMIT_STORE_CONNECT_TIMEOUT": timedelta(seconds=30)}
app.config |= {"ADMIT_STORE_COMMAND_TIMEOUT": timedelta(seconds=30)}
manager = LoginManager[Person](
    app, store=os.environ["STORE"], settings=SessionSettings(touch_every=timedelta(days=1)), clock=now
)
manager.user_loader(Person)


@app.post("/login/<number>")
def login(number: str) -> str:
    """Log somebody in."""
    login_user(Person(number))
    return str(os.getpid())


@app.get("/me")
@login_required
def me() -> str:
    """Say who is asking, and which process answers."""
    return f"{current_user.id} {os.getpid()}"


@app.post("/revoke/<number>")
def revoke(number: str) -> str:
    """End all of somebody's sessions."""
    return f"{manager.sessions.revoke_all(number)} {os.getpid()}"


@app.post("/upload")
def upload() -> str:
    """Read all that is sent, and only then ask who has sent it."""
    Path(os.environ["BEGUN"]).touch()
    size = len(request.get_data())
    return f"{current_user.id if current_user.is_authenticated else '-'} {size}"


match os.environ.get("ASK_FIRST"):
    case "store":
        manager.sessions.gate.store.get_session(tokens.new_id())
    case "request":
        client = app.test_client()
        client.post("/login/0")
        client.get("/me")
