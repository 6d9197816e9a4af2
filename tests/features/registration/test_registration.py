"""Signing up: one answer for all, one account for two at once, and nothing that a form does not have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ConfigurationError, IdentifierTaken
from admit.events import AccountCreated
from admit.feature import Feature
from admit.features.registration import Registration, SignUp
from tests.features.conftest import PHRASE, Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account


class Confirming(Feature):
    """Wants addresses confirmed, and marks the browser, as a feature of one's own might."""

    name = "confirming"

    @property
    def demands_verified(self) -> bool:
        """Accounts can be used only once their address is confirmed."""
        return True

    def welcome(self, ctx: Context, account: Account) -> bool:
        """Send something."""
        ctx.keeps["confirming"] = "a mark"
        ctx.send(account, "registration/welcome")
        return True

    def pretend(self, ctx: Context) -> None:
        """Mark the browser all the same."""
        ctx.keeps["confirming"] = "another mark"


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
    assert site.store.count_accounts() == 2
    assert site.client().log_in("taken@example.org").status_code == 200


def test_an_address_that_nobody_confirmed_gives_way() -> None:
    """Where addresses have to be confirmed, the next who signs up with one takes the place of who never did."""
    site = site_with(Phrases(), Confirming())
    squatter, owner = site.client(), site.client()
    squatter.send("/sign-up", email="victim@example.org", password="the squatter's phrase")
    [first] = site.store.list_accounts()
    owner.send("/sign-up", email="victim@example.org", password=PHRASE)
    [second] = site.store.list_accounts()
    assert second.id != first.id
    assert squatter.log_in("victim@example.org", "the squatter's phrase").status_code == 401
    assert owner.log_in("victim@example.org").json["code"] == "verification_required"


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
    """With both, an account is found by either; a user name is not taken from who holds it."""
    site = site_with(Phrases(), Confirming(), identifiers=("email", "username"))
    client = site.client(face)
    client.send("/sign-up", email="g@example.org", username="grace", password=PHRASE)
    [account] = site.store.list_accounts()
    assert site.store.find_account("grace") == site.store.find_account("g@example.org") == account
    taken = client.send("/sign-up", email="other@example.org", username="grace", password=PHRASE)
    assert taken.status_code == 409
    again = client.send("/sign-up", email="g@example.org", username="grace", password=PHRASE)
    assert again.status_code in {200, 202}
    assert site.store.count_accounts() == 1


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
    assert client.send("/sign-up", email="a@example.org", password=PHRASE, invitation=token[:-1]).status_code == 401
    assert client.send("/sign-up", email="a@example.org", password=PHRASE, invitation=token).status_code in {200, 202}
    assert client.send("/sign-up", email="b@example.org", password=PHRASE, invitation=token).status_code == 401
    assert site.store.count_accounts() == 1


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
    """Where nothing keeps passwords, an account is made without one, and one that is sent is refused."""
    site = site_with(Confirming())
    assert site.client(face).send("/sign-up", email="a@example.org", password=PHRASE).status_code == 422
    assert site.client(face).send("/sign-up", email="a@example.org").status_code in {200, 202}
    assert site.store.count_accounts() == 1


@pytest.mark.parametrize("names", [(), ("phone",), ("email", "phone")])
def test_accounts_need_a_name(names: tuple[str, ...]) -> None:
    """Identifiers that do not exist, or none at all, are a mistake that names the setting."""
    with pytest.raises(ConfigurationError, match="ADMIT_REGISTRATION_IDENTIFIERS"):
        Registration(identifiers=names)


class Confirming(Feature):
    """Lets nobody in whose address is not confirmed."""

    name = "confirming"
    demands_verified = True


@pytest.mark.parametrize(
    ("settings", "others", "severity"),
    [
        ({}, {}, "warning"),
        ({}, {"confirming": Confirming()}, "ok"),
        ({"mode": SignUp.INVITATION}, {}, "ok"),
        ({"identifiers": ("username",)}, {}, "ok"),
    ],
)
def test_addresses_that_nobody_confirms(settings: dict[str, Any], others: dict[str, Feature], severity: str) -> None:
    """The doctor tells where anybody can sign up with an address that is not theirs."""
    [found] = Registration(**settings).examine(others)
    assert (found.check, str(found.severity)) == ("sign_up", severity)
