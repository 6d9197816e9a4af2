"""`admit events`, as an operator types it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import Result

from admit import features, tokens
from admit.errors import StoreError
from admit.model import Client
from admit.stores.sql import SqlStore
from admit.testing import an_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Admit = Callable[..., Result]
NOW = datetime.now(UTC)
SWAPPED = "".join(
    f"UPDATE admit_events SET number = {new} WHERE number = {old};"  # noqa: S608 -- numbers
    for old, new in ((1, 9), (3, 1), (9, 3))
)
PASSWORD = "a phrase that nobody else has 9"


@pytest.fixture
def store(folder: Path) -> Iterator[SqlStore]:
    """Return the store of the commands."""
    store = SqlStore(f"sqlite:///{folder}/admit.db")
    yield store
    store.close()


def tamper(folder: Path, statements: str) -> None:
    """Do something to the database by hand."""
    connection = sqlite3.connect(folder / "admit.db")
    connection.executescript(statements)
    connection.commit()
    connection.close()


def listed(admit: Admit, *words: str) -> list[dict[str, Any]]:
    """Return what is listed."""
    found: list[dict[str, Any]] = json.loads(admit("events", "list", *words, "--json").stdout)
    return found


def test_help_reads_well(admit: Admit) -> None:
    """Every command says what it does."""
    for words in ([], ["list"], ["verify"], ["erase"]):
        result = admit("events", *words, "--help")
        assert result.exit_code == 0
        assert "Usage: admit events" in result.output


def test_what_an_operator_does_is_recorded(admit: Admit) -> None:
    """Making, locking and unlocking an account leaves records, which are listed for it by any of its names."""
    assert admit("events", "list").output == "Nothing is recorded.\n"
    words = ["user", "create", "--email", "ada@example.org", "--password-stdin", "--json"]
    made = json.loads(admit(*words, typed=PASSWORD).stdout)
    admit("user", "lock", "ada@example.org", "--by", "admin:7")
    admit("user", "unlock", made["id"])
    for name in ("ada@example.org", "ADA@example.org", made["id"]):
        found = listed(admit, "--subject", name)
        assert [one["event"] for one in found] == ["account_unlocked", "account_locked", "account_created"]
    assert [one["actor"] for one in found] == ["operator", "admin:7", "operator"]
    assert [one["number"] for one in listed(admit, "--before", "3", "--limit", "1")] == [2]
    assert listed(admit, "--subject", "nobody") == []
    line = admit("events", "list", "--limit", "1").output
    assert f"account_unlocked  success  {made['id']}  operator" in line


def test_records_are_listed_with_all_they_have(admit: Admit, store: SqlStore) -> None:
    """JSON has every field of a record, and nothing on a terminal is more than text."""
    record = an_event(client=Client("192.0.2.7", "x\x1b[2J"), details={"needs": "codes"}, reason="\x1b[31m")
    store.add_event(record)
    [found] = listed(admit)
    assert found == {
        "number": 1,
        "at": record.at.isoformat(),
        "event": "logged_in",
        "outcome": "success",
        "subject": "ada",
        "actor": "ada",
        "method": "password",
        "reason": "\x1b[31m",
        "address": "192.0.2.7",
        "user_agent": "x\x1b[2J",
        "session": "5e55",
        "details": {"needs": "codes"},
        "erased": False,
        "hash": store.get_ends().head_hash.hex(),
    }
    assert "\x1b" not in admit("events", "list").output


def test_verifying(admit: Admit, store: SqlStore) -> None:
    """A chain that holds ends with 0, and its head is printed to be kept; a known head is found again."""
    store.add_event(an_event())
    result = admit("events", "verify")
    assert result.exit_code == 0
    head = store.get_ends().head_hash.hex()
    assert result.stdout == f"The chain holds. Verified 1 record.\nHead: {head}\n"
    store.add_event(an_event())
    store.erase_events("ada")
    told = json.loads(admit("events", "verify", "--json", "--head", head).stdout)
    assert told == {
        "holds": True,
        "checked": 2,
        "erased": 2,
        "flaw": None,
        "number": None,
        "missing": [],
        "first": 1,
        "last": 2,
        "head": store.get_ends().head_hash.hex(),
    }
    assert "Verified 2 records, 2 of them erased." in admit("events", "verify").output


@pytest.mark.parametrize(
    ("statement", "sentence", "flaw"),
    [
        ("UPDATE admit_events SET reason = 'x' WHERE number = 2", "Record 2 was edited.", "edited"),
        ("DELETE FROM admit_events WHERE number = 3", "Record 3 was removed.", "removed"),
        ("DELETE FROM admit_events WHERE number = 4", "Record 4 was removed.", "removed"),
        (SWAPPED, "Record 1 was re-ordered", "re-ordered"),
        ("UPDATE admit_event_ends SET head_number = 3", "Record 4 was added past the chain.", "added"),
    ],
    ids=["edited", "removed", "cut short", "re-ordered", "added"],
)
def test_what_was_done_by_hand_is_found(  # noqa: PLR0913, PLR0917 -- the fixtures and the case
    admit: Admit, store: SqlStore, folder: Path, statement: str, sentence: str, flaw: str
) -> None:
    """A broken chain ends with 1, and says which record it is and what was done."""
    for _ in range(4):
        store.add_event(an_event())
    tamper(folder, statement)
    result = admit("events", "verify")
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "Something is wrong." in result.stdout
    told = admit("events", "verify", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["flaw"] == flaw


def test_a_head_that_is_gone(admit: Admit, store: SqlStore) -> None:
    """A head that was kept and is not in the chain ends with 1, and what is no head ends with 2."""
    store.add_event(an_event())
    result = admit("events", "verify", "--head", "ab" * 32)
    assert result.exit_code == 1
    assert f"The head {'ab' * 32} is not in the chain." in result.stderr
    for wrong in ("xyz", "ab"):
        refused = admit("events", "verify", "--head", wrong)
        assert refused.exit_code == 2
        assert "is no head. Give the 64" in refused.output


def test_erasing(admit: Admit, store: SqlStore) -> None:
    """What is personal is erased when it is confirmed, and the chain holds."""
    for name in ("ada", "bob", "ada"):
        store.add_event(an_event(subject=name))
    assert admit("events", "erase", "ada", typed="n\n").exit_code == 1
    assert len(store.list_events(subject="ada")) == 2
    assert "Erased what was personal in 2 records." in admit("events", "erase", "ada", typed="y\n").output
    assert json.loads(admit("events", "erase", "bob", "--yes", "--json").stdout) == {"erased": 1}
    assert admit("events", "verify").exit_code == 0
    assert [one["erased"] for one in listed(admit)] == [True] * 3


def test_the_purge_keeps_the_policy(admit: Admit, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Purging removes records that are older than the policy, batch by batch, and the chain holds."""
    monkeypatch.setenv("ADMIT_ACTIVITY_RETENTION", "86400")
    for days in (9, 8, 7, 0):
        store.add_event(an_event(at=NOW - timedelta(days=days)))
    assert "Removed 3 rows." in admit("sessions", "purge", "--batch", "2").output
    assert [one["number"] for one in listed(admit)] == [4]
    assert admit("events", "verify").exit_code == 0


