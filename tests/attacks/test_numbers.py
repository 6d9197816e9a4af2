"""Every attack of the list has a test, or a reason why it has none here; what the README says of them is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text()
#: The list of attacks, and after it the lines of the audit.
ALL = set(range(1, 183))


def numbers(text: str) -> set[int]:
    """Return the numbers that a text lists, those within its ranges included; dates and years are none."""
    found: set[int] = set()
    for first, last in re.findall(r"\b(\d{1,3})(?:\u2013(\d{1,3}))?\b", text):
        found.update(range(int(first), int(last or first) + 1))
    return found


def tried(file: str = "test_*.py") -> set[int]:
    """Return the numbers that names of tests begin with."""
    names = [
        node.name
        for path in HERE.glob(file)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    leading = [found[1] for name in names if (found := re.match(r"test((?:_\d{3})+)", name))]
    return {int(one) for several in leading for one in several.split("_") if one}


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table below a title."""
    section = README.partition(title)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def left_out() -> dict[int, str]:
    """Return the numbers that have no test here, with the reason."""
    return {number: reason for first, reason in rows("## Left out") for number in numbers(first)}


def test_every_attack_is_tried_or_left_out_for_a_reason() -> None:
    """Each number of the list is that of a test, or stands with a reason among those that are left out."""
    assert tried() | set(left_out()) == ALL
    assert all(len(reason) > 20 for reason in left_out().values())


def test_what_is_tried_whole_is_not_left_out() -> None:
    """A number that has a test is left out only in part, and its row says which."""
    in_part = {
        number for first, _ in rows("## Left out") if re.search(r"\d,? [a-z]", first) for number in numbers(first)
    }
    assert tried() & set(left_out()) <= in_part


def test_each_file_has_the_numbers_that_it_is_said_to_have() -> None:
    """The table of files names every file, with exactly the numbers of its tests."""
    table = {re.sub("`", "", file): numbers(what) for what, file in rows("# Attacks")}
    files = {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}
    assert set(table) == files
    assert table == {file: tried(file) for file in files}
