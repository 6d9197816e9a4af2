"""What of D10 there is: half-done logins, other people's devices, and which credential counts. And 25 and 47."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.feature import Demand, Face
from tests.attacks.conftest import ADA
from tests.attacks.factors import Badge, Dongle, enroll
from tests.attacks.payloads import SHAPED
from tests.attacks.site import API, OTHER_PASSWORD, OWN_PAGE, PASSWORD, SESSION, all_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
CODE, BOBS_CODE = "the dongle of Ada", "the dongle of Bob"
PENDING = f"{SESSION}-pending"


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """Return a site with another first factor and a second one, which Ada and Bob have."""
    found = new_site([*all_features(), Badge(), Dongle()])
    for name, code in ((ADA, CODE), (BOB, BOBS_CODE)):
        enroll(found.accounts.credentials, found.member(name).id, code)
    return found


def by_password(site: Site, browser: Browser) -> TestResponse:
    """Log in by password."""
    return browser.sign_in(ADA)


def by_remembered_password(site: Site, browser: Browser) -> TestResponse:
    """Log in by password, to be remembered."""
    return browser.sign_in(ADA, remember=True)


def by_badge(site: Site, browser: Browser) -> TestResponse:
    """Log in by the feature of the tests."""
    return browser.post("/badge", {"identifier": ADA, "badge": f"badge of {ADA}"})


def by_reset(site: Site, browser: Browser) -> TestResponse:
    """Choose a password anew, and log in by it."""
    token = site.reset_token(ADA)
    held = browser.cookie()
    assert browser.post("/password-reset/choose", {"token": token, "password": OTHER_PASSWORD}).status_code == 200
    assert browser.cookie() in {held, None}
    return browser.sign_in(ADA, OTHER_PASSWORD)


def by_mail(site: Site, browser: Browser) -> TestResponse:
    """Log in by the link of a mail."""
    assert browser.post("/magic-link", {"identifier": ADA}).status_code == 202
    return browser.post("/magic-link/use", {"token": site.mailed_token(ADA, "magic-link")})


def by_mail_and_password(site: Site, browser: Browser) -> TestResponse:
    """Log in by password and then by mail, which is no second factor."""
    browser.sign_in(ADA)
    return by_mail(site, browser)


def by_both_firsts(site: Site, browser: Browser) -> TestResponse:
    """Log in by two methods, neither of which is a second factor."""
    by_badge(site, browser)
    return browser.sign_in(ADA)


def twice(site: Site, browser: Browser) -> TestResponse:
    """Log in by one method, twice."""
    by_password(site, browser)
    return browser.sign_in(ADA)


WAYS = (by_password, by_remembered_password, by_badge, by_reset, by_mail, by_mail_and_password, by_both_firsts, twice)


def prove(browser: Browser, code: str = CODE, **headers: str) -> TestResponse:
    """Enter the code of a dongle."""
    return browser.post("/dongle", {"code": code}, **headers)


@pytest.mark.parametrize("way", WAYS)
def test_047_every_way_meets_the_second_factor(site: Site, way: Callable[..., TestResponse]) -> None:
    """No way to log in gives a session, a remembered one or a known device without the second factor, and all with."""
    browser = site.browser("203.0.113.9")
    answer = way(site, browser)
    assert answer.json == {"status": "pending", "account": None, "needs": ["dongle"]}
    known = f"{SESSION}-devices"
    assert browser.cookie() is None
    assert browser.cookie(known) is None or way is by_reset
    assert browser.me().status_code == 401
    for wrong in ("", "x", BOBS_CODE):
        assert prove(browser, wrong).status_code == 401
    assert prove(browser).json["status"] == "signed_in"
    assert browser.me().status_code == 200
    assert browser.cookie(PENDING) is None
    assert browser.get(f"{API}/devices").json["devices"][0]["is_remembered"] is (way is by_remembered_password)


@pytest.mark.parametrize("way", WAYS)
def test_025_every_way_begins_a_new_session(site: Site, way: Callable[..., TestResponse]) -> None:
    """No way to log in adopts a session that was there before, made up or real."""
    site.member("eve@people.example")
    for planted in (SHAPED, site.signed_in("eve@people.example").cookie() or ""):
        browser = site.browser()
        browser.plant(SESSION, planted)
        way(site, browser)
        assert prove(browser).status_code == 200
        assert browser.cookie() not in {planted, None}
        assert browser.me().json["email"] == ADA
        thief = site.browser("198.51.100.66")
        thief.plant(SESSION, planted)
        assert thief.me().status_code == 401


@pytest.mark.parametrize("way", WAYS)
def test_133_a_half_done_login_reaches_nothing(site: Site, way: Callable[..., TestResponse]) -> None:
    """With half a login every action that demands a session is refused, and so is every page of the application."""
    browser = site.browser()
    way(site, browser)
    half = browser.cookie(PENDING) or ""
    assert half
    demanding = [bound.action for bound in site.accounts.actions() if bound.action.demands is not Demand.NOTHING]
    assert len(demanding) > 6
    for one in demanding:
        path = one.path.replace("<session_id>", "x")
        if Face.JSON in one.faces:
            for headers in ({}, {"Authorization": f"Bearer {half}"}, {"Admit-Pending": half}):
                answer = browser.send(one.method, API + path, json={}, headers={**OWN_PAGE, **headers})
                assert answer.status_code == 401
        if Face.PAGE in one.faces:
            answer = browser.send("GET" if one.method == "GET" else "POST", f"/account{path}", headers=OWN_PAGE)
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/account/sign-in")
    browser.plant(SESSION, half)
    assert browser.me().status_code == 401
    assert browser.get("/private", Accept="application/json").status_code == 401
    assert browser.send("POST", "/transfer", headers={"Accept": "application/json"}).status_code == 401


def test_133_the_second_factor_alone(site: Site, thief: Browser) -> None:
    """A second factor logs nobody in without a half-done login, nor with one that was made up."""
    assert prove(thief).json["code"] == "invalid_challenge"
    for junk in ("", "x", SHAPED, "A" * 22 + "." + "B" * 43, site.reset_token(ADA)):
        assert prove(thief, **{"Admit-Pending": junk}).json["code"] == "invalid_challenge"
    assert thief.me().status_code == 401


def test_133_half_a_login_ends(site: Site) -> None:
    """A half-done login is over after ten minutes, after its use, after logging out, and with the password."""
    late = site.browser()
    late.sign_in(ADA)
    site.clock.advance(timedelta(minutes=10))
    assert prove(late).status_code == 410
    used = site.browser()
    used.sign_in(ADA)
    copy = used.cookie(PENDING) or ""
    assert prove(used).status_code == 200
    assert prove(site.browser(), **{"Admit-Pending": copy}).status_code == 410
    gone = site.browser()
    gone.sign_in(ADA)
    gone.post("/sign-out")
    assert gone.cookie(PENDING) is None
    changed = site.browser()
    changed.sign_in(ADA)
    assert used.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert prove(changed).status_code == 410


def test_133_half_a_login_completed_at_once(site: Site) -> None:
    """Of eight completions of one half-done login at the same moment exactly one gives a session."""
    browser = site.browser()
    browser.sign_in(ADA)
    half = browser.cookie(PENDING) or ""
    browsers = [site.browser() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: prove(one, **{"Admit-Pending": half}), browsers))
    statuses = [answer.json.get("status") for answer in answers]
    assert statuses.count("signed_in") == 1
    assert sum(browser.me().status_code == 200 for browser in browsers) == 1


def test_133_proofs_of_two_people(site: Site) -> None:
    """The first factor of one person and the second of another make nobody's login."""
    browser = site.browser()
    browser.sign_in(ADA)
    adas = browser.cookie(PENDING) or ""
    assert prove(browser, BOBS_CODE).status_code == 401
    other = site.browser()
    assert other.sign_in(BOB, **{"Admit-Pending": adas}).json["status"] == "pending"
    assert other.cookie(PENDING) != adas
    assert prove(other, CODE).status_code == 401
    assert prove(other, BOBS_CODE).status_code == 200
    assert other.me().json["email"] == BOB
    assert prove(browser, CODE).status_code == 200, "Ada's login is not used up by Bob's"


