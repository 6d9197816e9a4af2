"""Attacks on accounts that are closed, opened again and erased, and on the file with all that is held of one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.chain import verify
from admit.erasure import erase_closed
from admit.features.closing import Closing
from admit.operations import lock_account
from tests.attacks.conftest import ADA
from tests.attacks.site import API, OTHER_PASSWORD, PASSWORD, SESSION, WRONG_PASSWORD, all_features
from tests.attacks.test_browsers import FOREIGN
from tests.attacks.test_links import choose, is_refused, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.site import Browser, Site

BOB = "bob@people.example"
NOBODY = "nobody@people.example"
NEW = "countess@people.example"
GRACE = timedelta(days=14)


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """Return a site on which Ada has a confirmed account that she can close."""
    found = new_site([*all_features(), Closing()], ADMIT_CLOSING_GRACE=GRACE)
    found.member(ADA)
    return found


def close(browser: Browser, **headers: str) -> Any:
    """Close the account of who is logged in."""
    return browser.post("/close", **headers)


def purge(site: Site) -> int:
    """Do what the operator does daily."""
    accounts = site.accounts
    return sum(erase_closed(accounts.keeper.gate, accounts.stores, accounts.features.values(), now=site.clock()))


def erased(site: Site) -> None:
    """Let Ada close her account and stay away until it is erased."""
    assert close(site.signed_in(ADA)).status_code == 200
    site.clock.advance(GRACE + timedelta(seconds=1))
    assert purge(site) == 1


# -- closing what is not theirs, and taking away what is not theirs ---------------------------------------------------


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
def test_106_108_by_another_site(site: Site, ada: Browser, headers: dict[str, str]) -> None:
    """No other site can have an account closed or its file made, by a form of any kind, by JSON or by an address."""
    for path in ("/close", "/export"):
        for sent in (
            {"path": f"{API}{path}", "json": {}},
            {"path": f"/account{path}", "data": {}},
            {"path": f"{API}{path}", "data": b"{}", "content_type": "text/plain"},
        ):
            answer = ada.send("POST", sent.pop("path"), headers=headers, **sent)
            assert answer.status_code in {403, 415}
            assert "Content-Disposition" not in answer.headers
        ada.get(f"/account{path}", **headers)
        ada.get(f"{API}{path}", **headers)
    assert ada.me().status_code == 200
    assert site.account(ADA).is_open


@pytest.mark.parametrize("path", ["/close", "/export"])
def test_133_at_a_session_that_was_left_open(site: Site, ada: Browser, path: str) -> None:
    """A stale session neither closes an account nor gets its file, and says what would do; nobody gets even less."""
    site.clock.advance(timedelta(hours=2))
    stale, nobody = ada.post(path), site.browser().post(path)
    assert (stale.status_code, stale.json["code"]) == (403, "reauthentication_required")
    assert nobody.status_code == 401
    assert site.account(ADA).is_open
    assert ada.post("/password/confirm", {"password": PASSWORD}).status_code == 200
    assert ada.post(path).status_code == 200


def test_155_the_file_is_about_its_owner(site: Site, ada: Browser) -> None:
    """The file has nothing of anybody else, and no way to ask for somebody else's."""
    site.member(BOB)
    bob = site.signed_in(BOB, at="198.51.100.9")
    bob.post("/close", {"account": site.account(ADA).id})
    answer = ada.post("/export")
    assert answer.status_code == 200
    assert site.account(BOB).id not in answer.text
    assert BOB not in answer.text
    assert "198.51.100.9" not in answer.text
    assert ada.post("/export", {"account": site.account(BOB).id}).status_code == 422


def test_013_secrets_in_the_file(site: Site, ada: Browser) -> None:
    """Whoever finds the file in a folder of downloads opens nothing by it: no secret, hash or token is in it."""
    token = site.reset_token(ADA)
    account, accounts = site.account(ADA), site.accounts
    text = ada.post("/export").text
    kept = accounts.credentials.list_credentials(account.id)
    assert {one.kind for one in kept} >= {"password", "known_device"}
    secrets = [one.secret for one in kept]
    secrets += [one.secret_hash.hex() for one in accounts.keeper.gate.sessions_of(account.id)]
    secrets += [part for one in (token, ada.cookie(), ada.cookie(f"{SESSION}-devices")) for part in one.split(".")[1:]]
    assert len(secrets) > 4
    assert [one for one in secrets if one in text] == []
    assert "argon2" not in text


