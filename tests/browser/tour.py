"""A walk through every page of a site, as a person would take it: for the tests, and for the pictures of the docs."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from waitress import create_server  # type: ignore[import-untyped]

from admit.server import create_app
from admit.server.pages import accounts_of, close_stores
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from playwright.sync_api import Browser, Page

ADA = "ada@example.org"
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

    def link(self, kind: str) -> str:
        """Return the link in the newest mail that has one of this kind."""
        for message in accounts_of(self.app).mailing.sender.messages():  # type: ignore[attr-defined]
            found = re.search(rf"http://\S+/account/{kind}/\S+", message.text)
            if found:
                return found[0]
        raise LookupError(kind)


@contextmanager
def site(folder: Path, **settings: object) -> Iterator[Site]:
    """Serve the ready-made application, with its database in a folder, until the block ends."""
    port = free_port()
    given = {"ADMIT_DEV": True, "ADMIT_PORT": port, "ADMIT_SITE_NAME": "Harbour", "ADMIT_DB": "sqlite:///admit.db"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app = create_app(given | settings)
        server = create_server(app, host="127.0.0.1", port=port, threads=4)
        serving = threading.Thread(target=server.run)
        serving.start()
        try:
            yield Site(f"http://127.0.0.1:{port}", app)
        finally:
            server.close()
            # A browser keeps its connections, and the server would wait for them.
            for channel in list(server.active_channels.values()):
                channel.will_close = True
            serving.join()
            close_stores(app)


def walk(page: Page, browser: Browser, site: Site, stop: Callable[[str], None]) -> None:
    """Go through every page; ``stop`` is called at each, with its name.

    Args:
        page: Where the walk is taken, with nobody signed in.
        browser: For the other devices of the same person.
        site: A site without accounts.
        stop: What there is to do at each page.
    """
    _sign_up(page, site, stop)
    _confirm(page, browser, site, stop)
    _sign_in(page, browser, site, stop)
    _change(page, site, stop)
    _reset(page, site, stop)
    _go_wrong(page, site, stop)


def read_mails(page: Page, site: Site, stop: Callable[[str], None]) -> None:
    """Look at the newest mail of each kind, as a program for mails shows it."""
    seen: set[str] = set()
    page.goto("about:blank")  # away from the policy of our pages, which allows no style in a page
    for message in accounts_of(site.app).mailing.sender.messages():  # type: ignore[attr-defined]
        name = re.sub(r"\W+", "-", message.subject).lower()
        if name not in seen:
            page.set_content(message.html)
            stop(f"mail-{name}")
        seen.add(name)


def fill(page: Page, **fields: str) -> None:
    """Fill the fields with these names, and send the form that they are in."""
    for name, value in fields.items():
        page.locator(f"#field-{name}").fill(value)
    page.locator("main form button:not([type=button])").last.click()


def at(page: Page, heading: str) -> None:
    """Wait for the page with this heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def _sign_up(page: Page, site: Site, stop: Callable[[str], None]) -> None:
    page.goto(site.url)
    at(page, "Welcome")
    stop("front")
    page.goto(f"{site.url}/account/sign-up")
    at(page, "Sign up")
    stop("sign-up")
    page.locator("#field-email").fill(ADA)
    page.locator("#field-password").press_sequentially(PASSWORD)
    if page.get_by_role("button", name="Show: Password").count():  # where scripts run
        expect(page.get_by_text("Very hard to guess")).to_be_visible()
    stop("sign-up-typed")
    fill(page, email="ada@example", password="short")
    expect(page.get_by_role("alert")).to_be_visible()
    stop("sign-up-wrong")
    fill(page, email=ADA, password=PASSWORD)
    at(page, "Check your mail")
    stop("signed-up")


