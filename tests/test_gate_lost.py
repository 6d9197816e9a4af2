"""Sessions whose token got lost on the way to the client: none of them stays, and no old token brings one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit import tokens
from admit.errors import StoreError
from admit.events import Events
from admit.gate import Gate
from admit.model import Account, Admitted, EndReason
from admit.settings import SessionSettings
from admit.stores import open_stores
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore
from admit.stores.redis import RedisStore
from admit.stores.sql import SqlStore
from admit.testing import Clock
from tests.steps import Steps, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from admit.model import Session
    from admit.store import SessionStore

MINUTE, TICK = timedelta(minutes=1), timedelta(microseconds=1)


class House:
    """A gate over a store, and its time."""

    def __init__(self, store: SessionStore, accounts: MemoryStore | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.store = store
        self.subject = tokens.new_id()
        stores = open_stores((accounts, store)) if accounts is not None else None
        self.gate = Gate(store, SessionSettings(**settings), clock=self.clock, events=Events(), stores=stores)

    def begin(self, **options: Any) -> Admitted:
        """Begin a session."""
        admitted = self.gate.admit(self.subject, "password", **options)
        assert isinstance(admitted, Admitted)
        return admitted

    def living(self) -> list[str]:
        """Return the ids of the living sessions, as the page of devices shows them."""
        return [one.id for one in self.gate.sessions_of(self.subject)]

    def session(self, token: str) -> Session | None:
        """Return the session that a token opens."""
        return self.gate.resume(token).session


@pytest.fixture(params=["memory", "near", "sqlite", "postgresql", "redis"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Return a house over each store."""
    store: Any
    match request.param:
        case "memory":
            store = MemoryStore()
        case "near":
            store = NearStore(MemoryStore())
        case "sqlite":
            store = SqlStore(f"sqlite:///{tmp_path}/sessions.db")
        case "postgresql":
            store = SqlStore(request.getfixturevalue("postgres_server").url)
        case _:
            store = RedisStore(request.getfixturevalue("redis_url"))
    getattr(store, "create", lambda: None)()
    yield House(store)
    store.close()


def login_while_logged_in(house: House, session: Session) -> Admitted:
    """Log in with a session at hand."""
    return house.begin(replacing=session)


def reauthentication(house: House, session: Session) -> Admitted:
    """Prove once more who one is."""
    admitted = house.gate.reauthenticate(session, "password")
    assert admitted is not None
    return admitted


@pytest.mark.parametrize("replace", [login_while_logged_in, reauthentication])
def test_a_lost_replacement(house: House, replace: Callable[[House, Session], Admitted]) -> None:
    """Its token opens it for a minute, and the old one never; then it has ended, and is no device any more."""
    old = house.begin()
    lost = replace(house, old.session)
    house.clock.advance(MINUTE - TICK)
    assert house.living() == [lost.session.id]
    assert house.session(old.token) is None
    house.clock.advance(TICK)
    assert house.living() == []
    ending = house.gate.why(lost.session.id)
    assert ending is not None
    assert (ending.reason, ending.at) == (EndReason.IDLE, lost.session.created_at + MINUTE)
    assert house.session(lost.token) is None
    assert house.session(old.token) is None
    assert house.gate.why(lost.session.id) == ending
    assert house.store.count_sessions(house.subject) == 0


@pytest.mark.parametrize("replace", [login_while_logged_in, reauthentication])
def test_a_replacement_that_arrives(house: House, replace: Callable[[House, Session], Admitted]) -> None:
    """Used once within its minute, it lives as long as any other."""
    new = replace(house, house.begin().session)
    house.clock.advance(MINUTE - TICK)
    assert house.session(new.token) is not None
    house.clock.advance(timedelta(minutes=20))
    house.gate.purge()
    assert house.living() == [new.session.id]
    rotated = house.gate.resume(new.token)
    assert rotated.session is not None


