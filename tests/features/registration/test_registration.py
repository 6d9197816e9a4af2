"""Signing up: one answer for all, one account for two at once, and nothing that a form does not have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from admit import sign_ups, tokens
from admit.errors import ConfigurationError, IdentifierTaken, InvalidChallenge, StoreError
from admit.events import AccountCreated
from admit.feature import Context, Face, Feature, Reply, action
from admit.features.registration import Registration, SignUp
from tests.features.conftest import PHRASE, Phrases, Site

if TYPE_CHECKING:
    from admit.model import Account
    from tests.features.conftest import Client


class LinkForm(msgspec.Struct, frozen=True, kw_only=True):
    """The token of a link."""

    token: str
    username: str | None = None


class Confirming(Feature):
    """Lets sign-ups wait until their address is confirmed, as a feature of one's own might."""

    name = "confirming"

    @property
    def demands_verified(self) -> bool:
        """Accounts can be used only once their address is confirmed."""
        return True

    def hold(self, ctx: Context, sign_up: sign_ups.SignUp) -> bool:
        """Keep it, and send the link, or have the owner told."""
        token, _ = sign_ups.keep(ctx, sign_up, timedelta(hours=1))
        owner = ctx.accounts.find_account(sign_up.key)
        if owner is not None:
            return any(one.turn_away(ctx, owner, is_mailed=True) for one in ctx.features.values())
        address = str(sign_up.account.email and sign_up.account.email.value)
        url = f"https://app.example/account/confirm/{token}"
        ctx.post(address, "registration/taken", {"account": sign_up.account, "url": url})
        return True

    def confirmation(self, ctx: Context, account: Account) -> str:
        """Return a link."""
        return f"https://app.example/account/confirm/{account.id or 'nobody'}"

    @action("POST", "/confirm", title="Confirm", faces=[Face.JSON])
    def confirm(self, ctx: Context, form: LinkForm) -> Reply[None]:
        """Make the account."""
        waiting = sign_ups.at_link(ctx, form.token)
        if waiting is None:
            raise InvalidChallenge
        sign_ups.complete(ctx, waiting, username=form.username)
        return Reply(None)


def confirm(site: Site, link: str, client: Client | None = None, **fields: str) -> int:
    """Confirm an address by a link, in a client that has not been here unless one is given."""
    client = client or site.client()
    token = link.rpartition("/")[2]
    return client.http.post("/api/account/confirm", json={"token": token, **fields}).status_code


def site_with(*features: Feature, **settings: Any) -> Site:
    """Return a site where people can sign up."""
    return Site(Registration(**settings), *(features or (Phrases(),)))


def test_signing_up(face: str) -> None:
    """An address and a phrase make an account, which gets one mail; nobody is logged in by it."""
    site = site_with()
    client = site.client(face)
    answer = client.send("/sign-up", email="New@example.org", password=PHRASE)
    assert answer.status_code == (200 if face == "page" else 202)
    [account] = site.store.list_accounts()
    assert account.email
    assert (account.email.value, account.email.key) == ("New@example.org", "new@example.org")
    assert account.email.verified_at is None
    assert not client.is_in
    assert [mail.to for mail in site.mails] == ["New@example.org"]
    [event] = site.of(AccountCreated)
    assert event.subject == account.id
    assert client.log_in("new@example.org").status_code in {200, 303}
    assert client.is_in


@pytest.mark.parametrize("features", [(), (Phrases(), Confirming())], ids=["any", "confirmed only"])
def test_a_taken_address_is_not_told(face: str, features: tuple[Feature, ...]) -> None:
    """Whether an address has an account shows neither in the answer nor in its cookies; its owner gets a mail."""
    site = site_with(*features)
    site.account("taken@example.org")
    fresh = site.client(face).send("/sign-up", email="fresh@example.org", password=PHRASE)
    taken = site.client(face).send("/sign-up", email="TAKEN@example.org", password=PHRASE)
    assert (fresh.status_code, fresh.data) == (taken.status_code, taken.data)
    assert [name for name, _ in fresh.headers] == [name for name, _ in taken.headers]
    assert sorted(mail.to for mail in site.mails) == ["fresh@example.org", "taken@example.org"]
    assert site.store.count_accounts() == (1 if features else 2)
    assert site.client().log_in("taken@example.org").status_code == 200


