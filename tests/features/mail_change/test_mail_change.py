"""Changing the mail address: by its owner, once confirmed, and with a way back that nobody can bar."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers, tokens
from admit.errors import ConfigurationError, IdentifierTaken
from admit.feature import Feature, can_regain
from admit.features.mail_change import MailChange, MailChanged, MailRestored
from admit.model import Credential
from tests.features.conftest import ADA, PHRASE, Codes, Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account
    from tests.features.conftest import Client

NEW = "Countess@example.org"


class Recovering(Feature):
    """Offers a way to choose another phrase, as a reset does."""

    name = "recovering"

    def recover(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/account/recover/{account.id}"


@pytest.fixture
def site() -> Site:
    """Return a site with an account whose address is confirmed."""
    site = Site(MailChange(), Phrases(), Codes(), Recovering())
    site.account(id="ada")
    return site


def logged_in(site: Site, face: str, identifier: str = ADA) -> Client:
    """Return a client that has just logged in."""
    client = site.client(face)
    client.log_in(identifier)
    assert client.is_in
    return client


def ask(site: Site, client: Client, email: str = NEW) -> str:
    """Ask for a change, and return the link that went to the new address."""
    assert client.send("/mail-change", email=email).status_code in {200, 202}
    return site.links()[-1]


def press(client: Client, link: str) -> int:
    """Open a link, look at its page and press the button; return the status."""
    path = link.removeprefix("https://app.example/account").rpartition("/")[0]
    if client.is_page:
        client.follow(link)
        return client.send(path).status_code
    return client.send(path, token=link.rpartition("/")[2]).status_code


def changed(site: Site, client: Client, email: str = NEW) -> str:
    """Change the address, a second later, and return the way back that went to the old one."""
    site.pass_time(seconds=1)
    assert press(client, ask(site, client, email)) == 200
    return site.links()[-1]


def address(site: Site) -> str:
    """Return the address of the account that is changed."""
    return str(site.store.get_account("ada").email.value)


def test_from_the_old_address_to_the_new_one(site: Site, face: str) -> None:
    """The new address counts once its link comes back, and is confirmed by it; the old one is told."""
    client = logged_in(site, face)
    link = ask(site, client)
    assert site.mails[-1].to == NEW
    assert address(site) == ADA
    assert press(client, link) == 200
    [account] = site.store.list_accounts()
    assert (account.email.value, account.email.verified_at) == (NEW, site.clock())
    assert site.mails[-1].to == ADA
    assert "/mail-change/undo/" in site.links()[-1]
    assert [event.subject for event in site.of(MailChanged)] == [account.id]
    assert client.is_in
    assert site.client(face).log_in(ADA).status_code == 401
    assert site.client(face).log_in(NEW).status_code in {200, 303}


def test_the_pages(site: Site) -> None:
    """Pages say which address there is, which there will be, and which there was."""
    client = logged_in(site, "page")
    assert ADA in client.get("/mail-change").text
    link = ask(site, client)
    page = client.follow(link)
    assert page.request.path == "/account/mail-change/confirm"
    assert NEW in page.text
    client.send("/mail-change/confirm")
    back = site.client("page")
    assert ADA in back.follow(site.links()[-1]).text
    done = back.send("/mail-change/undo")
    assert ADA in done.text
    assert "link to choose a new password" in done.text
    assert back.send("/mail-change/undo").status_code in {401, 422}


def test_a_fresh_login_is_needed(site: Site, face: str) -> None:
    """Neither a stranger nor whoever has found an open session asks for a change."""
    assert site.client(face).send("/mail-change", email=NEW).status_code in {303, 401}
    client = logged_in(site, face)
    site.pass_time(minutes=21)
    answer = client.send("/mail-change", email=NEW)
    assert answer.status_code == 403
    if face == "json":
        assert answer.json["code"] == "reauthentication_required"
    assert not site.mails


def test_scanners_change_nothing(site: Site) -> None:
    """Following either link, however often, changes nothing and uses nothing up."""
    client = logged_in(site, "page")
    link = ask(site, client)
    for who in (site.client("page"), client, client):
        who.follow(link)
    assert address(site) == ADA
    assert press(client, link) == 200
    back = site.links()[-1]
    for who in (site.client("page"), client, client):
        assert who.follow(back).status_code == 200
    assert address(site) == NEW
    assert press(site.client("page"), back) == 200


@pytest.mark.parametrize("who", ["stranger", "another"])
def test_only_for_the_account_that_asked(site: Site, face: str, who: str) -> None:
    """Whoever gets the link and is not logged in to the account, by a slip or by design, confirms nothing."""
    site.account("bob@example.org")
    link = ask(site, logged_in(site, face))
    other = site.client(face) if who == "stranger" else logged_in(site, face, "bob@example.org")
    assert press(other, link) in {303, 401}
    assert {account.email.value for account in site.store.list_accounts()} == {ADA, "bob@example.org"}
    assert press(logged_in(site, face), link) == 200


def test_once_and_in_time(site: Site, face: str) -> None:
    """A link works once, and for a day."""
    client = logged_in(site, face)
    link = ask(site, client)
    assert press(client, link) == 200
    assert press(client, link) == 401
    late = ask(site, client, "third@example.org")
    site.pass_time(hours=24)
    assert press(logged_in(site, face, NEW), late) == 401
    assert address(site) == NEW


def test_one_of_two_changes(site: Site, face: str) -> None:
    """A newer change voids the older one, so that a link confirms no other address than its own."""
    client = logged_in(site, face)
    first, second = ask(site, client), ask(site, client, "third@example.org")
    assert press(client, first) == 401
    assert press(client, second) == 200
    assert address(site) == "third@example.org"


def test_confirmed_at_once(site: Site) -> None:
    """Of eight that confirm at the same moment one does, and there is one way back."""
    link = ask(site, logged_in(site, "json"))
    clients = [logged_in(site, "json") for _ in range(8)]
    start = threading.Barrier(8)

    def try_once(client: Client) -> int:
        start.wait()
        return press(client, link)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(try_once, clients)) == [200] + [401] * 7
    assert address(site) == NEW
    assert [mail.to for mail in site.mails] == [NEW, ADA]


def test_what_was_sent_to_the_old_address_dies(site: Site, face: str) -> None:
    """A reset or another link that went to the old address is worth nothing after the change."""
    client = logged_in(site, face)
    link = ask(site, client)
    [account] = site.store.list_accounts()
    reset = site.gate.challenge("password_reset", account.id, timedelta(days=1))
    press(client, link)
    assert site.store.get_challenge(reset.partition(".")[0]) is None


@pytest.mark.parametrize("email", ["bob@example.org", "BOB@example.org", "locked@example.org"])
def test_a_taken_address(site: Site, face: str, email: str) -> None:
    """A taken address is answered like a free one, its owner gets a mail, and nothing can be confirmed."""
    bob = site.account("Bob@example.org")
    site.account("locked@example.org", locked_at=site.clock())
    free, taken = logged_in(site, face), logged_in(site, face)
    plain = free.send("/mail-change", email="free@example.org")
    answer = taken.send("/mail-change", email=email)
    assert (answer.status_code, answer.data) == (plain.status_code, plain.data)
    assert [name for name, _ in answer.headers] == [name for name, _ in plain.headers]
    told = site.mails[-1]
    assert told.to == (bob.email.value if "bob" in email.lower() else email)
    assert "another account" in told.text
    assert "/mail-change/" not in told.text + told.html


def test_an_address_that_was_taken_meanwhile(site: Site, face: str) -> None:
    """An address that somebody else has confirmed since it was asked for is not given away."""
    client = logged_in(site, face)
    link = ask(site, client)
    site.account(NEW)
    assert press(client, link) == 401
    assert address(site) == ADA


def test_an_address_that_is_taken_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store finds the address taken in the last moment, the change is refused like any other."""
    client = logged_in(site, "json")
    link = ask(site, client)

    def taken(*_: Any) -> bool:
        raise IdentifierTaken

    monkeypatch.setattr(site.store, "replace_account", taken)
    assert press(client, link) == 401
    assert address(site) == ADA


