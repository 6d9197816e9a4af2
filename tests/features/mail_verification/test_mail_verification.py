"""Confirming an address: by a button, once, in time, and without keeping what a squatter has set up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from admit import identifiers, origins, tokens
from admit.errors import StoreError
from admit.events import AccountCreated
from admit.feature import Context, Face, Feature, Reply, action
from admit.features.mail_verification import IdentifierVerified, MailVerification, SignUpWaits
from admit.known_devices import KIND as KNOWN_DEVICE
from admit.model import ADOPTED, Account, Credential
from admit.operations import create_account, new_account
from admit.sign_ups import SignUp
from tests.features.conftest import PHRASE, Phrases, Site

if TYPE_CHECKING:
    from tests.features.conftest import Client


class Recovering(Feature):
    """Offers a way back, as a reset does."""

    name = "recovering"

    def recover(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/recover/{account.id}"


class JoinForm(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody signs up with."""

    email: str
    username: str | None = None
    phrase: str = PHRASE


class Joining(Feature):
    """Lets people sign up, as a feature of one's own might."""

    name = "joining"

    @action("POST", "/join", title="Join", faces=[Face.PAGE, Face.JSON], goes_on=True)
    def join(self, ctx: Context, form: JoinForm) -> Reply[None]:
        """Have the sign-up kept, or make the account at once."""
        named = [identifiers.email(form.email), *([identifiers.username(form.username)] if form.username else [])]
        account = Account(tokens.new_account_id(ctx.now), tuple(named), ctx.now)
        phrase = Credential(tokens.new_id(), "phrases", account.id, account.id, form.phrase, ctx.now)
        sign_up = SignUp(account=account, credentials=(phrase,), method=self.name)
        if not any(one.hold(ctx, sign_up) for one in ctx.features.values()):
            ctx.accounts.add_account(account, phrase, origins.mark(ctx, account))
            assert any(one.welcome(ctx, account) for one in ctx.features.values())
        return Reply(None, to="/")

    def turn_away(self, ctx: Context, owner: Account, *, is_mailed: bool) -> bool:
        """Tell the owner."""
        for feature in ctx.features.values():
            feature.confirmation(ctx, owner)
        ctx.publish(SignUpWaits(at=ctx.now, subject=owner.id, method="taken", client=ctx.client))
        ctx.post(owner.email.value if is_mailed and owner.email else None, "joining/taken", {"account": owner})
        return True


@pytest.fixture
def site() -> Site:
    """Return a site on which sign-ups wait until their address is confirmed."""
    return Site(MailVerification(), Phrases(), Recovering(), Joining())


@pytest.fixture
def open_site() -> Site:
    """Return a site on which accounts can be used before."""
    return Site(MailVerification(required=False), Phrases(), Recovering(), Joining())


def join(client: Client, email: str = "new@example.org", **fields: str) -> None:
    """Sign up."""
    assert client.send("/join", email=email, **fields).status_code in {204, 303}


def code_of(site: Site) -> str:
    """Return the code in the last mail."""
    return re.findall(r"^\d{4} \d{4}$", site.mails[-1].text, re.MULTILINE)[0]


def confirm(client: Client, link: str) -> int:
    """Open a link and press the button; return the status."""
    if client.is_page:
        opened = client.follow(link)
        assert opened.status_code == 200, opened.text
        return client.send("/verify").status_code
    return client.send("/verify", token=link.rpartition("/")[2]).status_code


def found(site: Site, email: str = "new@example.org") -> Account | None:
    """Return the account with an address."""
    return site.store.find_account(email)


def is_verified(site: Site, account: Account) -> bool:
    """Tell whether an account's address is confirmed."""
    now = site.store.get_account(account.id)
    return now is not None and now.is_verified


# -- sign-ups --------------------------------------------------------------------------------------------------------


def test_in_the_browser_that_signed_up(site: Site, face: str) -> None:
    """The link makes the account, what was set up stands, and nobody is logged in by it."""
    client = site.client(face)
    join(client)
    assert found(site) is None
    assert confirm(client, site.links()[-1]) == 200
    account = found(site)
    assert account is not None
    assert account.is_verified
    assert not client.is_in
    client.log_in("new@example.org")
    assert client.is_in
    [event] = site.of(IdentifierVerified)
    assert isinstance(event, IdentifierVerified)
    assert (event.kept, event.subject) == (True, account.id)
    [made] = site.of(AccountCreated)
    assert (made.method, made.by, made.subject) == ("joining", None, account.id)


