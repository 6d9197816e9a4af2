"""What ASVS asks of a whole site and no attack's number covers, tried over HTTP."""

from __future__ import annotations

import html
import json
import logging
import re
import secrets
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import StoreError
from admit.features.registration import Registration, SignUp
from admit.flask import roles_required
from admit.stores.memory import MemoryStore
from tests.attacks.conftest import ADA
from tests.attacks.site import (
    API,
    OTHER_PASSWORD,
    OWN_PAGE,
    PASSWORD,
    SESSION,
    all_features,
    make_site,
    put_before_verbs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.site import Browser, Site

pytestmark = pytest.mark.asvs

BOB = "bob@people.example"


# -- what is read and written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["%61da@people.example", "%2561da@people.example", "\\u0061da@people.example", "&#97;da@people.example"]
)
def test_names_are_decoded_once(site: Site, thief: Browser, name: str) -> None:
    """What is still encoded after the body was read is no name of anybody's."""
    assert thief.sign_in(name).status_code == 401
    # Once more by a form, in which it is encoded on its way.
    login = {"identifier": name, "password": PASSWORD}
    assert thief.send("POST", "/account/sign-in", data=login, headers=OWN_PAGE).status_code == 401
    assert thief.sign_in(ADA).status_code == 200


def test_markup_is_escaped_once(site: Site, thief: Browser) -> None:
    """What was typed comes back as it was typed to whoever reads the page, neither as markup nor as its source."""
    typed = """<b>&"" 'x'&amp;"""
    form = {"identifier": typed, "password": PASSWORD}
    page = thief.send("POST", "/account/sign-in", data=form, headers=OWN_PAGE)
    assert page.status_code == 401
    found = re.search(r'<input[^>]*name="identifier"[^>]*>', page.text)
    assert found
    value = re.search(r'value="([^"]*)"', found[0])
    assert value
    assert html.unescape(value[1]) == typed
    assert "<b>" not in page.text


def test_data_keeps_its_shape(site: Site) -> None:
    """What would end a script or a text stays a part of it, in JSON as on a page."""
    name = """</script><script>1 "\\"""
    browser = site.browser()
    agent = {"HTTP_USER_AGENT": name}
    signed = browser.send(
        "POST",
        f"{API}/sign-in",
        json={"identifier": ADA, "password": PASSWORD},
        headers=OWN_PAGE,
        environ_overrides=agent,
    )
    assert signed.status_code == 200
    assert json.loads(browser.get(f"{API}/activity").text)
    page = browser.get("/account/devices").text
    assert page.count("<script") == page.count("</script>") == 1


