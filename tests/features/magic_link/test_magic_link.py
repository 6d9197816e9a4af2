"""Logging in by mail: by a link where it was asked for, by a code from elsewhere, once, and past no second factor."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit import identifiers, origins, policy, tokens
from admit.errors import ConfigurationError
from admit.events import LoginFailed, Throttling
from admit.features.magic_link import MagicLink, MailProven
from admit.model import Credential
from tests.features.conftest import ADA, Codes, Phrases, Site

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.features.conftest import Client


@pytest.fixture
def site() -> Site:
    """Return a site with an account whose address is confirmed."""
    site = Site(MagicLink(), Phrases(), Codes())
    site.account()
    return site


def ask(site: Site, client: Client, identifier: str = ADA, **fields: bool) -> tuple[str, str]:
    """Ask for a mail, and return its link and its code."""
    assert client.send("/magic-link", identifier=identifier, **fields).status_code in {200, 202}
    found = re.search(r"^(\d{4} \d{4})$", site.mails[-1].text, re.MULTILINE)
    assert found
    return site.links()[-1], found[1]


def use(client: Client, link: str) -> TestResponse:
    """Open a link and press the button."""
    if client.is_page:
        client.follow(link)
        return client.send("/magic-link/use")
    return client.send("/magic-link/use", token=link.rpartition("/")[2])


def enter(client: Client, code: str) -> int:
    """Type a code; return the status."""
    return client.send("/magic-link/code", code=code).status_code


def wrong(code: str) -> str:
    """Return a code that is not this one."""
    return f"{(int(code.replace(' ', '')) + 1) % 10**8:08}"


def test_by_the_link(site: Site, face: str) -> None:
    """In the browser that asked, the link shows a button, and the button logs in."""
    client = site.client(face)
    link, _ = ask(site, client)
    assert site.mails[-1].to == ADA
    assert not client.is_in
    answer = use(client, link)
    assert answer.status_code == (303 if face == "page" else 200)
    assert client.is_in
    assert client.http.get_cookie("admit-kept-magic_link") is None


@pytest.mark.parametrize("typed", ["{}", " {} ", "{}\u00a0"])
def test_by_the_code(site: Site, face: str, typed: str) -> None:
    """The code logs in where it was asked for, with blanks and hyphens or without."""
    client = site.client(face)
    _, code = ask(site, client)
    assert enter(client, typed.format(code.replace(" ", "-"))) in {200, 303}
    assert client.is_in


def test_a_code_from_a_page(site: Site) -> None:
    """The page that says that a mail was sent has the form for the code."""
    client = site.client("page")
    page = client.send("/magic-link", identifier=ADA)
    assert 'action="/account/magic-link/code"' in page.text
    assert 'autocomplete="one-time-code"' in page.text
    again = client.send("/magic-link/code", code="0")
    assert again.status_code == 401
    assert "This is not the code in our last mail to you." in again.text
    assert 'value="0"' not in again.text


def test_scanners_use_nothing_up(site: Site) -> None:
    """Whoever follows the link, however often and from wherever, changes nothing."""
    client = site.client("page")
    link, _ = ask(site, client)
    for who in (site.client("page"), client, site.client("page"), client):
        led = who.http.get(link.removeprefix("https://app.example"))
        assert led.status_code == 303
        assert led.location == "/account/magic-link/use"
        page = who.http.get(led.location)
        assert page.status_code == 200
        assert link.rpartition("/")[2] not in page.text
        assert not who.is_in
    assert use(client, link).status_code == 303
    assert client.is_in


def test_in_another_browser(site: Site) -> None:
    """In another browser the link has no button, and the page says how to go on with the code."""
    asked, other = site.client("page"), site.client("page")
    link, code = ask(site, asked)
    page = other.follow(link)
    assert "type the code from the mail" in page.text
    assert 'action="/account/magic-link/use"' not in page.text
    assert other.send("/magic-link/use").status_code == 410
    assert enter(other, code) == 410
    assert not other.is_in
    assert enter(asked, code) == 303
    assert asked.is_in


def test_a_used_link_where_it_was_used(site: Site) -> None:
    """Whoever opens the link again where it has signed them in reads that they are."""
    client = site.client("page")
    link, _ = ask(site, client)
    use(client, link)
    assert f"You are signed in as {ADA}." in client.follow(link).text


@pytest.mark.parametrize("part", ["link", "code"])
def test_the_mail_of_one_browser_in_that_of_another(site: Site, face: str, part: str) -> None:
    """A browser that has asked for a mail of its own logs in by nobody else's."""
    site.account("eve@example.org")
    ada, eve = site.client(face), site.client(face)
    link, code = ask(site, ada)
    ask(site, eve, "eve@example.org")
    # Of her own mail the code is a wrong one.
    assert (use(eve, link).status_code if part == "link" else enter(eve, code)) == (410 if part == "link" else 401)
    assert not eve.is_in
    assert use(ada, link).status_code in {200, 303}


