"""What stands between a right proof and a session: locks, closings, and addresses to confirm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from admit.errors import InvalidCredentials, LockedAccount, VerificationRequired
from admit.events import AccountReopened, Event, LoggedIn, LoginFailed
from admit.gate import Gate
from admit.model import Admitted
from admit.operations import close_account
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from admit.testing.samples import an_account

if TYPE_CHECKING:
    from typing import Any

    from admit.model import Account

GRACE = timedelta(days=14)


class House:
    """A gate, a store, and what was told."""

    def __init__(self, grace: timedelta | None = GRACE, **options: Any) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.gate = Gate(self.store, clock=self.clock, stores=open_stores(self.store), grace=grace, **options)
        self.told: list[Event] = []
        self.gate.events.subscribe(Event, self.told.append)

    def add(self, **state: Any) -> Account:
        """Add an account in some state."""
        return self.store.add_account(an_account("ada", **state))

    def admit(self, account: Account, **options: Any) -> Admitted:
        """Log in by the right proof."""
        admitted = self.gate.admit(account.id, "password", **options)
        assert isinstance(admitted, Admitted)
        return admitted


@pytest.fixture
def house() -> House:
    """Return a house in which closed accounts can be opened again for a while."""
    return House()


def test_an_open_account(house: House) -> None:
    """Whoever has an open account gets a session, and nothing is opened by it."""
    account = house.add()
    assert not house.admit(account, of_account=True).has_reopened
    assert house.gate.admission.can_return(account)
    assert house.store.get_account(account.id) == account


def test_a_closed_account_is_opened_by_a_login(house: House) -> None:
    """Within the grace a login opens a closed account again, and tells so before it tells of the login."""
    account = house.add(closed_at=house.clock())
    house.clock.advance(GRACE - timedelta(microseconds=1))
    assert house.gate.admission.can_return(account)
    assert house.admit(account).has_reopened
    found = house.store.get_account(account.id)
    assert found
    assert found.is_open
    opened, logged_in = house.told
    assert opened == AccountReopened(at=house.clock(), subject=account.id, method="password")
    assert isinstance(logged_in, LoggedIn)
    assert not house.admit(account).has_reopened


@pytest.mark.parametrize("grace", [GRACE, None])
def test_after_the_grace_it_is_as_if_it_never_was(grace: timedelta | None) -> None:
    """When the grace is over, or where there is none, a closed account is refused as an unknown one is."""
    house = House(grace)
    account = house.add(closed_at=house.clock())
    house.clock.advance(GRACE)
    assert house.gate.admission.is_over(account)
    assert not house.gate.admission.can_return(account)
    with pytest.raises(InvalidCredentials):
        house.admit(account)
    assert house.store.count_sessions() == 0
    assert house.store.get_account(account.id) == account
    [failed] = [event for event in house.told if isinstance(event, LoginFailed)]
    assert (failed.subject, failed.reason) == (account.id, "closed")


def test_a_cookie_of_long_ago_opens_nothing(house: House) -> None:
    """What is no proof of just now, as a remember cookie, neither logs in to a closed account nor opens it."""
    account = house.add(closed_at=house.clock())
    with pytest.raises(InvalidCredentials):
        house.admit(account, fresh=False)
    assert house.store.get_account(account.id) == account
    assert house.store.count_sessions() == 0


@pytest.mark.parametrize("closed", [False, True])
def test_a_locked_account_stays_as_it_is(house: House, *, closed: bool) -> None:
    """A lock is told after the right proof, and is stronger than the wish of the owner to come back."""
    at = house.clock()
    account = house.add(locked_at=at, closed_at=at if closed else None)
    assert not house.gate.admission.can_return(account)
    with pytest.raises(LockedAccount):
        house.admit(account)
    assert house.store.get_account(account.id) == account
    assert house.store.count_sessions() == 0


def test_a_lock_of_a_closed_account_is_told_to_nobody(house: House) -> None:
    """After the grace an account has one face, whatever else it was."""
    account = house.add(locked_at=house.clock(), closed_at=house.clock())
    house.clock.advance(GRACE)
    with pytest.raises(InvalidCredentials):
        house.admit(account)


def test_an_address_to_confirm_comes_first() -> None:
    """Where addresses have to be confirmed, an account that waits for that is not opened again."""
    house = House(verified_only=True)
    account = house.store.add_account(an_account("ada@example.org", closed_at=house.clock()))
    with pytest.raises(VerificationRequired):
        house.admit(account)
    assert house.store.get_account(account.id) == account


def test_an_account_that_is_gone(house: House) -> None:
    """Who has proven that an account is theirs, which is erased by now, gets no session; strangers to us do."""
    with pytest.raises(InvalidCredentials):
        house.gate.admit("erased", "password", of_account=True)
    assert house.store.count_sessions() == 0
    assert house.gate.admit("the application's own", "login")


def test_no_login_slips_past_a_closing(house: House) -> None:
    """However logins and closings meet, either the account is open or no session is left."""
    for _ in range(40):
        account, together = house.store.add_account(an_account()), Barrier(3)

        def log_in(account: Account = account, together: Barrier = together) -> None:
            together.wait()
            house.admit(account)

        def close(account: Account = account, together: Barrier = together) -> None:
            together.wait()
            close_account(house.gate, house.store, account.id, at=house.clock())

        threads = [Thread(target=log_in), Thread(target=log_in), Thread(target=close)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = house.store.get_account(account.id)
        assert found
        assert found.is_open or house.gate.sessions_of(account.id) == []


def test_it_is_asked_after_the_session_is_there(house: House) -> None:
    """A closing that comes between the session and the question finds the session, and ends it."""
    account = house.add()
    adding = house.store.add_session

    def closed_meanwhile(session: Any) -> None:
        adding(session)
        house.store.replace_account(account, replace(account, locked_at=house.clock()))

    house.store.add_session = closed_meanwhile  # type: ignore[method-assign]
    with pytest.raises(LockedAccount):
        house.admit(account)
    assert house.store.count_sessions() == 0
