"""Changing the mail address: by its owner, once confirmed, and with a way back that nobody can bar."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers
from admit.errors import ConfigurationError, IdentifierTaken, InvalidChallenge
from admit.feature import can_regain
from admit.features.mail_change import MailChange, MailChanged
from admit.model import Identifier, IdentifierKind
from tests.features.conftest import ADA, Phrases, Site
from tests.features.mail_change.conftest import NEW, Recovering, address, ask, logged_in, press

if TYPE_CHECKING:
    from tests.features.conftest import Client


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
    assert back.send("/mail-change/undo").status_code in {410, 422}


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
    assert press(other, link) in {303, 401, 410}
    assert {account.email.value for account in site.store.list_accounts()} == {ADA, "bob@example.org"}
    assert press(logged_in(site, face), link) == 200


def test_once_and_in_time(site: Site, face: str) -> None:
    """A link works once, and for a day."""
    client = logged_in(site, face)
    link = ask(site, client)
    assert press(client, link) == 200
    assert press(client, link) == 410
    late = ask(site, client, "third@example.org")
    site.pass_time(hours=24)
    assert press(logged_in(site, face, NEW), late) == 410
    assert address(site) == NEW


def test_what_could_not_be_voided(site: Site) -> None:
    """A link of before the change, such as one that went to the old address, opens nothing though it is still kept."""
    client = logged_in(site, "json")
    link, older = ask(site, client), site.gate.challenge("recovering", "ada", timedelta(hours=1))
    kept = site.store.get_challenge(older.partition(".")[0])
    assert press(client, link) == 200
    site.store.add_challenge(kept)
    with pytest.raises(InvalidChallenge):
        site.gate.take("recovering", older)


def test_one_of_two_changes(site: Site, face: str) -> None:
    """A newer change voids the older one, so that a link confirms no other address than its own."""
    client = logged_in(site, face)
    first, second = ask(site, client), ask(site, client, "third@example.org")
    assert press(client, first) == 410
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
        assert sorted(threads.map(try_once, clients)) == [200] + [410] * 7
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
    assert press(client, link) == 410
    assert address(site) == ADA


def test_an_address_that_is_taken_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store finds the address taken in the last moment, the change is refused like any other."""
    client = logged_in(site, "json")
    link = ask(site, client)

    def taken(*_: Any) -> bool:
        raise IdentifierTaken

    monkeypatch.setattr(site.store, "replace_account", taken)
    assert press(client, link) == 410
    assert address(site) == ADA


def test_an_account_that_changes_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that meets another one is refused, and the old address is told of nothing."""
    client = logged_in(site, "json")
    link = ask(site, client)
    monkeypatch.setattr(site.store, "replace_account", lambda *_: False)
    assert press(client, link) == 410
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


@pytest.mark.parametrize(("verified", "until"), [(True, "2026-01-08"), (False, None)])
def test_until_when_there_is_a_way_back(site: Site, *, verified: bool, until: str | None) -> None:
    """The answer says until when the old address can take the change back, and says nothing of it where it can't."""
    site.account("typo@example.org", verified=verified)
    client = logged_in(site, "json", "typo@example.org")
    token = ask(site, client).rpartition("/")[2]
    answer = client.send("/mail-change/confirm", token=token).json
    assert answer["email"] == NEW
    assert (answer["until"] or "").partition("T")[0] == (until or "")


def test_the_page_says_until_when(site: Site) -> None:
    """Whoever has changed their address reads how long it can be taken back, if somebody had confirmed the old one."""
    site.account("typo@example.org", verified=False)
    for name in (ADA, "typo@example.org"):
        client = logged_in(site, "page", name)
        client.follow(ask(site, client, f"new-{name}"))
        page = client.send("/mail-change/confirm").text
        assert f"It is new-{name} now." in page
        assert ("taken back until" in page) == (name == ADA)


def test_dead_links_say_how_to_go_on(site: Site) -> None:
    """Whoever follows a link again reads why it does not work, and what they can do."""
    client = logged_in(site, "page")
    link = ask(site, client)
    client.follow(link)
    client.send("/mail-change/confirm")
    page = client.follow(link)
    assert page.status_code == 410
    assert 'class="admit-button" href="/account/mail-change"' in page.text
    back = site.links()[-1]
    client.follow(back)
    client.send("/mail-change/undo")
    assert "write to whoever runs this site" in client.follow(back).text


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


@pytest.mark.parametrize(
    ("changes", "severities"),
    [
        ({}, ["ok", "ok"]),
        ({"lifetime": timedelta(days=4)}, ["warning", "ok"]),
        ({"way_back": timedelta(days=1)}, ["ok", "warning"]),
    ],
)
def test_what_the_doctor_says(changes: dict[str, Any], severities: list[str]) -> None:
    """Links that work for long, and a way back that does not last a holiday, are told."""
    found = MailChange(**changes).examine({})
    assert [one.check for one in found] == ["change_lifetime", "way_back"]
    assert [str(one.severity) for one in found] == severities


def test_an_address_that_is_somebodys_user_name(site: Site, face: str) -> None:
    """Whose user name an address is gets no mail about it and keeps it from nobody; they keep their name."""
    squatter = site.account("mallory@example.org")
    name = Identifier(IdentifierKind.USERNAME, NEW, NEW.lower())
    assert site.store.replace_account(squatter, replace(squatter, identifiers=(name, *squatter.identifiers)))
    client = logged_in(site, face)
    link = ask(site, client)
    assert site.mails[-1].to == NEW
    assert press(client, link) == 200
    assert address(site) == NEW
    kept = site.store.get_account(squatter.id)
    assert kept.username == name
    assert site.store.find_account(NEW.lower()).id == "ada"