def _confirm(page: Page, browser: Browser, site: Site, stop: Callable[[str], None]) -> None:
    page.goto(f"{site.url}/account/sign-in")
    fill(page, identifier=ADA, password=PASSWORD)
    expect(page.get_by_role("alert")).to_be_visible()
    stop("sign-in-unconfirmed")
    page.get_by_role("link", name="Send a new link").click()
    at(page, "Send the link again")
    stop("link-again")
    fill(page, email=ADA)
    at(page, "Check your mail")
    stop("link-sent")
    page.goto(f"{site.url}/account/outbox")
    at(page, "Outbox")
    stop("outbox")
    page.goto(site.link("verify"))
    at(page, "Confirm your address")
    stop("confirm")
    fill(page)
    at(page, "Your address is confirmed")
    stop("confirmed")
    page.goto(site.link("verify"))
    expect(page.get_by_role("alert")).to_be_visible()
    stop("link-used")
    _sign_up_elsewhere(browser, site)
    page.goto(site.link("verify"))
    fill(page)
    at(page, "Your address is confirmed")
    stop("confirmed-elsewhere")


def _sign_up_elsewhere(browser: Browser, site: Site) -> None:
    other = browser.new_page()
    other.goto(f"{site.url}/account/sign-up")
    fill(other, email=ADA, password=PASSWORD)  # which is taken, and only its owner is told
    at(other, "Check your mail")
    other.goto(f"{site.url}/account/sign-up")
    fill(other, email="grace@example.org", password=PASSWORD)
    at(other, "Check your mail")
    other.close()


def _sign_in(page: Page, browser: Browser, site: Site, stop: Callable[[str], None]) -> None:
    other = browser.new_page(user_agent=IPHONE)
    other.goto(f"{site.url}/account/sign-in")
    fill(other, identifier=ADA, password=PASSWORD)
    at(other, f"Hello, {ADA}")
    other.close()
    page.goto(f"{site.url}/account/sign-in")
    at(page, "Sign in")
    stop("sign-in")
    fill(page, identifier=ADA, password=OTHER_PASSWORD)
    expect(page.get_by_role("alert")).to_be_visible()
    stop("sign-in-wrong")
    fill(page, identifier=ADA, password=PASSWORD)
    at(page, f"Hello, {ADA}")
    stop("account")
    page.goto(site.url)
    stop("front-member")
    page.goto(f"{site.url}/account/devices")
    expect(page.get_by_role("listitem").filter(has_text="Mobile Safari")).to_be_visible()
    stop("devices")


def _change(page: Page, site: Site, stop: Callable[[str], None]) -> None:
    page.goto(f"{site.url}/account/reauthenticate")
    at(page, "Confirm with your password")
    stop("reauthenticate")
    page.goto(f"{site.url}/account/password")
    at(page, "Change password")
    stop("change")
    fill(page, old_password=PASSWORD, password="correct horse")
    expect(page.get_by_role("alert")).to_be_visible()
    stop("change-wrong")
    fill(page, old_password=PASSWORD, password=OTHER_PASSWORD)
    at(page, "Your password has changed")
    stop("changed")
    page.goto(f"{site.url}/account/sign-out")
    at(page, "Sign out")
    stop("sign-out")
    fill(page)
    at(page, "You are signed out")
    stop("signed-out")


def _reset(page: Page, site: Site, stop: Callable[[str], None]) -> None:
    page.goto(f"{site.url}/account/password-reset")
    at(page, "Forgot your password?")
    stop("forgot")
    fill(page, identifier=ADA)
    at(page, "Check your mail")
    stop("forgot-asked")
    page.goto(site.link("password-reset"))
    at(page, "Choose a new password")
    stop("choose")
    fill(page, password="harbour harbour harbour")
    expect(page.get_by_role("alert")).to_be_visible()
    stop("choose-wrong")
    fill(page, password=PASSWORD)
    at(page, "Your password has changed")
    stop("chosen")
    page.goto(site.link("password-reset"))
    expect(page.get_by_role("alert")).to_be_visible()
    stop("reset-link-used")


def _go_wrong(page: Page, site: Site, stop: Callable[[str], None]) -> None:
    page.goto(f"{site.url}/nowhere")
    at(page, "There is no such page.")
    stop("not-found")
    page.goto(f"{site.url}/account/sign-in")
    while page.get_by_text("Too many tries.").count() == 0:
        fill(page, identifier="nobody@example.org", password=PASSWORD)
        expect(page.get_by_role("alert")).to_be_visible()
    stop("throttled")
