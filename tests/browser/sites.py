"""The ready-made application as a person meets it in a browser: served, with its mails at hand."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from waitress import create_server  # type: ignore[import-untyped]

from admit.flask.languages import said
from admit.server import create_app
from admit.server.pages import accounts_of, close_stores
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from playwright.sync_api import Browser, Page

    from admit.mail import Message

ADA = "ada@example.org"
GRACE = "grace@example.org"
PASSWORD = "violet anchors drift slowly"
OTHER_PASSWORD = "quiet rivers carry lanterns"

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@dataclass
class Site:
    """A site that is served, and its mails."""

    url: str
    app: Flask

    def mails(self) -> list[Message]:
        """Return all mails, the newest first."""
        found: list[Message] = accounts_of(self.app).mailing.sender.messages()  # type: ignore[attr-defined]
        return found

    def link(self, kind: str) -> str:
        """Return the link in the newest mail that has one of this kind."""
        return self._newest(rf"http://\S+/account/{kind}/\S+")

    def code(self) -> str:
        """Return the code in the newest mail that has one."""
        return self._newest(r"\d{4} \d{4}")

    def add_member(self) -> None:
        """Make an account whose address is confirmed, by the shortest way."""
        client = self.app.test_client()
        client.post(f"{self.url}/api/account/sign-up", json={"email": ADA, "password": PASSWORD})
        token = self.link("verify").rpartition("/")[2]
        assert client.post(f"{self.url}/api/account/verify", json={"token": token}).status_code == 200

    def _newest(self, pattern: str) -> str:
        return next(found[0] for message in self.mails() if (found := re.search(pattern, message.text)))


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Serve the ready-made application, with its database in a folder, until the block ends."""
    port = free_port()
    settings = {
        "ADMIT_DEV": True,
        "ADMIT_PORT": port,
        "ADMIT_SITE_NAME": "Harbour",
        "ADMIT_DB": "sqlite:///admit.db",
        "ADMIT_THROTTLE_MAILS_PER_HOUR": 50,  # whoever tries everything on one day gets many
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app = create_app(settings)
        server = create_server(app, host="127.0.0.1", port=port, threads=4)
        serving = threading.Thread(target=server.run)
        serving.start()
        try:
            yield Site(f"http://127.0.0.1:{port}", app)
        finally:
            # The server hears of it when it hears of anything, so that this is put between its requests.
            server.trigger.pull_trigger(lambda: _close(server))
            serving.join()
            close_stores(app)


def _close(server: Any) -> None:
    # A browser keeps its connections, and the server would wait for them.
    for channel in list(server.active_channels.values()):
        channel.will_close = True
    server.close()


def fill(page: Page, **fields: str) -> None:
    """Fill the fields with these names, and send the form that they are in."""
    for name, value in fields.items():
        page.locator(f"#field-{name}").fill(value)
    page.locator("main form button:not([type=button])").last.click()


def words(page: Page, text: str, **parts: str) -> str:
    """Return a sentence in the language of a page."""
    return said(text, page.locator("html").get_attribute("lang") or "").format(**parts)


def at(page: Page, heading: str, **parts: str) -> None:
    """Wait for the page with this heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(words(page, heading, **parts))


@dataclass(frozen=True)
class Tour:
    """A person on the way through the pages.

    Args:
        page: Where the person goes, with nobody signed in.
        browser: For the other devices of that person, and for others.
        site: Where the pages are.
        stop: What there is to do at each page; it is called with the name of the page.
        locale: What the person speaks, on every device.
    """

    page: Page
    browser: Browser
    site: Site
    stop: Callable[[str], None]
    locale: str

    def on_another_device(self, user_agent: str = FIREFOX) -> Tour:
        """Return the same person in another browser; ``page.close()`` ends it."""
        return replace(self, page=self.browser.new_page(user_agent=user_agent, locale=self.locale))

    def go(self, path: str) -> None:
        """Type the address of one of the pages of accounts."""
        self.page.goto(f"{self.site.url}/account/{path}")

    def follow(self, kind: str) -> None:
        """Open the link in the newest mail that has one of this kind."""
        self.page.goto(self.site.link(kind))

    def see(self, stop: str, heading: str, **parts: str) -> None:
        """Wait for the page with this heading, and stop there."""
        at(self.page, heading, **parts)
        self.stop(stop)

    def see_problem(self, stop: str) -> None:
        """Wait for a page that says what was wrong, and stop there."""
        expect(self.page.get_by_role("alert")).to_be_visible()
        self.stop(stop)

    def sign_in(self, identifier: str, password: str) -> None:
        """Sign in by a password."""
        self.go("sign-in")
        fill(self.page, identifier=identifier, password=password)
        at(self.page, "Hello, {name}", name=identifier)

    def choose_password(self, password: str) -> None:
        """Choose a new password by the link in a mail."""
        self.follow("password-reset")
        fill(self.page, password=password)
        at(self.page, "Your password has changed")
