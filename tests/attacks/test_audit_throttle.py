"""What the audit of November 2026 found about limits: right passwords, mails, new devices, and the queue of logins."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import operations, tokens
from admit.features.password import Password
from admit.features.password.hashing import Hasher
from admit.model import ADOPTED, Credential
from admit.testing import a_session
from tests.attacks.conftest import ADA
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, WRONG_PASSWORD, all_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from admit.model import Account
    from tests.attacks.site import Browser, Site

HASHED = Hasher().hash(PASSWORD)
BEARER = {"Admit-Carrier": "bearer"}
LINK = re.compile(re.escape(ORIGIN) + r"/account/magic-link/([\w.-]+)")


def made(site: Site, name: str, *, verified: bool = True, **changes: Any) -> Account:
    """Make an account as an operator does, with the password of these tests."""
    account = operations.new_account(at=site.clock(), email=name, verified=verified)
    account = replace(account, **changes)
    secret = Credential(tokens.new_id(), "password", account.id, account.id, HASHED, site.clock())
    return operations.create_account(site.accounts.keeper.gate, site.accounts.store, account, secret)


def statuses(answers: list[TestResponse]) -> list[int]:
    """Return the statuses of answers."""
    return [one.status_code for one in answers]


# -- S5: right passwords ----------------------------------------------------------------------------------------------


@pytest.fixture
def strict(new_site: Callable[..., Site]) -> Site:
    """Return a site on which Ada has an account, and where little is too much: each try takes a hash."""
    few = {"LOGIN_BURST": 5, "PAIR_BURST": 3, "ACCOUNT_BURST": 6, "ADDRESS_BURST": 9}
    site = new_site(**{f"ADMIT_THROTTLE_{name}": most for name, most in few.items()})
    site.member(ADA)
    return site


def test_162_right_passwords_are_counted(strict: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging in again and again with a right password, from wherever, is told to wait, and costs no hash then."""
    site = strict
    found = [site.browser(f"198.51.{number}.1").sign_in(ADA) for number in range(5)]
    assert statuses(found) == [200] * 5
    with monkeypatch.context() as patched:
        patched.setattr("admit.features.password.hashing.Hasher.verify", None)
        refused = site.browser("198.51.200.1").sign_in(ADA)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 20
        assert site.browser("198.51.200.1").sign_in(ADA, WRONG_PASSWORD).data == refused.data
    made(site, "bob@people.example")
    assert site.browser("198.51.200.1").sign_in("bob@people.example").status_code == 200
    site.clock.advance(timedelta(seconds=20))
    assert site.browser("198.51.200.1").sign_in(ADA).status_code == 200


def test_162_known_devices_have_a_bound_of_their_own(strict: Site) -> None:
    """A known device logs in so often and no more; strangers who use up the account's logins don't keep it out."""
    known = strict.signed_in(ADA)
    for number in range(4):
        assert strict.browser(f"198.51.{number}.1").sign_in(ADA).status_code == 200
    assert strict.browser("198.51.200.1").sign_in(ADA).status_code == 429
    assert statuses([known.sign_in(ADA) for _ in range(6)]) == [200] * 5 + [429]


def test_162_confirming_again_and_again(strict: Site) -> None:
    """A session that proves its password again and again is told to wait like one that logs in."""
    ada = strict.signed_in(ADA)
    answers = [ada.post("/password/confirm", {"password": PASSWORD}) for _ in range(6)]
    assert statuses(answers) == [200] * 5 + [429]


def test_162_an_unconfirmed_account_is_a_failure(strict: Site) -> None:
    """The right password of an account whose address nobody has confirmed costs what a wrong one does."""
    for number in range(4):
        made(strict, f"invented{number}@evil.example", verified=False)
    thief = strict.browser("198.51.100.66")
    answers = [thief.sign_in(f"invented{one}@evil.example") for one in (0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3)]
    assert statuses(answers) == [403] * 3 + [429] + [403] * 6 + [429], "three for each, and nine for the address"
    assert strict.browser("198.51.100.67").sign_in("invented3@evil.example").status_code == 403