def test_a_login_without_a_session_before(house: House) -> None:
    """Its token may be used whenever: a browser may stay where the login led, and a program use it tomorrow."""
    admitted = house.begin(remember=True)
    house.clock.advance(timedelta(days=1))
    assert house.session(admitted.token) is not None


def test_a_login_with_a_session_that_has_ended(house: House) -> None:
    """Whoever repeats a login whose response was lost has one session, and the lost one ends by itself."""
    old = house.begin()
    house.begin(replacing=old.session)
    again = house.begin(replacing=old.session)
    house.clock.advance(MINUTE)
    assert house.living() == [again.session.id]
    assert house.session(again.token) is not None


def test_a_rotation_that_is_not_confirmed(house: House) -> None:
    """A session whose successor was lost is not bound to the minute: its predecessor brings it."""
    begun = house.begin()
    house.clock.advance(timedelta(minutes=61))
    rotated = house.gate.resume(begun.token)
    assert rotated.token is not None
    house.clock.advance(MINUTE)
    assert house.living() == [begun.session.id]
    assert house.gate.resume(begun.token).token == rotated.token


def test_a_session_that_waits() -> None:
    """One that is begun before its client is answered ends after a minute, unless it is kept, or used."""
    house = House(MemoryStore())
    left, kept, used = (house.begin(waits=True) for _ in range(3))
    assert house.gate.keep(kept).confirmed_at == house.clock()
    assert house.session(used.token) is not None
    assert house.gate.keep(used) == used.session
    house.clock.advance(MINUTE)
    assert set(house.living()) == {kept.session.id, used.session.id}
    assert house.session(left.token) is None


def test_a_replacement_does_not_wait_to_be_kept() -> None:
    """What took the place of another is bound to its first use, whatever else is done before the answer."""
    house = House(MemoryStore())
    new = house.begin(replacing=house.begin().session, waits=True)
    assert house.gate.keep(new) == new.session
    house.clock.advance(MINUTE)
    assert house.living() == []


def test_a_store_that_fails_at_any_step_of_a_login() -> None:
    """Whatever fails in the middle of a login, and goes on failing, nobody's session is left after a minute."""
    for lasting, replaces in ((False, False), (True, False), (False, True), (True, True)):
        for at in range(1, 30):
            steps, accounts = Steps(), MemoryStore()
            house = House(steps.watched(MemoryStore()), steps.watched(accounts), max_per_user=1)
            accounts.add_account(Account(house.subject, (), house.clock()))
            old = house.begin()
            with steps.acting(fail, at, lasting=lasting):
                try:
                    got = house.begin(replacing=old.session if replaces else None)
                except StoreError:
                    got = None
            house.clock.advance(MINUTE)
            left = set(house.living()) - {old.session.id}
            assert left <= (set() if got is None else {got.session.id})
            if steps.count < at:
                break
        else:
            pytest.fail("There are more steps than are tried.")


def test_a_store_that_fails_while_somebody_is_let_in() -> None:
    """Where the account can't be read once more, the session that has just begun is gone at once."""
    steps, accounts = Steps(), MemoryStore()
    house = House(MemoryStore(), steps.watched(accounts))
    accounts.add_account(Account(house.subject, (), house.clock()))
    with steps.acting(fail, 2), pytest.raises(StoreError):
        house.begin()
    assert house.living() == []


def test_a_store_that_fails_at_any_step_of_a_proof() -> None:
    """The same for who proves once more who they are; the session before stays if the new one has not begun."""
    for lasting in (False, True):
        for at in range(1, 30):
            steps, accounts = Steps(), MemoryStore()
            house = House(steps.watched(MemoryStore()), steps.watched(accounts))
            accounts.add_account(Account(house.subject, (), house.clock()))
            old = house.begin()
            with steps.acting(fail, at, lasting=lasting):
                try:
                    got = house.gate.reauthenticate(old.session, "password")
                except StoreError:
                    got = None
            if steps.count < at:
                break
            assert got is None
            house.clock.advance(MINUTE)
            assert set(house.living()) <= {old.session.id}
        else:
            pytest.fail("There are more steps than are tried.")