def test_why_a_session_ended(admit: Admit, store: SqlStore) -> None:
    """With the ending of a session comes what is recorded of it, and that is told of one that lives too."""
    from admit.gate import Gate

    session = Gate(store).admit("ada", "password").session
    store.add_event(an_event(session=tokens.short_hash(session.id)))
    lines = admit("sessions", "why", session.id).output.splitlines()
    assert lines[0] == f"{session.id} has not ended, or its ending is forgotten."
    assert "logged_in  success" in lines[1]
    admit("sessions", "revoke", session.id, "--by", "admin:7")
    told = json.loads(admit("sessions", "why", session.id, "--json").stdout)
    assert told["reason"] == "revoked"
    assert [one["event"] for one in told["events"]] == ["logged_in", "session_ended"]
    assert told["events"][1]["actor"] == "admin:7"
    shown = admit("sessions", "why", session.id).output
    assert "revoked by admin:7." in shown
    assert "session_ended" in shown
    assert listed(admit, "--session", session.id) == told["events"][::-1]
    assert listed(admit, "--session", "-tjjrit7I15WTSs-ovMqDg") == []


def test_where_nothing_is_recorded(
    admit: Admit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqlStore
) -> None:
    """Records that are there can be listed without the feature, and a store that fails is said to."""
    store.add_event(an_event())
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "__init__.py").touch()
    monkeypatch.setattr(features, "__path__", [str(tmp_path)])
    assert admit("events", "list").exit_code == 0

    def fail(*_: object, **__: object) -> None:
        raise StoreError

    monkeypatch.setattr(SqlStore, "list_events", fail)
    assert "The store did not answer" in admit("events", "list").output