def test_162_unknown_names_have_the_same_bounds(strict: Site) -> None:
    """A name that nobody has is refused after as many tries as one that somebody has, at one place and at all."""
    found: dict[str, list[int]] = {ADA: [], "nobody@people.example": []}
    for name, of_name in found.items():
        for number in range(9):
            browser = strict.browser(f"198.51.{number // 4}.{len(name)}")
            of_name.append(browser.sign_in(name, WRONG_PASSWORD).status_code)
    assert [*found.values()] == [[401, 401, 401, 429, 401, 401, 401, 429, 429]] * 2


def test_162_sessions_are_bounded(site: Site) -> None:
    """However many sessions an account has from before, a login leaves a hundred, and a new password none but one."""
    account, store = site.account(ADA), site.accounts.keeper.gate.store
    for _ in range(105):
        store.add_session(a_session(subject=account.id, created_at=site.clock(), seen_at=site.clock()))
    browser = site.signed_in(ADA)
    assert store.count_sessions(account.id) == 100
    changed = browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert changed.json == {"ended": 99}
    assert store.count_sessions(account.id) == 1
    assert browser.me().status_code == 200


# -- S8: mails --------------------------------------------------------------------------------------------------------


def ask_for_reset(browser: Browser, name: str = ADA) -> None:
    """Ask for a link to choose a new password."""
    assert browser.post("/password-reset", {"identifier": name}).status_code == 202


def resets(site: Site) -> int:
    """Return how many such mails Ada was sent."""
    return sum("/password-reset/" in mail.text for mail in site.mails_to(ADA))


def test_165_notices_are_never_left_out(site: Site, ada: Browser) -> None:
    """Whoever has used up all mails that can be asked for keeps no notice from the owner."""
    for number in range(21):
        stranger = site.browser(f"198.51.{number}.1")
        ask_for_reset(stranger)
        stranger.post("/magic-link", {"identifier": ADA})
        stranger.post("/sign-up", {"email": ADA, "password": PASSWORD})
    site.mails.clear()
    ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert len(site.mails_to(ADA)) == 1
    site.signed_in(ADA, OTHER_PASSWORD, at="203.0.113.9")
    assert len(site.mails_to(ADA)) == 2


def test_165_strangers_use_up_their_own(site: Site) -> None:
    """A stranger's mails are counted apart from those of other networks, of other purposes, and of known devices."""
    known = site.signed_in(ADA, at="198.51.100.66")
    site.mails.clear()
    stranger = site.browser("198.51.100.66")
    for _ in range(9):
        ask_for_reset(stranger)
    assert resets(site) == 5
    ask_for_reset(site.browser("203.0.113.9"))
    assert resets(site) == 6
    ask_for_reset(known)
    assert resets(site) == 7, "the owner's device, in the stranger's own network"
    stranger.post("/magic-link", {"identifier": ADA})
    assert LINK.search(site.mails_to(ADA)[-1].text)


def test_165_a_flood_from_everywhere_is_bounded(site: Site) -> None:
    """However many networks ask, one mailbox gets twenty mails of a kind in an hour, and the owner's device its own."""
    known = site.signed_in(ADA)
    site.mails.clear()
    for number in range(60):
        ask_for_reset(site.browser(f"198.51.{number}.1"))
    assert resets(site) == 20
    ask_for_reset(known)
    assert resets(site) == 21


def test_165_known_devices_may_ask_when_their_address_may_not(new_site: Callable[..., Site]) -> None:
    """Whoever has asked for too much at an address keeps no known device there from asking."""
    site = new_site(ADMIT_THROTTLE_REQUESTS_PER_HOUR=3)
    site.member(ADA)
    known = site.signed_in(ADA, at="198.51.100.66")
    stranger = site.browser("198.51.100.66")
    asked = [stranger.post("/password-reset", {"identifier": f"p{number}@people.example"}) for number in range(4)]
    assert statuses(asked) == [202] * 3 + [429]
    assert stranger.post("/magic-link", {"identifier": ADA}).status_code == 429
    ask_for_reset(known)
    assert known.post("/magic-link", {"identifier": ADA}).status_code == 202


def test_165_what_is_not_sent_replaces_nothing(site: Site) -> None:
    """A mail to log in that is one too many voids neither the one before nor what the browser keeps for that."""
    browser = site.browser()
    site.mails.clear()
    for _ in range(9):
        assert browser.post("/magic-link", {"identifier": ADA}).status_code == 202
    assert len(site.mails_to(ADA)) == 5
    link = LINK.search(site.mails_to(ADA)[-1].text)
    assert link
    assert browser.post("/magic-link/use", {"token": link[1]}).status_code == 200