def test_there_is_no_account_before_its_address_is_confirmed() -> None:
    """Where addresses have to be confirmed there is an account only then, and of two sign-ups exactly one is."""
    site = site_with(Phrases(), Confirming())
    squatter, owner = site.client(), site.client()
    squatter.send("/sign-up", email="victim@example.org", password="the squatter's phrase")
    owner.send("/sign-up", email="victim@example.org", password=PHRASE)
    assert site.store.count_accounts() == 0
    assert not site.of(AccountCreated)
    first, second = site.links()
    assert confirm(site, second, owner) == 204
    assert confirm(site, first, squatter) == 410
    [account] = site.store.list_accounts()
    [event] = site.of(AccountCreated)
    assert (event.subject, event.method, event.by) == (account.id, "registration", None)
    assert account.is_verified
    assert squatter.log_in("victim@example.org", "the squatter's phrase").status_code == 401
    assert owner.log_in("victim@example.org").status_code == 200


@pytest.mark.parametrize(
    "changes", [{}, {"roles": frozenset({"admin"})}, {"locked_at": datetime(2026, 1, 1, tzinfo=UTC)}], ids=str
)
@pytest.mark.parametrize("features", [(), (Phrases(), Confirming())], ids=["any", "confirmed only"])
def test_no_account_is_changed_by_a_sign_up(features: tuple[Feature, ...], changes: dict[str, Any]) -> None:
    """An account that nobody has confirmed stays as it is, whoever made it, and its owner gets a way to confirm it."""
    site = site_with(*features)
    account = site.account("made@example.org", verified=False, **changes)
    kept = site.store.get_account(account.id), site.store.list_credentials(account.id)
    answer = site.client().send("/sign-up", email="made@example.org", password="another phrase")
    assert answer.status_code == 202
    assert (site.store.get_account(account.id), site.store.list_credentials(account.id)) == kept
    assert site.store.count_accounts() == 1
    [mail] = site.mails
    can_confirm = bool(features) and "locked_at" not in changes
    assert (f"account/confirm/{account.id}" in mail.text) == can_confirm == (account.id in mail.html)


def test_an_address_in_use_does_not_give_way() -> None:
    """Where addresses need no confirmation, an account that may be in use is never replaced."""
    site = site_with()
    site.client().send("/sign-up", email="ada@example.org", password=PHRASE)
    site.client().send("/sign-up", email="ada@example.org", password="another phrase")
    assert site.client().log_in("ada@example.org").status_code == 200


def test_user_names(face: str) -> None:
    """With user names only there is no mail, and one that is taken is said to be."""
    site = site_with(identifiers=("username",))
    assert site.client(face).send("/sign-up", username="Grace", password=PHRASE).status_code in {200, 202}
    answer = site.client(face).send("/sign-up", username="gRACE", password=PHRASE)
    assert answer.status_code == 409
    assert not site.mails
    if face == "json":
        assert answer.json["code"] == "identifier_taken"
        assert [*answer.json["fields"]] == ["username"]


def test_both_names(face: str) -> None:
    """With both, an account is found by either; a user name is nobody's before the address is confirmed."""
    site = site_with(Phrases(), Confirming(), identifiers=("email", "username"))
    client, other = site.client(face), site.client(face)
    for one, email in ((client, "g@example.org"), (other, "other@example.org")):
        assert one.send("/sign-up", email=email, username="grace", password=PHRASE).status_code in {200, 202}
    assert site.store.find_account("grace") is None
    first, second = site.links()
    assert confirm(site, first, client) == 204
    assert (
        site.client(face).send("/sign-up", email="x@example.org", username="grace", password=PHRASE).status_code == 409
    )
    [account] = site.store.list_accounts()
    assert site.store.find_account("grace") == site.store.find_account("g@example.org") == account
    assert confirm(site, second, other) == 409
    assert confirm(site, second, other, username="no name") == 422
    assert confirm(site, second, other, username="GRACE") == 409
    assert confirm(site, second, other, username="hopper") == 204
    assert other.log_in("hopper").status_code in {200, 303}
    assert other.is_in


def test_a_user_name_that_nobody_asked_for() -> None:
    """Where accounts have no user names, none can be had by confirming an address."""
    site = site_with(Phrases(), Confirming())
    client = site.client()
    client.send("/sign-up", email="g@example.org", password=PHRASE)
    assert confirm(site, site.links()[-1], client, username="grace") == 422


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"password": PHRASE}, ["email"]),
        ({"email": "no address", "password": PHRASE}, ["email"]),
        ({"email": "a@example.org,b@example.org", "password": PHRASE}, ["email"]),
        ({"email": "a@example.org"}, ["password"]),
        ({"email": "a@example.org", "password": "tiny"}, ["password"]),
        ({"email": "a@example.org", "password": PHRASE, "username": "grace"}, ["username"]),
        ({"email": "no address", "password": PHRASE, "username": "grace"}, ["email", "username"]),
        ({"email": "a@example.org", "password": PHRASE, "roles": "admin"}, ["roles"]),
        ({"email": "a@example.org", "password": PHRASE, "id": "x", "is_verified": "true"}, ["id", "is_verified"]),
    ],
)
def test_what_is_refused(face: str, fields: dict[str, str], wrong: list[str]) -> None:
    """All that is wrong is said by field, unknown fields included, and no account is made."""
    site = site_with()
    answer = site.client(face).send("/sign-up", **fields)
    assert answer.status_code == 422
    assert site.store.count_accounts() == 0
    if face == "json":
        assert sorted(answer.json["fields"]) == wrong


