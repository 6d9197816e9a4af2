"""What the application writes to its own row while Admit writes to it: neither takes back what the other has done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Boolean, DateTime, String, create_engine
from sqlalchemy.orm import mapped_column

from admit.errors import IdentifierTaken
from admit.model import Identifier, IdentifierKind
from admit.stores.sql_model import ModelAccounts
from admit.stores.sql_model_values import EPOCH
from admit.testing.racing import Threads
from admit.testing.samples import NOW, an_account
from tests.stores.conftest import HASH, Place, one_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from admit.model import Account
    from tests.services.postgres import PostgresServer

ROUNDS = 6


@pytest.fixture(params=["sqlite", "postgres"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Return what makes a place in a file, or in a schema of PostgreSQL."""
    with ExitStack() as closing:

        def make(**more: Any) -> Place:
            if request.param == "postgres":
                server: PostgresServer = request.getfixturevalue("postgres_server")
                options = {"options": f"-csearch_path={request.getfixturevalue('postgres_schema')}"}
                engine = create_engine(server.url, connect_args=options)
            else:
                engine = create_engine(f"sqlite:///{tmp_path}/app.db", connect_args={"timeout": 60})
            closing.callback(engine.dispose)
            place = Place(tmp_path, engine=engine, **more)
            closing.callback(place.closing.close)
            place.store().upgrade()
            return place

        yield make


def test_two_threads_open_one_store_beside_the_table(tmp_path: Path) -> None:
    """Two threads that open the store at the same moment get the same one: nobody would close the other."""
    place, both = Place(tmp_path), Barrier(2, timeout=0.5)

    def factory() -> Any:
        with suppress(BrokenBarrierError):
            both.wait()  # until the other thread is here too, unless it has to wait
        return place.sessions()

    place.base.metadata.create_all(place.engine)
    store = ModelAccounts(factory, place.user, identifiers={"login": "username"})
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: store.open(), range(2))
    assert first is second
    store.close()
    place.closing.close()


def columns() -> dict[str, Any]:
    """Return the columns of a table that knows everything."""
    return {
        "is_active": mapped_column(Boolean, default=True),
        "confirmed": mapped_column(DateTime),
        "country": mapped_column(String(2)),
    }


def ada(place: Place) -> tuple[ModelAccounts, Account]:
    """Return the accounts, and the only one."""
    store = place.store(verified="confirmed")
    account = store.get_account(place.add(login="ada", address="ada@example.org", secret=HASH))
    assert account
    return store, account


def with_address(account: Account, address: str) -> Account:
    """Return an account with another address, confirmed."""
    new = Identifier(IdentifierKind.EMAIL, address, address, NOW)
    return replace(account, identifiers=(account.identifiers[0], new))


CHANGES: dict[str, Callable[[Account], Account]] = {
    "another address": lambda account: with_address(account, "new@example.org"),
    "another name": lambda account: replace(
        account, identifiers=(*an_account("lovelace").identifiers, *account.identifiers[1:])
    ),
    "a confirmation": lambda account: with_address(account, "ada@example.org"),
    "a lock": lambda account: replace(account, locked_at=NOW),
}
OF_THE_APPLICATION: dict[str, Any] = {
    "is_active": False,
    "login": "other",
    "address": "other@example.org",
    "confirmed": NOW.replace(tzinfo=None),
}


BEFORE: dict[str, Any] = {"is_active": True, "login": "ada", "address": "ada@example.org", "confirmed": None}


def set_column(place: Place, column: str, value: Any) -> None:
    """Change a column as the application does."""
    place.set(**{"LOGIN" if column == "login" else column: value})


def row_of(place: Place, store: ModelAccounts, account: Account) -> dict[str, Any]:
    """Return what the row holds."""
    return {one: getattr(place.row(account.id, store), one) for one in BEFORE}


def test_what_the_application_has_changed_is_not_taken_back(anywhere: Callable[..., Place]) -> None:
    """A change made on a row that is another one by now is refused, whatever was changed, and nothing is written."""
    place = anywhere(**columns())
    store, account = ada(place)
    for change in CHANGES.values():
        for column, value in OF_THE_APPLICATION.items():
            set_column(place, column, value)
            assert not store.replace_account(account, change(account)), column
            assert row_of(place, store, account) == BEFORE | {column: value}
            set_column(place, column, BEFORE[column])
    assert store.replace_account(account, with_address(account, "new@example.org"))


