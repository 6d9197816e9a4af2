"""A walk through every page of a site, as a person would take it: for the tests, and for the pictures of the docs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.mailed_tour import walk_by_mail
from tests.browser.sites import ADA, GRACE, IPHONE, OTHER_PASSWORD, PASSWORD, Tour, at, fill, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from tests.browser.sites import Site

_TOO_MANY_REQUESTS = 429


def walk(page: Page, browser: Browser, site: Site, stop: Callable[[str], None], *, locale: str = "en-GB") -> None:
    """Go through every page, and then through the mails.

    Args:
        page: Where the walk is taken, with nobody signed in.
        browser: For the other devices of the same person.
        site: A site without accounts.
        stop: What there is to do at each page; it is called with the name of the page.
        locale: What the browser of the page prefers, and those of the other devices are to.
    """
    tour = Tour(page, browser, site, stop, locale)
    _sign_up(tour)
    _confirm(tour)
    _sign_in(tour)
    _change(tour)
    _reset(tour)
    walk_by_mail(tour)
    _leave(tour)
    _go_wrong(tour)
    _read_mails(tour)


def _sign_up(tour: Tour) -> None:
    page = tour.page
    page.goto(tour.site.url)
    tour.see("front", "Welcome")
    tour.go("sign-up")
    tour.see("sign-up", "Sign up")
    page.locator("#field-email").fill(ADA)
    page.locator("#field-password").press_sequentially(PASSWORD)
    if page.get_by_role("button", name="Show: Password").count():  # where scripts run
        expect(page.get_by_text("Very hard to guess")).to_be_visible()
    tour.stop("sign-up-typed")
    fill(page, email="ada@example", password="short")
    tour.see_problem("sign-up-wrong")
    fill(page, email=ADA, password=PASSWORD)
    tour.see("signed-up", "Check your mail")


def _confirm(tour: Tour) -> None:
    page = tour.page
    tour.go("sign-in")
    fill(page, identifier=ADA, password=PASSWORD)
    tour.see_problem("sign-in-unconfirmed")
    page.get_by_role("link", name=words(page, "Send a new link")).click()
    tour.see("link-again", "Send the link again")
    fill(page, email=ADA)
    tour.see("link-sent", "Check your mail")
    tour.go("outbox")
    tour.see("outbox", "Outbox")
    tour.follow("verify")
    tour.see("confirm", "Confirm your address")
    fill(page)
    tour.see("confirmed", "Your address is confirmed")
    tour.follow("verify")
    tour.see_problem("link-used")
    _sign_up_elsewhere(tour)
    tour.follow("verify")
    at(page, "Did you sign up in another browser?")
    fill(page)
    tour.see("confirmed-elsewhere", "Your address is confirmed")


def _sign_up_elsewhere(tour: Tour) -> None:
    other = tour.on_another_device()
    for email in (ADA, GRACE):  # the first is taken, and only its owner is told
        other.go("sign-up")
        fill(other.page, email=email, password=PASSWORD)
        at(other.page, "Check your mail")
    other.page.close()


def _sign_in(tour: Tour) -> None:
    page = tour.page
    other = tour.on_another_device(IPHONE)
    other.sign_in(ADA, PASSWORD)
    other.page.close()
    tour.go("sign-in")
    tour.see("sign-in", "Sign in")
    fill(page, identifier=ADA, password=OTHER_PASSWORD)
    tour.see_problem("sign-in-wrong")
    fill(page, identifier=ADA, password=PASSWORD)
    tour.see("account", "Hello, {name}", name=ADA)
    page.goto(tour.site.url)
    tour.see("front-member", "Welcome")
    tour.go("devices")
    expect(page.get_by_role("listitem").filter(has_text="Mobile Safari")).to_be_visible()
    tour.stop("devices")


def _change(tour: Tour) -> None:
    page = tour.page
    tour.go("reauthenticate")
    tour.see("reauthenticate", "Confirm with your password")
    tour.go("password")
    tour.see("change", "Change password")
    fill(page, old_password=PASSWORD, password="correct horse")
    tour.see_problem("change-wrong")
    fill(page, old_password=PASSWORD, password=OTHER_PASSWORD)
    tour.see("changed", "Your password has changed")
    tour.go("sign-out")
    tour.see("sign-out", "Sign out")
    fill(page)
    tour.see("signed-out", "You are signed out")


def _reset(tour: Tour) -> None:
    page = tour.page
    tour.go("password-reset")
    tour.see("forgot", "Forgot your password?")
    fill(page, identifier=ADA)
    tour.see("forgot-asked", "Check your mail")
    tour.follow("password-reset")
    tour.see("choose", "Choose a new password")
    fill(page, password="harbour harbour harbour")
    tour.see_problem("choose-wrong")
    fill(page, password=PASSWORD)
    tour.see("chosen", "Your password has changed")
    tour.follow("password-reset")
    tour.see_problem("reset-link-used")


def _leave(tour: Tour) -> None:
    tour.sign_in(ADA, PASSWORD)
    tour.go("close")
    tour.see("close", "Close your account")
    fill(tour.page)
    tour.see("closed", "Your account is closed")
    tour.sign_in(ADA, PASSWORD)  # the mail says that it is open again


def _go_wrong(tour: Tour) -> None:
    page, wrong = tour.page, {"identifier": "nobody@example.org", "password": PASSWORD}
    page.goto(f"{tour.site.url}/nowhere")
    tour.see("not-found", "There is no such page.")
    while page.request.post(f"{tour.site.url}/api/account/sign-in", data=wrong).status != _TOO_MANY_REQUESTS:
        pass
    tour.go("sign-in")
    fill(page, **wrong)
    expect(page.get_by_text(words(page, "Too many tries. Please wait before the next one."))).to_be_visible()
    tour.stop("throttled")


def _read_mails(tour: Tour) -> None:
    """Look at the newest mail of each kind, as a program for mails shows it."""
    seen: set[str] = set()
    tour.page.goto("about:blank")  # away from the policy of our pages, which allows no style in a page
    for message in tour.site.mails():
        name = re.sub(r"\W+", "-", message.subject).lower()
        if name not in seen:
            tour.page.set_content(str(message.html))
            tour.stop(f"mail-{name}")
        seen.add(name)