def test_by_the_code(site: Site, face: str) -> None:
    """Whoever reads the mail on another device types its code where they signed up, however it is spaced."""
    client = site.client(face)
    join(client)
    code = code_of(site)
    assert client.send("/verify/code", code="0000 0000").status_code == 422
    assert client.send("/verify/code", code=f" {code.replace(' ', '-')}\u00a0").status_code == 200
    client.log_in("new@example.org")
    assert client.is_in
    assert client.send("/verify/code", code=code).status_code == 410


def test_by_the_code_without_cookies(site: Site) -> None:
    """A client without cookies gets the token of its sign-up in a header, and finishes with it."""
    client, header = site.client(), "Admit-Pending"
    client.http = site.app.test_client(use_cookies=False)
    bearer = {"Admit-Carrier": "bearer"}
    answer = client.http.post("/api/account/join", json={"email": "new@example.org"}, headers=bearer)
    first = answer.headers[header]
    again = client.http.post(
        "/api/account/verify/request", json={"email": "new@example.org"}, headers={**bearer, header: first}
    )
    second, code = again.headers[header], code_of(site)
    assert first != second
    assert "Set-Cookie" not in answer.headers
    for token, status in ((first, 410), ("", 410), (second, 200)):
        sent = client.http.post("/api/account/verify/code", json={"code": code}, headers={**bearer, header: token})
        assert sent.status_code == status
        assert header not in sent.headers
    assert client.log_in("new@example.org").status_code == 200


def test_guessing_the_code(site: Site) -> None:
    """Of one mail five codes are looked at; a code that was right counts for nothing if a name has to be chosen."""
    client = site.client()
    join(client)
    for _ in range(5):
        assert client.send("/verify/code", code="0").json["code"] == "wrong_code"
    assert client.send("/verify/code", code=code_of(site)).json["code"] == "invalid_challenge"
    client.send("/verify/request", email="new@example.org")
    assert client.send("/verify/code", code=code_of(site)).status_code == 200


def test_guessing_the_codes_of_one_address(site: Site) -> None:
    """However many sign-ups and mails there are, codes are counted for the address as well."""
    statuses = []
    for _ in range(4):
        client = site.client()
        join(client)
        statuses += [client.send("/verify/code", code="0").status_code for _ in range(5)]
    assert statuses == [422] * 10 + [429] * 10


def test_in_another_browser(site: Site) -> None:
    """Elsewhere the link says how to keep the password, before it makes an account without it."""
    squatter, owner = site.client("page"), site.client("page")
    join(squatter)
    page = owner.follow(site.links()[-1])
    assert page.status_code == 200
    assert page.request.path == "/account/verify"
    assert found(site) is None
    answer = owner.send("/verify")
    account = found(site)
    assert account is not None
    assert f"https://app.example/recover/{account.id}" in answer.text
    assert site.store.list_credentials(account.id) == []
    squatter.log_in("new@example.org")
    assert not squatter.is_in
    assert not owner.is_in
    [event] = site.of(IdentifierVerified)
    assert isinstance(event, IdentifierVerified)
    assert not event.kept


def test_in_another_client(site: Site) -> None:
    """Without the token of the sign-up a link makes an account without the password, and offers to choose anew."""
    join(site.client())
    answer = site.client().send("/verify", token=site.links()[-1].rpartition("/")[2])
    account = found(site)
    assert account is not None
    assert answer.json == {"next": "choose_secret", "url": f"https://app.example/recover/{account.id}"}


