"""The gate, where accounts have second factors, can be locked, and have addresses to confirm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from admit import tokens
from admit.changing import outdated
from admit.errors import (
    ConfigurationError,
    InvalidChallenge,
    InvalidCredentials,
    LockedAccount,
    VerificationRequired,
)
from admit.events import Event, Events, LoggedIn, LoginPending
from admit.gate import Gate
from admit.model import Account, Admitted, Client, Credential, Factor, Identifier, IdentifierKind, Pending
from admit.store import Stores
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.errors import (
        AdmitError,
    )

KNOW, HAVE = frozenset({Factor.KNOW}), frozenset({Factor.HAVE})
EMAIL = Identifier(IdentifierKind.EMAIL, "Ada@example.org", "ada@example.org")


class Site:
    """A gate over a store in memory, with the second factors "code" and "card"."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.heard: list[Event] = []
        events = Events()
        events.subscribe(Event, self.heard.append)
        stores = Stores(self.store, self.store, self.store, self.store, self.store)
        self.gate = Gate(
            self.store, clock=self.clock, events=events, stores=stores, second_factors=["code", "card"], **options
        )

    def enroll(self, kind: str, subject: str = "ada") -> None:
        """Give somebody a credential."""
        self.store.add_credential(Credential(tokens.new_id(), kind, subject, subject, "secret", self.clock()))

    def add(self, **changes: Any) -> Account:
        """Add ada's account."""
        account = replace(Account("ada", (EMAIL,), self.clock()), **changes)
        self.store.add_account(account)
        return account


@pytest.fixture
def site() -> Site:
    """Return a new site."""
    return Site()


def pending(outcome: Admitted | Pending) -> Pending:
    """Return what has to be a half-done login."""
    assert isinstance(outcome, Pending)
    return outcome


def admitted(outcome: Admitted | Pending) -> Admitted:
    """Return what has to be a whole login."""
    assert isinstance(outcome, Admitted)
    return outcome


@pytest.mark.parametrize("method", ["password", "magic_link", "login", "anything a third party calls itself"])
def test_no_method_gets_past_an_enrolled_factor(site: Site, method: str) -> None:
    """Whatever verified the first factor, there is no session without the second one."""
    site.enroll("code")
    outcome = pending(site.gate.admit("ada", method, KNOW))
    assert outcome.needs == ("code",)
    assert site.store.count_sessions() == 0
    assert [type(event) for event in site.heard] == [LoginPending]
    assert outcome.token not in repr(outcome)


def test_the_second_factor_completes_it(site: Site) -> None:
    """Both proofs together make a session that rests on both and lasts as the first step asked."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", "password", KNOW, remember=True, duration=timedelta(days=3)))
    assert site.gate.pending(begun.token) == begun
    done = admitted(site.gate.admit("ada", "code", HAVE, pending=begun.token))
    assert [proof.method for proof in done.session.authentications] == ["password", "code"]
    assert done.session.remembered
    assert done.session.ends_at - site.clock() == timedelta(days=3)
    assert isinstance(site.heard[-1], LoggedIn)


def test_a_browser_session_stays_one(site: Site) -> None:
    """A login that was not to be remembered is not, after the second factor."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", "password", KNOW))
    assert not admitted(site.gate.admit("ada", "code", HAVE, pending=begun.token)).session.remembered


def test_a_half_done_login_is_used_once(site: Site) -> None:
    """Its token completes one login, and not another one afterwards."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", "password", KNOW))
    site.gate.admit("ada", "code", HAVE, pending=begun.token)
    with pytest.raises(InvalidChallenge):
        site.gate.admit("ada", "code", HAVE, pending=begun.token)
    assert site.store.count_sessions() == 1


def test_a_half_done_login_of_somebody_else(site: Site) -> None:
    """Bob's factor does not complete ada's login, and leaves it as it was."""
    site.enroll("code", "ada")
    site.enroll("code", "bob")
    begun = pending(site.gate.admit("ada", "password", KNOW))
    with pytest.raises(InvalidChallenge):
        site.gate.admit("bob", "code", HAVE, pending=begun.token)
    assert site.store.count_sessions() == 0
    assert admitted(site.gate.admit("ada", "code", HAVE, pending=begun.token))


def test_a_half_done_login_that_was_overtaken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where logins are ended while a login is found to lack a factor, that login goes no further."""
    account = site.add()
    site.enroll("code")
    listed = site.store.list_credentials

    def meanwhile(subject: str) -> Sequence[Credential]:
        standing = site.store.get_account(subject)
        assert standing is not None
        assert site.store.replace_account(standing, outdated(standing))
        return listed(subject)

    with monkeypatch.context() as patched:
        patched.setattr(site.store, "list_credentials", meanwhile)
        begun = pending(site.gate.admit(account.id, "password", KNOW))
    with pytest.raises(InvalidChallenge):
        site.gate.pending(begun.token)


