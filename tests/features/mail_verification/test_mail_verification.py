"""Confirming an address: by a button, once, in time, and without keeping what a squatter has set up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.feature import Feature
from admit.features.mail_verification import IdentifierVerified, MailVerification
from tests.features.conftest import Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account
    from tests.features.conftest import Client


class Recovering(Feature):
    """Offers a way back, as a reset does."""

    name = "recovering"

    def recover(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/recover/{account.id}"


class Joining(Feature):
    """Makes an account in the way of a sign-up."""

    name = "joining"

    def join(self, site: Site, client: Client, email: str = "new@example.org") -> Account:
        """Add an account that nobody has confirmed, and give the browser what it is to keep."""
        account = site.account(email, verified=False)
        accounts = site.manager.keeper.accounts
        with site.app.test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
            ctx = accounts.context()
            assert any(feature.welcome(ctx, account) for feature in accounts.features.values())
        for name, value in ctx.keeps.items():
            client.http.set_cookie(f"admit-kept-{name}", value)
        return account


@pytest.fixture
def site() -> Site:
    """Return a site that confirms addresses."""
    return Site(MailVerification(), Phrases(), Recovering())


def join(site: Site, client: Client) -> Account:
    """Sign up, as a feature of the tests does it."""
    return Joining().join(site, client)


def confirm(client: Client, link: str) -> int:
    """Open a link and press the button; return the status."""
    if client.is_page:
        opened = client.follow(link)
        assert opened.status_code == 200, opened.text
        return client.send("/verify").status_code
    return client.send("/verify", token=link.rpartition("/")[2]).status_code


def is_verified(site: Site, account: Account) -> bool:
    """Tell whether an account's address is confirmed."""
    found = site.store.get_account(account.id)
    return found is not None and found.is_verified


def test_in_the_browser_that_signed_up(site: Site, face: str) -> None:
    """The link confirms the address, what was set up stands, and nobody is logged in by it."""
    client = site.client(face)
    account = join(site, client)
    assert client.log_in("new@example.org").status_code == 403
    assert confirm(client, site.links()[-1]) == 200
    assert is_verified(site, account)
    assert not client.is_in
    client.log_in("new@example.org")
    assert client.is_in
    [event] = site.of(IdentifierVerified)
    assert isinstance(event, IdentifierVerified)
    assert event.kept


def test_in_another_browser(site: Site, face: str) -> None:
    """Opened elsewhere it confirms the address, voids what whoever signed up had set up, and offers to choose anew."""
    squatter, owner = site.client(face), site.client("json")
    account = join(site, squatter)
    answer = owner.send("/verify", token=site.links()[-1].rpartition("/")[2])
    assert answer.json == {"next": "choose_secret", "url": f"https://app.example/recover/{account.id}"}
    assert is_verified(site, account)
    assert squatter.log_in("new@example.org").status_code == 401
    assert site.store.list_credentials(account.id) == []
    assert not owner.is_in


def test_a_link_that_was_asked_for_again(site: Site, face: str) -> None:
    """Asking for another link does not make the browser that asked the one that signed up."""
    squatter, owner = site.client(face), site.client(face)
    join(site, squatter)
    owner.send("/verify/request", email="new@example.org")
    assert confirm(owner, site.links()[-1]) == 200
    assert squatter.log_in("new@example.org").status_code == 401


def test_looking_changes_nothing(site: Site) -> None:
    """A scanner that follows the link, any number of times, confirms nothing."""
    client = site.client("page")
    account = join(site, client)
    for _ in range(3):
        page = site.client("page").follow(site.links()[-1])
        assert page.status_code == 200
        assert page.request.path == "/account/verify"
    assert not is_verified(site, account)
    assert confirm(client, site.links()[-1]) == 200


def test_once(site: Site, face: str) -> None:
    """A link works once."""
    client = site.client(face)
    join(site, client)
    link = site.links()[-1]
    confirm(client, link)
    assert site.client("json").send("/verify", token=link.rpartition("/")[2]).status_code == 401
    assert site.client("page").follow(link).status_code == 401


def test_in_time(site: Site) -> None:
    """A day later a link is worth nothing."""
    client = site.client()
    account = join(site, client)
    site.pass_time(hours=24)
    assert confirm(client, site.links()[-1]) == 401
    assert not is_verified(site, account)


