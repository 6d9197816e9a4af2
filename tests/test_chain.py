"""The chain of events: whatever somebody with a database shell does to it is found, and where."""
# ruff: noqa: S608 -- the statements are our own words and numbers

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.chain import BEGINNING, Ends, Flaw, sealed, verify
from admit.model import Client, Outcome
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.testing import an_event
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.model import EventRecord

COLUMNS = "at, name, outcome, method, reason, subject, session, personal, salt, personal_hash, previous, hash"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Return a store in a file, with ten records."""
    store = SqlStore(f"sqlite:///{tmp_path}/app.db")
    for number in range(10):
        store.add_event(an_event(subject="ada" if number % 2 else "bob", at=NOW + timedelta(minutes=number)))
    yield store
    store.close()


def tamper(tmp_path: Path, *statements: str) -> None:
    """Do something to the file by hand, past the store."""
    connection = sqlite3.connect(tmp_path / "app.db")
    for statement in statements:
        connection.execute(statement.replace("events", "admit_events").replace("ends", "admit_event_ends"))
    connection.commit()
    connection.close()


def swap(one: int, other: int) -> list[str]:
    """Return what gives two rows each other's number."""
    moves = ((one, 100), (other, one), (100, other))
    return [f"UPDATE events SET number = {new} WHERE number = {old}" for old, new in moves]


def test_a_chain_that_nobody_touched_holds(store: SqlStore) -> None:
    """All is counted, the head is told, and whoever watches hears how far it is."""
    told: list[int] = []
    verdict = verify(store, tell=told.append, batch=4)
    assert verdict.holds
    assert (verdict.checked, verdict.erased, verdict.ends) == (10, 0, store.get_ends())
    assert told == [4, 4, 2]


@pytest.mark.parametrize(
    ("statements", "flaw", "number"),
    [
        (["UPDATE events SET reason = 'x' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET at = at + 1 WHERE number = 1"], Flaw.EDITED, 1),
        (["UPDATE events SET outcome = 'failure' WHERE number = 10"], Flaw.EDITED, 10),
        (["UPDATE events SET subject = 'bob' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET session = NULL WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET personal = replace(personal, '192', '193') WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET salt = x'00' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET previous = x'00' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET hash = zeroblob(32) WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET name = 'x', salt = x'', personal = NULL WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET outcome = 'strange' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET personal = '{' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET personal = '[]' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET salt = 'text' WHERE number = 4"], Flaw.EDITED, 4),
        (["UPDATE events SET at = 9e18 WHERE number = 4"], Flaw.EDITED, 4),
        (["DELETE FROM events WHERE number = 1"], Flaw.REMOVED, 1),
        (["DELETE FROM events WHERE number IN (4, 5)"], Flaw.REMOVED, 4),
        (["DELETE FROM events WHERE number = 10"], Flaw.REMOVED, 10),
        (["DELETE FROM events WHERE number > 7"], Flaw.REMOVED, 8),
        (["DELETE FROM events"], Flaw.REMOVED, 1),
        (
            [
                "DELETE FROM events WHERE number = 4",
                *(f"UPDATE events SET number = {number} - 1 WHERE number = {number}" for number in range(5, 11)),
            ],
            Flaw.REMOVED,
            4,
        ),
        (swap(4, 5), Flaw.REORDERED, 4),
        (swap(1, 10), Flaw.REORDERED, 1),
        (
            [f"INSERT INTO events (number, {COLUMNS}) SELECT 11, {COLUMNS} FROM events WHERE number = 3"],
            Flaw.ADDED,
            11,
        ),
        ([f"INSERT INTO events (number, {COLUMNS}) SELECT 0, {COLUMNS} FROM events WHERE number = 3"], Flaw.ADDED, 0),
        (["DELETE FROM ends"], Flaw.ADDED, 1),
        (["UPDATE ends SET head_number = 11"], Flaw.REMOVED, 11),
        (["UPDATE ends SET head_number = 9"], Flaw.ADDED, 10),
        (["UPDATE ends SET head_hash = zeroblob(32)"], Flaw.EDITED, 10),
        (["UPDATE ends SET base_number = 1"], Flaw.ADDED, 1),
    ],
)
def test_what_was_done_by_hand_is_found(
    store: SqlStore, tmp_path: Path, statements: list[str], flaw: Flaw, number: int
) -> None:
    """Each kind of change to the rows or to what is noted beside them is told by its kind and place."""
    tamper(tmp_path, *statements)
    verdict = verify(store, batch=3)
    assert (verdict.flaw, verdict.number) == (flaw, number)
    assert not verdict.holds


