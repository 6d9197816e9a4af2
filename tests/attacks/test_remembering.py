"""D2: attacks on logins that outlive the browser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha512
from hmac import new as hmac
from typing import TYPE_CHECKING

import pytest

from admit.events import SessionStolen
from tests.attacks.conftest import ADA
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, SESSION

if TYPE_CHECKING:
    from tests.attacks.site import Browser, Site


def copy_of(site: Site, browser: Browser) -> Browser:
    """Return a thief's browser with a copy of the session cookie."""
    thief = site.browser("198.51.100.66")
    thief.plant(SESSION, browser.cookie() or "")
    return thief


def test_030_a_remembered_login_dies_at_logout(site: Site) -> None:
    """A copy of a remembered login is dead once its owner has logged out."""
    browser = site.signed_in(ADA, remember=True)
    thief = copy_of(site, browser)
    browser.post("/sign-out")
    assert thief.me().status_code == 401


def test_031_a_spent_token_ends_the_login_and_raises_an_alarm(site: Site) -> None:
    """A stolen token that its owner has stopped using ends the login for both, and somebody is told."""
    browser = site.signed_in(ADA, remember=True)
    thief = copy_of(site, browser)
    for _ in range(3):  # a new secret, and its use
        site.clock.advance(timedelta(hours=2))
        assert browser.me().status_code == 200
    assert browser.cookie() != thief.cookie()
    assert thief.me().status_code == 401
    assert browser.me().status_code == 401
    assert [type(one) for one in site.events if isinstance(one, SessionStolen)] == [SessionStolen]


@pytest.mark.parametrize("number", range(6))
def test_032_forged_remember_cookies(site: Site, thief: Browser, number: int) -> None:
    """A remember cookie in the form of Flask-Login, signed with anything but the site's key, logs nobody in."""
    subject = site.account(ADA).id
    forged = (
        "1|" + "0" * 128,
        f"{subject}|" + "0" * 128,
        f"{subject}|",
        f"{subject}",
        f"{subject}|" + hmac(b"dev", subject.encode(), sha512).hexdigest(),
        f"{subject}|" + hmac(b"", subject.encode(), sha512).hexdigest(),
    )
    thief.plant("remember_token", forged[number])
    assert thief.me().status_code == 401
    assert thief.get("/private", Accept="application/json").status_code == 401


def test_032_a_login_is_remembered_only_when_asked(site: Site) -> None:
    """Nobody who did not ask for it gets a cookie that outlives the browser."""
    browser = site.browser()
    for answer in (browser.sign_in(ADA), browser.me(), browser.me()):
        lines = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{SESSION}=")]
        assert not any("Expires" in line or "Max-Age" in line for line in lines)


def test_034_parallel_tabs_share_one_successor(site: Site) -> None:
    """Tabs that rotate one secret at once all stay logged in, and end up with one and the same."""
    browser = site.signed_in(ADA, remember=True)
    site.clock.advance(timedelta(hours=2))
    tabs = [copy_of(site, browser) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda tab: tab.me(), tabs))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({tab.cookie() for tab in tabs} - {browser.cookie()}) == 1
    assert [tab.me().status_code for tab in tabs] == [200] * 8


def test_035_a_remembered_login_is_not_fresh(site: Site) -> None:
    """What is sensitive asks a remembered login for another proof, and a password is not changed without the old."""
    browser = site.signed_in(ADA, remember=True)
    site.clock.advance(timedelta(days=2))
    assert browser.me().status_code == 200
    assert browser.post("/password", {"password": OTHER_PASSWORD}).status_code == 422
    refused = browser.send("POST", "/transfer", headers={"Accept": "application/json"})
    assert refused.status_code in {401, 403}
    assert browser.post("/password/confirm", {"password": PASSWORD}).status_code == 200
    assert browser.send("POST", "/transfer", headers={"Accept": "application/json"}).status_code == 200


def test_036_a_remembered_login_dies_with_the_password(site: Site) -> None:
    """A change of the password ends remembered logins elsewhere."""
    remembered, browser = site.signed_in(ADA, remember=True), site.signed_in(ADA)
    browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert remembered.me().status_code == 401


def test_036_a_remembered_login_ends_by_itself(site: Site) -> None:
    """The server ends a remembered login that nobody uses, whatever the cookie says."""
    browser = site.signed_in(ADA, remember=True)
    thief = copy_of(site, browser)
    site.clock.advance(timedelta(days=31))
    assert thief.me().status_code == 401
