"""The chain of events: whatever somebody with a database shell does to it is found, and where."""
# ruff: noqa: S608 -- the statements are our own words and numbers

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.chain import BEGINNING, Ends, Flaw, sealed, verify, without_personal
from admit.model import Client, Outcome
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.stores.sql_tables import tables
from admit.testing import an_event
from admit.testing.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


# -- what no hash covers must not be shown ----------------------------------------------------------------------------

#: For each column what somebody may write in its place.
FORGED: dict[str, list[str]] = {
    "number": ["number + 100", "-number"],
    "at": ["at + 1", "0", "-1"],
    "name": ["'x'", "''", "name || ' '"],
    "outcome": ["'failure'", "''"],
    "method": ["'x'", "''", "NULL"],
    "reason": ["'x'", "''", "NULL"],
    "subject": ["'eve'", "''", "NULL"],
    "session": ["'x'", "''", "NULL"],
    "personal": [
        "'[\"eve\",null,null,{}]'",
        "'[null,null,null,{}]'",
        "'[null,null,null,{},1]'",
        "' ' || coalesce(personal, '[null,null,null,{}]')",
        "''",
        "NULL",
    ],
    "salt": ["{empty}", "{zeros}"],
    "personal_hash": ["{empty}", "{zeros}"],
    "previous": ["{empty}", "{zeros}"],
    "hash": ["{empty}", "{zeros}"],
}
#: The same of what is kept beside the links.
FORGED_ENDS = {
    "id": ["2"],
    "base_number": ["base_number + 1", "base_number - 1"],
    "base_hash": ["{empty}", "{zeros} || {zeros}"],
    "head_number": ["head_number + 1", "head_number - 1"],
    "head_hash": ["{empty}", "{zeros}"],
}