def test_165_what_is_not_sent_tells_nobody(site: Site) -> None:
    """Whether a mail was one too many is answered alike for somebody and for nobody, cookies included."""
    known, unknown = site.browser("198.51.100.1"), site.browser("198.51.100.2")

    def told(browser: Browser, name: str) -> tuple[int, bytes, int]:
        answer = browser.post("/magic-link", {"identifier": name})
        return answer.status_code, answer.data, len(answer.headers.getlist("Set-Cookie"))

    of_known = [told(known, ADA) for _ in range(9)]
    assert of_known == [told(unknown, "nobody@people.example") for _ in range(9)]


def test_165_a_change_that_is_not_mailed_replaces_nothing(site: Site, ada: Browser) -> None:
    """A mail to a new address that is one too many leaves the link of the one before."""
    new = "new@people.example"
    for number in range(2):
        other = f"p{number}@people.example"
        site.member(other)
        owner = site.signed_in(other)
        for _ in range(3 - number):
            owner.post("/mail-change", {"email": new})
    assert len(site.mails_to(new)) == 5
    link = site.mailed_token(new, "mail-change/confirm")
    assert owner.post("/mail-change", {"email": new}).status_code == 202
    assert len(site.mails_to(new)) == 5
    assert owner.post("/mail-change/confirm", {"token": link}).status_code == 200


# -- S16: new devices -------------------------------------------------------------------------------------------------


def mails_about_devices(site: Site) -> int:
    """Return how many mails have told Ada of a new device."""
    return sum("/new-device/" in mail.text for mail in site.mails_to(ADA))


def sign_in_by_bearer(site: Site, at: str, agent: str = "harbour-cli/1.0") -> None:
    """Log in as a client without cookies."""
    answer = site.browser(at).sign_in(ADA, **BEARER, **{"User-Agent": agent})
    assert answer.status_code == 200


def test_173_clients_without_cookies(site: Site) -> None:
    """The owner of an account that only clients without cookies use is told once of each new place."""
    sign_in_by_bearer(site, "192.0.2.1")
    assert mails_about_devices(site) == 0, "whoever has just signed up knows"
    for _ in range(3):
        sign_in_by_bearer(site, "192.0.2.1")
    assert mails_about_devices(site) == 0, "a program that logs in each time"
    sign_in_by_bearer(site, "198.51.100.66")
    assert mails_about_devices(site) == 1
    sign_in_by_bearer(site, "198.51.100.66")
    assert mails_about_devices(site) == 1
    sign_in_by_bearer(site, "192.0.2.1", "something else")
    assert mails_about_devices(site) == 2


def test_173_a_place_is_no_known_device(site: Site) -> None:
    """That a client without cookies has been at a place lets nobody there pass for a known device."""
    site.signed_in(ADA)
    sign_in_by_bearer(site, "198.51.100.66")
    site.mails.clear()
    thief = site.browser("198.51.100.66")
    assert thief.sign_in(ADA, **{"User-Agent": "harbour-cli/1.0"}).status_code == 200
    assert mails_about_devices(site) == 1
    for _ in range(11):
        last = site.browser("198.51.100.66").sign_in(ADA, WRONG_PASSWORD, **BEARER, **{"User-Agent": "harbour-cli/1.0"})
    assert last.status_code == 429


def test_173_a_new_password_forgets_places(site: Site, ada: Browser) -> None:
    """After a new password, a client without cookies is new at its place again."""
    sign_in_by_bearer(site, "198.51.100.66")
    ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    site.mails.clear()
    answer = site.browser("198.51.100.66").sign_in(ADA, OTHER_PASSWORD, **BEARER, **{"User-Agent": "harbour-cli/1.0"})
    assert answer.status_code == 200
    assert mails_about_devices(site) == 1


