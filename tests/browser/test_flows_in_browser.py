"""Logging in by mail, a change of the address and its way back, a new device, export and closing, in Chromium."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admit.server.pages import accounts_of
from tests.browser.test_pages_in_browser import complaints, looking, walk_to_account
from tests.browser.tour import ADA, FIREFOX, IPHONE, OTHER_PASSWORD, PASSWORD, at, fill, read_mails, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.tour import Site

pytestmark = pytest.mark.browser

NEW = "countess@example.org"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    """Serve a site without accounts."""
    with site(tmp_path, ADMIT_THROTTLE_MAILS_PER_HOUR=50) as served:
        yield served


def code_of(served: Site) -> str:
    """Return the code in the newest mail that has one."""
    messages = accounts_of(served.app).mailing.sender.messages()  # type: ignore[attr-defined]
    return next(found[0] for one in messages if (found := re.search(r"\d{4} \d{4}", one.text)))


def by_mail(page: Page, browser: Browser, served: Site, stop: Callable[[str], None]) -> None:
    """Log in by mail: a scanner is first, the link is opened elsewhere, a code is wrong, and then right."""
    page.goto(f"{served.url}/account/sign-in")
    page.get_by_role("link", name="Sign in by mail").click()
    at(page, "Sign in by mail")
    stop("magic-link")
    fill(page, identifier=ADA)
    at(page, "Check your mail")
    stop("magic-link-sent")
    scanner = browser.new_page()
    scanner.goto(served.link("magic-link"))
    at(scanner, "Go back to the other browser")
    scanner.close()
    fill(page, code="00000000")
    expect(page.get_by_role("alert")).to_be_visible()
    stop("magic-link-wrong-code")
    fill(page, code=code_of(served))
    at(page, f"Hello, {ADA}")


def by_link(page: Page, browser: Browser, served: Site, stop: Callable[[str], None]) -> None:
    """Log in by the link of a mail, after a scanner has followed it, and look at what it is elsewhere and again."""
    page.goto(f"{served.url}/account/sign-out")
    fill(page)
    page.goto(f"{served.url}/account/magic-link")
    fill(page, identifier=ADA)
    at(page, "Check your mail")
    scanner = browser.new_page()
    scanner.goto(served.link("magic-link"))
    scanner.close()
    page.goto(served.link("magic-link"))
    at(page, "Sign in")
    stop("magic-link-use")
    fill(page)
    at(page, f"Hello, {ADA}")
    page.goto(served.link("magic-link"))
    at(page, "Go back to the other browser")
    stop("magic-link-elsewhere")


def change_and_back(page: Page, browser: Browser, served: Site, stop: Callable[[str], None]) -> None:
    """Change the address, and take it back from another browser."""
    page.get_by_role("link", name=re.compile("Harbour")).click()
    page.goto(f"{served.url}/account/mail-change")
    at(page, "Change mail address")
    stop("mail-change")
    fill(page, email=ADA)
    expect(page.get_by_role("alert")).to_be_visible()
    stop("mail-change-wrong")
    fill(page, email=NEW)
    at(page, "Check your mail")
    stop("mail-change-sent")
    page.goto(served.link("mail-change/confirm"))
    at(page, "Confirm your new address")
    stop("mail-change-confirm")
    fill(page)
    at(page, "Your address has changed")
    stop("mail-changed")
    page.goto(f"{served.url}/account/")
    at(page, f"Hello, {NEW}")
    other = browser.new_page()
    other.goto(served.link("mail-change/undo"))
    at(other, "Take your account back")
    other.close()
    page.goto(served.link("mail-change/undo"))
    stop("mail-change-undo")
    fill(page)
    at(page, "The account is yours again")
    stop("mail-change-undone")
    page.goto(served.link("mail-change/undo"))
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(served.link("password-reset"))
    fill(page, password=OTHER_PASSWORD)
    at(page, "Your password has changed")


def not_me(page: Page, browser: Browser, served: Site, stop: Callable[[str], None]) -> None:
    """Say that a login was somebody else's."""
    profile = browser.new_context(user_agent=IPHONE)
    thief = profile.new_page()
    thief.goto(f"{served.url}/account/sign-in")
    fill(thief, identifier=ADA, password=OTHER_PASSWORD)
    at(thief, f"Hello, {ADA}")
    page.goto(served.link("new-device"))
    at(page, "Was it you?")
    expect(page.get_by_text("Mobile Safari")).to_be_visible()
    stop("new-device")
    fill(page)
    at(page, "Everybody is signed out")
    stop("new-device-denied")
    thief.reload()
    at(thief, "Sign in")
    fill(thief, identifier=ADA, password=OTHER_PASSWORD)
    expect(thief.get_by_role("alert")).to_be_visible()
    profile.close()
    page.goto(served.link("password-reset"))
    fill(page, password=PASSWORD)
    at(page, "Your password has changed")


def leave(page: Page, served: Site, stop: Callable[[str], None]) -> None:
    """Take away all that is held, close the account, and come back after all."""
    page.goto(f"{served.url}/account/sign-in")
    fill(page, identifier=ADA, password=PASSWORD)
    at(page, f"Hello, {ADA}")
    stop("account")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all that we hold").click()
    taken = json.loads(download.value.path().read_text())
    assert download.value.suggested_filename.startswith("account-")
    assert taken["account"]["identifiers"][0]["value"] == ADA
    assert set(taken["held"]) >= {"account", "activity", "devices", "password"}
    page.get_by_role("link", name="Close your account").click()
    at(page, "Close your account")
    stop("close")
    fill(page)
    at(page, "Your account is closed")
    stop("closed")
    page.goto(f"{served.url}/account/")
    at(page, "Sign in")
    fill(page, identifier=ADA, password=PASSWORD)
    at(page, f"Hello, {ADA}")


def walk(page: Page, browser: Browser, served: Site, stop: Callable[[str], None]) -> None:
    """Go through all of it."""
    walk_to_account(browser, served)
    by_mail(page, browser, served, stop)
    by_link(page, browser, served, stop)
    change_and_back(page, browser, served, stop)
    not_me(page, browser, served, stop)
    leave(page, served, stop)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_the_flows_are_for_everybody(browser: Browser, served: Site, width: int, scheme: str) -> None:
    """Axe finds nothing on any of the pages and mails, nothing is scrolled sideways, and no page breaks its rules."""
    profile = browser.new_context(
        viewport={"width": width, "height": 700},
        color_scheme="dark" if scheme == "dark" else "light",
        user_agent=FIREFOX,
    )
    page = profile.new_page()
    found = complaints(page)
    look, wrong = looking(page, width)
    walk(page, browser, served, look)
    read_mails(page, served, look)
    profile.close()
    assert wrong == []
    assert found == []


def test_the_flows_without_scripts(browser: Browser, served: Site) -> None:
    """All of it goes as well where no script runs."""
    profile = browser.new_context(java_script_enabled=False)
    seen: list[str] = []
    walk(profile.new_page(), browser, served, seen.append)
    profile.close()
    assert seen[-1] == "closed"