def test_no_text_is_a_format(site: Site, thief: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """What means something to a format is only text, in mails, records and logs."""
    address = "{0}%s%n{x}@people.example"
    with caplog.at_level(logging.DEBUG):
        site.sign_up(address, thief)
        assert thief.sign_in(address, OTHER_PASSWORD).status_code == 401
        assert [mail.to for mail in site.mails_to(address)] == [address]
        assert thief.post("/verify", {"token": site.token(address)}).status_code == 200
    assert thief.sign_in(address).status_code == 200
    assert address in thief.me().text


def test_no_answer_is_a_script(ada: Browser) -> None:
    """Asking for a callback changes nothing: JSON is JSON."""
    plain, asked = ada.me(), ada.get(f"{API}/?callback=steal&jsonp=steal")
    assert (asked.data, asked.content_type) == (plain.data, "application/json")


def test_scripts_are_the_same_for_everybody(ada: Browser, thief: Browser) -> None:
    """No script and no style holds anything of who asks."""
    page = ada.get("/account/devices").text
    files = re.findall(r'(?:src|href)="(/account/static/[^"]+)"', page)
    assert len(files) == 3
    for file in files:
        assert ada.get(file).data == thief.get(file).data
    assert ADA not in "".join(ada.get(file).text for file in files)


def test_lengths_are_true(site: Site, ada: Browser) -> None:
    """The length that an answer states is that of its body, whatever was asked for and how."""
    paths = [f"{API}/", f"{API}/devices", "/account/devices", "/account/sign-in", "/api/openapi.json", "/nowhere"]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            answer = ada.send(method, path, headers=OWN_PAGE)
            length = answer.headers.get("Content-Length")
            if method == "HEAD":
                assert answer.data == b""
            elif answer.status_code != 204:
                assert length == str(len(answer.data)), (method, path)
    gone = ada.post("/sign-out", {})
    assert (gone.status_code, gone.data) in {(200, gone.data), (204, b"")}


# -- what happens whole or not at all ---------------------------------------------------------------------------------


class Breakdown:
    """A store that fails at one of the changes that come, and works before and after."""

    def __init__(self, store: Any) -> None:
        self.left = -1
        put_before_verbs(self, store, self._count)

    def _count(self, verb: str) -> None:
        if verb.startswith(("get_", "find_", "list_", "close")):
            return  # who only reads leaves nothing half-done
        self.left -= 1
        if self.left == 0:
            message = f"lost at {verb}"
            raise StoreError(message)


def _sign_up(site: Site, browser: Browser) -> int:
    return browser.post("/sign-up", {"email": BOB, "password": PASSWORD}).status_code


def _choose_anew(site: Site, browser: Browser) -> int:
    token = site.token(ADA)
    return browser.post("/password-reset/choose", {"token": token, "password": OTHER_PASSWORD}).status_code


def _change(site: Site, browser: Browser) -> int:
    body = {"old_password": PASSWORD, "password": OTHER_PASSWORD}
    return browser.post("/password", body).status_code


@pytest.mark.parametrize("flow", [_sign_up, _choose_anew, _change])
def test_a_fault_on_the_way_leaves_an_account_that_can_be_used(flow: Callable[[Site, Browser], int]) -> None:
    """Wherever the store fails in a flow, its owner has one password afterwards, and gets to the end at another try."""
    for step in range(1, 60):
        store = Breakdown(MemoryStore())
        site = make_site(store, [one for one in all_features() if one.name != "activity"], ADMIT_STORE_NEAR_ENTRIES=0)
        site.member(ADA)
        browser = site.signed_in(ADA)
        if flow is _choose_anew:
            site.reset_token(ADA)
        store.left = step
        status = flow(site, browser)
        has_failed, store.left = store.left <= 0, -1
        assert status in ({503} if has_failed and status >= 400 else {200, 202, 204}), step
        if flow is _sign_up:
            site.member(BOB)
            assert site.browser().sign_in(BOB).status_code == 200, step
        else:
            good = [one for one in (PASSWORD, OTHER_PASSWORD) if site.browser().sign_in(ADA, one).status_code == 200]
            assert len(good) == 1, step
            site.reset_token(ADA)
            assert _choose_anew(site, site.browser()) == 200
        if not has_failed:
            break
    else:
        pytest.fail("The flow has no end.")
    assert step > 3


# -- accounts and sessions --------------------------------------------------------------------------------------------


def test_an_old_password_is_good(site: Site) -> None:
    """A password does not expire: after five years it logs in, and nobody is asked for another."""
    site.clock.advance(timedelta(days=5 * 365))
    assert site.signed_in(ADA).me().status_code == 200


def test_there_are_no_accounts_to_begin_with(new_site: Callable[..., Site]) -> None:
    """A new site has no account, and none of the usual names and passwords is one."""
    site = new_site()
    for name, password in (("admin", "admin"), ("root", "root"), ("admin@app.example", "password"), ("test", "test")):
        assert site.browser().sign_in(name, password).status_code == 401
    assert list(site.accounts.store.list_accounts(after=None, limit=10)) == []


def test_an_invitation_ends(new_site: Callable[..., Site]) -> None:
    """An invitation that nobody has used in its time makes no account."""
    registration = Registration(mode=SignUp.INVITATION)
    site = new_site([*(one for one in all_features() if one.name != "registration"), registration])
    token = registration.invite(site.login_manager.keeper.gate)  # type: ignore[union-attr]
    form = {"email": BOB, "password": PASSWORD, "invitation": token}
    site.clock.advance(timedelta(days=7))
    assert site.browser().post("/sign-up", form).status_code == 410
    assert site.mails == []


def test_a_role_that_was_taken_is_gone_at_once(new_site: Callable[..., Site]) -> None:
    """A right that somebody loses while they are logged in is lost at their next request."""
    site = new_site()
    site.app.add_url_rule("/admin", "admin", roles_required("admin")(lambda: "secret"))
    before = site.member(ADA)
    admin = replace(before, roles=frozenset({"admin"}))
    assert site.accounts.store.replace_account(before, admin)
    browser = site.signed_in(ADA)
    assert browser.get("/admin").status_code == 200
    assert site.accounts.store.replace_account(site.account(ADA), replace(site.account(ADA), roles=frozenset()))
    assert browser.get("/admin").status_code == 403


def test_the_ways_to_log_in_are_known() -> None:
    """Two features log people in, and no other: what is tried for each of them is tried for all."""
    assert {one.name for one in all_features() if one.logs_in} == {"password", "magic_link"}


def test_the_way_out_is_on_every_page(site: Site, ada: Browser) -> None:
    """Every page that somebody sees who is logged in has the button that logs out."""
    pages = [ada.get(path) for path in ("/account/", "/account/devices", "/account/activity", "/account/password")]
    pages.append(ada.send("POST", "/account/password", data={"old_password": "x"}, headers=OWN_PAGE))
    for page in pages:
        assert page.mimetype == "text/html"
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="/account/sign-out"', page.text)
        assert len(forms) == 1


def test_bent_tokens_are_refused_alike(site: Site, ada: Browser) -> None:
    """Hundreds of tokens, each wrong in another way, get one answer."""
    token = ada.cookie()
    assert token
    answers = set()
    for _ in range(300):
        place = secrets.randbelow(len(token))
        bent = token[:place] + secrets.choice("AZaz09_-.~") + token[place + 1 + secrets.randbelow(2) :]
        if bent != token:
            answer = site.browser().get(f"{API}/", Cookie=f"{SESSION}={bent}")
            answers.add((answer.status_code, answer.data))
    assert len(answers) == 1
    assert {status for status, _ in answers} == {401}


# -- what is served, and what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/.git/HEAD", "/.git/config", "/.env", "/static/", "/account/static/", "/account/static", "/metrics"),
        *("/account/static/../templates/admit/base.html", "/account/static/..%2f..%2f__init__.py"),
        *("/account/static/%2e%2e/%2e%2e/settings.py", "/account/static/admit.js~", "/account/static//etc/passwd"),
        *("/account/templates/admit/base.html", "/static/../app.py", "/static/x.py~"),
    ],
)
def test_only_what_is_meant_is_served(thief: Browser, path: str) -> None:
    """Neither folders, sources, templates, drafts nor the history of the source can be had."""
    assert thief.get(path).status_code in {404, 308}
    assert thief.send("GET", path, follow_redirects=True).status_code == 404


