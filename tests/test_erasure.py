"""Erasing accounts: nothing is left, nobody is erased who has come back, and what stops halfway is done by the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from admit import identifiers, tokens
from admit.erasure import end_former_user, erase_account, erase_closed
from admit.errors import AdmitError, ConfigurationError, StoreError
from admit.events import AccountErased, Event, Events
from admit.feature import Feature
from admit.gate import Gate
from admit.known_devices import KIND, KnownDevices
from admit.model import Account, Client, Credential
from admit.operations import close_account
from admit.store import Stores
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.testing import Clock
from admit.throttle import Throttle, ThrottleSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GRACE = timedelta(days=14)
STRANGER = Client("192.0.2.7", "a browser")


class Keeper(Feature):
    """Keeps something of accounts, which it counts, too."""

    name = "keeper"
    erased: list[str]

    def erase(self, stores: Stores, account: Account) -> None:
        """Note that it was asked to."""
        assert stores.accounts
        assert stores.accounts.get_account(account.id), "the account goes last"
        self.erased.append(account.id)


class House:
    """A gate over a store, a feature, and what was told."""

    def __init__(self, store: Any, stores: Stores | None = None) -> None:
        self.clock, self.store = Clock(), store
        self.stores = stores or open_stores(store)
        self.events = Events()
        self.gate = self.another_gate(self.events)
        self.told: list[Event] = []
        self.events.subscribe(Event, self.told.append)
        self.keeper = Keeper(erased=[])
        self.throttle = Throttle(
            store, ThrottleSettings(account_burst=4, pair_burst=2), clock=self.clock, events=self.events
        )

    def another_gate(self, events: Events) -> Gate:
        """Return a gate of another process."""
        return Gate(self.store, clock=self.clock, stores=self.stores, grace=GRACE, events=events)

    def add(self, name: str = "Ada@example.org") -> Account:
        """Add an account with a bit of everything, logged in."""
        account = Account(tokens.new_account_id(self.clock()), (identifiers.email(name),), self.clock())
        secret = Credential(tokens.new_id(), "password", account.id, account.id, "a hash", self.clock())
        self.store.add_account(account, secret)
        self.gate.admit(account.id, "password")
        KnownDevices(self.store, self.clock).mark(account.id)
        return account

    def closed(self, name: str = "Ada@example.org") -> Account:
        """Add an account whose owner has closed it, and sent links to it before and after."""
        account = self.add(name)
        close_account(self.gate, self.store, account.id, at=self.clock())
        self.gate.challenge("reset", account.id, GRACE * 3)
        found: Account = self.store.get_account(account.id)
        return found

    def erase(self, account: Account) -> bool:
        """Erase an account as the purge does."""
        return erase_account(self.gate, self.stores, [self.keeper], account, at=self.clock(), by="operator")

    def purge(self, **options: Any) -> int:
        """Erase all that is to be erased."""
        return sum(erase_closed(self.gate, self.stores, [self.keeper], now=self.clock(), **options))

    def left_of(self, account: Account) -> list[object]:
        """Return all that is left of an account."""
        [address] = account.identifiers
        return [
            *filter(None, [self.store.get_account(account.id), self.store.find_account(address.key)]),
            *self.store.list_credentials(account.id),
            *self.store.list_sessions(account.id),
            *[f"challenge {number}" for number in range(self.store.delete_challenges(account.id))],
        ]


@pytest.fixture(params=["memory", "sqlite"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Return a house over each store that keeps accounts and needs no server."""
    store = MemoryStore() if request.param == "memory" else SqlStore(f"sqlite:///{tmp_path}/app.db")
    yield House(store)
    store.close()


def test_nothing_is_left(house: House) -> None:
    """The account, its sessions, links, credentials and known devices are gone, and nobody else's."""
    account, other = house.closed(), house.add("bob@example.org")
    kept = len(house.left_of(other))
    house.clock.advance(GRACE * 2)
    assert len(house.left_of(account)) > 3
    house.gate.challenge("reset", account.id, GRACE)
    assert house.purge() == 1
    assert house.left_of(account) == []
    assert len(house.left_of(other)) == kept
    assert house.keeper.erased == [account.id]
    assert [event for event in house.told if isinstance(event, AccountErased)] == [
        AccountErased(at=house.clock(), subject=account.id)
    ]
    assert house.purge() == 0


