"""What the tests of generated clients share: the API as it is described, on a real server with the mails it sent."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from admit.features import everything
from admit.flask import LoginManager
from admit.flask.openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.mail import Message

#: The features that the clients drive.
DRIVEN = {"account", "devices", "mail_verification", "password", "password_reset", "registration"}


class Silent(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- werkzeug's name
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Flask:
    """Return the application with every feature, in memory, where `/token` gives the token of the last mail."""
    removed = DRIVEN - {one.name for one in everything()}
    if removed:
        pytest.skip(f"without {', '.join(sorted(removed))} there is nothing to drive")
    mails: list[Message] = []
    app = Flask("site")
    app.config.update(TESTING=True, ADMIT_PUBLIC_URL="https://app.example")
    LoginManager(app, store="memory:", features=everything(), mail=mails.append)

    @app.get("/token")
    def token() -> str:
        found = re.search(r"https://app\.example/\S*/([\w.-]{20,})", mails[-1].text)
        return found[1] if found else ""

    return app


@pytest.fixture(scope="session")
def server(site: Flask) -> Iterator[str]:
    """Serve it, and return its address."""
    served = make_server("127.0.0.1", 0, site, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.port}"
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture(scope="session")
def document(site: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the description of the API."""
    file = tmp_path_factory.mktemp("described") / "openapi.json"
    file.write_text(json.dumps(describe(site.login_manager.keeper.accounts)))
    return file
