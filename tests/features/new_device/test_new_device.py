"""The mail about a new device: when it is sent, to whom, and what becomes of the account when it was not its owner."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers, tokens
from admit.errors import ConfigurationError, StoreError
from admit.events import LoggedIn
from admit.feature import Feature
from admit.features.new_device import DeviceDenied, DeviceMet, NewDevice
from admit.model import Credential
from admit.operations import close_account
from admit.store import Stores
from tests.features.conftest import ADA, Codes, Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account
    from tests.features.conftest import Client


class Recovering(Feature):
    """Offers a way to choose another phrase, as a reset does."""

    name = "recovering"

    def recover(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/account/recover/{account.id}"


@pytest.fixture
def site() -> Site:
    """Return a site with an account that was logged in to once."""
    site = Site(NewDevice(), Phrases(), Codes(), Recovering())
    site.account(id="ada")
    site.client().log_in()
    return site


def told(site: Site, client: Client, identifier: str = ADA) -> str:
    """Log in on a new device, and return the link of the mail about it."""
    client.log_in(identifier)
    assert client.is_in
    return site.links()[-1]


def deny(client: Client, link: str) -> int:
    """Open a link and press the button; return the status."""
    if client.is_page:
        client.follow(link)
        return client.send("/new-device").status_code
    return client.send("/new-device", token=link.rpartition("/")[2]).status_code


def test_a_denial_that_fails_may_be_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store of the sessions is down the link is not used up, so that the thief does not stay for it."""
    thief = site.client()
    link = told(site, thief)

    def down(*_: Any, **__: Any) -> int:
        message = "The store is down."
        raise StoreError(message)

    with monkeypatch.context() as patch:
        patch.setattr(site.store, "delete_sessions", down)
        assert deny(site.client(), link) == 503
    assert thief.is_in
    assert deny(site.client(), link) == 200
    assert not thief.is_in


def test_not_at_the_first_login(site: Site) -> None:
    """Whoever has just signed up knows that they log in."""
    assert not site.mails
    assert not site.of(DeviceMet)


def test_at_a_login_on_a_new_device(site: Site, face: str) -> None:
    """The owner is told once of each device: what it is, when, and from where."""
    client = site.client(face)
    client.log_in()
    client.log_in()
    [mail] = site.mails
    assert mail.to == ADA
    for words in ("Firefox on Linux", "127.0.0.1", "1 January 2026", "/account/new-device/"):
        assert words in mail.text
        assert words in mail.html
    [met] = site.of(DeviceMet)
    assert (met.subject, met.told) == ("ada", True)
    assert met.session_id == site.of(LoggedIn)[1].session_id


def test_at_a_login_with_a_second_factor(site: Site, face: str) -> None:
    """Half a login is none: the mail is sent once the second factor was shown."""
    site.store.add_credential(Credential(tokens.new_id(), "codes", "ada", "ada", "1", site.clock()))
    client = site.client(face)
    client.log_in()
    assert not site.mails
    client.send("/code", identifier="", phrase="1")
    assert client.is_in
    assert len(site.mails) == 1


def test_the_mark_of_another_makes_no_device_known(site: Site, face: str) -> None:
    """A device that somebody else has logged in on before is new to this account."""
    site.account("bob@example.org")
    client = site.client(face)
    client.log_in("bob@example.org")
    assert not site.mails
    client.log_in()
    assert [mail.to for mail in site.mails] == [ADA]


@pytest.mark.parametrize("agent", ["evil.example", "go to http://evil.example/ now", "<b>bold</b>", "x\u202ey", ""])
def test_what_a_device_calls_itself(site: Site, agent: str) -> None:
    """A device that calls itself something to click at is an unknown one."""
    client = site.client()
    client.http.environ_base["HTTP_USER_AGENT"] = agent
    client.log_in()
    [mail] = site.mails
    assert "evil" not in mail.text + mail.html
    assert "<b>bold" not in mail.html
    assert "evil" not in site.client("page").follow(site.links()[-1]).text


def test_a_device_without_a_name(site: Site) -> None:
    """A device that says nothing of itself is shown as such, and so is one that is no browser."""
    client = site.client()
    client.http.environ_base["HTTP_USER_AGENT"] = ""
    assert "Unknown device" in site.client("page").follow(told(site, client)).text
    tool = site.client()
    tool.http.environ_base["HTTP_USER_AGENT"] = "harbour-tool/1"
    assert "harbour-tool" in site.client("page").follow(told(site, tool)).text
    assert "harbour-tool" in site.mails[-1].text


