"""Every situation of the README has a test that begins with its number."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
SITUATION = re.compile(r"^\| ([UN])(\d+) \|", re.MULTILINE)
TRIED = re.compile(r"^ *def test_([un]\d\d)_", re.MULTILINE)


def test_every_situation_is_tried() -> None:
    """The situations of the README are the ones that tests are named after."""
    listed = {f"{kind.lower()}{int(number):02}" for kind, number in SITUATION.findall((HERE / "README.md").read_text())}
    tried = {number for path in HERE.parent.rglob("test_*.py") for number in TRIED.findall(path.read_text())}
    assert listed == tried
    assert len(listed) == 32