@pytest.mark.parametrize("headers", [{}, BEARER])
def test_173_imported_users(new_site: Callable[..., Site], headers: dict[str, str]) -> None:
    """The first login to an imported account is told: whoever comes first may know the password from there."""
    site = new_site()
    account = made(site, ADA)
    credentials = site.accounts.credentials
    [old] = credentials.list_credentials(account.id)
    credentials.replace_credential(old, replace(old, details={ADOPTED: "password"}))
    assert site.browser("198.51.100.66").sign_in(ADA, **headers).status_code == 200
    assert mails_about_devices(site) == 1
    [kept] = [one for one in credentials.list_credentials(account.id) if one.kind == "password"]
    assert not kept.is_adopted
    assert site.browser("198.51.100.66").sign_in(ADA, **headers).status_code == 200
    assert mails_about_devices(site) == (1 if headers else 2)


def test_173_accounts_of_long_ago(site: Site) -> None:
    """The first login to an account that was made long ago is told, as one that was adopted with its age is."""
    site.clock.advance(timedelta(days=1))
    site.signed_in(ADA, at="198.51.100.66")
    assert mails_about_devices(site) == 1


def test_173_a_noisy_client_hides_nobody(site: Site) -> None:
    """A program that logs in as another each time uses up the mails about programs, and none about browsers."""
    site.signed_in(ADA)
    for number in range(9):
        sign_in_by_bearer(site, "192.0.2.1", f"build {number}")
    assert mails_about_devices(site) == 5
    site.signed_in(ADA, at="198.51.100.66")
    assert mails_about_devices(site) == 6


# -- S25: the queue ---------------------------------------------------------------------------------------------------


def queue_of(site: Site) -> Any:
    """Return those who wait for hashes on a site."""
    feature: Any = site.accounts.features["password"]
    return feature.hasher._pool._line.get()


def let_it_stand(site: Site) -> None:
    """Let four others hash and wait, for longer than the queue may stand."""
    line = queue_of(site)
    for number in range(4):
        line.enter(f"somebody {number}", 0.0)
    line._empty_at = float("-inf")


def test_182_a_class_signs_in(new_site: Callable[..., Site]) -> None:
    """Many people behind one address who sign in at the same moment all get in."""
    features = [one for one in all_features() if one.name != "password"]
    site = new_site([*features, Password(logins_at_once=1, patience=timedelta(minutes=9))])
    names = [f"pupil{number}@school.example" for number in range(35)]
    for name in names:
        made(site, name)
    browsers = [site.browser("198.51.100.1") for _ in names]
    with ThreadPoolExecutor(35) as threads:
        answers = list(threads.map(lambda browser, name: browser.sign_in(name), browsers, names))
    assert statuses(answers) == [200] * 35


def test_182_a_queue_that_stands_is_refused(site: Site) -> None:
    """Where the queue has stood, JSON is answered 503 with Retry-After, and the try does not count as a failure."""
    let_it_stand(site)
    browser = site.browser()
    for _ in range(12):
        refused = browser.sign_in(ADA)
        assert refused.status_code == 503
        assert refused.json["code"] == "overloaded"
        assert int(refused.headers["Retry-After"]) >= 1
    line = queue_of(site)
    for number in range(4):
        line.leave(f"somebody {number}")
    assert browser.sign_in(ADA).status_code == 200


def post_form(browser: Browser, **fields: str) -> TestResponse:
    """Send the form of the sign-in page."""
    body = {"identifier": ADA, "password": PASSWORD, **fields}
    return browser.send("POST", "/account/sign-in", data=body, headers=OWN_PAGE)


def test_182_the_page_of_a_refusal(site: Site) -> None:
    """A browser without scripts is told to wait a moment, in the form with all that was typed but the password."""
    let_it_stand(site)
    refused = post_form(site.browser(), remember="true")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert "One moment" in refused.text
    assert f'value="{ADA}"' in refused.text
    assert PASSWORD not in refused.text


def test_182_a_page_that_goes_on_by_itself(site: Site) -> None:
    """A browser whose script sends the form again stays on its page, with the password, and is told for how long."""
    let_it_stand(site)
    browser = site.browser()
    refused = post_form(browser, waits="yes")
    assert (refused.status_code, refused.data) == (204, b"")
    assert int(refused.headers["Retry-After"]) >= 1
    [cookie] = refused.headers.getlist("Set-Cookie")
    assert cookie.startswith("admit-wait=1;")
    assert "Secure" in cookie
    assert "SameSite=Strict" in cookie
    for number in range(4):
        queue_of(site).leave(f"somebody {number}")
    assert post_form(browser, waits="yes").status_code == 303
    assert browser.get(f"{API}/").status_code == 200