def test_a_link_that_was_made_anew_is_found(store: SqlStore) -> None:
    """Who computes the hashes of an edited record as we do is found by the next link, or by the head at the end."""
    for number in (4, 10):
        link = store.read_chain(after=number - 1, limit=1)[0]
        memory = copied(store)
        memory._links[number] = sealed(replace(link.record, subject="eve"), number, link.previous)
        verdict = verify(memory)
        assert (verdict.flaw, verdict.number) == (Flaw.EDITED, number)


def copied(store: SqlStore) -> MemoryStore:
    """Return the same chain in memory."""
    memory = MemoryStore()
    memory._links = {link.number: link for link in store.read_chain(after=0)}
    memory._ends = store.get_ends()
    return memory


def test_a_chain_that_was_made_anew_is_found_by_a_head_kept_elsewhere(store: SqlStore) -> None:
    """A whole chain that somebody wrote anew holds, and yet lacks the head that was noted before."""
    store.purge_events(before=NOW + timedelta(minutes=2))
    known = [store.get_ends().head_hash, store.get_ends().base_hash, store.read_chain(after=3)[0].hash]
    store.add_event(an_event())
    assert verify(store, heads=known).holds
    forged = MemoryStore()
    for link in store.read_chain(after=0):
        forged.add_event(replace(link.record, reason="forged"))
    assert verify(forged).holds
    verdict = verify(forged, heads=known)
    assert not verdict.holds
    assert verdict.missing == frozenset(known)
    assert verdict.flaw is None


def test_recording_goes_on_where_the_ends_were_removed(store: SqlStore, tmp_path: Path) -> None:
    """Who removes the row of the ends keeps nobody from logging in: the next record follows the last one."""
    tamper(tmp_path, "DELETE FROM ends")
    store.add_event(an_event())
    assert verify(store).holds
    assert store.get_ends().head_number == 11


class Moving(MemoryStore):
    """Does something whenever links are read."""

    moves = 0

    def read_chain(self, *, after: int, limit: int = 1000) -> list:
        """Append and purge, then read."""
        if after > 0:
            self.moves += 1
            self.add_event(an_event())
            self.purge_events(before=NOW + timedelta(1), batch=4 * (self.moves == 1))
        return super().read_chain(after=after, limit=limit)


def test_a_chain_in_use_is_verified() -> None:
    """What others append and purge on the way is no flaw."""
    store = Moving()
    for _ in range(8):
        store.add_event(an_event())
    verdict = verify(store, batch=1)
    assert verdict.holds
    assert store.get_ends().base_number == 4


TEXTS = st.text(max_size=20)


@given(
    record=st.builds(
        an_event,
        at=st.integers(0, 10**15).map(lambda count: NOW + timedelta(microseconds=count % 10**12)),
        outcome=st.sampled_from(Outcome),
        **dict.fromkeys(["name", "subject"], TEXTS),
        **dict.fromkeys(["method", "reason", "actor", "session"], st.none() | TEXTS),
        client=st.builds(Client, st.none() | TEXTS, st.none() | TEXTS),
        details=st.dictionaries(TEXTS, TEXTS, max_size=3),
    ),
    other=TEXTS,
)
def test_no_two_records_have_one_hash(record: EventRecord, other: str) -> None:
    """A link is whole for its record, and not for one that differs in any field."""
    link = sealed(record, 1, BEGINNING)
    assert link.is_whole
    for name in ("name", "method", "reason", "subject", "actor", "session"):
        if getattr(record, name) != other:
            assert not replace(link, record=replace(record, **{name: other})).is_whole
    for changed in (
        replace(record, at=record.at + timedelta(microseconds=1)),
        replace(record, outcome=next(one for one in Outcome if one is not record.outcome)),
        replace(record, client=Client(record.client.address, f"{record.client.user_agent}x")),
        replace(record, details={**record.details, f"{max(record.details, default='')}x": ""}),
    ):
        assert not replace(link, record=changed).is_whole
    assert repr(link.salt) not in repr(link)


def test_an_empty_chain_holds() -> None:
    """Where nothing was recorded, nothing is missing."""
    assert verify(MemoryStore()).ends == Ends()
