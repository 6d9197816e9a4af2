"""Resetting a password: by a link, once, in time, for its owner only."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit import tokens
from admit.errors import ConfigurationError, InvalidChallenge
from admit.features.password_reset import PasswordReset, PasswordWasReset
from admit.model import Credential
from tests.features.conftest import ADA, PHRASE, Codes, Phrases, Site

if TYPE_CHECKING:
    from tests.features.conftest import Client

NEW = "a new phrase that will do"


@pytest.fixture
def site() -> Site:
    """Return a site with an account whose address is confirmed."""
    site = Site(PasswordReset(), Phrases(), Codes())
    site.account()
    return site


def ask(site: Site, client: Client, identifier: str = ADA) -> str:
    """Ask for a link, and return it."""
    assert client.send("/password-reset", identifier=identifier).status_code in {200, 202}
    return site.links()[-1]


def choose(client: Client, link: str, password: str = NEW) -> int:
    """Open a link and choose a phrase; return the status."""
    if client.is_page:
        client.follow(link)
        return client.send("/password-reset/choose", password=password).status_code
    return client.send("/password-reset/choose", token=link.rpartition("/")[2], password=password).status_code


def test_from_the_mail_to_the_login(site: Site, face: str) -> None:
    """A link lets its owner choose; the new phrase counts, the old one does not, and nobody is logged in by it."""
    client = site.client(face)
    link = ask(site, client)
    assert site.mails[-1].to == ADA
    assert choose(client, link) == 200
    assert not client.is_in
    assert client.log_in().status_code == 401
    client.log_in(phrase=NEW)
    assert client.is_in
    assert len(site.of(PasswordWasReset)) == 1


def test_sessions_end(site: Site, face: str) -> None:
    """All sessions of the account end."""
    thief = site.client(face)
    thief.log_in()
    assert thief.is_in
    choose(site.client(face), ask(site, site.client(face)))
    assert not thief.is_in


def test_never_past_a_second_factor(site: Site, face: str) -> None:
    """Whoever has chosen anew is asked for the second factor like everybody."""
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    client = site.client(face)
    choose(client, ask(site, client))
    client.log_in(phrase=NEW)
    assert not client.is_in
    assert "codes" in {one.kind for one in site.store.list_credentials(account.id)}


def test_looking_changes_nothing(site: Site) -> None:
    """Opening the link shows a form without the token in its address, as often as one likes."""
    link = ask(site, site.client())
    for _ in range(3):
        client = site.client("page")
        led = client.http.get(link.removeprefix("https://app.example"))
        assert led.status_code == 303
        assert led.headers["Referrer-Policy"] == "no-referrer"
        assert led.location == "/account/password-reset/choose"
        page = client.http.get(led.location)
        assert page.status_code == 200
        assert link.rpartition("/")[2] not in page.text
    assert choose(site.client("page"), link) == 200


def test_one_winner(site: Site) -> None:
    """Of eight that use one link at the same moment, one chooses."""
    link = ask(site, site.client())
    start = threading.Barrier(8)

    def try_once(number: int) -> int:
        start.wait()
        return choose(site.client(), link, f"the phrase of number {number}")

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(try_once, range(8))) == [200] + [410] * 7


def test_once_and_in_time(site: Site, face: str) -> None:
    """A link works once, and for twenty minutes."""
    client = site.client(face)
    used = ask(site, client)
    choose(client, used)
    assert choose(site.client(face), used) == 410
    late = ask(site, client)
    site.pass_time(minutes=20)
    assert choose(site.client(face), late) == 410


def test_older_links_die(site: Site, face: str) -> None:
    """A newer link voids the older one."""
    client = site.client(face)
    first, second = ask(site, client), ask(site, client)
    assert choose(site.client(face), first) == 410
    assert choose(site.client(face), second) == 200


def test_a_bad_choice_does_not_use_it_up(site: Site, face: str) -> None:
    """A phrase that is refused costs no other mail."""
    client = site.client(face)
    link = ask(site, client)
    assert choose(client, link, "tiny") == 422
    assert choose(client, link) == 200


@pytest.mark.parametrize("kind", ["verify", "login", "invitation"])
def test_only_for_this_purpose(site: Site, face: str, kind: str) -> None:
    """A token that was made for something else chooses nothing."""
    [account] = site.store.list_accounts()
    from datetime import timedelta

    token = site.gate.challenge(kind, account.id, timedelta(days=1))
    assert choose(site.client(face), f"https://app.example/account/password-reset/{token}") == 410


@pytest.mark.parametrize("extra", [{"user_id": "x"}, {"account": "x"}, {"subject": "x"}])
def test_only_for_its_owner(site: Site, face: str, extra: dict[str, str]) -> None:
    """A field that names somebody else is refused, and changes nobody's phrase."""
    site.account("bob@example.org")
    token = ask(site, site.client()).rpartition("/")[2]
    answer = site.client(face).send("/password-reset/choose", token=token, password=NEW, **extra)
    assert answer.status_code == 422
    assert site.client().log_in("bob@example.org").status_code == 200