def test_no_other_machine_is_spoken_to(new_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    """A site over SQLite, all features on, opens no connection to anywhere, whatever people do."""
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, place: opened.append(place))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **_: opened.append(place) or [])
    site = new_site()
    site.member(ADA)
    browser = site.signed_in(ADA)
    assert browser.post("/password/strength", {"password": OTHER_PASSWORD}).status_code == 200
    assert browser.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}).status_code == 200
    site.reset_token(ADA)
    assert browser.post("/magic-link", {"identifier": ADA}).status_code == 202
    assert browser.post("/mail-change", {"email": BOB}).status_code == 202
    assert [browser.get(path).status_code for path in ("/account/", "/account/devices", "/account/activity")] == [
        200
    ] * 3
    assert len(site.mails) > 4
    assert opened == []


def test_times_are_utc(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Each line of the log is a JSON object that says when, in UTC with its offset, what, whose and from where."""
    with caplog.at_level(logging.INFO, logger="admit.events"):
        site.browser().sign_in(ADA, OTHER_PASSWORD)
        site.signed_in(ADA)
    told = [json.loads(record.getMessage()) for record in caplog.records if record.name == "admit.events"]
    assert {"login_failed", "logged_in"} <= {one["event"] for one in told}
    for one in told:
        assert datetime.fromisoformat(one["time"]).utcoffset() == timedelta(0)
        assert {"time", "event", "outcome", "address"} <= set(one)
