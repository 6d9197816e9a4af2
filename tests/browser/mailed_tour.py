"""The part of the walk that goes by mail: signing in, another address and the way back, and a new device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.sites import ADA, GRACE, IPHONE, OTHER_PASSWORD, PASSWORD, at, fill, words

if TYPE_CHECKING:
    from tests.browser.sites import Tour

NEW = "hopper@example.org"


def walk_by_mail(tour: Tour) -> None:
    """Go through the pages of all that begins with a mail, as somebody who has no password yet.

    Args:
        tour: A person who is signed out, on a site where Ada and Grace have confirmed their addresses.
    """
    _sign_in_by_mail(tour)
    _change_address(tour)
    _take_it_back(tour)
    _deny_a_device(tour)
    tour.sign_in(GRACE, PASSWORD)
    tour.go("activity")
    tour.see("activity", "Activity")


def _sign_in_by_mail(tour: Tour) -> None:
    page = tour.page
    other = tour.on_another_device()
    other.go("magic-link")
    fill(other.page, identifier=GRACE)
    at(other.page, "Check your mail")
    other.page.close()
    tour.follow("magic-link")
    tour.see("magic-link-elsewhere", "This link does not work here")
    tour.go("sign-in")
    page.get_by_role("link", name=words(page, "Sign in by mail")).click()
    tour.see("magic-link", "Sign in by mail")
    fill(page, identifier=GRACE)
    tour.see("magic-link-sent", "Check your mail")
    fill(page, code="0000 0000")
    tour.see_problem("magic-link-wrong-code")
    tour.follow("magic-link")
    tour.see("magic-link-use", "Sign in")
    fill(page)
    at(page, "Hello, {name}", name=GRACE)
    tour.follow("magic-link")
    tour.see("magic-link-used", "This link does not work here")
    tour.go("magic-link/code")
    fill(page, code=tour.site.code())
    tour.see_problem("magic-link-code-used")


def _change_address(tour: Tour) -> None:
    page = tour.page
    tour.go("mail-change")
    tour.see("mail-change", "Change mail address")
    fill(page, email=GRACE)
    tour.see_problem("mail-change-wrong")
    fill(page, email=ADA)  # which is taken, and only its owner is told
    tour.see("mail-change-sent", "Check your mail")
    tour.go("mail-change")
    fill(page, email=NEW)
    at(page, "Check your mail")
    tour.follow("mail-change/confirm")
    tour.see("mail-change-confirm", "Confirm your new address")
    fill(page)
    tour.see("mail-changed", "Your mail address has changed")
    tour.follow("mail-change/confirm")
    tour.see_problem("mail-change-link-used")


def _take_it_back(tour: Tour) -> None:
    page = tour.page
    tour.follow("mail-change/undo")
    tour.see("mail-change-undo", "Take your account back")
    fill(page)
    tour.see("mail-change-undone", "The account is yours again")
    tour.follow("mail-change/undo")
    tour.see_problem("mail-change-undo-used")
    tour.choose_password(OTHER_PASSWORD)


def _deny_a_device(tour: Tour) -> None:
    page, thief = tour.page, tour.on_another_device(IPHONE)
    thief.sign_in(GRACE, OTHER_PASSWORD)
    thief.page.close()
    tour.follow("new-device")
    tour.see("new-device", "Was it you?")
    fill(page)
    tour.see("new-device-denied", "Everybody is signed out")
    tour.follow("new-device")
    tour.see_problem("new-device-link-used")
    tour.choose_password(PASSWORD)