@pytest.mark.parametrize("how", ["locked_at", "closed_at"])
def test_133_half_a_login_of_a_locked_account(site: Site, how: str) -> None:
    """A login that was half done when its account was locked can't be completed."""
    browser, account = site.browser(), site.account(ADA)
    browser.sign_in(ADA)
    site.accounts.store.replace_account(account, replace(account, **{how: site.clock()}))
    assert prove(browser).status_code == (403 if how == "locked_at" else 401)
    assert browser.me().status_code == 401


def test_133_a_stale_session_and_somebody_elses_proof(site: Site) -> None:
    """A stale session is made fresh by no credential of another person, of whichever kind."""
    browser = site.browser()
    browser.sign_in(ADA)
    prove(browser)
    site.clock.advance(timedelta(hours=2))
    plain = {"Accept": "application/json"}
    assert browser.send("POST", "/transfer", headers=plain).status_code in {401, 403}
    assert browser.post("/badge/confirm", {"identifier": BOB, "badge": f"badge of {BOB}"}).status_code == 403
    assert browser.send("POST", "/transfer", headers=plain).status_code in {401, 403}
    assert browser.me().json["email"] == ADA
    assert browser.post("/badge/confirm", {"identifier": ADA, "badge": f"badge of {ADA}"}).status_code == 200
    assert browser.send("POST", "/transfer", headers=plain).status_code == 200


