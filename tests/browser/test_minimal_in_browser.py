"""The minimal example in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser


def sign_in(page: Page, *, remember: bool = False) -> None:
    """Fill in the login page that is open, and send it."""
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_label("Remember me on this device").set_checked(remember)
    page.get_by_role("button", name="Sign in").click()


def test_next_and_back(page: Page, minimal_url: str) -> None:
    """A private page leads to the login page, and that one back; after signing out, Back shows nothing."""
    page.goto(f"{minimal_url}/private")
    expect(page.get_by_role("status")).to_have_text("Please log in to access this page.")
    sign_in(page)
    expect(page).to_have_url(f"{minimal_url}/private")
    expect(page.get_by_text("Only ada sees this.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Nobody is signed in.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_remembered_but_not_fresh(page: Page, profile: BrowserContext, minimal_url: str) -> None:
    """After a restart of the browser a remembered user is in, and enters the password for a fresh page."""
    page.goto(f"{minimal_url}/login")
    sign_in(page, remember=True)
    expect(page.get_by_text("Hello, ada.")).to_be_visible()
    profile.clear_cookies(name="session")
    page.goto(f"{minimal_url}/private")
    expect(page.get_by_text("Only ada sees this.")).to_be_visible()
    page.get_by_role("link", name="Payout").click()
    expect(page.get_by_role("status")).to_have_text("Please enter your password once more to see this page.")
    sign_in(page)
    expect(page).to_have_url(f"{minimal_url}/payout")
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 320
