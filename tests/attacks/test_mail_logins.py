"""D3 and others, as far as they are about logging in by mail."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, PASSWORD, SESSION, make_site, put_before_verbs
from tests.attacks.test_links import HOSTS, is_refused, told

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
KEPT = f"{SESSION}-kept-magic_link"
CODE = re.compile(r"^(\d{4}) (\d{4})$", re.MULTILINE)
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def ask(site: Site, browser: Browser, name: str = ADA) -> tuple[str, str]:
    """Ask for a mail, and return the token of its link and its code."""
    assert browser.post("/magic-link", {"identifier": name}).status_code == 202
    found = CODE.search(site.mails_to(name)[-1].text)
    assert found
    return site.mailed_token(name, "magic-link"), found[1] + found[2]


def use(browser: Browser, token: object, **more: Any) -> TestResponse:
    """Try to log in by the link of a mail."""
    return browser.post("/magic-link/use", {"token": token, **more})


def enter(browser: Browser, code: object) -> TestResponse:
    """Try to log in by the code of a mail."""
    return browser.post("/magic-link/code", {"code": code})


@pytest.mark.parametrize("headers", HOSTS, ids=range(len(HOSTS)))
def test_037_a_login_link_of_another_host(site: Site, headers: dict[str, str]) -> None:
    """The link of a login leads to the configured address, whatever the request says of hosts."""
    site.mails.clear()
    body = {"identifier": ADA}
    answer = site.browser().send("POST", f"{API}/magic-link", json=body, headers={**SAME_ORIGIN, **headers})
    assert answer.status_code in {202, 400}
    assert len(site.mails) == (answer.status_code == 202)
    for mail in site.mails:
        assert "evil" not in mail.text + (mail.html or "")
        assert f"{ORIGIN}/account/magic-link/" in mail.text


@pytest.mark.parametrize("part", ["link", "code", "both"])
def test_038_a_login_used_by_many_at_once(site: Site, part: str) -> None:
    """Of four uses of one mail at the same moment, in copies of the browser that asked, one logs in."""
    first = site.browser()
    token, code = ask(site, first)
    browsers = [site.browser() for _ in range(4)]
    for browser in browsers:
        browser.plant(KEPT, first.cookie(KEPT) or "")

    def try_once(number: int) -> TestResponse:
        by_link = part == "link" or (part == "both" and number % 2)
        return use(browsers[number], token) if by_link else enter(browsers[number], code)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(try_once, range(4)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert sum(map(is_refused, answers)) == 3
    assert sum(browser.me().status_code == 200 for browser in browsers) == 1


def test_039_guessed_links_and_codes(site: Site) -> None:
    """A link or code that was cut, recased, prefixed or is of another type is refused, and the real one lives on."""
    browser = site.browser()
    token, _ = ask(site, browser)
    first, _, second = token.partition(".")
    kept = browser.cookie(KEPT) or ""
    texts = [
        "",
        " ",
        ".",
        token[:-1],
        token + "A",
        token.swapcase(),
        f" {token}",
        f"{token}\n",
        second,
        kept,
        token * 2,
    ]
    texts += [
        f"{first}.{'A' * 43}",
        f"{'A' * 22}.{second}",
        f"{first}.",
        f".{second}",
        f"{token}\0",
        "%",
        "' OR 1=1 --",
    ]
    for text in texts:
        assert is_refused(use(browser, text)), text
    for value in (None, 0, 12345678, True, [], [token], {}, {"$ne": ""}):
        assert use(browser, value).status_code == 422
        assert enter(browser, value).status_code == 422
    assert use(browser, token).status_code == 200


@pytest.mark.parametrize("kept", ["", "x", "A" * 22 + "." + "B" * 43, "\u00e9", "~", "A" * 3000])
def test_039_cookies_that_were_made_up(site: Site, kept: str) -> None:
    """Neither link nor code logs in beside a cookie that was made up."""
    token, code = ask(site, site.browser())
    thief = site.browser("198.51.100.66")
    thief.plant(KEPT, kept)
    assert is_refused(use(thief, token))
    assert is_refused(enter(thief, code))
    assert thief.get("/account/magic-link/use").status_code == 200
    assert thief.me().status_code == 401


def test_040_older_mails_are_dead(site: Site) -> None:
    """A mail is worth nothing once there is a newer one, the password has changed, or ten minutes are over."""
    one, two = site.browser(), site.browser()
    older, code = ask(site, one)
    newer, _ = ask(site, two)
    assert is_refused(use(one, older))
    assert is_refused(enter(one, code))
    ada = site.signed_in(ADA)
    assert ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert is_refused(use(two, newer))
    late, code = ask(site, two)
    site.clock.advance(timedelta(minutes=10))
    assert is_refused(use(two, late))
    assert is_refused(enter(two, code))


def test_040_a_change_of_the_password_voids_the_mail(site: Site) -> None:
    """A mail that was asked for is worth nothing once the password is another."""
    browser = site.browser()
    token, code = ask(site, browser)
    owner = site.signed_in(ADA)
    assert owner.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    assert is_refused(use(browser, token))
    assert is_refused(enter(browser, code))


def test_041_tokens_of_other_purposes(site: Site) -> None:
    """No other token logs in by mail, and a link, a code or its cookie is good for nothing else."""
    browser = site.signed_in(ADA)
    reset = site.reset_token(ADA)
    token, _ = ask(site, browser)
    for other in (reset, browser.cookie(), browser.cookie(f"{SESSION}-devices"), browser.cookie(KEPT)):
        assert is_refused(use(browser, other))
    for ours in (token, browser.cookie(KEPT) or ""):
        assert is_refused(browser.post("/password-reset/choose", {"token": ours, "password": OTHER_PASSWORD}))
        assert is_refused(browser.post("/verify", {"token": ours}))
        stranger = site.browser()
        stranger.plant(SESSION, ours)
        assert stranger.me().status_code == 401
    other = site.browser()
    other.plant(KEPT, reset)
    assert is_refused(use(other, reset))
    assert is_refused(enter(other, "12345678"))


def test_042_a_mail_with_somebody_elses_id(site: Site) -> None:
    """A mail is bound to its account: a field that names another is refused, and it logs in to its own."""
    bob = site.member(BOB)
    browser = site.browser()
    token, _ = ask(site, browser)
    for name in ("user_id", "account", "subject", "id", "identifier", "email"):
        assert use(browser, token, **{name: bob.id}).status_code == 422
    assert use(browser, token).status_code == 200
    assert browser.me().json["email"] == ADA


def test_043_the_token_leaves_the_address(site: Site, thief: Browser) -> None:
    """Following the link redirects to an address without the token, and no Referer tells of it."""
    token, _ = ask(site, site.browser())
    answer = thief.get(f"/account/magic-link/{token}")
    assert answer.status_code == 303
    assert token not in answer.headers["Location"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_044_scanners_come_first(site: Site) -> None:
    """A scanner that follows the link and the page behind it before the owner does uses nothing up."""
    browser, scanner = site.browser(), site.browser("198.51.100.9")
    token, _ = ask(site, browser)
    for path in (f"/account/magic-link/{token}", "/account/magic-link/use"):
        for method in ("GET", "GET", "HEAD", "OPTIONS"):
            assert scanner.send(method, path).status_code in {200, 303, 405}
    assert is_refused(scanner.post("/magic-link/use", {"token": token}))
    assert scanner.me().status_code == 401
    assert use(browser, token).status_code == 200


def test_045_mail_flood(site: Site) -> None:
    """However many addresses ask, one mailbox gets twenty mails an hour, and the last one still works."""
    site.mails.clear()
    site.clock.advance(timedelta(hours=2))
    browsers = [site.browser(f"198.51.{number}.7") for number in range(24)]
    for browser in browsers:
        assert browser.post("/magic-link", {"identifier": ADA}).status_code == 202
    assert len(site.mails_to(ADA)) == 20
    assert use(browsers[19], site.mailed_token(ADA, "magic-link")).status_code == 200


def test_046_enumeration_by_asking(site: Site) -> None:
    """Asking for a mail is told alike for known, unknown, unconfirmed and locked accounts, and for nonsense."""
    site.sign_up(BOB)
    names = [ADA, "nobody@people.example", BOB, "nobody", "nonsense", "", "\u202eadmin", "x" * 300]
    answers = [site.browser().post("/magic-link", {"identifier": name}) for name in names]
    assert len({repr(told(answer)) for answer in answers}) == 1
    assert answers[0].status_code == 202


class Watched:
    """A store that notes which of its verbs are called."""

    def __init__(self, store: Any) -> None:
        self.calls: list[str] = []
        put_before_verbs(self, store, self.calls.append)


def test_046_enumeration_by_cost() -> None:
    """Asking for a mail and typing a wrong code cost the store alike, whether or not there is an account."""
    store = Watched(MemoryStore())
    site = make_site(store, ADMIT_STORE_NEAR_ENTRIES=0)
    site.member(ADA)
    costs = []
    for name in (ADA, "nobody@people.example"):
        browser = site.browser()
        store.calls.clear()
        browser.post("/magic-link", {"identifier": name})
        enter(browser, "1")
        costs.append(list(store.calls))
    assert costs[0] == costs[1]
    assert "add_challenge" in costs[0]


def test_049_a_leaked_database_opens_nothing(site: Site, tmp_path: Path) -> None:
    """Neither the link nor the code nor the cookie of a login is in the files of the database."""
    browser = site.browser()
    token, code = ask(site, browser)
    leaked = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (token.partition(".")[2], code, (browser.cookie(KEPT) or "").partition(".")[2]):
        assert secret
        assert secret.encode() not in leaked


def test_051_pre_hijacking(site: Site, thief: Browser) -> None:
    """Whoever signed up with somebody else's address has nothing once its owner logs in by mail."""
    site.unconfirmed(BOB, "the attacker knows this one")
    thief.post("/verify/request", {"email": BOB})
    bob = site.browser()
    token, _ = ask(site, bob, BOB)
    assert use(bob, token).status_code == 200
    assert bob.me().json["is_verified"] is True
    assert thief.sign_in(BOB, "the attacker knows this one").status_code == 401
    assert is_refused(thief.post("/verify", {"token": site.token(BOB)}))