def test_a_changed_link(site: Site, face: str) -> None:
    """A link with the right number and another secret logs nobody in, and uses nothing up."""
    client = site.client(face)
    link, _ = ask(site, client)
    assert use(client, link[:-43] + "A" * 43).status_code == 410
    assert use(client, "https://app.example/account/magic-link/nonsense").status_code == 410
    assert use(client, link).status_code in {200, 303}


@pytest.mark.parametrize("parts", [("link", "link"), ("link", "code"), ("code", "link"), ("code", "code")])
def test_once(site: Site, face: str, parts: tuple[str, str]) -> None:
    """After the link or the code was used neither works again, also for who keeps the cookie."""
    client = site.client(face)
    link, code = ask(site, client)
    kept = client.http.get_cookie("admit-kept-magic_link").value
    for number, part in enumerate(parts):
        client.http.set_cookie("admit-kept-magic_link", kept)
        status = use(client, link).status_code if part == "link" else enter(client, code)
        assert (status == 410) is (number == 1)


@pytest.mark.parametrize("part", ["link", "code"])
def test_one_winner(site: Site, part: str) -> None:
    """Of eight that use one mail at the same moment, with the same cookie, one is logged in."""
    first = site.client()
    link, code = ask(site, first)
    kept = first.http.get_cookie("admit-kept-magic_link").value
    clients = [site.client() for _ in range(5 if part == "code" else 8)]
    start = threading.Barrier(len(clients))

    def try_once(client: Client) -> int:
        client.http.set_cookie("admit-kept-magic_link", kept)
        start.wait()
        return use(client, link).status_code if part == "link" else enter(client, code)

    with ThreadPoolExecutor(len(clients)) as threads:
        assert sorted(threads.map(try_once, clients)) == [200] + [410] * (len(clients) - 1)
    assert sum(client.is_in for client in clients) == 1


def test_in_time(site: Site, face: str) -> None:
    """After ten minutes neither the link nor the code works."""
    client = site.client(face)
    link, code = ask(site, client)
    site.pass_time(minutes=10)
    assert use(client, link).status_code == 410
    assert enter(client, code) == 410
    if face == "page":
        assert client.follow(link).status_code == 410


def test_older_mails_die(site: Site, face: str) -> None:
    """A newer mail voids the older one, whoever asked for it."""
    client, other = site.client(face), site.client(face)
    link, code = ask(site, client)
    newer, _ = ask(site, other)
    assert use(client, link).status_code == 410
    assert enter(client, code) == 410
    assert use(other, newer).status_code in {200, 303}


def test_a_mail_that_is_not_sent_voids_nothing(site: Site, face: str) -> None:
    """Whoever asks for more mails than are sent can't void the last one that was."""
    client = site.client(face)
    for _ in range(4):
        ask(site, site.client())
    link, _ = ask(site, client)
    assert site.client(face).send("/magic-link", identifier=ADA).status_code in {200, 202}
    assert len(site.mails) == 5
    assert use(client, link).status_code in {200, 303}


def test_few_tries(site: Site, face: str) -> None:
    """After five wrong codes the right one is worth nothing, and neither is the link; each is an event."""
    client = site.client(face)
    link, code = ask(site, client)
    assert [enter(client, wrong(code)) for _ in range(5)] == [401] * 5
    assert len(site.of(LoginFailed)) == 5
    assert enter(client, code) == 410
    assert use(client, link).status_code == 410
    assert not client.is_in


def test_a_new_mail_does_not_forget_failures(site: Site, face: str) -> None:
    """Wrong codes are counted for the account, as wrong passwords are: a new mail brings no new tries."""
    statuses = []
    for _ in range(3):
        client = site.client(face)
        _, code = ask(site, client)
        statuses += [enter(client, wrong(code)) for _ in range(4)]
    assert statuses == [401] * 10 + [429] * 2
    assert enter(client, code) == 429
    assert len(site.of(Throttling)) == 3


def test_a_known_device_has_tries_of_its_own(site: Site, face: str) -> None:
    """Strangers who type wrong codes do not keep the owner out of a device that is known."""
    owner = site.client(face)
    owner.log_in()
    for _ in range(3):
        stranger = site.client(face)
        _, code = ask(site, stranger)
        for _ in range(4):
            enter(stranger, wrong(code))
    _, code = ask(site, owner)
    assert enter(owner, code) in {200, 303}