def logged_in(site: Site, name: str = ADA, code: str = CODE) -> Browser:
    """Return a browser that is logged in with both factors."""
    browser = site.browser()
    browser.sign_in(name)
    assert prove(browser, code).status_code == 200
    return browser


BEARERS = ("Bearer x", f"Bearer {SHAPED}", "Bearer", "Basic eDp5", "Token x")


@pytest.mark.parametrize("value", BEARERS)
def test_149_a_bearer_beside_a_cookie(site: Site, value: str) -> None:
    """A request of another site stays refused with an Authorization header, and a cookie is not lent to one."""
    browser = logged_in(site)
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Authorization": value}
    for path, body in (("/sign-out", {}), ("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})):
        for carrier in ({}, {"Admit-Carrier": "bearer"}):
            assert browser.send("POST", API + path, json=body, headers={**foreign, **carrier}).status_code == 403
    if SHAPED in value:
        assert browser.get(f"{API}/", Authorization=value).status_code == 401
    assert browser.me().status_code == 200


def test_149_the_carrier_gives_no_token_away(site: Site) -> None:
    """A page that asks for a token in a header gets none of a session that is in a cookie."""
    browser = logged_in(site)
    secret = (browser.cookie() or "").partition(".")[2]
    for path in ("/", "/devices"):
        answer = browser.get(API + path, **{"Admit-Carrier": "bearer", **OWN_PAGE})
        assert secret not in answer.text + str(answer.headers)
        assert "Admit-Token" not in answer.headers


def test_149_clients_without_cookies(site: Site) -> None:
    """A client that asks for tokens in headers gets them there only, for both steps of a login."""
    client = site.browser()
    carrier = {"Admit-Carrier": "bearer"}
    half = client.sign_in(ADA, **carrier)
    assert not half.headers.getlist("Set-Cookie")
    whole = prove(client, **carrier, **{"Admit-Pending": half.headers["Admit-Pending"]})
    assert not [line for line in whole.headers.getlist("Set-Cookie") if line.startswith(f"{SESSION}=")]
    token = whole.headers["Admit-Token"]
    assert client.get(f"{API}/", Authorization=f"Bearer {token}").json["email"] == ADA


def test_154_revoking_and_using_at_once(site: Site) -> None:
    """A session that is ended while it rotates and is used stays ended, and every answer is one of the two."""
    browser, owner = logged_in(site), logged_in(site)
    devices = owner.get(f"{API}/devices").json["devices"]
    [other] = [one["id"] for one in devices if not one["is_this"]]
    site.clock.advance(timedelta(hours=2))
    copies = [site.browser() for _ in range(8)]
    for copy in copies:
        copy.plant(SESSION, browser.cookie() or "")
    with ThreadPoolExecutor(9) as threads:
        used = [threads.submit(copy.me) for copy in copies]
        ended = threads.submit(owner.post, f"/devices/{other}", {}, method="DELETE")
        assert ended.result().json == {"ended": 1}
        assert {one.result().status_code for one in used} <= {200, 401}
    assert {copy.me().status_code for copy in copies} == {401}


def test_155_other_peoples_devices(site: Site) -> None:
    """Ending somebody else's device is answered as one that never was, and changes nothing."""
    ada, bob = logged_in(site), logged_in(site, BOB, BOBS_CODE)
    [adas] = [one["id"] for one in ada.get(f"{API}/devices").json["devices"]]
    assert adas not in bob.get(f"{API}/devices").text
    answers = [
        bob.post(f"/devices/{one}", {}, method="DELETE") for one in (adas, "A" * 22, "x", ada.cookie(), "%2e%2e", "*")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert bob.send("POST", f"/account/devices/{adas}", headers=OWN_PAGE).status_code == 404
    assert bob.post("/devices", {}, method="DELETE").json == {"ended": 0}
    assert bob.post(f"/devices?subject={site.account(ADA).id}", {}, method="DELETE").json == {"ended": 0}
    assert ada.me().status_code == 200


def test_155_strangers_and_devices(site: Site, thief: Browser) -> None:
    """Whoever is not logged in learns of no device, and the id of one is not enough to be it."""
    ada = logged_in(site)
    [one] = [one["id"] for one in ada.get(f"{API}/devices").json["devices"]]
    for method, path in (("GET", "/devices"), ("DELETE", f"/devices/{one}"), ("DELETE", "/devices")):
        assert thief.send(method, API + path, json={}, headers=OWN_PAGE).status_code == 401
    for forged in (one, f"{one}.", f"{one}.{'A' * 56}"):
        thief.plant(SESSION, forged)
        assert thief.me().status_code == 401
        assert thief.post("/sign-out", {}).status_code == 204
    assert ada.me().status_code == 200