def test_two_at_once() -> None:
    """Eight sign-ups with one address at the same moment make one account, and none of them fails."""
    site = site_with()
    start = threading.Barrier(8)

    def sign_up(_: int) -> int:
        start.wait()
        return site.client().send("/sign-up", email="ada@example.org", password=PHRASE).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(sign_up, range(8))) == {202}
    assert site.store.count_accounts() == 1


def test_a_user_name_taken_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second with a user name, after it looked free, is told that it is taken."""
    site = site_with(identifiers=("username",))

    def taken(*_: object) -> None:
        raise IdentifierTaken

    monkeypatch.setattr(site.store, "add_account", taken)
    assert site.client().send("/sign-up", username="grace", password=PHRASE).status_code == 409


def test_too_many_from_one_address(face: str) -> None:
    """One network address can't sign up without end."""
    site = Site(Registration(), Phrases(), ADMIT_THROTTLE_REQUESTS_PER_HOUR=3)
    client = site.client(face)
    answers = [client.send("/sign-up", email=f"a{n}@example.org", password=PHRASE).status_code for n in range(4)]
    assert answers[-1] == 429
    assert len(site.mails) == 3


@pytest.mark.parametrize("mode", [SignUp.CLOSED, "invitation"])
def test_not_for_everybody(face: str, mode: Any) -> None:
    """Where signing up is closed, or by invitation and there is none, it is refused in plain words."""
    site = site_with(mode=mode)
    answer = site.client(face).send("/sign-up", email="a@example.org", password=PHRASE)
    assert answer.status_code == 403
    assert site.store.count_accounts() == 0


def test_invitations(face: str) -> None:
    """An invitation makes one account; a refused form does not use it up, and a wrong one is no invitation."""
    registration = Registration(mode=SignUp.INVITATION)
    site = Site(registration, Phrases())
    token, client = registration.invite(site.gate), site.client(face)
    assert client.send("/sign-up", email="nonsense", password=PHRASE, invitation=token).status_code == 422
    assert client.send("/sign-up", email="a@example.org", password=PHRASE, invitation=token[:-1]).status_code == 410
    assert client.send("/sign-up", email="a@example.org", password=PHRASE, invitation=token).status_code in {200, 202}
    assert client.send("/sign-up", email="b@example.org", password=PHRASE, invitation=token).status_code == 410
    assert site.store.count_accounts() == 1


def test_an_invitation_for_an_account_that_waits() -> None:
    """Where addresses are confirmed an invitation is used up then, by one of all who have signed up, and for good."""
    registration = Registration(mode=SignUp.INVITATION)
    site = Site(registration, Phrases(), Confirming())
    token, clients = registration.invite(site.gate), [site.client(), site.client()]
    for number, client in enumerate(clients):
        answer = client.send("/sign-up", email=f"{number}@example.org", password=PHRASE, invitation=token)
        assert answer.status_code == 202
    first, second = site.links()
    assert confirm(site, first, clients[0]) == 204
    assert confirm(site, second, clients[1]) == 410
    assert site.store.count_accounts() == 1
    answer = site.client().send("/sign-up", email="c@example.org", password=PHRASE, invitation=token)
    assert answer.status_code == 410
    [account] = site.store.list_accounts()
    assert site.store.delete_account(account.id)
    assert confirm(site, second, clients[1]) == 410
    assert site.store.count_accounts() == 0


