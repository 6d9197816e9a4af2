"""The recipe's page in Chromium, as a person uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def fill(page: Page, name: str, password: str) -> None:
    """Fill the form in."""
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)


def sign_up(page: Page, url: str, name: str) -> None:
    """Open the page and make an account."""
    page.goto(url)
    fill(page, name, "correct horse")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name=f"Hello, {name}")).to_be_visible()


def test_the_whole_way(page: Page, recipe_url: str) -> None:
    """Sign up, reload, sign out, a wrong password, sign in, reload."""
    sign_up(page, recipe_url, "Ada")
    page.reload()
    expect(page.get_by_role("heading", name="Hello, Ada")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    fill(page, "ada", "wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Invalid username or password")
    fill(page, "ada", "correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Hello, Ada")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Hello, Ada")).to_be_visible()


def test_back_shows_nobody_after_signing_out(page: Page, recipe_url: str) -> None:
    """The back button brings no user back who has signed out (attack 114)."""
    sign_up(page, recipe_url, "Grace")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("about:blank")
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "Grace" not in page.content()


def test_an_error_is_beside_its_field(page: Page, recipe_url: str) -> None:
    """A refused field gets the focus, is marked, and has the reason beside it."""
    page.goto(recipe_url)
    fill(page, "Linus", "short")
    page.get_by_role("button", name="Sign up").click()
    password = page.get_by_label("Password")
    expect(password).to_be_focused()
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#password-error")).to_contain_text("8 to 1024 characters")


def test_by_keyboard(page: Page, recipe_url: str) -> None:
    """Everything can be done without a mouse: Enter signs in, and the focus lands where one goes on."""
    sign_up(page, recipe_url, "Edsger")
    expect(page.get_by_role("heading", name="Hello, Edsger")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("Edsger")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hello, Edsger")).to_be_visible()


def test_it_fits_a_phone(page: Page, recipe_url: str) -> None:
    """At 320 pixels nothing has to be scrolled sideways, and buttons are large enough for a thumb."""
    page.goto(recipe_url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 320
    box = page.get_by_role("button", name="Sign up").bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_two_devices(page: Page, browser: Browser, recipe_url: str) -> None:
    """From one browser a person sees the other and signs it out; it is out at its next request."""
    sign_up(page, recipe_url, "Barbara")
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    other.goto(recipe_url)
    fill(other, "Barbara", "correct horse")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", name="Hello, Barbara")).to_be_visible()
    page.reload()
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("listitem").get_by_role("button").click()
    expect(page.get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_text("This device", exact=True)).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    elsewhere.close()


def test_markup_in_a_name_is_text(page: Page, recipe_url: str) -> None:
    """A name that looks like markup is shown as it is, and nothing of it runs (attack 117)."""
    name = "<img src=x onerror=alert(1)>"
    sign_up(page, recipe_url, name)
    expect(page.locator("#name")).to_have_text(name)
    assert page.locator("h1 img").count() == 0