def test_what_was_counted_is_forgotten(house: House) -> None:
    """Whoever has the name next is not slowed down for what was tried at the account before."""
    account = house.closed()
    [device] = [one.key for one in house.store.list_credentials(account.id) if one.kind == KIND]
    address = account.identifiers[0].key

    def spend() -> list[bool]:
        allowed = [house.throttle.allows_mail(address) for _ in range(6)]
        allowed += [house.throttle.allows("keeper", account.id, burst=2, interval=GRACE) for _ in range(3)]
        for known in (device, None):
            for number in range(6):
                client = Client(f"198.51.{number}.1")
                with suppress(AdmitError):
                    house.throttle.attempt(account.id, client, device=known)
                    allowed.append(True)
        return allowed

    before = spend()
    assert spend() != before
    assert house.erase(account)
    house.clock.advance(timedelta(hours=1))  # in which what is counted with an address has come to rest
    assert spend() == before


def test_whoever_comes_next_inherits_nothing(house: House) -> None:
    """A later account of the same name has another id, and none of what the one before had (attack 74)."""
    account = house.closed()
    house.erase(account)
    next_one = house.add()
    assert next_one.identifiers == account.identifiers
    assert next_one.id != account.id
    assert len(house.store.list_sessions(next_one.id)) == 1
    assert [one.subject for one in house.store.list_credentials(next_one.id)] == [next_one.id] * 2


def test_only_when_the_grace_is_over(house: House) -> None:
    """An account is erased once nobody can open it any more, and open ones never are."""
    account = house.closed()
    house.add("bob@example.org")
    house.clock.advance(GRACE)
    assert house.purge() == 0
    house.clock.advance(timedelta(microseconds=1))
    assert house.purge() == 1
    assert house.left_of(account) == []
    assert house.store.count_accounts() == 1


def test_without_a_grace_nothing_is_erased(house: House) -> None:
    """Where nobody has said how long closed accounts stay, and where there are none, nothing is erased."""
    house.closed()
    house.clock.advance(GRACE * 9)
    house.gate.admission.grace = None
    assert house.purge() == 0
    house.gate.admission.grace = GRACE
    house.stores = Stores(house.store)
    assert house.purge() == 0
    assert not house.erase(Account("nobody", (), house.clock()))


@pytest.mark.parametrize("state", ["open", "reopened", "closed again", "gone"])
def test_who_has_come_back_is_not_erased(house: House, state: str) -> None:
    """What was read of an account a moment ago is no reason to erase it: its owner may have come back since."""
    account = house.closed()
    standing = replace(account, closed_at={"closed again": house.clock.advance(GRACE)}.get(state))
    if state == "gone":
        assert house.store.delete_account(account.id)
    else:
        assert house.store.replace_account(account, standing)
        session = house.gate.admit(account.id, "password") if state == "reopened" else None
    read = replace(account, closed_at=None) if state == "open" else account
    assert not house.erase(read)
    assert house.keeper.erased == []
    if state != "gone":
        assert house.store.get_account(account.id) == replace(standing, revision=account.revision + 1)
        assert house.store.get_credential("password", account.id)
    if state == "reopened":
        assert session
        assert house.gate.resume(session.token).session


class Stopping:
    """A store that stops after a number of changes, as a machine does that loses its power."""

    def __init__(self, store: Any, left: int) -> None:
        self._store, self.left = store, left

    def __getattr__(self, name: str) -> Any:
        """Return a verb, which counts if it changes something."""
        verb = getattr(self._store, name)
        return partial_of(self, verb) if name.startswith(("delete_", "replace_", "reset_")) else verb


