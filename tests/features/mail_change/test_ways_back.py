"""The way back after a change of the address: once, for a week, and whatever a thief does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.errors import IdentifierTaken, InvalidChallenge
from admit.features.mail_change import MailChange, MailRestored
from admit.model import Credential
from admit.operations import close_account
from tests.features.conftest import ADA, PHRASE, Site
from tests.features.mail_change.conftest import NEW, address, ask, changed, logged_in, press

if TYPE_CHECKING:
    from admit.model import Account
    from tests.features.conftest import Client


def test_the_way_back(site: Site, face: str) -> None:
    """The old address counts again, everybody is out, the phrase is worth nothing, and a mail offers a new one."""
    thief = logged_in(site, face)
    back = changed(site, thief)
    owner = site.client(face)
    assert press(owner, back) == 200
    assert address(site) == ADA
    assert not thief.is_in
    assert not owner.is_in
    assert site.client(face).log_in(ADA).status_code == 401
    assert site.client(face).log_in(NEW).status_code == 401
    [account] = site.store.list_accounts()
    assert site.mails[-1].to == ADA
    assert f"/account/recover/{account.id}" in site.mails[-1].text
    assert [event.subject for event in site.of(MailRestored)] == [account.id]
    assert account.email.verified_at == site.clock()


def test_what_could_not_be_voided(site: Site) -> None:
    """A link of the thief's that is still kept opens nothing once the way back is gone."""
    back = changed(site, logged_in(site, "json"))
    older = site.gate.challenge("recovering", "ada", timedelta(hours=1))
    kept = site.store.get_challenge(older.partition(".")[0])
    assert press(site.client("json"), back) == 200
    site.store.add_challenge(kept)
    with pytest.raises(InvalidChallenge):
        site.gate.take("recovering", older)


def test_who_presses_it_while_logged_in_is_out_too(site: Site, face: str) -> None:
    """The browser in which the way back is gone is signed out if it was in the account, and in no other."""
    site.account("bob@example.org")
    bob, owner = logged_in(site, face, "bob@example.org"), logged_in(site, face)
    back = changed(site, owner)
    press(bob, back)
    assert bob.is_in
    assert not owner.is_in
    again = logged_in(site, face, "bob@example.org")
    way = changed(site, again, "robert@example.org")
    press(again, way)
    assert again.http.get_cookie("admit") is None


def test_whatever_the_thief_does(site: Site, face: str) -> None:
    """A new phrase, another address and a use of the newer way back do not bar the way of the owner."""
    thief = logged_in(site, face)
    back = changed(site, thief)
    [account] = site.store.list_accounts()
    site.gate.challenges.void(account.id)
    newer = changed(site, thief, "third@example.org")
    unused = changed(site, thief, "fourth@example.org")
    assert press(site.client(face), newer) == 200
    assert address(site) == NEW
    assert press(site.client(face), unused) == 410
    assert press(site.client(face), back) == 200
    assert address(site) == ADA


def test_the_thiefs_own_way_back_dies(site: Site, face: str) -> None:
    """Once the owner is back, the ways to the addresses that the thief had in between are gone."""
    thief = logged_in(site, face)
    back = changed(site, thief)
    thiefs = changed(site, thief, "third@example.org")
    assert press(site.client(face), back) == 200
    assert press(site.client(face), thiefs) == 410
    assert address(site) == ADA


def test_a_change_that_waits_dies_with_it(site: Site, face: str) -> None:
    """A change that the thief has asked for before the owner came back can't be confirmed after."""
    thief = logged_in(site, face)
    back = changed(site, thief)
    waiting = ask(site, thief, "third@example.org")
    press(site.client(face), back)
    [account] = site.store.list_accounts()
    kept = site.store.get_credential("phrases", account.id)
    site.store.replace_credential(kept, replace(kept, secret=PHRASE))
    assert press(logged_in(site, face), waiting) == 410


@pytest.mark.parametrize("days", [0, 6.99, 7, 8])
def test_for_a_week(site: Site, face: str, days: float) -> None:
    """The way back is open for seven days, and no longer."""
    back = changed(site, logged_in(site, face))
    site.pass_time(days=days)
    assert press(site.client(face), back) == (200 if days < 7 else 410)
    assert address(site) == (ADA if days < 7 else NEW)


def test_ways_that_are_over_are_forgotten(site: Site) -> None:
    """A way back that is too old makes room with the next change."""
    changed(site, logged_in(site, "json"))
    site.pass_time(days=3)
    changed(site, logged_in(site, "json", NEW), "third@example.org")
    site.pass_time(days=5)
    changed(site, logged_in(site, "json", "third@example.org"), "fourth@example.org")
    [account] = site.store.list_accounts()
    kept = [one for one in site.store.list_credentials(account.id) if one.kind == "mail_change"]
    assert [one.details["value"] for one in kept] == [NEW, "third@example.org"]


def test_back_at_once(site: Site) -> None:
    """Of eight that go back at the same moment, one does."""
    back = changed(site, logged_in(site, "json"))
    start = threading.Barrier(8)

    def try_once(client: Client) -> int:
        start.wait()
        return press(client, back)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(try_once, [site.client() for _ in range(8)])) == [200] + [410] * 7
    assert address(site) == ADA
    assert len(site.of(MailRestored)) == 1


