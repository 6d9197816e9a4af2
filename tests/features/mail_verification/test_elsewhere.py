"""Links that are opened in another browser, or twice: nobody loses a password by it, and each page says what is so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from admit.changing import outdated
from admit.features.mail_verification import MailVerification
from admit.store import Stores
from tests.features.mail_verification import test_mail_verification as shared
from tests.features.mail_verification.test_mail_verification import code_of, confirm, found, join
from tests.steps import aside, fail

if TYPE_CHECKING:
    from tests.features.conftest import Client, Site

site, open_site = shared.site, shared.open_site

NEW = "new@example.org"
DONE = "This address is already confirmed. Sign in."
DEAD = "This link or code is not valid any more."
CARRIER = {"Admit-Carrier": "bearer"}


def token_of(site: Site) -> str:
    """Return the token of the link in the last mail."""
    return site.links()[-1].rpartition("/")[2]


def has_password(site: Site) -> bool:
    """Tell whether the new account has the password that was chosen at the sign-up."""
    return site.client().log_in(NEW).status_code == 200


def again(client: Client, link: str) -> str:
    """Open a link once more, press the button if there is one, and return what is said."""
    if not client.is_page:
        return str(client.send("/verify", token=link.rpartition("/")[2]).json["detail"])
    page = client.follow(link)
    assert "/account/verify/request" not in page.text or DEAD in page.text
    assert page.text == client.send("/verify").text
    return DONE if DONE in page.text else DEAD if DEAD in page.text else page.text


# -- in another browser ------------------------------------------------------------------------------------------------


def test_n03_the_page_elsewhere_shows_the_code(site: Site) -> None:
    """The link in another browser shows the code to type in the first one, and voids nothing before a press."""
    laptop, phone = site.client("page"), site.client("page")
    join(laptop)
    page = phone.follow(site.links()[-1])
    assert page.status_code == 200
    code = code_of(site)
    assert page.text.index(code) < page.text.index("Finish here without that password")
    assert page.text.index("without the password that was chosen there") < page.text.index("<button")
    assert found(site) is None
    laptop.send("/verify/code", code=code)
    assert has_password(site)


def test_n03_the_own_browser_needs_no_code(site: Site) -> None:
    """The link in the browser that signed up has a button, and shows no code."""
    laptop = site.client("page")
    join(laptop)
    page = laptop.follow(site.links()[-1])
    assert code_of(site) not in page.text
    assert laptop.send("/verify").status_code == 200
    assert has_password(site)


def test_n03_the_code_elsewhere_is_worth_nothing(site: Site) -> None:
    """The code alone confirms nothing in a browser that has not signed up."""
    join(site.client())
    assert site.client().send("/verify/code", code=code_of(site)).json["code"] == "invalid_challenge"
    assert found(site) is None


@pytest.mark.parametrize("way", ["code", "link"])
def test_n03_a_client_without_cookies(site: Site, way: str) -> None:
    """A client without cookies that sends the token of its sign-up keeps its password, by the code and by the link."""
    http = site.app.test_client(use_cookies=False)
    begun = http.post("/api/account/join", json={"email": NEW}, headers=CARRIER)
    pending = {**CARRIER, "Admit-Pending": begun.headers["Admit-Pending"]}
    phone = site.client("page").follow(site.links()[-1])
    assert code_of(site) in phone.text
    if way == "code":
        answer = http.post("/api/account/verify/code", json={"code": code_of(site)}, headers=pending)
    else:
        answer = http.post("/api/account/verify", json={"token": token_of(site)}, headers=pending)
    assert answer.json == {"next": "sign_in", "url": None}
    assert has_password(site)


# -- twice -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_own", [True, False])
def test_u22_a_link_twice(site: Site, face: str, *, is_own: bool) -> None:
    """Opened again, in the same browser or in another, a link says that its address is confirmed."""
    client = site.client(face)
    join(client)
    link = site.links()[-1]
    assert confirm(client, link) == 200
    assert again(client if is_own else site.client(face), link) == DONE


def test_u22_a_link_after_the_code(site: Site, face: str) -> None:
    """The link of a mail whose code was typed says that the address is confirmed."""
    client = site.client(face)
    join(client)
    client.send("/verify/code", code=code_of(site))
    assert again(site.client(face), site.links()[-1]) == DONE


def test_u22_a_link_of_an_account_that_is_there(open_site: Site, face: str) -> None:
    """So does a link where accounts can be used before their address is confirmed."""
    client = open_site.client(face)
    join(client)
    link = open_site.links()[-1]
    assert confirm(client, link) == 200
    assert again(client, link) == DONE


def test_u22_somebody_who_is_signed_in(site: Site) -> None:
    """Whoever is signed in already is led to the account, and not to signing in."""
    client = site.client("page")
    join(client)
    link = site.links()[-1]
    confirm(client, link)
    client.log_in(NEW)
    page = client.follow(link).text
    assert "<title>Your address is confirmed" in page
    assert "This address is already confirmed." in page
    assert DONE not in page


def test_u22_a_scanner(site: Site) -> None:
    """A scanner that follows the link first, and while the page is open, takes nothing from the person."""
    client = site.client("page")
    join(client)
    link = site.links()[-1]
    site.client("page").follow(link)
    client.follow(link)
    site.client("page").follow(link)
    assert client.send("/verify").status_code == 200
    assert has_password(site)


@pytest.mark.parametrize("is_own", [True, False])
def test_u22_twice_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch, *, is_own: bool) -> None:
    """Of two presses at once one confirms, and the other one is told that the address is confirmed."""
    http = site.app.test_client(use_cookies=False)
    begun = http.post("/api/account/join", json={"email": NEW}, headers=CARRIER)
    headers = {**CARRIER, "Admit-Pending": begun.headers["Admit-Pending"]} if is_own else CARRIER
    token, answers, take = token_of(site), list[Any](), site.store.take_challenge

    def press() -> None:
        answers.append(http.post("/api/account/verify", json={"token": token}, headers=headers).json)

    def meanwhile(challenge_id: str) -> object:
        monkeypatch.setattr(site.store, "take_challenge", take)
        aside(press)()
        return take(challenge_id)

    monkeypatch.setattr(site.store, "take_challenge", meanwhile)
    press()
    assert sorted(one.get("detail", "confirmed") for one in answers) == [DONE, "confirmed"]
    assert has_password(site) == is_own


def test_u22_another_sign_up_was_confirmed(site: Site, face: str) -> None:
    """The link of a second sign-up with the address says so, too, once the first one has become the account."""
    first, second = site.client(face), site.client(face)
    join(first)
    join(second)
    one, other = site.links()
    assert confirm(first, one) == 200
    if face == "page":
        second.follow(other)
        assert DONE in second.send("/verify").text
    else:
        assert again(second, other) == DONE


def test_u22_what_comes_later(site: Site, face: str) -> None:
    """It is said after a change of the password, but not after a week, nor of an account that is gone."""
    client = site.client(face)
    join(client)
    link = site.links()[-1]
    assert confirm(client, link) == 200
    account = found(site)
    assert account is not None
    site.store.replace_account(account, outdated(account))
    assert again(client, link) == DONE
    site.pass_time(days=8)
    assert again(client, link) == DEAD


def test_u22_an_account_that_is_erased(site: Site, face: str) -> None:
    """Nothing is kept of an account that is erased."""
    client = site.client(face)
    join(client)
    link = site.links()[-1]
    assert confirm(client, link) == 200
    account = found(site)
    assert account is not None
    MailVerification().erase(Stores(site.store, accounts=site.store, challenges=site.store), account)
    assert again(client, link) == DEAD
    MailVerification().erase(Stores(site.store), account)


def test_u22_an_address_that_is_not_confirmed_any_more(site: Site, face: str) -> None:
    """What is said is so now: an address that is no longer confirmed is not called confirmed."""
    client = site.client(face)
    join(client)
    link = site.links()[-1]
    assert confirm(client, link) == 200
    account = found(site)
    assert account is not None
    names = tuple(replace(one, verified_at=None) for one in account.identifiers)
    site.store.replace_account(account, replace(account, identifiers=names))
    assert again(client, link) == DEAD


def test_u22_a_guess(site: Site) -> None:
    """Who knows the number of a link and not its secret is told nothing."""
    client = site.client()
    join(client)
    link = site.links()[-1]
    confirm(client, link)
    number = urlsplit(link).path.rpartition("/")[2].partition(".")[0]
    assert again(client, f"/{number}.{'A' * 43}") == DEAD
    assert again(client, "/nothing") == DEAD


def test_u22_a_note_that_is_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the note can't be kept does not undo the confirmation."""
    client = site.client()
    join(client)
    monkeypatch.setattr(site.store, "add_challenge", lambda *_, **__: fail())
    assert client.send("/verify/code", code=code_of(site)).status_code == 200
    assert found(site) is not None
