"""What was proven must still count once the session is there; links live as long as they should; nothing half done.

Each way in is tried with each change at each call of the stores, which is whatever may happen at the same moment: the
change runs to its end in a thread of its own before the call is made.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers, tokens
from admit.changing import change_account, outdated
from admit.errors import InvalidChallenge, InvalidCredentials, StoreError
from admit.features.account import AccountPages
from admit.features.closing import Closing
from admit.features.magic_link import MagicLink
from admit.features.mail_change import MailChange, ways_back
from admit.features.mail_verification import MailVerification
from admit.features.new_device import NewDevice
from admit.features.password import Password, PasswordChanged
from admit.features.password_reset import PasswordReset
from admit.features.reauthenticate import Reauthenticate
from admit.model import Account, Credential
from admit.operations import close_account, lock_account, unlock_account
from admit.proofs import Proofs
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from tests.attacks.factors import Badge, Dongle, enroll
from tests.attacks.site import ORIGIN, OTHER_PASSWORD, PASSWORD, make_site
from tests.steps import Steps, aside, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from admit.model import Challenge
    from tests.attacks.site import Browser, Site

#: The cheapest hash that is allowed.
CHEAP = {"memory_kib": 7168, "time_cost": 5}
#: More calls than any of these requests makes.
_MOST = 60


def features() -> list[Any]:
    """Return what people log in with, and what ends that."""
    first = [AccountPages(), Password(**CHEAP), PasswordReset(), MagicLink(), Badge(), Dongle(), Reauthenticate()]
    return [*first, MailVerification(required=False), MailChange(), NewDevice(), Closing()]


class House:
    """A site over stores whose calls are counted, and people on it."""

    def __init__(self, *stores: Any, more: Iterable[Any] = ()) -> None:
        self.steps = Steps()
        watched = [self.steps.watched(one) for one in stores]
        store = watched[0] if len(watched) == 1 else tuple(watched)
        # Many ask for something here, and none of it is about how often.
        many = dict.fromkeys(("pair", "address", "account"), 100_000)
        bursts = {f"ADMIT_THROTTLE_{name.upper()}_BURST": burst for name, burst in many.items()}
        hourly = {f"ADMIT_THROTTLE_{name}_PER_HOUR": 100_000 for name in ("REQUESTS", "MAILS")}
        self.site: Site = make_site(store, [*features(), *more], ADMIT_STORE_NEAR_ENTRIES=0, **bursts, **hourly)
        self.gate = self.site.accounts.keeper.gate
        self.password = self.site.accounts.features["password"]
        self.hash = self.password.hasher.hash(PASSWORD)
        self.count = 0

    def close(self) -> None:
        """Let go of the stores."""
        self.site.close()

    def account(self, *, verified: bool = True) -> Account:
        """Add an account with a password."""
        self.count += 1
        now = self.site.clock()
        name = identifiers.email(f"user{self.count}@people.example")
        named = replace(name, verified_at=now) if verified else name
        account = Account(tokens.new_account_id(now), (named,), now)
        password = Credential(tokens.new_id(), "password", account.id, account.id, self.hash, now)
        kept: Account = self.site.accounts.store.add_account(account, password)
        return kept

    def standing(self, account: Account) -> Account:
        """Return the account as it is now."""
        found: Account = self.site.accounts.store.get_account(account.id)
        return found

    def browser(self) -> Browser:
        """Return a browser that has never been here."""
        return self.site.browser("198.51.100.66")

    def let_in(self, account: Account, browser: Browser | None = None) -> Browser:
        """Return a browser with a session of the account, without a proof that costs anything."""
        browser = browser or self.browser()
        browser.plant("__Host-admit", self.gate.admit(account.id, "password").token)
        return browser

    def token(self, account: Account, kind: str) -> str:
        """Return the token of the last link of one kind that was mailed to an account."""
        return self.site.mailed_token(account.label, kind)

    def living(self, account: Account) -> set[str]:
        """Return the ids of the living sessions of an account."""
        return {one.id for one in self.gate.sessions_of(account.id)}


@pytest.fixture(params=["memory", "sqlite"], scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house over memory and over SQLite."""
    is_memory = request.param == "memory"
    store = MemoryStore() if is_memory else SqlStore(f"sqlite:///{tmp_path_factory.mktemp('gate')}/app.db")
    found = House(store)
    yield found
    found.close()