@pytest.mark.parametrize("fault", [StoreError("down"), IdentifierTaken()])
def test_an_invitation_outlives_what_fails(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """An account that could not be made, at once or by a confirmation, leaves the invitation and the sign-up."""
    registration = Registration(mode=SignUp.INVITATION, identifiers=("email", "username"))
    for features in ((Phrases(),), (Phrases(), Confirming())):
        site = Site(registration, *features)
        client, token = site.client(), registration.invite(site.gate)
        fields = {"email": "a@example.org", "username": "ada", "password": PHRASE, "invitation": token}

        def try_it(site: Site = site, client: Client = client, fields: dict[str, str] = fields) -> int:
            sent = client.send("/sign-up", **fields).status_code
            return confirm(site, site.links()[-1], client) if site.links() and sent == 202 else sent

        with monkeypatch.context() as patch:
            patch.setattr(site.store, "add_account", lambda *_, fault=fault: _raise(fault))
            assert try_it() in {409, 503}
        assert site.store.count_accounts() == 0
        assert try_it() in {202, 204}
        assert site.store.count_accounts() == 1


@pytest.mark.parametrize("verb", ["get_challenge", "get_credential", "add_account"])
def test_a_used_invitation_at_the_same_moment(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """An invitation that somebody else uses after it was looked at, at any moment, makes no second account."""
    registration = Registration(mode=SignUp.INVITATION)
    site = Site(registration, Phrases())
    token, real, other = registration.invite(site.gate), getattr(site.store, verb), site.client()
    form = {"password": PHRASE, "invitation": token}

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(site.store, verb, real)
        assert other.send("/sign-up", email="b@example.org", **form).status_code == 202
        return real(*arguments)

    monkeypatch.setattr(site.store, verb, late)
    assert site.client().send("/sign-up", email="a@example.org", **form).status_code == 410
    assert site.store.count_accounts() == 1


def test_an_invitation_whose_address_is_taken() -> None:
    """It is used up as by anybody else: otherwise it would tell who has an account."""
    registration = Registration(mode=SignUp.INVITATION)
    site = Site(registration, Phrases())
    for email, status in (("a@example.org", 202), ("A@example.org", 202)):
        token = registration.invite(site.gate)
        assert site.client().send("/sign-up", email=email, password=PHRASE, invitation=token).status_code == status
        again = site.client().send("/sign-up", email="b@example.org", password=PHRASE, invitation=token)
        assert again.status_code == 410
    assert site.store.count_accounts() == 1


def _raise(fault: Exception) -> None:
    raise fault


def test_an_invitation_as_a_link() -> None:
    """A browser that came by the link of an invitation has it, and the address bar does not show it."""
    registration = Registration(mode=SignUp.INVITATION)
    site = Site(registration, Phrases())
    client = site.client("page")
    led = client.http.get(f"/account/invitation/{registration.invite(site.gate)}")
    assert led.location == "/account/sign-up"
    client.send("/sign-up", email="a@example.org", password=PHRASE)
    assert site.store.count_accounts() == 1


def test_without_a_feature_that_keeps_secrets(face: str) -> None:
    """Where nothing keeps passwords, an account is made without one, wherever it is confirmed."""
    site = site_with(Confirming())
    assert site.client(face).send("/sign-up", email="a@example.org", password=PHRASE).status_code == 422
    assert site.client(face).send("/sign-up", email="a@example.org").status_code in {200, 202}
    assert confirm(site, site.links()[-1]) == 204
    assert site.store.count_accounts() == 1


def test_the_mark_of_a_sign_up(face: str) -> None:
    """An account that is made at once notes that a sign-up made it, and of the browser that did only a hash."""
    site = site_with()
    client = site.client(face)
    client.send("/sign-up", email="a@example.org", password=PHRASE)
    [account] = site.store.list_accounts()
    [mark] = [one for one in site.store.list_credentials(account.id) if one.kind == sign_ups.KIND]
    kept = client.http.get_cookie("admit-kept-sign_up")
    assert tokens.hash_secret(kept.value).hex() == mark.secret


@pytest.mark.parametrize("names", [(), ("phone",), ("email", "phone")])
def test_accounts_need_a_name(names: tuple[str, ...]) -> None:
    """Identifiers that do not exist, or none at all, are a mistake that names the setting."""
    with pytest.raises(ConfigurationError, match="ADMIT_REGISTRATION_IDENTIFIERS"):
        Registration(identifiers=names)


class Demanding(Feature):
    """Lets nobody in whose address is not confirmed."""

    name = "demanding"
    demands_verified = True


@pytest.mark.parametrize(
    ("settings", "others", "severity"),
    [
        ({}, {}, "warning"),
        ({}, {"demanding": Demanding()}, "ok"),
        ({"mode": SignUp.INVITATION}, {}, "ok"),
        ({"identifiers": ("username",)}, {}, "ok"),
    ],
)
def test_addresses_that_nobody_confirms(settings: dict[str, Any], others: dict[str, Feature], severity: str) -> None:
    """The doctor tells where anybody can sign up with an address that is not theirs."""
    [found] = Registration(**settings).examine(others)
    assert (found.check, str(found.severity)) == ("sign_up", severity)