def test_117_the_file_is_no_page(site: Site, ada: Browser) -> None:
    """A browser keeps the file and never shows it, whatever a person is called."""
    answer = ada.send("POST", "/account/export", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.data)["account"]["id"] == site.account(ADA).id


# -- staying in -------------------------------------------------------------------------------------------------------


def test_022_sessions_of_a_closed_account(site: Site, ada: Browser) -> None:
    """Once an account is closed every session of it is refused at its next request, a remembered one as well."""
    others = [site.signed_in(ADA, remember=True, at=f"192.0.2.{number}") for number in (7, 8)]
    stolen = ada.cookie()
    assert close(ada).status_code == 200
    for browser in (ada, *others):
        assert browser.me().status_code == 401
        assert browser.get("/private", Accept="application/json").status_code == 401
    thief = site.browser("198.51.100.66")
    thief.plant(SESSION, str(stolen))
    assert thief.me().status_code == 401
    assert not site.account(ADA).is_open, "and none of them has opened it again"


def test_040_tokens_from_before(site: Site, ada: Browser) -> None:
    """Links, codes and half-done changes from before a closing are dead, and stay so when the account is open again."""
    reset = site.reset_token(ADA)
    mailing = site.browser()
    assert mailing.post("/magic-link", {"identifier": ADA}).status_code == 202
    link = site.mailed_token(ADA, "magic-link")
    assert ada.post("/mail-change", {"email": NEW}).status_code == 202
    change = site.mailed_token(NEW, "mail-change/confirm")
    close(ada)
    assert is_refused(choose(site.browser(), reset))
    assert mailing.post("/magic-link/use", {"token": link}).status_code == 410
    assert not site.account(ADA).is_open
    back = site.signed_in(ADA)
    assert is_refused(choose(site.browser(), reset))
    assert mailing.post("/magic-link/use", {"token": link}).status_code == 410
    assert is_refused(back.post("/mail-change/confirm", {"token": change}))


# -- closing what was taken over --------------------------------------------------------------------------------------


def test_040_a_thief_closes_what_they_have_taken_over(site: Site) -> None:
    """Whoever has changed the address and the password and closes the account does not keep its owner from it."""
    thief = site.signed_in(ADA, at="198.51.100.66")
    assert thief.post("/mail-change", {"email": NEW}).status_code == 202
    token = site.mailed_token(NEW, "mail-change/confirm")
    assert thief.post("/mail-change/confirm", {"token": token}).status_code == 200
    thief.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
    assert close(thief).status_code == 200
    site.clock.advance(timedelta(days=6))
    owner = site.browser()
    way = site.mailed_token(ADA, "mail-change/undo")
    assert owner.post("/mail-change/undo", {"token": way}).json == {"email": ADA, "next": "check_mail"}
    assert site.browser().sign_in(NEW, OTHER_PASSWORD).status_code == 401
    assert choose(owner, site.token(ADA), PASSWORD).status_code == 200
    assert owner.sign_in(ADA).status_code == 200
    assert site.account(ADA).is_open


def test_045_the_mail_about_a_closing_goes_out(site: Site) -> None:
    """A thief who has used up the mails of an account can't close it without its owner's being told."""
    thief = site.signed_in(ADA, at="198.51.100.66")
    for number in range(9):
        site.browser(f"198.51.{number}.7").post("/password-reset", {"identifier": ADA})
    site.mails.clear()
    assert close(thief).status_code == 200
    assert [mail.subject for mail in site.mails_to(ADA)] == ["Your account at app.example is closed"]
    assert site.signed_in(ADA)
    assert "Your account at app.example is open again" in [mail.subject for mail in site.mails_to(ADA)]


# -- learning who has closed an account -------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [timedelta(days=1), GRACE])
def test_078_who_has_closed_an_account(site: Site, ada: Browser, when: timedelta) -> None:
    """Without the right password a closed account is told like one that never was; after the grace with it, too."""
    close(ada)
    site.clock.advance(when)
    unknown = told(site.browser().sign_in(NOBODY, WRONG_PASSWORD))
    assert told(site.browser().sign_in(ADA, WRONG_PASSWORD)) == unknown
    for path in ("/password-reset", "/magic-link", "/verify/request"):
        field = "email" if path == "/verify/request" else "identifier"
        asked = [told(site.browser().post(path, {field: name})) for name in (ADA, NOBODY)]
        assert asked[0] == asked[1], path
    signed_up = [
        told(site.browser().post("/sign-up", {"email": name, "password": OTHER_PASSWORD})) for name in (ADA, NEW)
    ]
    assert signed_up[0] == signed_up[1]
    right = site.browser().sign_in(ADA)
    if when < GRACE:
        assert right.status_code == 200
    else:
        assert told(right) == unknown
        assert not site.account(ADA).is_open