# -- ways in --------------------------------------------------------------------------------------


def by_password(_house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Log in by password."""
    return lambda: browser.sign_in(account.label)


def by_link(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Log in by the link of a mail, which was sent before."""
    browser.post("/magic-link", {"identifier": account.label})
    token = house.token(account, "magic-link")
    return lambda: browser.post("/magic-link/use", {"token": token})


def by_code(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Log in by the code of a mail, which was sent before."""
    browser.post("/magic-link", {"identifier": account.label})
    code = re.search(r"\b(\d{4} \d{4})\b", house.site.mails_to(account.label)[-1].text)
    assert code is not None
    return lambda: browser.post("/magic-link/code", {"code": code[1]})


def by_second_factor(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Complete a login that has begun before."""
    enroll(house.site.accounts.credentials, account.id, "0110")
    begun = browser.post("/badge", {"identifier": account.label, "badge": f"badge of {account.label}"})
    assert begun.json["status"] == "pending"
    return lambda: browser.post("/dongle", {"code": "0110"})


def by_both_factors(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Log in by two factors, one request after the other."""
    enroll(house.site.accounts.credentials, account.id, "0110")

    def both() -> Any:
        browser.post("/badge", {"identifier": account.label, "badge": f"badge of {account.label}"})
        return browser.post("/dongle", {"code": "0110"})

    return both


def by_another_feature(_house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Log in by what somebody else's feature offers, which knows nothing of all this."""
    return lambda: browser.post("/badge", {"identifier": account.label, "badge": f"badge of {account.label}"})


def by_reauthentication(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Prove once more by password who is logged in."""
    house.let_in(account, browser)
    return lambda: browser.post("/password/confirm", {"password": PASSWORD})


def by_another_reauthentication(house: House, account: Account, browser: Browser) -> Callable[[], Any]:
    """Prove it once more by somebody else's feature."""
    house.let_in(account, browser)
    return lambda: browser.post("/badge/confirm", {"identifier": account.label, "badge": f"badge of {account.label}"})


#: Those that cost no hash are tried with everything.
CHEAP_WAYS = [by_link, by_code, by_second_factor, by_both_factors, by_another_feature, by_another_reauthentication]


# -- changes --------------------------------------------------------------------------------------


def password_change(house: House, account: Account) -> Callable[[], object]:
    """The owner changes the password."""
    owner = house.let_in(account)
    return lambda: owner.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})


def password_reset(house: House, account: Account) -> Callable[[], object]:
    """The owner chooses a new password by a link."""
    house.browser().post("/password-reset", {"identifier": account.label})
    token = house.token(account, "password-reset")
    return lambda: house.browser().post("/password-reset/choose", {"token": token, "password": OTHER_PASSWORD})


def denial(house: House, account: Account) -> Callable[[], object]:
    """The owner says that a login was not theirs."""
    details = {
        "account": account.id,
        "key": account.identifiers[0].key,
        "session": "x",
        "name": "x",
        "address": "",
    }
    token = house.gate.challenges.issue("new_device", f"new_device:{account.id}", timedelta(days=1), details)
    return lambda: house.browser().post("/new-device", {"token": token})


def confirmation_elsewhere(house: House, account: Account) -> Callable[[], object]:
    """The owner of the address confirms it in a browser that has not set up the account."""
    key = account.identifiers[0].key
    token = house.gate.challenge("mail_verification", account.id, timedelta(days=1), {"key": key})
    return lambda: house.browser().post("/verify", {"token": token})


def login_by_mail(house: House, account: Account) -> Callable[[], object]:
    """The owner of the address logs in by a mail, which confirms it."""
    return by_link(house, account, house.browser())


def lock(house: House, account: Account) -> Callable[[], object]:
    """An operator locks the account."""
    return lambda: lock_account(house.gate, house.site.accounts.store, account.id, at=house.site.clock())


def closing(house: House, account: Account) -> Callable[[], object]:
    """The owner closes the account."""
    return lambda: close_account(house.gate, house.site.accounts.store, account.id, at=house.site.clock())


def another_feature(house: House, account: Account) -> Callable[[], object]:
    """A feature of somebody else's ends the logins of the account."""

    def act() -> None:
        with house.site.app.test_request_context(base_url=ORIGIN):
            house.site.accounts.context().end_logins(house.standing(account), by="somebody")

    return act


def rehash(house: House, account: Account) -> Callable[[], object]:
    """Another login hashes the same password anew."""

    def act() -> None:
        credentials = house.site.accounts.credentials
        old = credentials.get_credential("password", account.id)
        credentials.replace_credential(old, replace(old, secret=house.hash))

    return act


def another_role(house: House, account: Account) -> Callable[[], object]:
    """An operator gives the account a role."""

    def changed(standing: Account) -> Account:
        return replace(standing, roles=frozenset({f"role {standing.revision}"}))

    store = house.site.accounts.store
    return lambda: change_account(store, account.id, changed, house.gate.events.telling())


def unlocking(house: House, account: Account) -> Callable[[], object]:
    """An operator unlocks what is not locked."""
    return lambda: unlock_account(house.gate, house.site.accounts.store, account.id, at=house.site.clock())


def touching(house: House, account: Account) -> Callable[[], object]:
    """Another session of the account is used."""
    session = house.gate.admit(account.id, "password").session
    later = house.site.clock() + timedelta(minutes=1)
    return lambda: house.gate.store.touch_session(session.id, seen_at=later, expires_at=session.expires_at)


HARMLESS = [rehash, another_role, unlocking, touching]


def tried_at_each_call(
    house: House, way: Any, change: Any, check: Callable[[House, Account, Any, Browser], None], **state: Any
) -> None:
    """Let a change come before each call that a way in makes, on an account of its own, and check what came of it."""
    for at in range(1, _MOST):
        account, browser = house.account(**state), house.browser()
        act = aside(change(house, account))
        log_in = way(house, account, browser)
        with house.steps.acting(act, at):
            answer = log_in()
        if house.steps.count < at:
            assert at > 5
            return
        check(house, account, answer, browser)
    pytest.fail("A way in has more steps than are tried.")


def is_out(house: House, account: Account, answer: Any, browser: Browser) -> None:
    """Check that nobody is in whose account was read before its logins were ended."""
    assert answer.status_code in {200, 401, 403, 410}, answer.text
    if {"find_account", "get_account"} & set(house.steps.verbs):
        assert browser.me().status_code == 401
    assert house.standing(account).epoch == 1


@pytest.mark.parametrize("change", [lock, closing, another_feature])
@pytest.mark.parametrize("way", CHEAP_WAYS)
def test_158_a_login_under_way(house: House, way: Any, change: Any) -> None:
    """Whenever the logins of an account are ended, nobody who was logging in at that moment is in after it."""
    tried_at_each_call(house, way, change, is_out)


@pytest.mark.parametrize(
    ("way", "change"),
    [
        (by_password, password_change),
        (by_reauthentication, another_feature),
        (by_another_feature, password_reset),
        (by_another_feature, denial),
    ],
)
def test_158_a_login_while_its_password_changes(house: House, way: Any, change: Any) -> None:
    """Whenever the password of an account ends, by its owner, a link or an eviction, nobody stays in by the old one."""

    def check(house: House, account: Account, answer: Any, browser: Browser) -> None:
        is_out(house, account, answer, browser)
        assert way is by_another_feature or browser.me().status_code == 401

    tried_at_each_call(house, way, change, check)


@pytest.mark.parametrize("change", [confirmation_elsewhere, login_by_mail])
@pytest.mark.parametrize("way", [by_second_factor, by_another_feature])
def test_158_a_squatter_whose_address_is_confirmed(house: House, way: Any, change: Any) -> None:
    """Whenever the owner of an address shows elsewhere that it is theirs, the squatter who was logging in is out."""
    tried_at_each_call(house, way, change, is_out, verified=False)


@pytest.mark.parametrize(
    ("way", "change"), [(by_password, rehash), *((way, change) for way in CHEAP_WAYS for change in HARMLESS)]
)
def test_158_nobody_is_refused_for_nothing(house: House, way: Any, change: Any) -> None:
    """A rehash, a role, an unlocking or a touch at the same moment refuses nobody."""

    def check(_house: House, _account: Account, answer: Any, browser: Browser) -> None:
        assert answer.status_code == 200, answer.text
        assert browser.me().status_code == 200

    tried_at_each_call(house, way, change, check)


@pytest.mark.parametrize(
    ("change", "way", "verified"),
    [
        (password_change, by_password, True),
        (password_reset, by_another_feature, True),
        (denial, by_another_feature, True),
        (lock, by_another_feature, True),
        (closing, by_another_feature, True),
        (another_feature, by_another_feature, True),
        (confirmation_elsewhere, by_another_feature, False),
        (login_by_mail, by_another_feature, False),
    ],
)
def test_158_a_login_in_the_middle_of_a_change(house: House, change: Any, way: Any, *, verified: bool) -> None:
    """A whole login between any two steps of what ends logins, and before it counts, is ended by one of the others."""
    for at in range(1, _MOST):
        account, browser = house.account(verified=verified), house.browser()
        act, log_in = change(house, account), way(house, account, browser)
        epochs = []

        def meanwhile(account: Account = account, epochs: list[int] = epochs, log_in: Any = log_in) -> None:
            epochs.append(house.standing(account).epoch)
            log_in()

        with house.steps.acting(aside(meanwhile), at):
            act()
        if house.steps.count < at:
            return
        assert house.standing(account).epoch == 1
        assert epochs == [1] or browser.me().status_code == 401
    pytest.fail("A change has more steps than are tried.")


def test_158_a_reauthentication_of_a_session_that_stays(house: House) -> None:
    """Where a change keeps the session that it was made in, a proof from before does not make that one fresh."""
    account = house.account()
    session = house.gate.admit(account.id, "password").session
    proofs = Proofs(house.site.accounts.store)
    proofs.note(account)
    change_account(house.site.accounts.store, account.id, outdated, house.gate.events.telling())
    with pytest.raises(InvalidCredentials) as caught:
        house.gate.noting(proofs).reauthenticate(session, "badge")
    assert caught.value.reason == "changed meanwhile"
    assert house.living(account) == set()


# -- changes on a proof ---------------------------------------------------------------------------


def test_158_two_changes_at_once(house: House) -> None:
    """Of a thief's change of the password and its owner's at any moment of it, exactly one is made."""
    for at in range(1, _MOST):
        account = house.account()
        thief, owner = house.let_in(account), house.let_in(account)
        answers = []

        def change(owner: Browser = owner, answers: list[int] = answers) -> None:
            sent = owner.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD})
            answers.append(sent.status_code)

        with house.steps.acting(aside(change), at):
            answer = thief.post("/password", {"old_password": PASSWORD, "password": "the thief's own words here"})
        if house.steps.count < at:
            return
        won = [answer.status_code, *answers].count(200)
        # Where the owner came too late, or in the middle of what follows the change, the thief's had been made before.
        assert won <= 1
        assert house.standing(account).epoch == 1
        assert len(house.living(account)) <= 1


