"""D1, D3 and others, as far as they are about mails that tell of a login on a new device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.features.new_device import DeviceMet
from tests.attacks.conftest import ADA
from tests.attacks.factors import Dongle, enroll
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, PASSWORD, SESSION, all_features
from tests.attacks.test_links import HOSTS, choose, is_refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

CHOSEN = "seven green umbrellas in the attic"
DEVICES = f"{SESSION}-devices"


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """Return a site on which Ada has logged in on a device of hers."""
    found = new_site()
    found.member(ADA)
    found.signed_in(ADA)
    found.mails.clear()
    return found


def strange_login(site: Site, at: str = "198.51.100.66") -> tuple[Browser, str]:
    """Log in from somewhere else, and return the browser and the token of the mail about it."""
    thief = site.signed_in(ADA, at=at)
    return thief, site.mailed_token(ADA, "new-device")


def deny(browser: Browser, token: object) -> TestResponse:
    """Try to say that it was not me."""
    return browser.post("/new-device", {"token": token})


def test_024_a_copied_mark(site: Site) -> None:
    """A device is known by a mark that its owner's login has left there: another's, or one made up, does not pass."""
    site.member("eve@people.example")
    eve = site.signed_in("eve@people.example")
    for number, mark in enumerate(("", "x", "A" * 22 + "." + "B" * 43, eve.cookie(DEVICES) or "")):
        thief = site.browser(f"198.51.100.{number}")
        thief.plant(DEVICES, mark)
        assert thief.sign_in(ADA).status_code == 200
        assert len(site.mails_to(ADA)) == number + 1


@pytest.mark.parametrize("carrier", [{}, {"Admit-Carrier": "bearer"}])
def test_024_clients_without_cookies(site: Site, carrier: dict[str, str]) -> None:
    """Who asks for the token in a header is told of as well."""
    assert site.browser("198.51.100.66").sign_in(ADA, **carrier).status_code == 200
    assert len(site.mails_to(ADA)) == 1


@pytest.mark.parametrize("way", ["password", "mail", "reset"])
def test_024_whichever_way_somebody_logs_in(site: Site, way: str) -> None:
    """The owner is told of a login by password, by mail, and after a reset that was made elsewhere."""
    thief = site.browser("198.51.100.66")
    if way == "mail":
        thief.post("/magic-link", {"identifier": ADA})
        assert thief.post("/magic-link/use", {"token": site.mailed_token(ADA, "magic-link")}).status_code == 200
    elif way == "reset":
        assert choose(site.browser(), site.reset_token(ADA)).status_code == 200
        assert thief.sign_in(ADA, OTHER_PASSWORD).status_code == 200
    else:
        thief.sign_in(ADA)
    assert site.mailed_token(ADA, "new-device")
    assert [event.told for event in site.events if isinstance(event, DeviceMet)] == [True]


@pytest.mark.parametrize("headers", HOSTS, ids=range(len(HOSTS)))
def test_037_a_link_of_another_host(site: Site, headers: dict[str, str]) -> None:
    """The link leads to the configured address, whatever the login says of hosts."""
    body = {"identifier": ADA, "password": PASSWORD}
    sent = {"Sec-Fetch-Site": "same-origin", **headers}
    answer = site.browser("198.51.100.66").send("POST", f"{API}/sign-in", json=body, headers=sent)
    assert answer.status_code in {200, 400}
    assert len(site.mails) == (answer.status_code == 200)
    for mail in site.mails:
        assert "evil" not in mail.text + (mail.html or "")
        assert f"{ORIGIN}/account/new-device/" in mail.text


def test_036_a_thief_is_out(site: Site) -> None:
    """After one press the thief's sessions, remembered ones included, password, links and devices are worth nothing."""
    thief = site.signed_in(ADA, at="198.51.100.66", remember=True)
    token = site.mailed_token(ADA, "new-device")
    mark = thief.cookie(DEVICES)
    reset = site.reset_token(ADA)
    again = site.signed_in(ADA, at="198.51.100.67")
    owner, sent = site.browser(), len(site.mails_to(ADA))
    assert deny(owner, token).json == {"next": "check_mail"}
    assert len(site.mails_to(ADA)) == sent + 1, "the owner is told once, with the link to a new password"
    assert thief.me().status_code == again.me().status_code == owner.me().status_code == 401
    assert thief.sign_in(ADA).status_code == 401
    assert is_refused(choose(thief, reset, PASSWORD))
    assert choose(owner, site.token(ADA), CHOSEN).status_code == 200
    sent = len(site.mails_to(ADA))
    thief.plant(DEVICES, mark or "")
    assert thief.sign_in(ADA, CHOSEN).status_code == 200
    assert len(site.mails_to(ADA)) == sent + 1, "the thief's device is a stranger again"