@pytest.mark.parametrize("address", [None, "typo@example.org"])
def test_accounts_without_a_confirmed_address(site: Site, face: str, address: str | None) -> None:
    """Nobody is told at an address that nobody has confirmed; the event is there all the same."""
    account = site.account(address, verified=False)
    if address is None:
        site.store.replace_account(account, replace(account, identifiers=(identifiers.username("grace"),)))
    for _ in range(2):
        site.client(face).log_in(address or "grace")
    assert not site.mails
    [met] = site.of(DeviceMet)
    assert not met.told


def test_where_there_is_no_account(site: Site) -> None:
    """A session of an account that is gone at the same moment tells nobody."""
    [session] = site.gate.sessions_of("ada")
    site.store.delete_account("ada")
    with site.app.test_request_context():
        accounts = site.manager.keeper.accounts
        accounts.features["new_device"].meet(accounts.context(), session)
    assert not site.mails


def test_a_flood(site: Site, face: str) -> None:
    """An account gets five of these mails an hour, and other mails do not take their places."""
    accounts = site.manager.keeper.accounts
    while accounts.throttle.allows_mail("ada@example.org"):
        pass
    for _ in range(7):
        site.client(face).log_in()
    assert len(site.mails) == 5
    assert [met.told for met in site.of(DeviceMet)] == [True] * 5 + [False] * 2
    site.pass_time(hours=1)
    site.client(face).log_in()
    assert len(site.mails) == 6


# -- "it was not me" --------------------------------------------------------------------------------------------------


def test_it_was_not_me(site: Site, face: str) -> None:
    """Everybody is out, the phrase is worth nothing, and a mail offers a new one; nobody is logged in by it."""
    thief, owner = site.client(face), site.client(face)
    link = told(site, thief)
    [met] = site.of(DeviceMet)
    assert deny(owner, link) == 200
    assert not thief.is_in
    assert not owner.is_in
    assert site.gate.sessions_of("ada") == []
    assert site.client(face).log_in().status_code == 401
    assert site.mails[-1].to == ADA
    assert "/account/recover/ada" in site.mails[-1].text
    [denied] = site.of(DeviceDenied)
    assert (denied.subject, denied.session_id) == ("ada", met.session_id)


def test_the_pages(site: Site) -> None:
    """The page says of which login it is, and afterwards what comes next."""
    client = site.client("page")
    link = told(site, site.client())
    page = client.follow(link)
    assert page.request.path == "/account/new-device"
    for words in ("Firefox on Linux", "127.0.0.1", "1 January 2026", 'action="/account/new-device"'):
        assert words in page.text
    assert "link to choose a new password" in client.send("/new-device").text
    assert "for a limited time after the sign-in" in client.follow(link).text


def test_scanners_end_nothing(site: Site) -> None:
    """Following the link, however often, ends nothing and uses nothing up."""
    thief = site.client()
    link = told(site, thief)
    for _ in range(3):
        assert site.client("page").follow(link).status_code == 200
    assert thief.is_in
    assert deny(site.client("page"), link) == 200


def test_the_session_has_been_replaced(site: Site, face: str) -> None:
    """A thief whose session has another number by now is out as well."""
    thief = site.client(face)
    link = told(site, thief)
    thief.send("/phrase/confirm", identifier=ADA, phrase="a phrase that will do")
    thief.log_in()
    assert thief.is_in
    deny(site.client(face), link)
    assert not thief.is_in


def test_whatever_the_thief_does(site: Site, face: str) -> None:
    """What voids all links of the account does not void this one."""
    link = told(site, site.client(face))
    site.gate.challenges.void("ada")
    assert deny(site.client(face), link) == 200


def test_what_was_sent_out_before_dies(site: Site, face: str) -> None:
    """Links and half-done logins of the account are void, and so are these mails about other logins."""
    other = told(site, site.client(face))
    link = told(site, site.client(face))
    reset = site.gate.challenge("password_reset", "ada", timedelta(days=1))
    assert deny(site.client(face), link) == 200
    assert site.store.get_challenge(reset.partition(".")[0]) is None
    assert deny(site.client(face), other) == 410


def test_the_address_has_changed(site: Site, face: str) -> None:
    """A thief who has changed the address is out, and gets no link to choose a new phrase."""
    thief = site.client(face)
    link = told(site, thief)
    account = site.store.get_account("ada")
    changed = replace(identifiers.email("thief@example.net"), verified_at=site.clock())
    site.store.replace_account(account, replace(account, identifiers=(changed,)))
    sent = len(site.mails)
    owner = site.client("json")
    assert owner.send("/new-device", token=link.rpartition("/")[2]).json == {"next": "sign_in"}
    assert not thief.is_in
    assert len(site.mails) == sent