def test_it_has_to_be_completed_in_time(site: Site) -> None:
    """Ten minutes later one has to begin again."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", "password", KNOW))
    site.clock.advance(timedelta(minutes=10))
    with pytest.raises(InvalidChallenge):
        site.gate.pending(begun.token)


@pytest.mark.parametrize(("first", "second"), list(product(["password", "code"], repeat=2)))
def test_one_method_twice_is_one_factor(site: Site, first: str, second: str) -> None:
    """A session takes two different methods, of which one is enrolled; the second factor alone is no login."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", first, KNOW))
    outcome = site.gate.admit("ada", second, HAVE, pending=begun.token)
    assert isinstance(outcome, Admitted) is ({first, second} == {"password", "code"})


def test_any_of_several_will_do(site: Site) -> None:
    """With two second factors enrolled, one of them is enough; one proof of two factors is as well."""
    site.enroll("code")
    site.enroll("card")
    begun = pending(site.gate.admit("ada", "password", KNOW))
    assert begun.needs == ("card", "code")
    assert admitted(site.gate.admit("ada", "card", HAVE, pending=begun.token))
    assert admitted(site.gate.admit("ada", "card", HAVE | {Factor.ARE}))


def test_other_credentials_are_no_second_factor(site: Site) -> None:
    """A password that is stored, or a known device, demands nothing."""
    site.enroll("password")
    site.enroll("known_device")
    assert admitted(site.gate.admit("ada", "password", KNOW))


def test_a_restored_login_proves_nothing(site: Site) -> None:
    """A remember cookie meets the second factor like everybody, and counts for no factor itself."""
    site.enroll("code")
    begun = pending(site.gate.admit("ada", "remember_cookie", fresh=False))
    assert isinstance(site.gate.admit("ada", "code", HAVE, pending=begun.token), Pending)


@pytest.mark.parametrize(("state", "refusal"), [("locked_at", LockedAccount), ("closed_at", InvalidCredentials)])
def test_a_locked_account_gets_no_session(site: Site, state: str, refusal: type[AdmitError]) -> None:
    """The right proof is told that an account is locked, a closed one is refused like a wrong one; nothing is left."""
    site.add(**{state: site.clock()})
    with pytest.raises(refusal):
        site.gate.admit("ada", "password", KNOW, client=Client())
    assert site.store.count_sessions() == 0
    assert not any(isinstance(event, LoggedIn) for event in site.heard)


def test_an_address_that_has_to_be_confirmed() -> None:
    """Where addresses have to be confirmed, an account gets a session once its own is, and not before."""
    site = Site(verified_only=True)
    account = site.add()
    with pytest.raises(VerificationRequired):
        site.gate.admit("ada", "password", KNOW)
    assert site.store.count_sessions() == 0
    site.store.replace_account(account, replace(account, identifiers=(replace(EMAIL, verified_at=site.clock()),)))
    assert admitted(site.gate.admit("ada", "password", KNOW))


def test_an_address_that_need_not_be_confirmed(site: Site) -> None:
    """Elsewhere an account gets a session whatever its address; so does who has no account of ours."""
    site.add()
    assert admitted(site.gate.admit("ada", "password", KNOW))
    assert admitted(site.gate.admit("somebody of the application's own", "login"))


def test_a_store_without_challenges() -> None:
    """Who asks for a challenge where none are kept is told what to do."""
    with pytest.raises(ConfigurationError, match="keeps no challenges"):
        Gate(MemoryStore()).challenge("reset", "ada", timedelta(minutes=1))


def test_challenges_stand_alone(site: Site) -> None:
    """A new challenge of the gate voids the one before it; looking and taking are as for any other."""
    old = site.gate.challenge("reset", "ada", timedelta(minutes=1))
    new = site.gate.challenge("reset", "ada", timedelta(minutes=1), {"a": "b"})
    with pytest.raises(InvalidChallenge):
        site.gate.look("reset", old)
    assert site.gate.look("reset", new) == site.gate.take("reset", new)
