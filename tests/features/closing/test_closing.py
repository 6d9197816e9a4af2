"""Closing an account, coming back in time, and what happens when nobody does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.erasure import erase_closed
from admit.errors import ConfigurationError
from admit.events import AccountClosed, AccountErased, AccountReopened, LoginFailed
from admit.features.closing import Closing
from admit.flask import LoginManager
from admit.stores.memory import MemoryStore
from tests.features.conftest import ADA, PHRASE, Phrases, Site

if TYPE_CHECKING:
    from admit.store import SessionStore

GRACE = timedelta(days=14)


@pytest.fixture
def site() -> Site:
    """Return a site with an account that can be closed."""
    site = Site(Closing(), Phrases())
    site.account()
    return site


def close(site: Site, face: str = "json") -> Any:
    """Close the account in a browser of its own, and return that."""
    client = site.client(face)
    assert client.log_in().status_code in {200, 303}
    assert client.send("/close").status_code == 200
    return client


def test_everybody_is_out_at_once(site: Site, face: str) -> None:
    """Closing ends all sessions, says until when the owner may come back, and is told."""
    other = site.client()
    other.log_in()
    client = site.client(face)
    client.log_in()
    answer = client.send("/close")
    assert answer.status_code == 200
    until = site.clock() + GRACE
    if face == "json":
        assert answer.json == {"until": until.isoformat().replace("+00:00", "Z")}
    else:
        assert "Your account is closed" in answer.text
    assert not client.is_in
    assert not other.is_in
    [account] = site.store.list_accounts()
    assert account.closed_at == site.clock()
    assert [event.by for event in site.of(AccountClosed)] == ["owner"]
    assert site.gate.sessions_of(account.id) == []


def test_the_owner_is_told(site: Site) -> None:
    """A mail says until when, and how, the account can be kept, whatever mails somebody has used up before."""
    for _ in range(9):
        site.manager.keeper.accounts.throttle.allows_mail("ada@example.org")
    close(site)
    [mail] = site.mails
    assert mail.to == ADA
    assert mail.subject == "Your account at app.example is closed"
    assert "https://app.example/account/phrase" in mail.text
    until = site.clock() + GRACE
    assert f"{until:%Y}" in mail.text


def test_nobody_to_tell(site: Site) -> None:
    """An account without an address is closed all the same."""
    [account] = site.store.list_accounts()
    client = site.client()
    client.log_in()
    site.store.replace_account(account, replace(account, identifiers=()))
    assert client.send("/close").status_code == 200
    assert site.mails == []


def test_without_a_way_in_the_mail_leads_to_the_account() -> None:
    """Where no feature logs people in, the mail leads to where the account is."""
    site = Site(Closing())
    account = site.account()
    client = site.client()
    with site.app.test_request_context():
        session = site.gate.admit(account.id, "login")
    client.http.set_cookie("admit", session.token)
    assert client.send("/close").status_code == 200
    assert "https://app.example/account/" in site.mails[0].text


def test_the_form(site: Site) -> None:
    """The page says what will happen and until when it can be undone, and changes nothing by being looked at."""
    client = site.client("page")
    client.log_in()
    page = client.get("/close")
    assert page.status_code == 200
    assert "Until " in page.text
    assert client.is_in


def test_it_takes_a_fresh_login(site: Site, face: str) -> None:
    """Neither nobody nor whoever sits at a session that was left open closes an account."""
    client = site.client(face)
    assert client.send("/close").status_code in {303, 401}
    client.log_in()
    site.pass_time(hours=2)
    assert client.send("/close").status_code == 403
    assert client.get("/close").status_code in {403, 405}
    assert site.of(AccountClosed) == []


def test_coming_back(site: Site, face: str) -> None:
    """A login within the grace opens the account as it was, and a mail tells the owner, in case it was not them."""
    close(site)
    site.mails.clear()
    site.pass_time(days=13)
    client = site.client(face)
    client.log_in()
    assert client.is_in
    [account] = site.store.list_accounts()
    assert account.is_open
    assert [event.method for event in site.of(AccountReopened)] == ["phrases"]
    [mail] = site.mails
    assert mail.subject == "Your account at app.example is open again"
    client.log_in()
    assert len(site.mails) == 1


def test_a_wrong_proof_opens_nothing(site: Site, face: str) -> None:
    """Whoever does not have what logs in is answered as for any account, and it stays closed."""
    close(site)
    wrong = site.client(face).log_in(phrase="a wrong one")
    unknown = site.client(face).log_in("nobody@example.org", "a wrong one")
    assert wrong.status_code == unknown.status_code == 401
    [account] = site.store.list_accounts()
    assert not account.is_open


def test_when_the_grace_is_over(site: Site, face: str) -> None:
    """After the grace the right proof is refused as a wrong one is, and the purge leaves nothing."""
    close(site)
    site.pass_time(days=14)
    late = site.client(face).log_in()
    wrong = site.client(face).log_in(phrase="a wrong one")
    assert (late.status_code, late.text) == (401, wrong.text.replace("a wrong one", PHRASE))
    assert site.of(LoginFailed)[-1].reason == "closed"
    site.pass_time(seconds=1)
    accounts = site.manager.keeper.accounts
    assert sum(erase_closed(site.gate, accounts.stores, accounts.features.values(), now=site.clock())) == 1
    assert site.store.count_accounts() == 0
    assert len(site.of(AccountErased)) == 1


def test_the_grace_is_a_setting() -> None:
    """How long the grace is can be set, to more than nothing and at most a year."""
    site = Site(Closing(), Phrases(), ADMIT_CLOSING_GRACE=timedelta(days=1))
    assert site.gate.admission.grace == timedelta(days=1)
    assert Site(Phrases()).gate.admission.grace is None
    for grace in (timedelta(), timedelta(days=367)):
        with pytest.raises(ConfigurationError, match="ADMIT_CLOSING_GRACE"):
            Closing(grace=grace)


class Adopted(MemoryStore):
    """A store whose accounts are an application's own users, as far as anybody asks."""

    def open(self, **options: Any) -> SessionStore:
        """Return what is kept beside them."""
        del options
        return self

    def examples(self) -> None:
        """Return no hashes."""

    def load_user(self, account_id: str) -> object | None:
        """Return nobody."""
        del account_id


def test_an_applications_own_users() -> None:
    """Where accounts are rows of the application's own table, it has to say that they may be deleted."""

    def site(**config: Any) -> None:
        app = Flask("site")
        app.config.update({"TESTING": True, **config})
        LoginManager(app, store=Adopted(), features=[Closing()], mail=lambda _: None)

    with pytest.raises(ConfigurationError, match="Set ADMIT_CLOSING_ERASES_USERS = True if"):
        site()
    site(ADMIT_CLOSING_ERASES_USERS=True)