@pytest.mark.parametrize(
    "who",
    ["nobody@example.org", "unconfirmed@example.org", "locked@example.org", "al\u0131ce@example.org", "", "junk\0"],
)
def test_asking_tells_nothing(site: Site, face: str, who: str) -> None:
    """The answer is the same for every name, and only a confirmed address of an open account gets a mail."""
    site.account("unconfirmed@example.org", verified=False)
    site.account("locked@example.org", locked_at=site.clock())
    site.account("alice@example.org")
    answer = site.client(face).send("/password-reset", identifier=who)
    assert not site.mails
    plain = site.client(face).send("/password-reset", identifier=ADA)
    assert (answer.status_code, answer.data) == (plain.status_code, plain.data)
    assert [name for name, _ in answer.headers] == [name for name, _ in plain.headers]


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded"])
def test_the_links_host_is_configured(site: Site, header: str) -> None:
    """A Host header of the attacker's is not in the mail."""
    client = site.client()
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    client.http.post("/api/account/password-reset", json={"identifier": ADA}, headers={header: value})
    assert "evil" not in site.mails[-1].text
    assert "https://app.example/account/password-reset/" in site.mails[-1].text


def test_nothing_usable_is_kept(site: Site) -> None:
    """Who reads the store finds no token of a mail in it."""
    token = ask(site, site.client()).rpartition("/")[2]
    kept = site.store.get_challenge(token.split(".")[0])
    assert kept
    assert token.split(".")[1].encode() not in kept.secret_hash


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(site: Site, face: str, state: str) -> None:
    """The link of an account that is gone or locked chooses nothing; who has the link of a locked one is told so."""
    link = ask(site, site.client())
    [account] = site.store.list_accounts()
    if state == "gone":
        site.store.delete_account(account.id)
    else:
        site.store.replace_account(account, replace(account, locked_at=site.clock()))
    kept = list(site.store.list_credentials(account.id))
    assert choose(site.client(face), link) == (410 if state == "gone" else 403)
    assert site.store.list_credentials(account.id) == kept


def test_a_flood(site: Site) -> None:
    """An account gets five mails in an hour."""
    for _ in range(9):
        site.client().send("/password-reset", identifier=ADA)
    assert len(site.mails) == 5


def test_regaining_by_another_feature(site: Site) -> None:
    """A feature that has seen the owner of an address can hand out a link to choose."""
    [account] = site.store.list_accounts()
    with site.app.test_request_context():
        accounts = site.manager.keeper.accounts
        link = accounts.features["password_reset"].recover(accounts.context(), account)
    assert choose(site.client(), str(link)) == 200


def test_there_has_to_be_something_to_reset() -> None:
    """Without a feature that keeps passwords the application does not start, and is told what to add."""
    with pytest.raises(ConfigurationError, match=r"Add Password\(\)"):
        Site(PasswordReset(), Codes())
    assert PasswordReset().missing({"phrases": Phrases()}) is None
    assert PHRASE


def test_nothing_to_reset() -> None:
    """Where nothing keeps passwords by now, a link is worth nothing."""
    site = Site(Codes())
    with site.app.test_request_context(), pytest.raises(InvalidChallenge):
        PasswordReset()._keeper(site.manager.keeper.accounts.context())


@pytest.mark.parametrize(("hours", "severity"), [(1, "ok"), (2, "warning")])
def test_links_that_work_for_long(hours: int, severity: str) -> None:
    """The doctor tells of links that work for longer than an hour."""
    [found] = PasswordReset(lifetime=timedelta(hours=hours)).examine({})
    assert (found.check, str(found.severity)) == ("reset_lifetime", severity)
