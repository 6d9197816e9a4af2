"""Attacks that no test would have noticed: each goes through if one line of the code is taken out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers
from admit.erasure import erase_closed
from admit.features.closing import Closing
from admit.features.mail_verification import MailVerification
from admit.stores.memory import MemoryStore
from admit.testing import a_session
from tests.attacks.conftest import ADA
from tests.attacks.site import OTHER_PASSWORD, PASSWORD, all_features, make_site, put_before_verbs

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

PATIENCE = 30


class Watched:
    """A store that says which of its verbs is called next."""

    def __init__(self, store: Any) -> None:
        self.before: Callable[[str], None] = lambda verb: None
        put_before_verbs(self, store, lambda verb: self.before(verb))  # noqa: PLW0108 -- it changes


class Meeting:
    """A login that has proven the password, and begins its session at a step of what should end it.

    Args:
        verb: What is about to be done to the store at that step, in the thread that made this.
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._here = threading.current_thread()
        self.proven, self._goes_on, self.over = (threading.Event() for _ in range(3))

    def before(self, verb: str) -> None:
        """Hold the login before its session begins, and the other one until it has."""
        if threading.current_thread() is not self._here:
            if verb == "add_session":
                self.proven.set()
                assert self._goes_on.wait(PATIENCE)
        elif verb == self._verb:
            self.let_go_on()

    def let_go_on(self) -> None:
        """Let the login go on to its end."""
        self._goes_on.set()
        assert self.over.wait(PATIENCE)

    def log_in(self, browser: Browser) -> None:
        """Log in, which takes until it is let go on."""
        browser.sign_in(ADA, PASSWORD)
        self.over.set()


@pytest.fixture
def store() -> Watched:
    """Return a store whose verbs can be waited for."""
    return Watched(MemoryStore())


@pytest.fixture
def site(store: Watched) -> Site:
    """Return a site over it, on which Ada has logged in on a device of hers."""
    site = make_site(store)
    site.member(ADA)
    site.signed_in(ADA)
    return site


def met(site: Site, store: Watched, verb: str, ends: Callable[[], TestResponse]) -> tuple[Browser, TestResponse]:
    """Let a thief log in by the password while something ends all sessions; return their browser, and its answer."""
    thief, meeting = site.browser("198.51.100.66"), Meeting(verb)
    store.before = meeting.before
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(meeting.log_in, thief)
        try:
            assert meeting.proven.wait(PATIENCE)
            answer = ends()
        finally:
            meeting.let_go_on()
        login.result()
    return thief, answer


@pytest.mark.parametrize("verb", ["take_challenge", "replace_credential", "add_credential"])
def test_181_a_login_meets_an_eviction(site: Site, store: Watched, verb: str) -> None:
    """A thief whose password was right a moment before the owner says that it was not them is out afterwards."""
    site.signed_in(ADA, at="198.51.100.66")
    body = {"token": site.mailed_token(ADA, "new-device")}
    thief, answer = met(site, store, verb, lambda: site.browser().post("/new-device", body))
    assert answer.json == {"next": "check_mail"}
    assert thief.me().status_code == 401


def test_181_a_login_meets_a_change_of_the_password(site: Site, store: Watched) -> None:
    """A thief whose password was right a moment before its owner changes it is out afterwards."""
    owner, body = site.signed_in(ADA), {"old_password": PASSWORD, "password": OTHER_PASSWORD}
    thief, answer = met(site, store, "replace_credential", lambda: owner.post("/password", body))
    assert answer.status_code == 200
    assert thief.me().status_code == 401


def test_181_a_login_that_dies_while_the_account_is_erased(store: Watched) -> None:
    """A process that dies with a login half-done, just when the account is erased, leaves no session behind."""
    site = make_site(store, [*all_features(), Closing()], ADMIT_CLOSING_GRACE=timedelta(days=14))
    account = site.member(ADA)
    assert site.signed_in(ADA).post("/close").status_code == 200
    session = a_session(subject=account.id)

    def half_done(verb: str) -> None:
        if verb == "delete_account":
            site.accounts.stores.sessions.add_session(session)

    store.before = half_done
    assert purged(site, timedelta(days=15)) == 1
    assert site.accounts.stores.sessions.list_sessions(account.id) == []
    assert site.accounts.stores.sessions.get_session(session.id) is None


def test_181_a_squatter_who_is_in_already(store: Watched) -> None:
    """Where nobody has to confirm an address, whoever signed up with another's is out once its owner confirms it."""
    features = [one for one in all_features() if one.name != "mail_verification"]
    site = make_site(store, [*features, MailVerification(required=False)])
    squatter = site.sign_up(ADA)
    assert squatter.sign_in(ADA).status_code == 200
    assert site.browser().post("/verify", {"token": site.token(ADA)}).status_code == 200
    assert squatter.me().status_code == 401


def test_181_an_address_that_was_changed_by_somebody_else(site: Site) -> None:
    """A link to a new address is worthless once an operator has given the account another one than it was asked for."""
    ada = site.signed_in(ADA)
    assert ada.post("/mail-change", {"email": "countess@people.example"}).status_code == 202
    token = site.mailed_token("countess@people.example", "mail-change/confirm")
    account, given = site.account(ADA), replace(identifiers.email("given@people.example"), verified_at=site.clock())
    assert site.accounts.store.replace_account(account, replace(account, identifiers=(given,)))
    assert ada.post("/mail-change/confirm", {"token": token}).status_code in {401, 410}
    assert site.account("given@people.example").id == account.id


@pytest.mark.parametrize(
    ("path", "field"), [("/verify/request", "email"), ("/password-reset", "identifier"), ("/magic-link", "identifier")]
)
def test_181_letters_without_end(new_site: Callable[..., Site], path: str, field: str) -> None:
    """Whoever asks for mails to whichever addresses, be it to send a link again, may do so a few times in an hour."""
    site = new_site(ADMIT_THROTTLE_REQUESTS_PER_HOUR=3)
    stranger = site.browser("198.51.100.66")
    asked = [stranger.post(path, {field: f"person{number}@people.example"}) for number in range(5)]
    assert [answer.status_code for answer in asked] == [202, 202, 202, 429, 429]
    assert site.browser("198.51.100.67").post(path, {field: ADA}).status_code == 202


def purged(site: Site, later: timedelta) -> int:
    """Erase what is to be erased some time later."""
    accounts = site.accounts
    found = erase_closed(accounts.keeper.gate, accounts.stores, accounts.features.values(), now=site.clock() + later)
    return sum(found)
