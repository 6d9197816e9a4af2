"""What an operator does with accounts, over a store in memory."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import IdentifierTaken, InvalidChallenge, InvalidInput, LockedAccount, NotFound, StoreError
from admit.events import AccountClosed, AccountCreated, AccountLocked, AccountUnlocked, Event
from admit.gate import Gate
from admit.operations import close_account, create_account, lock_account, new_account, unlock_account
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from tests.contested import Contested

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.model import Account


class Unending(MemoryStore):
    """A store that ends no sessions."""

    def delete_sessions(self, *_given: Any, **_options: Any) -> int:
        """Fail."""
        raise StoreError


class House:
    """A gate, a store, and what was told."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = Clock()
        self.store = store or MemoryStore()
        self.gate = Gate(self.store, clock=self.clock, stores=open_stores(self.store))
        self.told: list[Event] = []
        self.gate.events.subscribe(Event, self.told.append)

    def account(self, email: str = "ada@example.org") -> Account:
        """Make an account."""
        account = new_account(at=self.clock(), email=email, verified=True)
        create_account(self.gate, self.store, account)
        return account


@pytest.fixture
def house() -> House:
    """Return a house without accounts."""
    return House()


def test_creating(house: House) -> None:
    """An account is kept with its names, roles and the time of its confirmation, and it is told what made it."""
    account = new_account(
        at=house.clock(), email="Ada@Example.org", username="Ada", roles=["admin", "admin"], verified=True
    )
    create_account(house.gate, house.store, account, method="import")
    assert house.store.find_account("ada@example.org") == house.store.find_account("ada") == account
    assert account.is_verified
    assert account.roles == {"admin"}
    assert house.told == [AccountCreated(at=house.clock(), subject=account.id, method="import", by="import")]


def test_an_address_is_not_verified_by_itself(house: House) -> None:
    """Unless it is said, nobody knows whether an address is its owner's."""
    assert not new_account(at=house.clock(), email="ada@example.org").is_verified


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        ({}, {"email"}),
        ({"email": "nowhere"}, {"email"}),
        ({"email": "nowhere", "username": "a b"}, {"email", "username"}),
        ({"email": "ada@example.org", "username": "root"}, {"username"}),
    ],
)
def test_names_that_can_not_be(house: House, names: dict[str, str], fields: set[str]) -> None:
    """All that is wrong with the names of an account is said at once."""
    with pytest.raises(InvalidInput) as refused:
        new_account(at=house.clock(), **names)
    assert set(refused.value.fields) == fields


def test_a_name_is_given_once(house: House) -> None:
    """A second account with the same name is refused, and nothing is told of it."""
    house.account()
    house.told.clear()
    with pytest.raises(IdentifierTaken):
        house.account("ADA@example.org")
    assert house.told == []


def test_locking(house: House) -> None:
    """Locking ends the sessions and the links, keeps everybody out, and is told after it was done."""
    account, other = house.account(), house.account("bob@example.org")
    sessions = [house.gate.admit(account.id, "password").session for _ in range(2)]
    stays = house.gate.admit(other.id, "password").session
    link = house.gate.challenge("password_reset", account.id, sessions[0].idle)
    seen: list[int] = []
    house.gate.events.subscribe(AccountLocked, lambda _: seen.append(house.store.count_sessions(account.id)))
    assert lock_account(house.gate, house.store, account.id, at=house.clock(), by="admin:7") == 2
    assert seen == [0]
    assert house.gate.sessions_of(account.id) == []
    assert house.gate.sessions_of(other.id) == [stays]
    assert house.gate.why(sessions[0].id).by == "admin:7"
    assert house.told[-1] == AccountLocked(at=house.clock(), subject=account.id, by="admin:7")
    with pytest.raises(LockedAccount):
        house.gate.admit(account.id, "password")
    unlock_account(house.gate, house.store, account.id, at=house.clock(), by="admin:7")
    assert house.told[-1] == AccountUnlocked(at=house.clock(), subject=account.id, by="admin:7")
    with pytest.raises(InvalidChallenge):
        house.gate.take("password_reset", link)
    house.gate.admit(account.id, "password")


@pytest.mark.parametrize(("shut", "kind"), [(lock_account, AccountLocked), (close_account, AccountClosed)])
def test_what_was_done_is_told_whatever_fails_after_it(shut: Callable[..., int], kind: type[Event]) -> None:
    """Where the sessions can't be ended, the account is locked or closed all the same, and that is told."""
    house = House(Unending())
    account = house.account()
    with pytest.raises(StoreError):
        shut(house.gate, house.store, account.id, at=house.clock())
    assert house.told[-1] == kind(at=house.clock(), subject=account.id)
    assert house.store.get_account(account.id).epoch == 1


def test_locking_again(house: House) -> None:
    """The time of the first lock stays, and unlocking an open account changes nothing."""
    account = house.account()
    unlock_account(house.gate, house.store, account.id, at=house.clock())
    assert house.store.get_account(account.id) == account
    at = house.clock()
    lock_account(house.gate, house.store, account.id, at=at)
    lock_account(house.gate, house.store, account.id, at=at.replace(year=2030))
    assert house.store.get_account(account.id).locked_at == at


def test_closing(house: House) -> None:
    """Closing ends the sessions and the links, is told after it was done, and its time stays if it is done again."""
    account, at = house.account(), house.clock()
    session = house.gate.admit(account.id, "password").session
    link = house.gate.challenge("password_reset", account.id, session.idle)
    assert close_account(house.gate, house.store, account.id, at=at, by="owner") == 1
    assert house.told[-1] == AccountClosed(at=at, subject=account.id, by="owner")
    assert house.gate.sessions_of(account.id) == []
    with pytest.raises(InvalidChallenge):
        house.gate.take("password_reset", link)
    assert close_account(house.gate, house.store, account.id, at=at.replace(year=2030)) == 0
    assert house.store.get_account(account.id).closed_at == at


@pytest.mark.parametrize("change", [lock_account, unlock_account, close_account])
def test_nobody(house: House, change: object) -> None:
    """An account that is not there can't be locked or unlocked, and nothing is told."""
    with pytest.raises(NotFound):
        change(house.gate, house.store, "nobody", at=house.clock())
    assert house.told == []


def test_locking_keeps_what_others_change(house: House) -> None:
    """A change that comes in between is not undone by the lock."""
    house = House(Contested())
    account = house.account()
    house.store.left = 3
    lock_account(house.gate, house.store, account.id, at=house.clock())
    kept = house.store.get_account(account.id)
    assert kept.roles == {"role-0"}
    assert not kept.is_open


def test_locking_gives_up() -> None:
    """An account that never stands still can't be locked, and nobody is told that it is."""
    house = House(Contested())
    account = house.account()
    house.store.left = 1000
    with pytest.raises(StoreError, match="again and again"):
        lock_account(house.gate, house.store, account.id, at=house.clock())
    assert not any(isinstance(event, AccountLocked) for event in house.told)


def test_no_login_slips_past_a_lock(house: House) -> None:
    """However a login and a lock meet, no session is left afterwards."""
    for number in range(50):
        account = house.account(f"user{number}@example.org")
        together = Barrier(3)

        def log_in(subject: str = account.id, together: Barrier = together) -> None:
            together.wait()
            for _ in range(3):
                try:
                    house.gate.admit(subject, "password")
                except LockedAccount:
                    return

        def lock(subject: str = account.id, together: Barrier = together) -> None:
            together.wait()
            lock_account(house.gate, house.store, subject, at=house.clock())

        threads = [Thread(target=log_in), Thread(target=log_in), Thread(target=lock)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert house.gate.sessions_of(account.id) == []