@pytest.mark.parametrize("way", CHEAP_WAYS[:4])
def test_158_what_could_not_be_voided(house: House, way: Any) -> None:
    """A link, a code and half a login open nothing once logins were ended, though they are still in the store."""
    account, browser = house.account(), house.browser()
    log_in = way(house, account, browser)
    if way is by_both_factors:
        return
    change_account(house.site.accounts.store, account.id, outdated, house.gate.events.telling())
    answer = log_in()
    assert answer.status_code in {401, 410}
    assert house.living(account) == set()


def test_158_the_epoch_of_a_challenge_is_kept(house: House) -> None:
    """A challenge carries the epoch at which the request that issued it had read the account."""
    account = house.account()
    change_account(house.site.accounts.store, account.id, outdated, house.gate.events.telling())
    with house.site.app.test_request_context(base_url=ORIGIN):
        ctx = house.site.accounts.context()
        ctx.accounts.get_account(account.id)
        change_account(house.site.accounts.store, account.id, outdated, house.gate.events.telling())
        token = ctx.gate.challenge("something", account.id, timedelta(hours=1))
    kept: Challenge = house.site.accounts.stores.challenges.get_challenge(token.partition(".")[0])
    assert (kept.epoch, house.standing(account).epoch) == (1, 2)
    with pytest.raises(InvalidChallenge):
        house.gate.take("something", token)