def test_a_newer_link_voids_the_older(site: Site, face: str) -> None:
    """After another link was asked for, the first is dead."""
    client = site.client(face)
    account = join(site, client)
    client.send("/verify/request", email="NEW@example.org")
    first, second = site.links()
    assert site.client().send("/verify", token=first.rpartition("/")[2]).status_code == 401
    assert confirm(client, second) == 200
    assert is_verified(site, account)


@pytest.mark.parametrize("email", ["nobody@example.org", "known@example.org", "locked@example.org", "no address", ""])
def test_asking_tells_nothing(site: Site, face: str, email: str) -> None:
    """Whoever asks for a link gets the same answer for every address, and only one that waits gets a mail."""
    site.account("known@example.org")
    site.account("locked@example.org", verified=False, locked_at=site.clock())
    join(site, site.client())
    sent = len(site.mails)
    answer = site.client(face).send("/verify/request", email=email)
    plain = site.client(face).send("/verify/request", email="new@example.org")
    assert (answer.status_code, answer.data) == (plain.status_code, plain.data)
    assert len(site.mails) == sent + 1


def test_a_flood(site: Site) -> None:
    """An address gets five mails in an hour, however often links are asked for; who asks is not told."""
    join(site, site.client())
    answers = {site.client().send("/verify/request", email="new@example.org").status_code for _ in range(12)}
    assert answers == {202}
    assert len(site.mails) == 5


def test_a_link_is_bound_to_its_address(site: Site, face: str) -> None:
    """A link that went to one address does not confirm another that the account has by now."""
    client = site.client(face)
    account = join(site, client)
    assert account.email
    other = replace(account.email, value="other@example.org", key="other@example.org")
    site.store.replace_account(account, replace(account, identifiers=(other,)))
    assert confirm(client, site.links()[-1]) == 401
    assert not is_verified(site, account)


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(site: Site, face: str, state: str) -> None:
    """The link of an account that is gone or locked is worth nothing."""
    client = site.client(face)
    account = join(site, client)
    if state == "gone":
        site.store.delete_account(account.id)
    else:
        site.store.replace_account(account, replace(account, locked_at=site.clock()))
    assert confirm(client, site.links()[-1]) == 401


def test_an_account_without_an_address(site: Site) -> None:
    """There is nothing to confirm for an account without an address, and no mail."""
    account = site.account(None)
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
        assert not site.manager.keeper.accounts.features["mail_verification"].welcome(ctx, account)
    assert not site.mails
    assert account.is_verified


def test_where_it_is_not_required(face: str) -> None:
    """When the setting says so, an account can be used before its address is confirmed."""
    site = Site(MailVerification(required=False), Phrases())
    client = site.client(face)
    join(site, client)
    client.log_in("new@example.org")
    assert client.is_in


def test_without_a_way_back(face: str) -> None:
    """Where nothing offers to choose anew, the address is confirmed all the same."""
    site = Site(MailVerification(), Phrases())
    account = join(site, site.client(face))
    assert confirm(site.client(face), site.links()[-1]) == 200
    assert is_verified(site, account)


def test_an_account_that_nobody_marked(site: Site, face: str) -> None:
    """Where no browser was marked, nothing that was set up before stands."""
    client = site.client(face)
    account = join(site, client)
    [mark] = [one for one in site.store.list_credentials(account.id) if one.kind == "mail_verification"]
    site.store.delete_credential(mark.id)
    assert confirm(client, site.links()[-1]) == 200
    assert site.store.list_credentials(account.id) == []


def test_what_a_sign_up_without_an_account_leaves(site: Site) -> None:
    """A browser is marked alike when no account was made, and what has no address is sent nothing."""
    feature = site.manager.keeper.accounts.features["mail_verification"]
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
        feature.pretend(ctx)
        feature._send(ctx, site.account(None))
    assert len(ctx.keeps["mail_verification"]) == 43
    assert not site.mails


@pytest.mark.parametrize(
    ("changes", "severities"),
    [
        ({}, ["ok", "ok"]),
        ({"required": False}, ["ok", "warning"]),
        ({"lifetime": timedelta(days=9)}, ["warning", "ok"]),
    ],
)
def test_what_the_doctor_says(changes: dict[str, Any], severities: list[str]) -> None:
    """Links that work for long, and accounts that can be used with anybody's address, are told."""
    found = MailVerification(**changes).examine({})
    assert [one.check for one in found] == ["verification_lifetime", "addresses"]
    assert [str(one.severity) for one in found] == severities
