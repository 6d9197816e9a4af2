"""Attacks that no test would have noticed: each goes through if one line of the code is taken out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.erasure import erase_closed
from admit.features.closing import Closing
from admit.stores.memory import MemoryStore
from admit.testing import a_session
from tests.attacks.conftest import ADA
from tests.attacks.site import PASSWORD, all_features, make_site, put_before_verbs

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.mark.parametrize("verb", ["take_challenge", "replace_credential", "add_credential"])
def test_181_a_login_meets_an_eviction(verb: str) -> None:
    """A thief whose password was right a moment before the owner says that it was not them is out afterwards."""
    store = Watched(MemoryStore())
    site = make_site(store)
    site.member(ADA)
    site.signed_in(ADA)
    site.signed_in(ADA, at="198.51.100.66")
    token = site.mailed_token(ADA, "new-device")
    thief, owner, meeting = site.browser("198.51.100.66"), site.browser(), Meeting(verb)
    store.before = meeting.before
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(meeting.log_in, thief)
        try:
            assert meeting.proven.wait(PATIENCE)
            assert owner.post("/new-device", {"token": token}).json == {"next": "check_mail"}
        finally:
            meeting.let_go_on()
        login.result()
    assert thief.me().status_code == 401


def test_181_a_login_that_dies_while_the_account_is_erased() -> None:
    """A process that dies with a login half-done, just when the account is erased, leaves no session behind."""
    store = Watched(MemoryStore())
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