def test_158_a_login_that_reads_a_credential_only(house: House) -> None:
    """A feature that finds people by a credential, as one for passkeys does, lets nobody in by what was ended since."""
    account = house.account()
    with house.site.app.test_request_context(base_url=ORIGIN):
        ctx = house.site.accounts.context()
        found = ctx.credentials.get_credential("password", account.id)
        assert found is not None
        change_account(house.site.accounts.store, account.id, outdated, house.gate.events.telling())
        with pytest.raises(InvalidCredentials):
            ctx.admit(found.subject, "passkey", frozenset())
    assert house.living(account) == set()


# -- links and logins -----------------------------------------------------------------------------


def test_164_a_login_leaves_links_alone(house: House) -> None:
    """A sign-in, which may be a thief's, voids neither a link to choose a new password nor one to sign in by."""
    account, owner = house.account(), house.browser()
    reset = password_reset(house, account)
    enter = by_link(house, account, owner)
    thief = house.browser()
    assert thief.sign_in(account.label).status_code == 200
    assert enter().status_code == 200
    assert reset().status_code == 200  # type: ignore[attr-defined]
    assert thief.me().status_code == owner.me().status_code == 401


# -- interruptions --------------------------------------------------------------------------------


@pytest.fixture(params=["one store", "a pair"], scope="module")
def breakable(request: pytest.FixtureRequest) -> House:
    """Return a house over one store, and over two: one for accounts, and one for sessions."""
    return House(MemoryStore()) if request.param == "one store" else House(MemoryStore(), MemoryStore())