@pytest.mark.parametrize("way", ["link", "code"])
def test_two_sign_ups_of_one_address(site: Site, face: str, way: str) -> None:
    """Neither of two sign-ups replaces the other, exactly one becomes an account, and nothing is told of it before."""
    first, second = site.client(face), site.client(face)
    join(first, phrase="the first phrase")
    code = code_of(site)
    join(second, phrase="the second phrase")
    ours, theirs = site.links()
    assert confirm(first, ours) == 200
    if way == "link":
        assert confirm(second, theirs) == 410
    else:
        assert second.send("/verify/code", code=code).status_code == 422
        assert second.send("/verify/code", code=code_of(site)).status_code == 410
    assert site.store.count_accounts() == 1
    assert second.log_in("new@example.org", "the second phrase").status_code in {200, 401}
    assert not second.is_in
    first.log_in("new@example.org", "the first phrase")
    assert first.is_in


def test_signing_up_again_in_one_browser(site: Site, face: str) -> None:
    """A later sign-up of one browser with one address takes the place of the earlier one."""
    client = site.client(face)
    join(client, phrase="the first phrase")
    join(client, phrase="the second phrase")
    first, second = site.links()
    assert site.client().send("/verify", token=first.rpartition("/")[2]).status_code == 410
    assert confirm(client, second) == 200
    client.log_in("new@example.org", "the second phrase")
    assert client.is_in


def test_another_address_in_one_browser(site: Site, face: str) -> None:
    """A sign-up with another address leaves the earlier one, which counts without its password from then on."""
    client = site.client(face)
    join(client, "typo@example.org")
    join(client)
    first, second = site.links()
    assert confirm(client, second) == 200
    assert confirm(client, first) == 200
    typo = found(site, "typo@example.org")
    assert typo is not None
    assert site.store.list_credentials(typo.id) == []


def test_an_address_that_has_an_account(site: Site, face: str) -> None:
    """The owner is told, nothing of the account changes, and the client gets what any other gets."""
    owner = site.account("taken@example.org")
    kept = site.store.list_credentials(owner.id)
    fresh, taken = site.client(face), site.client(face)
    answers = [
        one.send("/join", email=email) for one, email in ((fresh, "new@example.org"), (taken, "TAKEN@example.org"))
    ]
    first, second = ([name for name, _ in one.headers] for one in answers)
    assert first == second
    assert [mail.to for mail in site.mails] == ["new@example.org", "taken@example.org"]
    again = [
        fresh.send("/verify/request", email="new@example.org"),
        taken.send("/verify/request", email="taken@example.org"),
    ]
    assert again[0].data == again[1].data
    assert [mail.to for mail in site.mails[2:]] == ["new@example.org", "taken@example.org"]
    codes = [one.send("/verify/code", code="0") for one in (fresh, taken)]
    assert codes[0].data == codes[1].data
    assert (site.store.find_account("taken@example.org"), site.store.list_credentials(owner.id)) == (owner, kept)


def test_a_mail_that_is_not_sent_voids_nothing(site: Site) -> None:
    """Once an address got its mails, neither a sign-up nor another link takes anything from who waits with one."""
    client, others = site.client(), [site.client() for _ in range(6)]
    join(client)
    mine, code = site.links()[-1], code_of(site)
    for other in others:
        join(other)
    assert len(site.mails) == 5
    client.send("/verify/request", email="new@example.org")
    join(client, phrase="a phrase that is not kept")
    assert len(site.mails) == 5
    page = site.client("page").follow(mine)
    assert page.status_code == 200
    assert client.send("/verify/code", code=code).status_code == 200
    client.log_in("new@example.org")
    assert client.is_in


def test_a_sign_up_that_got_no_mail(site: Site) -> None:
    """Whoever signs up after too many mails is sent one when they ask for it later."""
    for number in range(20):
        client = site.client()
        client.http.environ_base = client.http.environ_base | {"REMOTE_ADDR": f"192.0.2.{number // 5}"}
        join(client)
    client = site.client()
    client.http.environ_base = client.http.environ_base | {"REMOTE_ADDR": "192.0.2.7"}
    join(client)
    assert len(site.mails) == 20
    site.pass_time(hours=1)
    client.send("/verify/request", email="new@example.org")
    assert len(site.mails) == 21
    assert client.send("/verify/code", code=code_of(site)).status_code == 200


