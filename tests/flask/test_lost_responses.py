"""Responses that never reach the client: nobody is let in by an old token, and no session is left that nobody holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.features.account import AccountPages
from admit.features.devices import Devices
from admit.features.password import Password
from admit.flask import confirm_login, login_user
from admit.stores.memory import MemoryStore
from tests.attacks.site import ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, SESSION, make_site
from tests.steps import Steps, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Account
    from admit.testing import Clock
    from tests.attacks.site import Browser, Site

MINUTE = timedelta(minutes=1)
ADA = "ada@people.example"


class House:
    """A site with one account, and browsers whose responses get lost."""

    def __init__(self, store: Any = None) -> None:
        features = [AccountPages(), Password(memory_kib=7168, time_cost=5), Devices()]
        self.site: Site = make_site(store or MemoryStore(), features, ADMIT_STORE_NEAR_ENTRIES=0)
        self.account: Account = self.site.unconfirmed(ADA)
        self.clock: Clock = self.site.clock
        self.gate = self.site.accounts.keeper.gate

        @self.site.app.post("/login-again")
        def login_again() -> str:
            user = self.site.login_manager.user_callback(self.account.id)  # type: ignore[misc]
            login_user(user)
            return "in"

        @self.site.app.post("/confirm-login")
        def confirm() -> str:
            confirm_login()
            return "fresh"

        self.site.login_manager.user_loader(User)

    def devices(self, browser: Browser) -> int:
        """Return how many devices are shown to a browser."""
        answer = browser.get("/api/account/devices")
        assert answer.status_code == 200
        return len(answer.json["devices"])

    def living(self) -> int:
        """Return how many sessions live."""
        return len(self.gate.sessions_of(self.account.id))


class User:
    """A user as Flask-Login knows one."""

    is_active = is_authenticated = True
    is_anonymous = False

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def get_id(self) -> str:
        """Return who it is."""
        return self.subject


def sent(face: str, path: str, **fields: str) -> Callable[[Browser], Any]:
    """Return what sends a form, as a page or as JSON does."""
    if face == "json":
        return lambda browser: browser.post(path, fields)
    return lambda browser: browser.send("POST", f"/account{path}", data=fields, headers=OWN_PAGE)


CONFIRM = "/password/confirm", {"password": PASSWORD}
CHANGE = "/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}
SIGN_IN = "/sign-in", {"identifier": ADA, "password": PASSWORD}
REQUESTS = [
    *((face, path, fields) for face in ("page", "json") for path, fields in (CONFIRM, CHANGE, SIGN_IN)),
    ("own", "/confirm-login", {}),
    ("own", "/login-again", {}),
]


def request_of(face: str, path: str, fields: dict[str, str]) -> Callable[[Browser], Any]:
    """Return what sends one of the requests."""
    if face == "own":
        return lambda browser: browser.send("POST", path, headers=OWN_PAGE)
    return sent(face, path, **fields)


@pytest.mark.parametrize(("face", "path", "fields"), REQUESTS)
def test_a_response_that_is_lost(face: str, path: str, fields: dict[str, str]) -> None:
    """The old token opens nothing, nothing is left after a minute, and signing in once more gives one session."""
    house = House()
    browser = house.site.signed_in(ADA)
    old = browser.cookie() or ""
    assert request_of(face, path, fields)(browser).status_code in {200, 303}
    lost = browser.cookie() or ""
    assert lost != old
    browser.plant(SESSION, old)
    assert browser.me().status_code == 401
    # It is not deleted: the response with the new one may still be under way.
    assert browser.cookie() == old
    house.clock.advance(MINUTE)
    assert house.living() == 0
    password = OTHER_PASSWORD if path == "/password" else PASSWORD
    assert browser.sign_in(ADA, password).status_code == 200
    assert house.devices(browser) == 1
    browser.plant(SESSION, lost)
    assert browser.me().status_code == 401
    browser.plant(SESSION, old)
    assert browser.me().status_code == 401


@pytest.mark.parametrize(("face", "path", "fields"), REQUESTS)
def test_a_response_that_arrives(face: str, path: str, fields: dict[str, str]) -> None:
    """The new token lives on once it was used within a minute, as the browser does that follows the response."""
    house = House()
    browser = house.site.signed_in(ADA)
    assert request_of(face, path, fields)(browser).status_code in {200, 303}
    house.clock.advance(MINUTE - timedelta(microseconds=1))
    assert browser.me().status_code == 200
    house.clock.advance(timedelta(minutes=25))
    assert browser.me().status_code == 200
    assert house.devices(browser) == 1


@pytest.mark.parametrize("path", ["/sign-in", "/login-again"])
def test_a_first_sign_in_may_rest(path: str) -> None:
    """Whoever signs in without a session and then does nothing for a while is still signed in."""
    house = House()
    browser = house.site.browser()
    if path == "/sign-in":
        assert browser.sign_in(ADA).status_code == 200
    else:
        assert browser.send("POST", path, headers=OWN_PAGE).status_code == 200
    house.clock.advance(timedelta(minutes=25))
    assert browser.me().status_code == 200


def test_a_token_without_a_response_may_rest() -> None:
    """A token that an application issues for a program is good however late that first uses it."""
    house = House()
    with house.site.app.test_request_context(base_url=ORIGIN):
        issued = house.site.login_manager.sessions.issue(User(house.account.id))
    house.clock.advance(timedelta(minutes=25))
    answer = house.site.browser().get("/api/account/", Authorization=f"Bearer {issued}")
    assert answer.status_code == 200


def test_a_program_whose_response_is_lost() -> None:
    """What a program held in a header opens nothing after it was replaced, and the new one ends after a minute."""
    house = House()
    program = house.site.browser()
    begun = program.post("/sign-in", SIGN_IN[1], **{"Admit-Carrier": "bearer"})
    old = begun.headers["Admit-Token"]
    new = program.post("/password/confirm", CONFIRM[1], Authorization=f"Bearer {old}").headers["Admit-Token"]
    assert program.get("/api/account/", Authorization=f"Bearer {old}").status_code == 401
    house.clock.advance(MINUTE)
    assert program.get("/api/account/", Authorization=f"Bearer {new}").status_code == 401
    assert house.living() == 0


@pytest.mark.parametrize("lasting", [False, True])
def test_a_sign_in_that_is_answered_with_an_error(*, lasting: bool) -> None:
    """Whatever step fails after the session has begun, nobody holds its token, and it is gone after a minute."""
    steps = Steps()
    house = House((steps.watched(MemoryStore()), steps.watched(MemoryStore())))
    for at in range(1, 60):
        house.gate.revoke_all(house.account.id)
        browser = house.site.browser()
        with steps.acting(fail, at, lasting=lasting):
            answer = browser.sign_in(ADA)
        # By then counters have forgotten it as well.
        house.clock.advance(timedelta(minutes=20))
        assert house.living() <= int(answer.status_code == 200)
        if steps.count < at:
            assert at > 10
            return
    pytest.fail("There are more steps than are tried.")