def interrupted(
    house: House, prepare: Any, check: Callable[[House, Account, Browser], None], **state: Any
) -> Iterator[tuple[Account, Browser]]:
    """Let each call of an operation fail in turn, do it once more, and check after both what has come of it.

    The account has a thief in it. What is given is the account after the operation was repeated, and the thief.
    """
    for at in range(1, _MOST):
        account = house.account(**state)
        operate = prepare(house, account)
        thief = house.let_in(account)
        with house.steps.acting(fail, at):
            _tried(operate)
        if house.steps.count < at:
            assert at > 3
            return
        check(house, account, thief)
        _tried(operate)
        check(house, account, thief)
        yield house.standing(account), thief
    pytest.fail("There are more steps than are tried.")


def _tried(operate: Callable[[], object]) -> None:
    with suppress(StoreError):
        operate()


def thief_is_out_once_it_is_done(house: House, account: Account, thief: Browser) -> None:
    """Check that a change that was made has ended the thief's session."""
    standing = house.standing(account)
    assert standing.epoch == 0 or thief.me().status_code == 401


def squatter_has_nothing_once_it_is_confirmed(house: House, account: Account, squatter: Browser) -> None:
    """Check that an account whose address is confirmed has nothing of whoever had set it up."""
    if house.standing(account).is_verified:
        assert squatter.me().status_code == 401
        assert house.site.accounts.credentials.get_credential("password", account.id) is None


def changed_and_told(house: House, account: Account, thief: Browser) -> None:
    """Check that a change of the password that was made is told of, by mail and event, whatever has failed after it."""
    thief_is_out_once_it_is_done(house, account, thief)
    told = [one for one in house.site.events if isinstance(one, PasswordChanged) and one.subject == account.id]
    mailed = [one for one in house.site.mails_to(account.label) if "password" in one.subject.lower()]
    assert (house.standing(account).epoch, len(told)) in {(0, 0), (1, 1)}
    assert bool(told) <= bool(mailed)


def moved(house: House, account: Account) -> Callable[[], object]:
    """The owner takes a change of the address back that a thief has made."""
    with house.site.app.test_request_context(base_url=ORIGIN):
        way = ways_back.issue(house.site.accounts.context(), account.id, account.identifiers[0], timedelta(days=7))
    address = replace(identifiers.email(f"thief{house.count}@evil.example"), verified_at=house.site.clock())
    house.site.accounts.store.replace_account(account, replace(account, identifiers=(address,)))
    return lambda: house.browser().post("/mail-change/undo", {"token": way})