def test_038_many_times_at_once(site: Site) -> None:
    """Of four that use one link at the same moment one succeeds, and the others are refused."""
    _, token = strange_login(site)
    browsers = [site.browser() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda one: deny(one, token), browsers))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 410, 503}


def test_040_a_thief_cannot_void_the_link(site: Site) -> None:
    """Neither a change of the password nor a new login nor a full count of mails takes the link from the owner."""
    thief, token = strange_login(site)
    assert thief.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    for _ in range(7):
        thief.post("/password-reset", {"identifier": ADA})
    site.mails.clear()
    assert deny(site.browser(), token).json == {"next": "check_mail"}
    assert thief.me().status_code == 401
    assert thief.sign_in(ADA, OTHER_PASSWORD).status_code == 401
    assert choose(site.browser(), site.token(ADA), CHOSEN).status_code == 200


def test_040_a_thief_who_changes_the_address(site: Site) -> None:
    """The link to choose a password never goes to an address that the thief has put there."""
    thief, token = strange_login(site)
    thief.post("/mail-change", {"email": "thief@evil.example"})
    change = site.mailed_token("thief@evil.example", "mail-change/confirm")
    assert thief.post("/mail-change/confirm", {"token": change}).status_code == 200
    back = site.mailed_token(ADA, "mail-change/undo")
    before = len([mail for mail in site.mails_to("thief@evil.example") if "/password-reset/" in mail.text])
    owner = site.browser()
    assert deny(owner, token).json == {"next": "sign_in"}
    assert thief.me().status_code == 401
    links = [mail for mail in site.mails_to("thief@evil.example") if "/account/password-reset/" in mail.text]
    assert len(links) == before == 0
    assert owner.post("/mail-change/undo", {"token": back}).json == {"email": ADA, "next": "check_mail"}
    assert choose(owner, site.token(ADA), CHOSEN).status_code == 200


def test_040_in_time(site: Site) -> None:
    """After seven days, and after its use, the link ends nothing."""
    _, token = strange_login(site)
    site.clock.advance(timedelta(days=7))
    assert is_refused(deny(site.browser(), token))


def test_041_tokens_of_other_purposes(site: Site) -> None:
    """The token works at its own place and nowhere else, and no other token works there."""
    thief, token = strange_login(site)
    reset = site.reset_token(ADA)
    for other in (reset, thief.cookie(), thief.cookie(DEVICES), "", "x", token.swapcase(), token + "A", token[:-1]):
        assert is_refused(deny(thief, other))
    for value in (None, 0, True, [], [token], {}):
        assert deny(thief, value).status_code == 422
    for path in ("/verify", "/magic-link/use", "/mail-change/undo"):
        assert is_refused(thief.post(path, {"token": token}))
    assert is_refused(choose(thief, token))
    assert deny(site.browser(), token).status_code == 200


def test_043_044_following_the_link(site: Site, thief: Browser) -> None:
    """Following the link takes the token out of the address, and ends nothing, by whatever method."""
    stranger, token = strange_login(site)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        answer = thief.send(method, f"/account/new-device/{token}")
        assert answer.status_code in {303, 405}
        assert token not in answer.headers.get("Location", "")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert thief.get("/account/new-device").status_code == 200
    assert stranger.me().status_code == 200


def test_045_mail_flood(site: Site) -> None:
    """Whoever has the password and logs in from everywhere has five of these mails sent in an hour."""
    for number in range(9):
        site.signed_in(ADA, at=f"198.51.{number}.7")
    assert len(site.mails_to(ADA)) == 5


def test_047_a_mail_gets_nobody_past_a_second_factor(new_site: Callable[..., Site]) -> None:
    """Whoever has such a mail logs in by nothing that it leads to without the second factor."""
    site = new_site([*all_features(), Dongle()])
    account = site.member(ADA)
    site.signed_in(ADA)
    _, token = strange_login(site)
    enroll(site.accounts.credentials, account.id, "the dongle of Ada")
    reader = site.browser("203.0.113.5")
    assert deny(reader, token).status_code == 200
    assert reader.me().status_code == 401
    assert choose(reader, site.token(ADA), CHOSEN).status_code == 200
    assert reader.sign_in(ADA, CHOSEN).json["needs"] == ["dongle"]


def test_049_a_leaked_database_opens_nothing(site: Site, tmp_path: Path) -> None:
    """The token is not in the files of the database."""
    _, token = strange_login(site)
    leaked = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.partition(".")[0].encode() in leaked
    assert token.partition(".")[2].encode() not in leaked


def test_106_a_form_of_another_site(site: Site) -> None:
    """Another site in the owner's browser throws nobody out."""
    thief, token = strange_login(site)
    ada = site.browser()
    ada.get(f"/account/new-device/{token}")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for form in ({}, {"token": token}):
        assert ada.send("POST", "/account/new-device", data=form, headers=foreign).status_code == 403
    assert thief.me().status_code == 200