@pytest.mark.parametrize("verified", [True, False])
def test_the_old_address_has_another_account(site: Site, face: str, *, verified: bool) -> None:
    """A thief who signs up with the old address does not bar the way back, unless that is confirmed."""
    back = changed(site, logged_in(site, face))
    site.account(ADA, verified=verified)
    assert press(site.client(face), back) == (410 if verified else 200)
    assert address(site) == (NEW if verified else ADA)


def test_an_account_that_changes_all_the_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that others change again and again is not half taken back, and the way back is there to try again."""
    back = changed(site, logged_in(site, "json"))
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "replace_account", lambda *_: False)
        assert press(site.client(), back) == 503
    assert address(site) == NEW
    assert press(site.client(), back) == 200
    assert address(site) == ADA


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(site: Site, face: str, state: str) -> None:
    """The way back to an account that is gone or locked leads nowhere."""
    back = changed(site, logged_in(site, face))
    [account] = site.store.list_accounts()
    if state == "gone":
        site.store.delete_account(account.id)
    else:
        site.store.replace_account(account, replace(account, locked_at=site.clock()))
    assert press(site.client(face), back) == 410


def test_an_account_that_goes_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that goes while its owner takes it back leaves nothing to take."""
    back = changed(site, logged_in(site, "json"))
    [account] = site.store.list_accounts()
    answers = [account, None]
    monkeypatch.setattr(site.store, "get_account", lambda _: answers.pop(0) if answers else None)
    assert press(site.client(), back) == 410


@pytest.mark.parametrize("token", ["", "x", "A" * 22 + "." + "B" * 43])
def test_a_way_back_that_was_made_up(site: Site, face: str, token: str) -> None:
    """A token that is none of ours, or has another secret, leads nowhere."""
    back = changed(site, logged_in(site, face))
    assert press(site.client("json"), f"https://app.example/account/mail-change/undo/{token}") == 410
    assert press(site.client("json"), back[:-43] + "A" * 43) == 410
    assert press(site.client(face), back) == 200


def test_nothing_usable_is_kept(site: Site) -> None:
    """Who reads the store finds no token of a mail in it."""
    client = logged_in(site, "json")
    link = ask(site, client)
    press(client, link)
    [account] = site.store.list_accounts()
    secret = site.links()[-1].rpartition(".")[2]
    assert secret not in str([(one.secret, one.details) for one in site.store.list_credentials(account.id)])


def test_the_second_factor_stays(site: Site, face: str) -> None:
    """Whoever takes an account back by mail gets past no second factor."""
    [account] = site.store.list_accounts()
    back = changed(site, logged_in(site, face))
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    press(site.client(face), back)
    assert "codes" in {one.kind for one in site.store.list_credentials(account.id)}


def test_where_there_are_no_passwords(face: str) -> None:
    """Without passwords there is none to choose: the page leads to signing in, and no mail is sent."""
    site = Site(MailChange())
    account = site.account()
    client = site.client(face)
    client.http.set_cookie("admit", site.gate.admit(account.id, "login").token)
    back = changed(site, client)
    sent = len(site.mails)
    other = site.client("json")
    answer = other.send("/mail-change/undo", token=back.rpartition("/")[2])
    assert answer.json == {"email": ADA, "next": "sign_in"}
    assert len(site.mails) == sent


def test_back_in_the_last_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the way back used by another one, or voided by an older one, at the last moment changes nothing."""
    back = changed(site, logged_in(site, "json"))
    [way] = [one for one in site.store._credentials.values() if one.kind == "mail_change"]
    read = site.store.get_account

    def used_before_it_is_read(account_id: str) -> Account | None:
        site.store.delete_credential(way.id)
        return read(account_id)

    monkeypatch.setattr(site.store, "get_account", used_before_it_is_read)
    assert press(site.client(), back) == 410
    assert address(site) == NEW


def test_the_old_address_is_taken_at_the_last_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose old address becomes another account's while they go back is told that it is."""
    back = changed(site, logged_in(site, "json"))

    def taken(*_: object) -> bool:
        raise IdentifierTaken

    monkeypatch.setattr(site.store, "replace_account", taken)
    assert press(site.client(), back) == 410
    assert address(site) == NEW


def test_the_same_way_twice_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who go one way back at once one is told that it was used; what both have done is the same."""
    back = changed(site, logged_in(site, "json"))
    monkeypatch.setattr(site.store, "delete_credential", lambda _: False)
    assert press(site.client(), back) == 410
    assert address(site) == ADA


def test_what_is_held(site: Site) -> None:
    """An export has the old addresses that a way leads back to, and not the ways themselves."""
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
    feature, account = MailChange(), site.store.get_account("ada")
    assert feature.export(ctx, account) is None
    link = changed(site, logged_in(site, "json"))
    [held] = feature.export(ctx, account)
    assert held["address"] == ADA
    assert held["until"] == (site.clock() + timedelta(days=7)).isoformat()
    assert not any(part in repr(held) for part in link.rpartition("/")[2].split("."))


def test_a_way_back_to_a_closed_account(site: Site, face: str) -> None:
    """A thief who closes what they have taken over does not keep its owner from taking it back, within the grace."""
    site.gate.admission.grace = timedelta(days=14)
    link = changed(site, logged_in(site, face))
    close_account(site.gate, site.store, "ada", at=site.clock(), by="owner")
    site.pass_time(days=6)
    assert press(site.client(face), link) == 200
    assert address(site) == ADA