def closed_by_its_owner(house: House, account: Account) -> Callable[[], object]:
    """The owner closes the account."""
    owner = house.let_in(account)
    return lambda: owner.post("/close")


def test_166_a_password_change_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, a password that was changed is told of and the thief is out, and a repeat does the rest (168)."""
    for account, thief in interrupted(breakable, password_change, changed_and_told):
        assert account.epoch == 1
        assert thief.me().status_code == 401


def test_166_a_reset_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, a password that was reset is told of and the thief is out; the link works until it is done."""
    for account, thief in interrupted(breakable, password_reset, changed_and_told):
        assert account.epoch == 1
        assert thief.me().status_code == 401


def test_166_a_denial_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, pressing the button once more ends all that the thief has."""
    for account, thief in interrupted(breakable, denial, thief_is_out_once_it_is_done):
        assert account.epoch >= 1
        assert thief.me().status_code == 401


def test_166_a_way_back_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, going back once more brings back the old address and ends all that the thief has."""
    for account, thief in interrupted(breakable, moved, thief_is_out_once_it_is_done):
        assert account.label.startswith("user")
        assert thief.me().status_code == 401


@pytest.mark.parametrize("prepare", [confirmation_elsewhere, login_by_mail])
def test_166_a_confirmation_that_is_interrupted(breakable: House, prepare: Any) -> None:
    """Whatever fails, no account with a confirmed address has anything of the squatter who had set it up."""
    check = squatter_has_nothing_once_it_is_confirmed
    found = list(interrupted(breakable, prepare, check, verified=False))
    assert any(account.is_verified for account, _ in found)


def test_166_a_closing_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, an account that was closed has nobody in it, its owner was told, and a repeat closes it."""

    def check(house: House, account: Account, thief: Browser) -> None:
        thief_is_out_once_it_is_done(house, account, thief)
        is_closed = house.standing(account).closed_at is not None
        assert is_closed == any("closed" in one.subject.lower() for one in house.site.mails_to(account.label))

    for account, _ in interrupted(breakable, closed_by_its_owner, check):
        assert account.closed_at is not None


def test_166_two_closings_at_once(house: House) -> None:
    """Of two who close one account at the same moment one does, and its owner is told once."""
    for at in range(1, _MOST):
        account = house.account()
        first = closed_by_its_owner(house, account)
        with house.steps.acting(aside(closing(house, account)), at):
            first()
        if house.steps.count < at:
            return
        assert house.standing(account).closed_at is not None
        assert len(house.site.mails_to(account.label)) <= 1


def test_166_a_lock_that_is_interrupted(breakable: House) -> None:
    """Whatever fails, the account that is locked once more has nobody in it."""
    for account, thief in interrupted(breakable, lock, lambda *_: None):
        assert account.locked_at is not None
        assert thief.me().status_code == 401
        assert breakable.living(account) == set()


def test_166_what_a_lock_has_left_does_not_come_back(breakable: House) -> None:
    """A session that a lock could not end is ended before the account is unlocked, or opened again by a login."""
    for state in ("locked_at", "closed_at"):
        account = breakable.account()
        thief = breakable.let_in(account)
        store, at = breakable.site.accounts.store, breakable.site.clock()
        store.replace_account(account, replace(outdated(account), **{state: at}))
        unlock_account(breakable.gate, store, account.id, at=at)
        assert breakable.browser().sign_in(account.label).status_code == 200
        assert thief.me().status_code == 401


def test_168_a_session_that_ends_in_the_middle_of_a_change(house: House) -> None:
    """Who ends their session while it changes the password keeps nobody from being told, nor anything from ending."""
    for at in range(1, _MOST):
        account = house.account()
        thief, owner = house.let_in(account), house.let_in(account)
        reset = password_reset(house, account)
        [mine] = house.living(account) - {one.id for one in house.gate.sessions_of(account.id)[1:]}
        with house.steps.acting(aside(partial(house.gate.revoke, mine)), at):
            thief.post("/password", {"old_password": PASSWORD, "password": "the thief's own words here"})
        changed_and_told(house, account, owner)
        if house.standing(account).epoch:
            assert reset().status_code in {401, 410}  # type: ignore[attr-defined]
        if house.steps.count < at:
            return