def test_nor_at_the_very_moment(anywhere: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    """The row itself refuses what was read before the application changed it, and what is noted is as it was."""
    place = anywhere(**columns())
    store, account = ada(place)
    note = store._replace_note
    for change in CHANGES.values():
        for column, value in OF_THE_APPLICATION.items():

            def beaten(*given: Any, column: str = column, value: Any = value) -> bool:
                set_column(place, column, value)
                return note(*given)

            monkeypatch.setattr(store, "_replace_note", beaten)
            assert not store.replace_account(account, change(account)), column
            assert row_of(place, store, account) == BEFORE | {column: value}
            found = store.get_account(account.id)
            assert found
            assert found.locked_at == (EPOCH if column == "is_active" else None)
            set_column(place, column, BEFORE[column])
            again = store.get_account(account.id)
            assert again
            account = again


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_has_changed_is_written(anywhere: Callable[..., Place], change: str) -> None:
    """A change writes its own columns and no other, so that the database hears of no other."""
    place = anywhere(**columns())
    store, account = ada(place)
    written: list[set[str]] = []
    update = store._table._update
    store._table._update = lambda account_id, values, *conditions: (  # type: ignore[method-assign]
        written.append(set(values)) or update(account_id, values, *conditions)
    )
    assert store.replace_account(account, CHANGES[change](account))
    expected = {
        "another address": {"address", "confirmed"},
        "another name": {"login"},
        "a confirmation": {"confirmed"},
        "a lock": {"is_active"},
    }
    assert written == [expected[change]]


def test_a_change_of_what_has_no_column_writes_no_column(anywhere: Callable[..., Place]) -> None:
    """Roles and a closing are noted beside the table, whatever the application does there meanwhile."""
    place = anywhere(**columns())
    store, account = ada(place)
    place.set(country="GB")
    assert store.replace_account(account, replace(account, roles=frozenset({"x"}), closed_at=NOW))
    assert place.row(account.id, store).is_active is True


def test_whom_the_application_has_switched_off_it_may_switch_on(anywhere: Callable[..., Place]) -> None:
    """Another change of somebody who is switched off notes no lock of ours, which the application could not lift."""
    place = anywhere(**columns())
    store, account = ada(place)
    place.set(is_active=False)
    off = store.get_account(account.id)
    assert off
    assert off.locked_at == EPOCH
    assert store.replace_account(off, replace(off, roles=frozenset({"x"})))
    place.set(is_active=True)
    on = store.get_account(account.id)
    assert on
    assert on.is_open


def test_whose_user_name_is_their_address_stays_confirmed(anywhere: Callable[..., Place]) -> None:
    """Where a user is called by the address in both columns, noting something of them leaves it confirmed."""
    place = anywhere()
    store = place.store(verified=True, identifiers={"address": "email", "login": "username"})
    account = store.get_account(place.add(login="ada@example.org", address="ada@example.org"))
    assert account
    assert store.replace_account(account, replace(account, roles=frozenset({"x"})))
    noted = store.find_account("ada@example.org")
    assert noted
    assert noted.is_verified


def test_nobody_takes_anothers_address_by_their_own_user_name(anywhere: Callable[..., Place]) -> None:
    """Whose user name is another one's address does not get that address by asking for it."""
    place = anywhere()
    store = place.store()
    place.add(login="ada", address="Ada@example.org")
    eve = store.get_account(place.add(login="ada@example.org", address="eve@example.org"))
    assert eve
    with pytest.raises(IdentifierTaken):
        store.replace_account(eve, with_address(eve, "ada@example.org"))
    row = place.row(eve.id, store)
    assert row.address == "eve@example.org"


def switch_off(_store: ModelAccounts, place: Place) -> None:
    """Switch the user off as the application's own code does."""
    place.set(is_active=False)


def move(store: ModelAccounts, account_id: str, address: str) -> bool:
    """Change the address of whatever account there is, as a feature does that has read it a moment ago."""
    account = store.get_account(account_id)
    assert account
    return store.replace_account(account, with_address(account, address))


def test_whom_the_application_switches_off_stays_off(anywhere: Callable[..., Place]) -> None:
    """However many changes are under way at that moment, nobody is switched on again by one of them."""
    place = anywhere(is_active=mapped_column(Boolean, default=True))
    store, threads = place.store(), Threads()
    account_id = place.add(login="ada", address="ada@example.org", secret=HASH)
    for number in range(ROUNDS):
        place.set(is_active=True)
        moves = [partial(move, account_id=account_id, address=f"ada{number}.{turn}@example.org") for turn in range(7)]
        [results] = threads.race(lambda: store, store, [[partial(switch_off, place=place), *moves]])
        assert place.row(account_id, store).is_active is False
        assert results.count(True) <= 7
    account = store.get_account(account_id)
    assert account
    assert account.locked_at == EPOCH


def test_a_rehash_leaves_the_row_alone(anywhere: Callable[..., Place]) -> None:
    """Moving an adopted password writes no column, and one that the application changes meanwhile counts."""
    place = anywhere(**columns())
    store, account = ada(place)
    old = one_password(store, account.id)
    place.set(pw="scrypt:1024:8:1$other$" + "1" * 128, is_active=False)
    assert not store.replace_credential(old, replace(old, secret="$argon2id$", details={}))
    row = place.row(account.id, store)
    assert (row.secret[:21], row.is_active) == ("scrypt:1024:8:1$other", False)
    assert one_password(store, account.id).is_adopted