@pytest.mark.parametrize("part", ["link", "code"])
def test_never_past_a_second_factor(site: Site, face: str, part: str) -> None:
    """Whoever has enrolled a second factor is asked for it, and a mail counts for none."""
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    client = site.client(face)
    client.log_in()
    link, code = ask(site, client)
    if part == "link":
        use(client, link)
    else:
        enter(client, code)
    assert not client.is_in
    assert client.send("/code", identifier="", phrase="1").status_code in {200, 303}
    assert client.is_in


def test_a_mail_is_no_factor(site: Site) -> None:
    """A session by mail rests on no factor, so that with a password it never passes for two."""
    client = site.client()
    use(client, ask(site, client)[0])
    [session] = site.gate.sessions_of(site.store.list_accounts()[0].id)
    assert policy.assurance(session) == frozenset()
    assert [proof.method for proof in session.authentications] == ["magic_link"]


@pytest.mark.parametrize("remember", [True, False])
def test_remembering(site: Site, face: str, *, remember: bool) -> None:
    """The session is remembered if that was asked for with the mail."""
    client = site.client(face)
    use(client, ask(site, client, remember=remember)[0])
    [session] = site.gate.sessions_of(site.store.list_accounts()[0].id)
    assert session.remembered is remember


def test_the_one_before_is_left(site: Site, face: str) -> None:
    """Who was logged in in the browser before is so no more."""
    site.account("bob@example.org")
    client = site.client(face)
    client.log_in("bob@example.org")
    use(client, ask(site, client)[0])
    assert client.http.get("/who").text == ADA
    assert len(site.gate.sessions_of(site.store.find_account("bob@example.org").id)) == 0


def test_an_address_that_nobody_had_confirmed(site: Site, face: str) -> None:
    """The login confirms the address, and what a squatter had set up before is void, a second factor included."""
    account = site.account("new@example.org", verified=False)
    site.store.add_credential(Credential(tokens.new_id(), "codes", account.id, account.id, "1", site.clock()))
    reset = site.gate.challenge("password_reset", account.id, timedelta(days=1))
    owner = site.client(face)
    use(owner, ask(site, owner, "new@example.org")[0])
    assert owner.is_in
    assert site.store.get_account(account.id).is_verified
    assert {one.kind for one in site.store.list_credentials(account.id)} == {"known_device"}
    assert site.store.get_challenge(reset.partition(".")[0]) is None
    assert site.client(face).log_in("new@example.org").status_code == 401
    assert [event.subject for event in site.of(MailProven)] == [account.id]


def test_an_account_of_an_operator(site: Site, face: str) -> None:
    """What an operator has set up is no squatter's, and stands after the address was confirmed by a login."""
    account = site.account("new@example.org", verified=False)
    [phrase] = site.store.list_credentials(account.id)
    site.store.replace_credential(phrase, origins.set_up(phrase, origins.OPERATOR))
    owner = site.client(face)
    use(owner, ask(site, owner, "new@example.org")[0])
    assert site.store.get_account(account.id).is_verified
    assert site.client().log_in("new@example.org").status_code == 200


def test_a_squatter_who_is_logged_in(site: Site, face: str) -> None:
    """A session that a squatter has of an unconfirmed account ends when its owner comes by mail."""
    site.account("new@example.org", verified=False)
    squatter, owner = site.client(face), site.client(face)
    squatter.log_in("new@example.org")
    assert squatter.is_in
    use(owner, ask(site, owner, "new@example.org")[0])
    assert not squatter.is_in
    assert owner.is_in


def test_an_account_with_both_names(site: Site, face: str) -> None:
    """Who has a user name as well may ask by it, and it stays as it is when the address is confirmed."""
    named = (identifiers.username("grace"), identifiers.email("grace@example.org"))
    account = site.account(None, identifiers=named)
    client = site.client(face)
    use(client, ask(site, client, "Grace")[0])
    assert client.http.get("/who").text == "grace"
    now = site.store.get_account(account.id)
    assert (now.username, now.email.verified_at) == (named[0], site.clock())


