"""The application under the faults: accounts with passwords and devices, and challenges that many take at once.

Its clock can be told to differ from that of the machine, process by process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify
from werkzeug.middleware.proxy_fix import ProxyFix

from admit.errors import InvalidChallenge, StoreError
from admit.features.account import AccountPages
from admit.features.devices import Devices
from admit.features.password import Password
from admit.flask import LoginManager
from admit.flask.stored_login import store_trouble
from admit.settings import SessionSettings
from tests.deployment.site import HOST

if TYPE_CHECKING:
    from admit.mail import Message

__all__ = ["COST", "FOLDER", "STORES", "clock", "create_app", "set_clock"]

#: The names of what the environment says: the addresses of the stores, with a blank between two, and a folder.
STORES, FOLDER = "FAULTS_STORES", "FAULTS_FOLDER"
#: The least that a hash may cost: hashing is not what is looked at here.
COST = {"memory_kib": 7168, "time_cost": 5}
#: A grace that is longer than any fault lasts: what is slower than that may be refused.
SESSIONS = SessionSettings(
    rotate_every=timedelta(seconds=24), rotation_grace=timedelta(seconds=12), touch_every=timedelta(seconds=2)
)
_RACE = "race"


def clock() -> datetime:
    """Return the time as this process has it."""
    try:
        ahead = float(str(_clock_of(os.environ[FOLDER], os.getpid()).readlink()))
    except FileNotFoundError:
        ahead = 0.0
    return datetime.now(UTC) + timedelta(seconds=ahead)


def set_clock(folder: Path, pid: int, ahead: float) -> None:
    """Let the clock of a process be ahead by so many seconds, or right again."""
    link = _clock_of(str(folder), pid)
    link.unlink(missing_ok=True)
    if ahead:
        link.symlink_to(str(ahead))  # which is there at once and whole, as a file's content is not


def _clock_of(folder: str, pid: int) -> Path:
    return Path(folder) / f"clock-{pid}"


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)
    app.config.update(
        {
            "SECRET_KEY": "0123456789abcdef" * 4,
            "ADMIT_PUBLIC_URL": f"https://{HOST}",
            "ADMIT_THROTTLE_PAIR_BURST": 1000,
            "ADMIT_THROTTLE_ADDRESS_BURST": 1000,
            "ADMIT_THROTTLE_ACCOUNT_BURST": 1000,
        }
    )
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    stores = os.environ[STORES].split(" ")
    login_manager: LoginManager[Any] = LoginManager(
        app,
        store=stores if len(stores) > 1 else stores[0],
        features=[AccountPages(), Devices(), Password(**COST, logins_at_once=64)],
        mail=_thrown_away,
        settings=SESSIONS,
        clock=clock,
    )
    _add_challenges(app, login_manager)
    # Whoever forks after loading the application has connections and a listener by then, as many applications do.
    with suppress(StoreError):
        login_manager.sessions.gate.store.count_sessions("nobody")
    return app


def _thrown_away(message: Message) -> None:
    """Send no mail: nobody reads any here."""


def _add_challenges(app: Flask, login_manager: LoginManager[Any]) -> None:
    """Let anybody make a challenge, and take one: what links of mails rest on."""

    @app.post("/challenges")
    def issue() -> Any:
        with store_trouble():
            gate = login_manager.sessions.gate
            return jsonify(token=gate.challenges.issue(_RACE, "anybody", timedelta(minutes=5)))

    @app.post("/challenges/<token>")
    def take(token: str) -> Any:
        try:
            with store_trouble():
                login_manager.sessions.gate.take(_RACE, token)
        except InvalidChallenge:
            return jsonify(code="used"), 410
        return jsonify(code="taken")


if __name__ == "__main__":
    from waitress import serve

    serve(create_app(), host="127.0.0.1", port=int(os.environ["PORT"]), threads=8, ident=None)