def partial_of(stopping: Stopping, verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb that fails once there is nothing left."""

    def call(*arguments: Any, **options: Any) -> Any:
        if not stopping.left:
            message = "the machine has stopped"
            raise StoreError(message)
        stopping.left -= 1
        return verb(*arguments, **options)

    return call


def test_what_stops_halfway_is_done_by_the_next(house: House) -> None:
    """After whichever step the machine stops, nobody gets in, and the next purge does the rest."""
    for steps in range(100):
        account = house.closed()
        house.clock.advance(GRACE * 2)
        stopping: Any = Stopping(house.store, steps)
        stores = Stores(stopping, stopping, stopping, stopping, stopping)
        gate = Gate(stopping, clock=house.clock, stores=stores, grace=GRACE, events=house.events)
        try:
            assert sum(erase_closed(gate, stores, [house.keeper], now=house.clock())) == 1
        except StoreError:
            pass
        else:
            assert steps > 8
            assert house.left_of(account) == []
            break
        with pytest.raises(AdmitError):
            house.gate.admit(account.id, "password", of_account=True)
        is_found = house.store.get_account(account.id) is not None
        assert house.purge() == is_found
        assert house.left_of(account) == []
    else:
        pytest.fail("It never ends.")


def test_what_was_begun_is_ended_whatever_the_clock_says(house: House) -> None:
    """An account of which something is erased can't be opened by a machine whose clock is behind."""
    account = house.closed()
    stopping: Any = Stopping(house.store, 1)
    stores = Stores(stopping, stopping, stopping, stopping, stopping)
    with pytest.raises(StoreError):
        erase_account(Gate(stopping, clock=house.clock, stores=stores), stores, [], account, at=house.clock())
    with pytest.raises(AdmitError):
        house.gate.admit(account.id, "password")
    assert house.purge() == 1


def test_two_purges_at_once(house: House) -> None:
    """Several who purge at the same time do each other no harm, and each account is gone."""
    accounts = [house.closed(f"user{number}@example.org") for number in range(12)]
    house.clock.advance(GRACE * 2)
    together, trouble = Barrier(3), []

    def purge() -> None:
        gate = house.another_gate(Events())
        together.wait()
        try:
            assert sum(erase_closed(gate, house.stores, [], now=house.clock(), batch=5)) <= len(accounts)
        except Exception as error:  # noqa: BLE001 -- told by the test
            trouble.append(error)

    threads = [Thread(target=purge) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert [house.left_of(account) for account in accounts] == [[]] * len(accounts)
    assert house.store.count_accounts() == 0


def test_a_login_that_races(house: House) -> None:
    """A login that meets an erasure either keeps the account, whole, or leaves no session behind."""
    for number in range(30):
        account, together = house.closed(f"user{number}@example.org"), Barrier(3)

        def log_in(account: Account = account, together: Barrier = together) -> None:
            together.wait()
            with suppress(AdmitError):
                house.gate.admit(account.id, "password", of_account=True)

        def erase(account: Account = account, together: Barrier = together) -> None:
            together.wait()
            house.erase(account)

        threads = [Thread(target=log_in), Thread(target=log_in), Thread(target=erase)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if house.store.get_account(account.id) is None:
            assert house.left_of(account) == []
        else:
            assert house.store.get_account(account.id).is_open
            assert house.store.get_credential("password", account.id)


@pytest.mark.parametrize("steps", range(9))
def test_a_login_between_any_two_steps(house: House, steps: int) -> None:
    """Whichever steps of an erasure come before a login and while it begins, no session of it survives."""
    account = house.closed()
    stopping: Any = Stopping(house.store, steps)
    stores = Stores(stopping, stopping, stopping, stopping, stopping)
    gate = Gate(stopping, clock=house.clock, stores=stores)
    with pytest.raises(StoreError):
        erase_account(gate, stores, [], account, at=house.clock())
    began = house.store.add_session

    def goes_on(session: Any) -> None:
        began(session)
        stopping.left = 1000
        erase_account(gate, stores, [], account, at=house.clock())

    house.store.add_session = goes_on
    with pytest.raises(AdmitError):
        house.gate.admit(account.id, "password", of_account=True)
    house.store.add_session = began
    with pytest.raises(AdmitError):
        house.gate.admit(account.id, "password", of_account=True)
    assert house.left_of(account) == []


class Refusing(MemoryStore):
    """A database of an application that does not let go of some users."""

    refused: str

    def delete_account(self, account_id: str) -> bool:
        """Refuse one."""
        if account_id == self.refused:
            message = "Another table refers to it. Give the reference an ON DELETE."
            raise ConfigurationError(message)
        return super().delete_account(account_id)


def test_one_that_is_refused_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """If the application's database refuses to delete one user, all others are erased, and it is told at the end."""
    store = Refusing()
    house = House(store)
    first, refused, last = (house.closed(f"user{number}@example.org") for number in range(3))
    store.refused = refused.id
    house.clock.advance(GRACE * 2)
    with pytest.raises(ConfigurationError, match="Another table"):
        house.purge(batch=1)
    assert [house.left_of(one) for one in (first, last)] == [[], []]
    left = store.get_account(refused.id)
    assert left
    assert not left.is_open
    assert store.list_sessions(refused.id) == store.list_credentials(refused.id) == []
    assert refused.id in caplog.text


def test_stores_that_keep_less(house: House) -> None:
    """Where no credentials and no counters are kept there is none to forget."""
    account = house.closed()
    house.stores = Stores(house.store, accounts=house.store, challenges=house.store)
    assert house.erase(account)
    assert house.store.get_account(account.id) is None


def test_u04_a_former_user_of_a_store_of_sessions_alone() -> None:
    """Their sessions end, some or all; nothing else is asked for where there is nothing else."""
    store = MemoryStore()
    gate = Gate(store)
    admitted: list[Any] = [gate.admit("ada", "login") for _ in range(3)]
    sessions = [one.session for one in admitted]
    end_former_user(gate, Stores(store), "ada", session_ids=[sessions[0].id])
    assert {one.id for one in gate.sessions_of("ada")} == {one.id for one in sessions[1:]}
    ending = gate.why(sessions[0].id)
    assert ending
    assert ending.by == "deletion"
    end_former_user(gate, Stores(store), "ada")
    assert gate.sessions_of("ada") == []
