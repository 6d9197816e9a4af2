"""Every page of accounts in Chromium: for everybody, at every width, by keyboard, and without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import NARROWEST, complaints, looking, too_wide
from tests.browser.sites import ADA, FIREFOX, PASSWORD, at, fill, site
from tests.browser.tour import walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.sites import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    """Serve a site without accounts."""
    with site(tmp_path) as served:
        yield served


def test_every_page_is_for_everybody(browser: Browser, served: Site) -> None:
    """Axe finds nothing on any page or mail, nothing has to be scrolled sideways, and no page breaks its own rules."""
    profile = browser.new_context(reduced_motion="reduce", user_agent=FIREFOX)
    page = profile.new_page()
    found = complaints(page)
    look, wrong = looking(page)
    walk(page, browser, served, look)
    profile.close()
    assert wrong == []
    assert found == []


def test_without_scripts_and_in_german(browser: Browser, served: Site) -> None:
    """The whole walk goes as well where no script runs, and longer words fit the narrowest screen."""
    profile = browser.new_context(
        java_script_enabled=False, locale="de-AT", viewport={"width": NARROWEST, "height": 700}
    )
    page = profile.new_page()
    seen: list[str] = []
    wrong: list[str] = []

    def look(stop: str) -> None:
        seen.append(stop)
        wrong.extend(too_wide(page, stop, NARROWEST))
        if page.locator("html").get_attribute("lang") != "de":
            wrong.append(f"{stop}: not in German")

    walk(page, browser, served, look, locale="de-AT")
    profile.close()
    assert wrong == []
    assert (seen[0], seen[-1][:4]) == ("front", "mail")


def test_by_keyboard(page: Page, served: Site) -> None:
    """From the first press of a key on, the focus goes past the menu to the fields in their order, and Enter sends."""
    served.add_member()
    page.goto(f"{served.url}/account/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Mail address")).to_be_focused()
    page.keyboard.type(ADA)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    at(page, f"Hello, {ADA}")


def test_what_was_wrong_has_the_focus(page: Page, served: Site) -> None:
    """A field that is refused has the focus and says why, and else the message has it that says what was wrong."""
    page.goto(f"{served.url}/account/sign-up")
    fill(page, email=ADA, password="short")
    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(password).to_have_accessible_description(re.compile("At least 15 characters, please."))
    page.goto(f"{served.url}/account/sign-in")
    fill(page, identifier=ADA, password=PASSWORD)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title("Error: Sign in · Harbour")


def test_what_password_managers_look_for(page: Page, served: Site) -> None:
    """Each field says what belongs into it, and nothing keeps a password from being pasted or filled in."""
    wanted = {
        "sign-up": {"email": "email", "password": "new-password"},
        "sign-in": {"identifier": "username", "password": "current-password"},
        "password-reset": {"identifier": "username"},
        "verify/request": {"email": "email"},
    }
    for path, fields in wanted.items():
        page.goto(f"{served.url}/account/{path}")
        for name, purpose in fields.items():
            field = page.locator(f"input[name={name}]")
            expect(field).to_have_attribute("autocomplete", purpose)
            assert field.evaluate("one => [one.maxLength, one.onpaste, one.readOnly]") == [-1, None, False]


def test_a_change_says_whose_password_it_is(page: Page, served: Site) -> None:
    """The form of a change has the name for the password manager, does not send it, and tells old from new."""
    served.add_member()
    page.goto(f"{served.url}/account/sign-in?next=/account/password")
    fill(page, identifier=ADA, password=PASSWORD)
    at(page, "Change password")
    name = page.locator("input[autocomplete=username]")
    expect(name).to_have_value(ADA)
    expect(name).to_be_hidden()
    assert name.get_attribute("name") is None
    expect(page.locator("input[name=old_password]")).to_have_attribute("autocomplete", "current-password")
    expect(page.locator("input[name=password]")).to_have_attribute("autocomplete", "new-password")


def test_a_password_can_be_looked_at(page: Page, served: Site) -> None:
    """Where scripts run, what was typed can be shown and hidden again, and is hidden when it is sent."""
    page.goto(f"{served.url}/account/sign-in")
    field = page.locator("input[name=password]")
    field.fill(PASSWORD)
    page.get_by_role("button", name="Show: Password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide: Password").click()
    expect(field).to_have_attribute("type", "password")


def test_how_hard_a_password_is_to_guess(page: Page, served: Site) -> None:
    """Where scripts run, the strength of a password is said in words while it is typed."""
    page.goto(f"{served.url}/account/sign-up")
    strength = page.locator(".admit-strength")
    expect(strength).to_be_hidden()
    page.locator("input[name=password]").fill("password")
    expect(strength.get_by_role("status")).to_have_text("Very easy to guess")
    page.locator("input[name=password]").fill(PASSWORD)
    expect(strength.get_by_role("status")).to_have_text("Very hard to guess")
    expect(strength.get_by_role("meter")).to_have_js_property("value", 4)
    page.locator("input[name=password]").fill("")
    expect(strength).to_be_hidden()


def test_times_are_the_readers(browser: Browser, served: Site) -> None:
    """Where scripts run, a time is said in the reader's own zone."""
    served.add_member()
    profile = browser.new_context(locale="en-GB", timezone_id="Asia/Tokyo", user_agent=FIREFOX)
    page = profile.new_page()
    page.goto(f"{served.url}/account/sign-in")
    fill(page, identifier=ADA, password=PASSWORD)
    time = page.locator("time[data-local]")
    expect(time).not_to_contain_text("UTC")
    expect(time).to_have_attribute("title", re.compile("UTC$"))
    there = time.evaluate(
        "one => new Date(one.dateTime).toLocaleString('en-GB', "
        "{ dateStyle: 'long', timeStyle: 'short', timeZone: 'Asia/Tokyo' })"
    )
    expect(time).to_have_text(there)
    profile.close()


def test_the_language_of_the_browser(browser: Browser, served: Site) -> None:
    """A browser that prefers German gets German pages, and they say so to screen readers."""
    profile = browser.new_context(locale="de-AT")
    page = profile.new_page()
    page.goto(f"{served.url}/account/sign-in")
    at(page, "Anmelden")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    fill(page, identifier=ADA, password=PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("Diese Zugangsdaten sind nicht gültig.")
    profile.close()