def test_two_that_confirm_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is changed at the same moment is not confirmed on what it was before."""
    site.account("new@example.org", verified=False)
    client = site.client()
    link, _ = ask(site, client, "new@example.org")
    monkeypatch.setattr(site.store, "replace_account", lambda *_: False)
    assert use(client, link).status_code == 410
    assert not client.is_in


@pytest.mark.parametrize("state", ["gone", "moved", "without", "locked"])
def test_an_account_that_is_another_by_now(site: Site, face: str, state: str) -> None:
    """The mail of an account that is gone, locked or has another address by now logs nobody in."""
    client = site.client(face)
    link, _ = ask(site, client)
    [account] = site.store.list_accounts()
    if state == "gone":
        site.store.delete_account(account.id)
    else:
        changes = {
            "moved": {"identifiers": (identifiers.email("other@example.org"),)},
            "without": {"identifiers": ()},
            "locked": {"locked_at": site.clock()},
        }[state]
        site.store.replace_account(account, replace(account, **changes))
    # Who has the mail has proven that the account is theirs, and is told that it is locked.
    assert use(client, link).status_code == (403 if state == "locked" else 410)
    assert not client.is_in


NAMES = ["nobody@example.org", "locked@example.org", "al\u0131ce@example.org", "grace", "", "junk\0"]


@pytest.mark.parametrize("who", NAMES)
def test_asking_tells_nothing(site: Site, face: str, who: str) -> None:
    """The answer is the same for every name, its cookies included, and only an open account gets a mail."""
    site.account("locked@example.org", locked_at=site.clock())
    site.account(None, identifiers=(identifiers.username("grace"),))
    stranger, plain = site.client(face), site.client(face)
    answer = stranger.send("/magic-link", identifier=who)
    assert not site.mails
    other = plain.send("/magic-link", identifier=ADA)
    assert (answer.status_code, answer.data) == (other.status_code, other.data)
    assert [name for name, _ in answer.headers] == [name for name, _ in other.headers]
    kept = [client.http.get_cookie("admit-kept-magic_link").value for client in (stranger, plain)]
    assert [len(one) for one in kept] == [66, 66]


@pytest.mark.parametrize("who", NAMES)
def test_typing_tells_nothing(site: Site, face: str, who: str) -> None:
    """Wrong codes are answered alike for every name, up to the end of the tries, whatever others ask for meanwhile."""
    site.account("locked@example.org", locked_at=site.clock())
    site.account(None, identifiers=(identifiers.username("grace"),))
    told = []
    for name in (who, ADA):
        client = site.client(face)
        client.send("/magic-link", identifier=name)
        site.client(face).send("/magic-link", identifier="another.nobody@example.org")
        answers = [client.send("/magic-link/code", code="x") for _ in range(6)]
        told.append([(answer.status_code, answer.data) for answer in answers])
    assert told[0] == told[1]


def test_failures_are_counted_with_those_of_others(site: Site) -> None:
    """Tries at a locked account are counted under the account, as those of any other method are."""
    locked = site.account("locked@example.org", locked_at=site.clock())
    client = site.client()
    client.send("/magic-link", identifier="locked@example.org")
    client.send("/magic-link/code", code="0")
    [failed] = site.of(LoginFailed)
    assert failed.subject == locked.id
    unknown = site.client()
    unknown.send("/magic-link", identifier="nobody@example.org")
    unknown.send("/magic-link/code", code="0")
    assert site.of(LoginFailed)[-1].subject == ""


def test_nothing_usable_is_kept(site: Site) -> None:
    """Who reads the store finds neither the link, nor the code, nor the cookie."""
    client = site.client()
    link, code = ask(site, client)
    cookie = client.http.get_cookie("admit-kept-magic_link").value
    kept = repr(site.store.get_challenge(cookie.partition(".")[0])) + str(
        site.store.get_challenge(cookie.partition(".")[0]).secret_hash
    )
    for secret in (link.rpartition(".")[2], cookie.partition(".")[2], code.replace(" ", "")):
        assert secret not in kept


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded"])
def test_the_links_host_is_configured(site: Site, header: str) -> None:
    """A Host header of the attacker's is not in the mail."""
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    client = site.client()
    client.http.post("/api/account/magic-link", json={"identifier": ADA}, headers={header: value})
    assert "evil" not in site.mails[-1].text + site.mails[-1].html
    assert "https://app.example/account/magic-link/" in site.mails[-1].text


def test_where_people_log_in() -> None:
    """Beside passwords it is another way, and alone it is the one that the site sends people to."""
    both, alone = Site(MagicLink(), Phrases()), Site(MagicLink())
    assert both.app.extensions["admit"].login_page == "/account/phrase"
    assert alone.app.extensions["admit"].login_page == "/account/magic-link"


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(minutes=11), -timedelta(minutes=1)])
def test_how_long_a_code_may_live(lifetime: timedelta) -> None:
    """A code that would live for longer than ten minutes, or not at all, is refused when the site starts."""
    with pytest.raises(ConfigurationError, match="at most ten minutes"):
        MagicLink(lifetime=lifetime)
