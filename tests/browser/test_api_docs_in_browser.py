"""The page on which to try the API, in a browser that enforces the policy of our pages."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import expect
from werkzeug.serving import WSGIRequestHandler, make_server

from admit.features import everything
from admit.flask import LoginManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


class Silent(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- werkzeug's name
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve an application with accounts, and return its address."""
    app = Flask("site")
    app.config.update(TESTING=True)
    LoginManager(app, store="memory:", features=everything(), mail=lambda message: None)
    served = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.port}"
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.mark.browser
def test_an_action_can_be_tried_on_the_page(page: Page, server: str) -> None:
    """The page lists the actions and sends one, without a word of the console and without asking another host."""
    said: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{server}/api/docs")
    shown = page.locator("#operations-account-account_sign_out")
    shown.locator(".opblock-summary-control").click()
    shown.locator("button.execute").click()
    expect(shown.locator(".live-responses-table .response-col_status").last).to_contain_text("204")
    assert said == []
    assert hosts - {""} == {urlsplit(server).netloc}