def test_an_account_that_changes_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that meets another one is refused, and the old address is told of nothing."""
    client = logged_in(site, "json")
    link = ask(site, client)
    monkeypatch.setattr(site.store, "replace_account", lambda *_: False)
    assert press(client, link) == 401
    assert [mail.to for mail in site.mails] == [NEW]


def test_the_same_address(site: Site, face: str) -> None:
    """The address that there is already is refused, however it is spelled."""
    client = logged_in(site, face)
    for spelled in (ADA, ADA.upper(), f" {ADA}"):
        assert client.send("/mail-change", email=spelled).status_code == 422
    assert client.send("/mail-change", email="no address").status_code == 422
    assert not site.mails


def test_an_account_without_an_address(site: Site, face: str) -> None:
    """Who has a user name only gets an address, and nobody is told of an old one."""
    account = site.account(None, identifiers=(identifiers.username("grace"),))
    client = logged_in(site, face, "grace")
    assert press(client, ask(site, client)) == 200
    now = site.store.get_account(account.id)
    assert (now.username.value, now.email.value, now.is_verified) == ("grace", NEW, True)
    assert len(site.mails) == 1


def test_an_address_that_nobody_had_confirmed(site: Site, face: str) -> None:
    """An old address that was never confirmed gets no way back: it may be a stranger's."""
    site.account("typo@example.org", verified=False)
    client = logged_in(site, face, "typo@example.org")
    assert press(client, ask(site, client)) == 200
    assert [mail.to for mail in site.mails] == [NEW]