class Kept:
    """A store of events whose rows somebody edits past it: one is erased, one is not, and the third is bare."""

    def __init__(self, store: SqlStore, run: Callable[[str], object], words: dict[str, str]) -> None:
        self.store, self._run, self._words = store, run, words
        for record in (
            an_event(subject="ada", method="password", reason="wrong password", details={"a": "b"}),
            an_event(subject="bob", method="password", reason="wrong password", details={"a": "b"}),
            an_event(subject="", actor=None, session=None, client=Client(), method=None, reason=None),
        ):
            store.add_event(record)
        store.erase_events("ada")
        self.rows = self.read("events"), self.read("event_ends")

    def read(self, table: str) -> list[tuple[object, ...]]:
        """Return all rows of a table."""
        found: Any = self._run(f"SELECT * FROM {self._words['place']}{table} ORDER BY 1")
        return [tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in found]

    def do(self, statement: str) -> bool:
        """Do something by hand; tell whether it changed anything."""
        before = self.read("events"), self.read("event_ends")
        for name, word in self._words.items():
            statement = statement.replace(f"{{{name}}}", word)
        self._run(statement)
        return (self.read("events"), self.read("event_ends")) != before

    def restored(self) -> None:
        """Put the rows back as they were."""
        for table, rows in zip(("events", "event_ends"), self.rows, strict=True):
            self._run(f"DELETE FROM {self._words['place']}{table}")
            for row in rows:
                values = ", ".join(map(self._literal, row))
                self._run(f"INSERT INTO {self._words['place']}{table} VALUES ({values})")
        assert verify(self.store).holds

    def _literal(self, value: object) -> str:
        if isinstance(value, bytes):
            return self._words["bytes"].format(value.hex())
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return "NULL" if value is None else str(value)


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Return three records in a database that somebody else can write to."""
    if request.param == "sqlite":
        connection = sqlite3.connect(tmp_path / "app.db", isolation_level=None, timeout=30)
        words = {"place": "admit_", "empty": "x''", "zeros": "zeroblob(32)", "bytes": "x'{}'"}
        store = SqlStore(f"sqlite:///{tmp_path}/app.db")
        yield Kept(store, lambda statement: connection.execute(statement).fetchall(), words)
        connection.close()
    else:
        server, schema = (request.getfixturevalue(f"postgres_{name}") for name in ("server", "schema"))
        words = {
            "place": f"{schema}.admit_",
            "empty": "''::bytea",
            "zeros": f"'\\x{'0' * 64}'::bytea",
            "bytes": "'\\x{}'",
        }
        store = SqlStore(server.url, schema=schema, connect_timeout=30, command_timeout=30)
        store.create()
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as hand:

            def run(statement: str) -> list[Any]:
                cursor = hand.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []

            yield Kept(store, run, words)
    store.close()


def test_no_column_of_any_row_can_be_edited(kept: Kept) -> None:
    """Whatever somebody writes into one column of one row, erased or not, of the links or beside them, is found."""
    for table, forged in (("events", FORGED), ("event_ends", FORGED_ENDS)):
        described = tables(None, "").tables[table]
        assert set(forged) == {column.name for column in described.columns}
    for table, forged in (("events", FORGED), ("event_ends", FORGED_ENDS)):
        for number in range(1, 4) if table == "events" else [1]:
            for column, values in forged.items():
                for value in values:
                    key = "number" if table == "events" else "id"
                    changed = f"UPDATE {{place}}{table} SET {column} = {value} WHERE {key} = {number}"
                    if kept.do(changed):
                        assert not verify(kept.store).holds, changed
                        kept.restored()


def test_no_half_of_an_erasure_holds(kept: Kept) -> None:
    """Of all ways in which the personal half of a record is there or gone, two hold: all of it, and nothing of it."""
    gone = {"subject": "NULL", "session": "NULL", "personal": "NULL", "salt": "{empty}"}
    for chosen in itertools.product((False, True), repeat=len(gone)):
        changes = ", ".join(f"{name} = {gone[name]}" for name, is_gone in zip(gone, chosen, strict=True) if is_gone)
        if changes:
            kept.do(f"UPDATE {{place}}events SET {changes} WHERE number = 2")
        assert verify(kept.store).holds == (len(set(chosen)) == 1), changes
        kept.restored()


def test_no_personal_half_fits_another_record(kept: Kept) -> None:
    """What is personal in one record, with its salt and its hash, does not fit another one, erased or not."""
    half = ("subject", "session", "personal", "salt", "personal_hash")
    for source, target in itertools.permutations((1, 2, 3), 2):
        for count in range(1, len(half) + 1):
            for names in itertools.combinations(half, count):
                changes = ", ".join(
                    f"{name} = (SELECT {name} FROM {{place}}events WHERE number = {source})" for name in names
                )
                if kept.do(f"UPDATE {{place}}events SET {changes} WHERE number = {target}"):
                    row, before = kept.read("events")[target - 1], kept.rows[0][target - 1]
                    # Nothing personal is left, and nothing else was touched.
                    is_erasure = row[6:10] == (None, None, None, b"") and row[10] == before[10]
                    assert verify(kept.store).holds == is_erasure, (source, target, names)
                    kept.restored()


def test_what_comes_after_an_erasure_is_told_apart(kept: Kept) -> None:
    """A record about somebody who was erased before is whole, and the erased ones stay as they are."""
    kept.store.add_event(an_event(subject="ada"))
    verdict = verify(kept.store)
    assert (verdict.holds, verdict.erased, verdict.checked) == (True, 1, 4)
    kept.do("UPDATE {place}events SET subject = 'ada' WHERE number = 1")
    assert verify(kept.store).flaw is Flaw.EDITED


def test_ends_of_a_chain_whose_links_were_all_purged(kept: Kept) -> None:
    """Where no link is left that could tell, the two ends still have to be one."""
    kept.store.purge_events(before=NOW + timedelta(days=1))
    assert verify(kept.store).holds
    rows = kept.rows = kept.read("events"), kept.read("event_ends")
    for column, values in FORGED_ENDS.items():
        for value in values:
            if column != "id" and kept.do(f"UPDATE {{place}}event_ends SET {column} = {value}"):
                assert not verify(kept.store).holds, (column, value)
                kept.restored()
    assert rows == (kept.read("events"), kept.read("event_ends"))


@pytest.mark.parametrize("length", [1, 15, 17, 64])
def test_a_salt_has_one_length(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A salt that is longer or shorter vouches for nothing: part of it might be read as what is personal."""
    with monkeypatch.context() as patched:
        patched.setattr("admit.chain.secrets.token_bytes", lambda _: b"s" * length)
        link = sealed(an_event(subject="ada"), 1, BEGINNING)
    assert not link.is_whole
    assert sealed(an_event(subject="ada"), 1, BEGINNING).is_whole


def test_an_erased_link_holds_nothing_personal() -> None:
    """In memory, too, each personal field of an erased link is looked at, and a salt has one length."""
    link = sealed(an_event(details={"a": "b"}), 1, BEGINNING)
    erased = replace(link, record=without_personal(link.record), salt=b"")
    assert erased.is_whole
    for name in ("subject", "actor", "session", "client", "details"):
        personal = {name: getattr(link.record, name)}
        assert not replace(erased, record=replace(erased.record, **personal)).is_whole
    assert not replace(link, salt=b"").is_whole
    text = link.salt + b"["
    assert not replace(link, salt=text).is_whole
