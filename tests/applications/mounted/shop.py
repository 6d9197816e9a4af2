"""An application that is served below /shop, for the tests beside it: gunicorn runs `create_app()`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from admit.features import everything
from admit.flask import LoginManager, fresh_login_required, login_required

if TYPE_CHECKING:
    from admit.mail import Message

HOST = "https://site.example"


def create_app(**config: Any) -> Flask:
    """Make the application; where a proxy says what the path is, ``SHOP_PREFIXED`` is set."""
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566",
        ADMIT_PUBLIC_URL=f"{HOST}/shop",
        ADMIT_API_DOCS=True,
        ADMIT_REGISTRATION_IDENTIFIERS=("email",),
    )
    app.config.update(config)
    if "SHOP_PREFIXED" in os.environ:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_prefix=1)  # type: ignore[method-assign]
    else:
        app.config["ADMIT_PROXIES"] = 1
    LoginManager(app, store="memory:", features=everything(), mail=_send)
    app.add_url_rule("/orders", "orders", login_required(lambda: "orders"))
    app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "paid"))
    return app


def _send(message: Message) -> None:
    with Path(os.environ["SHOP_MAILS"]).open("a") as file:
        file.write(json.dumps({"text": message.text, "html": message.html}) + "\n")