def test_so_many_wait(site: Site) -> None:
    """Of one network only so many sign-ups with one address are kept, and whoever is not told gets the same answer."""
    for _ in range(5):
        join(site.client())
        site.pass_time(minutes=15)
    last = site.client()
    join(last)
    assert len(site.mails) == 5
    site.pass_time(minutes=15)
    last.send("/verify/request", email="new@example.org")
    assert len(site.mails) == 5
    elsewhere = site.client()
    elsewhere.http.environ_base = elsewhere.http.environ_base | {"REMOTE_ADDR": "192.0.2.7"}
    join(elsewhere)
    assert elsewhere.send("/verify/code", code=code_of(site)).status_code == 200


def test_a_user_name_that_was_taken_meanwhile(site: Site, face: str) -> None:
    """A user name is decided with the address: who comes second chooses another, and loses nothing by it."""
    first, second = site.client(face), site.client(face)
    join(first, "first@example.org", username="grace")
    join(second, username="grace")
    code = code_of(site)
    assert confirm(first, site.links()[0]) == 200
    if second.is_page:
        second.follow(site.links()[1])
        taken = second.send("/verify")
        assert 'name="username"' in taken.text or "username" in taken.text
    else:
        taken = second.send("/verify", token=site.links()[1].rpartition("/")[2])
        assert [*taken.json["fields"]] == ["username"]
    assert taken.status_code == 409
    for _ in range(8):  # more than wrong codes are looked at
        assert second.send("/verify/code", code=code).status_code == 409
    assert second.send("/verify/code", code=code, username="hopper").status_code == 200
    second.log_in("hopper")
    assert second.is_in


def test_a_newer_mail_voids_the_older(site: Site, face: str) -> None:
    """After another mail was asked for, link and code of the first are dead."""
    client = site.client(face)
    join(client)
    code = code_of(site)
    client.send("/verify/request", email="NEW@example.org")
    first, second = site.links()
    assert site.client().send("/verify", token=first.rpartition("/")[2]).status_code == 410
    assert client.send("/verify/code", code=code).status_code == 422
    assert confirm(client, second) == 200


def test_where_nothing_offers_a_way_back(face: str) -> None:
    """Where nothing offers to choose anew, the account is made all the same."""
    site = Site(MailVerification(), Phrases(), Joining())
    join(site.client(face))
    assert confirm(site.client(face), site.links()[-1]) == 200
    assert found(site) is not None


def test_where_nobody_tells_the_owner() -> None:
    """Where no feature tells the owner of an address, nothing is sent to it."""

    class Quiet(Joining):
        name = "quiet"

        def turn_away(self, ctx: Context, owner: Account, *, is_mailed: bool) -> bool:
            """Say nothing."""
            return False

    site = Site(MailVerification(), Phrases(), Quiet())
    site.account("taken@example.org")
    join(site.client(), "taken@example.org")
    assert not site.mails