def test_052_a_link_opened_in_a_foreign_browser(site: Site, thief: Browser) -> None:
    """The link alone and the code alone log nobody in elsewhere, and the page there says how to go on."""
    token, code = ask(site, site.browser())
    assert is_refused(use(thief, token))
    assert is_refused(enter(thief, code))
    thief.get(f"/account/magic-link/{token}")
    page = thief.get("/account/magic-link/use")
    assert page.status_code == 200
    assert "type the code" in page.text
    assert code not in page.text
    assert thief.me().status_code == 401


def test_080_guessing_codes(site: Site) -> None:
    """Of one mail five codes are looked at, and of an account no more than failed logins are, mails or not."""
    looked_at = 0
    for _ in range(5):
        browser = site.browser("198.51.100.66")
        _, code = ask(site, browser)
        answers = [enter(browser, f"{(int(code) + one) % 10**8:08}") for one in range(1, 8)]
        looked_at += sum(answer.json["code"] == "wrong_code" for answer in answers)
        assert {answer.status_code for answer in answers} <= {401, 410, 429}
    assert looked_at <= 10
    assert site.browser("198.51.100.66").sign_in(ADA).status_code == 429, "passwords are counted with them"
    assert site.browser("192.0.2.200").sign_in(ADA).status_code == 200


