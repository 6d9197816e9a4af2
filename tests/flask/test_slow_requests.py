"""A request is judged by when it began: whoever uploads slowly is nobody's thief."""

from __future__ import annotations

import os
import sys
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.serving import free_port, running

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
PATIENCE = 30.0
SERVERS = {
    "waitress": ["waitress", "--threads=4", "--listen=127.0.0.1:{port}"],
    "gunicorn": ["gunicorn", "--worker-class=gthread", "--threads=4", "--bind=127.0.0.1:{port}"],
}


class Browser:
    """What a browser sends, with one cookie."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookie = ""

    def ask(self, method: str, path: str) -> tuple[int, str]:
        """Send a request, keep the cookie that is set, and return the status and the text."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.request(method, path, headers={"Cookie": self.cookie} if self.cookie else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        self.cookie = (answer.getheader("Set-Cookie") or self.cookie).partition(";")[0]
        connection.close()
        return answer.status, text

    def begin_upload(self, size: int) -> HTTPConnection:
        """Send the first half of a body."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        connection.putrequest("POST", "/upload")
        connection.putheader("Cookie", self.cookie)
        connection.putheader("Content-Length", str(size))
        connection.endheaders(b"x" * (size // 2))
        return connection


# The one hands a request to the application when all of it is there, and the other when it begins.
@pytest.mark.parametrize(("server", "seconds"), [("waitress", 38), ("gunicorn", 38), ("gunicorn", 2000)])
def test_a_slow_upload_is_nobodys_theft(tmp_path: Path, server: str, seconds: int) -> None:
    """While an upload is under way another request rotates the secret: the upload is served, and the session lives."""
    port, ahead, begun = free_port(), tmp_path / "ahead", tmp_path / "begun"
    ahead.write_text("0")
    environment = {"STORE": f"sqlite:///{tmp_path}/app.db", "AHEAD": str(ahead), "BEGUN": str(begun)}
    command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[server])]
    with running([*command, "tests.deployment.whoami:app"], port, os.environ | environment):
        browser = Browser(port)
        assert browser.ask("POST", "/login/7")[0] == 200
        first = browser.cookie
        ahead.write_text(str(2 * HOUR))
        upload = browser.begin_upload(1000)
        deadline = time.monotonic() + PATIENCE
        while server == "gunicorn" and not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # a file tells that the application has the request
        assert [browser.ask("GET", "/me")[1].partition(" ")[0] for _ in range(2)] == ["7", "7"]
        assert browser.cookie != first
        ahead.write_text(str(2 * HOUR + seconds))
        upload.send(b"x" * 500)
        answer = upload.getresponse()
        assert (answer.status, answer.read().decode()) == (200, "7 1000")
        assert (answer.getheader("Set-Cookie") or "").partition(";")[0] == browser.cookie
        upload.close()
        # Whoever comes later with the old secret alone is nobody, and accuses nobody.
        ahead.write_text(str(2 * HOUR + seconds + 121))
        late = Browser(port)
        late.cookie = first
        assert late.ask("GET", "/me")[0] == 401
        assert late.cookie == first
        assert browser.ask("GET", "/me")[1].partition(" ")[0] == "7"