def test_each_step_of_a_confirmation_may_fail(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call of the store fails, the same confirmation later makes the one account, with its password."""
    verbs = ["get_challenge", "get_account", "find_account", "add_account", "take_challenge"]
    for verb in verbs:
        client, email = site.client(), f"{verb.replace('_', '')}@example.org"
        join(client, email)
        link = site.links()[-1]
        with monkeypatch.context() as patch:
            patch.setattr(site.store, verb, _down)
            assert confirm(client, link) == 503
        assert confirm(client, link) == 200
        assert client.log_in(email).status_code == 200
    assert site.store.count_accounts() == len(verbs)


def test_one_link_at_the_same_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who use one link at once one is told that it is done, and there is one account."""
    client = site.client()
    join(client)
    take = site.store.take_challenge

    def taken_by_another(challenge_id: str) -> None:
        take(challenge_id)

    monkeypatch.setattr(site.store, "take_challenge", taken_by_another)
    assert confirm(client, site.links()[-1]) == 410
    assert site.store.count_accounts() == 1


def _down(*_: object, **__: object) -> None:
    message = "down"
    raise StoreError(message)


# -- accounts that are there --------------------------------------------------------------------------------


def test_an_account_of_an_operator(site: Site, face: str) -> None:
    """Whoever confirms the address of an account that an operator has made keeps the password that came with it."""
    account = new_account(at=site.clock(), email="new@example.org")
    phrase = Credential(tokens.new_id(), "phrases", account.id, account.id, PHRASE, site.clock())
    create_account(site.gate, site.store, account, phrase)
    client = site.client(face)
    assert client.log_in("new@example.org").status_code == 403
    client.send("/verify/request", email="new@example.org")
    assert "code" not in site.mails[-1].text
    assert confirm(site.client(face), site.links()[-1]) == 200
    client.log_in("new@example.org")
    assert client.is_in


def test_an_account_of_another_program(site: Site, face: str) -> None:
    """A password that came from elsewhere may be that of whoever signed up there, and is void."""
    account = new_account(at=site.clock(), email="new@example.org")
    phrase = Credential(
        tokens.new_id(), "phrases", account.id, account.id, PHRASE, site.clock(), details={ADOPTED: "phrases"}
    )
    create_account(site.gate, site.store, account, phrase)
    site.client().send("/verify/request", email="new@example.org")
    assert confirm(site.client(face), site.links()[-1]) == 200
    assert is_verified(site, account)
    assert site.store.list_credentials(account.id) == []


def test_an_account_that_nobody_knows_of(site: Site, face: str) -> None:
    """Where nobody knows who has made an account, nothing that was set up before stands."""
    account = site.account("new@example.org", verified=False)
    client = site.client(face)
    client.send("/verify/request", email="new@example.org")
    assert confirm(client, site.links()[-1]) == 200
    assert site.store.list_credentials(account.id) == []


def test_where_it_is_not_required(open_site: Site, face: str) -> None:
    """When the setting says so, an account can be used before its address is confirmed, and after."""
    client = open_site.client(face)
    join(client)
    client.log_in("new@example.org")
    assert client.is_in
    assert confirm(client, open_site.links()[-1]) == 200
    assert client.is_in
    account = found(open_site)
    assert account is not None
    assert [one.kind for one in open_site.store.list_credentials(account.id) if one.kind != KNOWN_DEVICE] == ["phrases"]


def test_a_squatter_where_it_is_not_required(open_site: Site, face: str) -> None:
    """Confirmed elsewhere, what a squatter has set up is void: the password, and the session that began with it."""
    squatter, owner = open_site.client(face), open_site.client(face)
    join(squatter)
    squatter.log_in("new@example.org")
    owner.send("/verify/request", email="new@example.org")
    assert confirm(owner, open_site.links()[-1]) == 200
    assert not squatter.is_in
    squatter.log_in("new@example.org")
    assert not squatter.is_in


@pytest.mark.parametrize(
    "verb", ["list_credentials", "delete_credential", "delete_sessions", "replace_account", "delete_challenges"]
)
def test_a_squatter_never_outlives_a_confirmation(open_site: Site, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Void first, confirm last: whichever call fails, the link works again or the squatter is out already."""
    squatter, owner = open_site.client(), open_site.client()
    join(squatter)
    squatter.log_in("new@example.org")
    link = open_site.links()[-1]
    with monkeypatch.context() as patch:
        patch.setattr(open_site.store, verb, _down)
        assert confirm(owner, link) == 503
    account = found(open_site)
    assert account is not None
    if not account.is_verified:
        assert confirm(owner, link) == 200
    assert not squatter.is_in
    assert squatter.log_in("new@example.org").status_code == 401


def test_pretending(open_site: Site) -> None:
    """What a sign-up without an account leaves is a link that went to nobody."""
    feature = open_site.manager.keeper.accounts.features["mail_verification"]
    with open_site.app.test_request_context():
        feature.pretend(open_site.manager.keeper.accounts.context())
    assert not open_site.mails


def test_looking_changes_nothing(site: Site) -> None:
    """A scanner that follows the link, any number of times, confirms nothing."""
    client = site.client("page")
    join(client)
    for _ in range(3):
        page = site.client("page").follow(site.links()[-1])
        assert page.status_code == 200
        assert page.request.path == "/account/verify"
    assert found(site) is None
    assert confirm(client, site.links()[-1]) == 200


@pytest.mark.parametrize("required", [True, False])
def test_once(face: str, *, required: bool) -> None:
    """A link works once."""
    site = Site(MailVerification(required=required), Phrases(), Joining())
    client = site.client(face)
    join(client)
    link = site.links()[-1]
    confirm(client, link)
    assert site.client("json").send("/verify", token=link.rpartition("/")[2]).status_code == 410
    assert site.client("page").follow(link).status_code == 410


@pytest.mark.parametrize("required", [True, False])
def test_in_time(*, required: bool) -> None:
    """A day later a link is worth nothing."""
    site = Site(MailVerification(required=required), Phrases(), Joining())
    client = site.client()
    join(client)
    site.pass_time(hours=24)
    assert confirm(client, site.links()[-1]) == 410
    assert all(not one.is_verified for one in site.store.list_accounts())


@pytest.mark.parametrize("email", ["nobody@example.org", "known@example.org", "locked@example.org", "no address", ""])
def test_asking_tells_nothing(site: Site, face: str, email: str) -> None:
    """Whoever asks for a link gets the same answer for every address, and only one that waits gets a mail."""
    site.account("known@example.org")
    site.account("locked@example.org", verified=False, locked_at=site.clock())
    site.account("new@example.org", verified=False)
    answer = site.client(face).send("/verify/request", email=email)
    plain = site.client(face).send("/verify/request", email="new@example.org")
    assert (answer.status_code, answer.data) == (plain.status_code, plain.data)
    assert len(site.mails) == 1


def test_a_flood(site: Site) -> None:
    """An address gets five mails in an hour, however often links are asked for; who asks is not told."""
    site.account("new@example.org", verified=False)
    answers = {site.client().send("/verify/request", email="new@example.org").status_code for _ in range(12)}
    assert answers == {202}
    assert len(site.mails) == 5


def test_a_link_is_bound_to_its_address(open_site: Site, face: str) -> None:
    """A link that went to one address does not confirm another that the account has by now."""
    client = open_site.client(face)
    join(client)
    account = found(open_site)
    assert account is not None
    assert account.email
    other = replace(account.email, value="other@example.org", key="other@example.org")
    open_site.store.replace_account(account, replace(account, identifiers=(other,)))
    kept = open_site.store.list_credentials(account.id)
    assert confirm(open_site.client(face), open_site.links()[-1]) == 410
    assert not is_verified(open_site, account)
    assert open_site.store.list_credentials(account.id) == kept


def test_an_account_that_is_confirmed_already(open_site: Site, face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that was left over, because using it up failed, voids nothing of what its owner has chosen since."""
    join(open_site.client(face))
    link = open_site.links()[-1]
    with monkeypatch.context() as patch:
        patch.setattr(open_site.store, "delete_challenges", _down)
        assert confirm(open_site.client(), link) == 503
    account = found(open_site)
    assert account is not None
    assert account.is_verified
    chosen = Credential(tokens.new_id(), "phrases", account.id, account.id, PHRASE, open_site.clock())
    open_site.store.add_credential(chosen)
    assert confirm(open_site.client(), link) == 410
    assert open_site.store.list_credentials(account.id) == [chosen]


def test_an_account_that_changes_at_the_same_moment(open_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two changes at once the confirmation is refused, and may be tried again."""
    join(open_site.client())
    with monkeypatch.context() as patch:
        patch.setattr(open_site.store, "replace_account", lambda *_: False)
        assert confirm(open_site.client(), open_site.links()[-1]) == 410
    assert confirm(open_site.client(), open_site.links()[-1]) == 200


@pytest.mark.parametrize("state", ["gone", "locked"])
def test_an_account_that_is_no_more(open_site: Site, face: str, state: str) -> None:
    """The link of an account that is gone or locked is worth nothing."""
    client = open_site.client(face)
    join(client)
    account = found(open_site)
    assert account is not None
    if state == "gone":
        open_site.store.delete_account(account.id)
    else:
        open_site.store.replace_account(account, replace(account, locked_at=open_site.clock()))
    assert confirm(client, open_site.links()[-1]) == 410


def test_an_account_without_an_address(site: Site) -> None:
    """There is nothing to confirm for an account without an address, and no mail."""
    account = site.account(None)
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
        assert not site.manager.keeper.accounts.features["mail_verification"].welcome(ctx, account)
    assert not site.mails
    assert account.is_verified


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
