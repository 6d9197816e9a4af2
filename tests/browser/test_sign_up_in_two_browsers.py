"""Signing up on one device and reading the email on another, in the system's own Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import looking
from tests.browser.sites import ADA, PASSWORD, at, fill, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.sites import Site


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    """Serve the ready-made application."""
    with site(tmp_path) as served:
        yield served


@pytest.mark.parametrize("locale", ["en", "de"])
def test_n03_on_a_laptop_and_a_phone(browser: Browser, served: Site, locale: str) -> None:
    """The phone shows the code, the laptop takes it, and leads on to where the person wanted to go."""
    laptop, phone = (browser.new_context(locale=locale, reduced_motion="reduce").new_page() for _ in range(2))
    look_at_laptop, wrong = looking(laptop)
    look_at_phone, wrong_on_phone = looking(phone)
    laptop.goto(f"{served.url}/account/sign-up?next=/account/devices")
    fill(laptop, email=ADA, password=PASSWORD)
    look_at_laptop("check your email")
    phone.goto(served.link("verify"))
    at(phone, "Did you sign up in another browser?")
    look_at_phone("opened elsewhere")
    code = phone.locator(".admit-code").inner_text()
    fill(laptop, code="0000 0000" if code != "0000 0000" else "1111 1111")
    expect(laptop.get_by_role("alert")).to_be_visible()
    look_at_laptop("a wrong code")
    fill(laptop, code=code)
    at(laptop, "Your address is confirmed")
    look_at_laptop("confirmed")
    _says_that_it_is_confirmed(phone, served)
    look_at_phone("already confirmed")
    laptop.locator("main a.admit-button").click()
    fill(laptop, identifier=ADA, password=PASSWORD)
    laptop.wait_for_url("**/account/devices")
    assert (wrong, wrong_on_phone) == ([], [])
    for page in (laptop, phone):
        page.context.close()


def _says_that_it_is_confirmed(phone: Page, served: Site) -> None:
    phone.locator("main form button").click()  # the page that was open when the laptop was done
    at(phone, "Your address is confirmed")
    phone.goto(served.link("verify"))
    at(phone, "Your address is confirmed")
    expect(phone.get_by_role("main").get_by_role("button")).to_have_count(0)
    expect(phone.get_by_role("main").get_by_role("link")).to_have_count(1)