def test_078_a_lock_is_told_to_who_has_the_password(site: Site) -> None:
    """A locked account is told like any other to who has a wrong password; it is not opened by having been closed."""
    close(site.signed_in(ADA))
    account, store = site.account(ADA), site.accounts.store
    lock_account(site.accounts.keeper.gate, store, account.id, at=site.clock())
    assert told(site.browser().sign_in(ADA, WRONG_PASSWORD)) == told(site.browser().sign_in(NOBODY, WRONG_PASSWORD))
    right = site.browser().sign_in(ADA)
    assert (right.status_code, right.json["code"]) == (403, "account_locked")
    assert not site.account(ADA).is_open


# -- inheriting -------------------------------------------------------------------------------------------------------


def test_074_a_later_account_of_the_same_name(site: Site) -> None:
    """Whoever has the name next has another id, and none of the sessions, devices, links and roles of before."""
    ada = site.signed_in(ADA)
    first, store = site.account(ADA), site.accounts.store
    assert store.replace_account(first, replace(first, roles=frozenset({"admin"})))
    device, session = ada.cookie(f"{SESSION}-devices"), ada.cookie()
    site.signed_in(ADA, at="198.51.100.9")
    tokens = [site.reset_token(ADA)]
    erased(site)
    assert store.get_account(first.id) is None
    assert site.browser().sign_in(ADA).status_code == 401

    second = site.member(ADA, OTHER_PASSWORD)
    assert second.id != first.id
    assert second.roles == frozenset()
    thief = site.browser()
    thief.plant(SESSION, str(session))
    assert thief.me().status_code == 401
    assert site.accounts.devices.recognize((str(device),), second.id) is None
    assert all(is_refused(choose(thief, token)) for token in tokens)
    assert site.browser().sign_in(ADA).status_code == 401, "the password of before"
    heir = site.signed_in(ADA, OTHER_PASSWORD)
    records = heir.get(f"{API}/activity").json["entries"]
    events = {"account_created", "identifier_verified", "logged_in", "login_failed"}
    assert {one["event"] for one in records} == events
    assert len(heir.get(f"{API}/devices").json["devices"]) == 1
    assert first.id not in heir.post("/export").text


def test_074_nothing_personal_is_left(site: Site) -> None:
    """After an erasure no record tells of whom it was, where they were or what they used, and the chain holds."""
    first, store = site.account(ADA), site.accounts.stores.events
    site.signed_in(ADA, at="198.51.100.9")
    erased(site)
    links = list(store.read_chain(after=0))
    assert links
    assert first.id not in repr(links)
    assert "198.51.100.9" not in repr(links)
    assert verify(store).holds
    assert "account_erased" in {link.record.name for link in links}


def test_074_logins_while_it_is_erased(site: Site) -> None:
    """Logins with the right password that meet the erasure leave no session, and the account is gone."""
    ada = site.signed_in(ADA)
    account = site.account(ADA)
    close(ada)
    site.clock.advance(GRACE - timedelta(seconds=1))
    accounts = site.accounts
    late = site.clock() + timedelta(seconds=2)

    def erase() -> int:
        gate, features = accounts.keeper.gate, accounts.features.values()
        return sum(erase_closed(gate, accounts.stores, features, now=late))

    browsers = [site.browser(f"192.0.2.{number}") for number in range(4)]
    with ThreadPoolExecutor(5) as threads:
        answers = [threads.submit(one.sign_in, ADA) for one in browsers]
        count = threads.submit(erase).result()
        statuses = [one.result().status_code for one in answers]
    found = accounts.store.get_account(account.id)
    if count:
        assert found is None
        assert accounts.keeper.gate.store.list_sessions(account.id) == []
        assert [one.me().status_code for one in browsers] == [401] * 4
    else:
        assert found.is_open
        assert 200 in statuses