def test_an_address_that_somebody_else_never_confirmed(site: Site, face: str) -> None:
    """An account that has the address without having confirmed it has to let go of it."""
    squatter = site.account(NEW, verified=False)
    client = logged_in(site, face)
    link = ask(site, client)
    assert site.mails[-1].to == NEW
    assert press(client, link) == 200
    assert site.store.get_account(squatter.id).identifiers == ()
    assert address(site) == NEW


def test_floods(site: Site, face: str) -> None:
    """An account asks for five changes an hour, and a mailbox gets five mails, whoever asks."""
    client = logged_in(site, face)
    statuses = [client.send("/mail-change", email=f"p{one}@example.org").status_code for one in range(6)]
    assert statuses[-1] == 429
    assert len(site.mails) == 5
    site.mails.clear()
    for name in ("bob", "eve"):
        site.account(f"{name}@example.org")
        other = logged_in(site, face, f"{name}@example.org")
        for _ in range(4):
            assert other.send("/mail-change", email=NEW).status_code in {200, 202}
    assert len(site.mails) == 5


# -- the way back -----------------------------------------------------------------------------------------------------


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
    assert press(site.client(face), unused) == 401
    assert press(site.client(face), back) == 200
    assert address(site) == ADA


def test_the_thiefs_own_way_back_dies(site: Site, face: str) -> None:
    """Once the owner is back, the ways to the addresses that the thief had in between are gone."""
    thief = logged_in(site, face)
    back = changed(site, thief)
    thiefs = changed(site, thief, "third@example.org")
    assert press(site.client(face), back) == 200
    assert press(site.client(face), thiefs) == 401
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
    assert press(logged_in(site, face), waiting) == 401


@pytest.mark.parametrize("days", [0, 6.99, 7, 8])
def test_for_a_week(site: Site, face: str, days: float) -> None:
    """The way back is open for seven days, and no longer."""
    back = changed(site, logged_in(site, face))
    site.pass_time(days=days)
    assert press(site.client(face), back) == (200 if days < 7 else 401)
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
        assert sorted(threads.map(try_once, [site.client() for _ in range(8)])) == [200] + [401] * 7
    assert address(site) == ADA
    assert len(site.of(MailRestored)) == 1


@pytest.mark.parametrize("verified", [True, False])
def test_the_old_address_has_another_account(site: Site, face: str, *, verified: bool) -> None:
    """A thief who signs up with the old address does not bar the way back, unless that is confirmed."""
    back = changed(site, logged_in(site, face))
    site.account(ADA, verified=verified)
    assert press(site.client(face), back) == (401 if verified else 200)
    assert address(site) == (NEW if verified else ADA)


def test_an_account_that_changes_all_the_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is changed by others again and again is refused, and not half taken back."""
    back = changed(site, logged_in(site, "json"))
    monkeypatch.setattr(site.store, "replace_account", lambda *_: False)
    assert press(site.client(), back) == 401
    assert address(site) == NEW


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(site: Site, face: str, state: str) -> None:
    """The way back to an account that is gone or locked leads nowhere."""
    back = changed(site, logged_in(site, face))
    [account] = site.store.list_accounts()
    if state == "gone":
        site.store.delete_account(account.id)
    else:
        site.store.replace_account(account, replace(account, locked_at=site.clock()))
    assert press(site.client(face), back) == 401


def test_an_account_that_goes_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that goes while its owner takes it back leaves nothing to take."""
    back = changed(site, logged_in(site, "json"))
    [account] = site.store.list_accounts()
    answers = [account, None]
    monkeypatch.setattr(site.store, "get_account", lambda _: answers.pop(0) if answers else None)
    assert press(site.client(), back) == 401


@pytest.mark.parametrize("token", ["", "x", "A" * 22 + "." + "B" * 43])
def test_a_way_back_that_was_made_up(site: Site, face: str, token: str) -> None:
    """A token that is none of ours, or has another secret, leads nowhere."""
    back = changed(site, logged_in(site, face))
    assert press(site.client("json"), f"https://app.example/account/mail-change/undo/{token}") == 401
    assert press(site.client("json"), back[:-43] + "A" * 43) == 401
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


def test_there_has_to_be_a_way_to_a_new_password() -> None:
    """Where passwords are kept and can't be reset the application does not start, and is told what to add."""
    with pytest.raises(ConfigurationError, match=r"Add PasswordReset\(\)"):
        Site(MailChange(), Phrases())
    assert can_regain({})
    assert can_regain({"recovering": Recovering()})
    assert not can_regain({"phrases": Phrases()})


@pytest.mark.parametrize("setting", ["lifetime", "way_back"])
def test_links_that_never_work(setting: str) -> None:
    """A link that would work for no time at all is refused when the site starts."""
    with pytest.raises(ConfigurationError, match="more than zero"):
        MailChange(**{setting: timedelta()})
