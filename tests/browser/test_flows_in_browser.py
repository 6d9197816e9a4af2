"""Who gets in by a mail, and who is put out by one, in Chromium: scanners, thieves and the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.sites import ADA, IPHONE, OTHER_PASSWORD, PASSWORD, at, fill, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.sites import Site

pytestmark = pytest.mark.browser

THIEF = "mallory@example.org"
LOST = "This link does not work here"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    """Serve a site on which Ada has an account."""
    with site(tmp_path) as served:
        served.add_member()
        yield served


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    """Return a page in another browser, on another device."""
    page = browser.new_page(user_agent=IPHONE)
    yield page
    page.close()


def ask(page: Page, served: Site) -> str:
    """Ask for a mail to sign in by, and return its link."""
    page.goto(f"{served.url}/account/magic-link")
    fill(page, identifier=ADA)
    at(page, "Check your mail")
    return served.link("magic-link")


def sign_in(page: Page, served: Site, password: str, identifier: str = ADA) -> None:
    """Send the form that signs in."""
    page.goto(f"{served.url}/account/sign-in")
    fill(page, identifier=identifier, password=password)


def is_out(page: Page, served: Site) -> bool:
    """Tell whether a browser is sent to sign in."""
    page.goto(f"{served.url}/account/")
    return "/sign-in" in page.url


def activity(page: Page, served: Site) -> list[str]:
    """Return what the owner reads of what happened, the latest first."""
    page.goto(f"{served.url}/account/activity")
    at(page, "Activity")
    return page.get_by_role("listitem").get_by_role("heading", level=2).all_inner_texts()


def test_a_scanner_is_first(page: Page, other: Page, served: Site) -> None:
    """Programs that fetch the link, even with its owner's cookies, leave it to the person who presses the button."""
    link = ask(page, served)
    for scanner in (other.request, page.request):  # a gateway for mails, and the browser that fetches in advance
        assert scanner.head(link).ok
        assert scanner.get(link, headers={"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"}).ok
        assert scanner.get(link).ok
    other.goto(link)
    at(other, LOST)
    assert is_out(page, served)
    page.goto(link)
    at(page, "Sign in")
    fill(page)
    at(page, f"Hello, {ADA}")
    assert is_out(other, served)
    page.goto(link)
    at(page, LOST)
    assert activity(page, served)[0] == "You signed in. This device"


def test_a_mail_that_is_read_on_another_device(page: Page, other: Page, served: Site) -> None:
    """In another browser neither the link nor the code signs in; where the mail was asked for, the code does."""
    other.goto(ask(page, served))
    at(other, LOST)
    expect(other.get_by_role("main").get_by_role("button")).to_have_count(0)
    other.goto(f"{served.url}/account/magic-link/code")
    fill(other, code=served.code())
    expect(other.get_by_role("alert")).to_have_text("This link or code is not valid any more.")
    fill(page, code="0000 0000")
    expect(page.get_by_role("alert")).to_have_text("This is not the code in our last mail to you.")
    fill(page, code=served.code())
    at(page, f"Hello, {ADA}")
    assert is_out(other, served)


def test_a_thief_changes_the_address(page: Page, other: Page, served: Site) -> None:
    """Whoever reads the mail to the old address has the account back, and the thief is out, with all that they know."""
    sign_in(other, served, PASSWORD)
    at(other, f"Hello, {ADA}")
    other.goto(f"{served.url}/account/mail-change")
    fill(other, email=THIEF)
    at(other, "Check your mail")
    other.goto(served.link("mail-change/confirm"))
    fill(other)
    at(other, "Your mail address has changed")
    expect(other.get_by_role("banner")).to_contain_text(THIEF)
    assert served.mails()[0].to == ADA
    page.goto(served.link("mail-change/undo"))
    at(page, "Take your account back")
    fill(page)
    at(page, "The account is yours again")
    assert is_out(other, served)
    for name in (ADA, THIEF):
        sign_in(other, served, PASSWORD, name)
        expect(other.get_by_role("alert")).to_have_text("These credentials are not valid.")
    assert served.mails()[0].to == ADA
    page.goto(served.link("password-reset"))
    fill(page, password=OTHER_PASSWORD)
    at(page, "Your password has changed")
    sign_in(page, served, OTHER_PASSWORD)
    at(page, f"Hello, {ADA}")
    found = activity(page, served)
    assert found.index("You went back to your old mail address.") < found.index("Your mail address was changed.")


def test_a_thief_signs_in(page: Page, other: Page, served: Site) -> None:
    """The mail about a new device puts everybody out, and leads to a new password."""
    sign_in(page, served, PASSWORD)
    at(page, f"Hello, {ADA}")
    sign_in(other, served, PASSWORD)
    at(other, f"Hello, {ADA}")
    page.goto(served.link("new-device"))
    expect(page.get_by_text("Mobile Safari on iOS")).to_be_visible()
    fill(page)
    at(page, "Everybody is signed out")
    assert is_out(page, served)
    assert is_out(other, served)
    sign_in(other, served, PASSWORD)
    expect(other.get_by_role("alert")).to_have_text("These credentials are not valid.")
    page.goto(served.link("password-reset"))
    fill(page, password=OTHER_PASSWORD)
    at(page, "Your password has changed")
    sign_in(page, served, OTHER_PASSWORD)
    at(page, f"Hello, {ADA}")
    told = [
        "A new password was chosen, by a link in a mail.",
        "You told us that a sign-in was not yours.",
        "A new device signed in.",
    ]
    assert [words for words in activity(page, served) if words in told] == told
