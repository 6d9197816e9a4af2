"""What commands print."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import admit
from admit.flask import printing
from admit.flask.printing import print_row, print_rows

if TYPE_CHECKING:
    import pytest

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS = [
    {"id": "1", "at": AT, "roles": ["a", "b"], "is_open": True, "note": None, "hidden": 1},
    {"id": "22", "at": AT, "roles": [], "is_open": False, "note": "[red]\x1b[31m\n", "hidden": timedelta(seconds=2)},
]
COLUMNS = ["id", "at", "roles", "is_open", "note"]


def test_lines_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are aligned lines, and nothing that a terminal would act on is printed."""
    print_rows(ROWS, COLUMNS, json=False)
    assert capsys.readouterr().out.splitlines() == [
        "1   2026-01-02 03:04:05 UTC  a, b  yes",
        "22  2026-01-02 03:04:05 UTC        no   [red]\\x1b[31m\\n",
    ]


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """When there is nothing, people are told so, and programs get an empty list."""
    print_rows([], COLUMNS, json=False, nothing="Nobody is here.")
    print_rows([], COLUMNS, json=True)
    assert capsys.readouterr().out == "Nobody is here.\n[]\n"


def test_json_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the columns that are not shown as well, times in ISO 8601 and durations in seconds."""
    print_rows(ROWS, COLUMNS, json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first["at"] == "2026-01-02T03:04:05+00:00"
    assert (first["hidden"], second["hidden"]) == (1, 2.0)
    assert second["note"] == "[red]\x1b[31m\n"


def test_what_json_does_not_know_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A value of another type is what it is called."""
    print_row({"path": Path("a/b")}, json=True)
    assert json.loads(capsys.readouterr().out) == {"path": str(Path("a/b"))}


def test_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    """One thing is a sentence if there is one, and otherwise a line for each part."""
    print_row({"a_b": 1, "c": True}, json=False)
    print_row({"a_b": 1}, "It is\x07 one.", json=False)
    assert capsys.readouterr().out == "a b:  1\nc:    yes\nIt is\\x07 one.\n"


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a table with a head, in which what looks like markup is text."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    print_rows(ROWS, COLUMNS, json=False)
    printed = capsys.readouterr().out
    assert "Is open" in printed
    assert "[red]" in printed
    monkeypatch.setattr(printing, "find_spec", lambda _: None)
    print_rows(ROWS, COLUMNS, json=False)
    assert "Is open" not in capsys.readouterr().out


def test_a_table_on_a_real_terminal() -> None:
    """A program that writes to a terminal gets the table, too, and the terminal no command of a stranger."""
    code = (
        "from admit.flask.printing import print_rows\n"
        "print_rows([{'device_name': 'x\\x1b]0;evil\\x07'}], ['device_name'], json=False)"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(admit.__file__).parents[1]), "COLUMNS": "80", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True)  # noqa: S603 -- our own words
    os.close(theirs)
    printed = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Device name" in printed
    assert "\x1b]0;" not in printed