def test_the_address_has_changed_as_a_page(site: Site) -> None:
    """The page then says that there is another mail about that."""
    link = told(site, site.client())
    account = site.store.get_account("ada")
    site.store.replace_account(account, replace(account, identifiers=(identifiers.email("thief@example.net"),)))
    client = site.client("page")
    client.follow(link)
    assert "If your mail address was changed as well" in client.send("/new-device").text


def test_the_second_factor_stays(site: Site, face: str) -> None:
    """Whoever has only the mailbox gets past no second factor."""
    link = told(site, site.client(face))
    site.store.add_credential(Credential(tokens.new_id(), "codes", "ada", "ada", "1", site.clock()))
    deny(site.client(face), link)
    assert "codes" in {one.kind for one in site.store.list_credentials("ada")}


def test_the_browser_of_the_owner_is_known(site: Site, face: str) -> None:
    """The browser in which it was said is the one that is known afterwards, and no other."""
    thief, owner = site.client(face), site.client(face)
    deny(owner, told(site, thief))
    kept = site.store.get_credential("phrases", "ada")
    site.store.replace_credential(kept, replace(kept, secret="a phrase that will do"))
    sent = len(site.mails)
    owner.log_in()
    assert len(site.mails) == sent
    thief.log_in()
    assert len(site.mails) == sent + 1


def test_once_and_for_a_week(site: Site, face: str) -> None:
    """The link works once, and for seven days."""
    link = told(site, site.client(face))
    late = told(site, site.client(face))
    site.pass_time(days=7)
    assert deny(site.client(face), late) == 410
    site.client(face).log_in()
    link = site.links()[-1]
    assert deny(site.client(face), link) == 200
    assert deny(site.client(face), link) == 410


def test_at_once(site: Site) -> None:
    """Of eight that say it at the same moment, one is heard."""
    link = told(site, site.client())
    start = threading.Barrier(8)

    def try_once(client: Client) -> int:
        start.wait()
        return deny(client, link)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(try_once, [site.client() for _ in range(8)])) == [200] + [410] * 7
    assert len(site.of(DeviceDenied)) == 1


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(site: Site, face: str, state: str) -> None:
    """The link of an account that is gone or locked does nothing."""
    link = told(site, site.client(face))
    account = site.store.get_account("ada")
    if state == "gone":
        site.store.delete_account("ada")
    else:
        site.store.replace_account(account, replace(account, locked_at=site.clock()))
    assert deny(site.client(face), link) == 410


def test_a_closed_account(site: Site, face: str) -> None:
    """A thief who closes the account does not keep its owner from ending what the thief has, within the grace."""
    site.gate.admission.grace = timedelta(days=14)
    link = told(site, site.client(face))
    close_account(site.gate, site.store, "ada", at=site.clock(), by="owner")
    site.pass_time(days=6)
    assert deny(site.client(face), link) == 200


def test_it_is_erased_with_the_account(site: Site) -> None:
    """When an account is erased nothing is left of the mails that told of its logins."""
    told(site, site.client())
    [account] = site.store.list_accounts()
    NewDevice().erase(site.manager.keeper.accounts.stores, account)
    assert site.store.delete_challenges("new_device:ada") == 0
    NewDevice().erase(Stores(site.store), account)


@pytest.mark.parametrize("token", ["", "x", "A" * 22 + "." + "B" * 43])
def test_a_link_that_was_made_up(site: Site, token: str) -> None:
    """A token that is none of ours, or has another secret, ends nothing."""
    thief = site.client()
    link = told(site, thief)
    assert deny(site.client(), f"https://app.example/account/new-device/{token}") == 410
    assert deny(site.client(), link[:-43] + "A" * 43) == 410
    assert thief.is_in


def test_only_for_this_purpose(site: Site) -> None:
    """A token that was made for something else ends nothing, and this one opens nothing else."""
    link = told(site, site.client())
    other = site.gate.challenge("password_reset", "ada", timedelta(days=1))
    assert deny(site.client(), f"https://app.example/account/new-device/{other}") == 410
    kept: Any = site.store.get_challenge(link.rpartition("/")[2].partition(".")[0])
    assert (kept.kind, kept.subject) == ("new_device", "new_device:ada")


def test_there_has_to_be_a_way_to_a_new_password() -> None:
    """Where passwords are kept and can't be reset the application does not start, and is told what to add."""
    with pytest.raises(ConfigurationError, match=r"Add PasswordReset\(\)"):
        Site(NewDevice(), Phrases())
    assert NewDevice().missing({}) is None


@pytest.mark.parametrize("settings", [{"lifetime": timedelta()}, {"mails_per_hour": 0}])
def test_settings_that_tell_nobody(settings: dict[str, Any]) -> None:
    """No mails, or links that never work, are refused when the site starts."""
    with pytest.raises(ConfigurationError, match="more than zero"):
        NewDevice(**settings)