def test_086_guessing_codes_at_once(site: Site) -> None:
    """Of twenty wrong codes typed at the same moment in copies of one browser, five are looked at."""
    first = site.browser()
    _, code = ask(site, first)
    browsers = [site.browser(f"198.51.{number}.7") for number in range(20)]
    for browser in browsers:
        browser.plant(KEPT, first.cookie(KEPT) or "")
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda one: enter(one, f"{(int(code) + 1) % 10**8:08}"), browsers))
    assert sum(answer.json["code"] == "wrong_code" for answer in answers) <= 5
    assert enter(first, code).status_code in {401, 410, 429}
    assert first.me().status_code == 401


def test_106_logging_somebody_in_as_another(site: Site) -> None:
    """A link that an attacker has asked for does not log their victim in, nor does a form of another site."""
    eve, victim = site.browser("198.51.100.66"), site.signed_in(ADA)
    site.member(BOB)
    token, code = ask(site, eve, BOB)
    victim.get(f"/account/magic-link/{token}")
    assert is_refused(use(victim, token))
    victim.plant(KEPT, eve.cookie(KEPT) or "")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for path, form in (("use", {}), ("use", {"token": token}), ("code", {"code": code})):
        answer = victim.send("POST", f"/account/magic-link/{path}", data=form, headers=foreign)
        assert answer.status_code == 403
    assert victim.me().json["email"] == ADA
