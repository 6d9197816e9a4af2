"""The page about the doctor says what the doctor says."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

from admit.flask import LoginManager

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "admit"
PAGE = (ROOT / "docs" / "doctor.md").read_text()
CHECK = re.compile(r'(?:\b(?:ok|note|warning|error|at_most|_named)\(\s*|\)\(|check = )"([a-z_]+)"')
FILES = [*SOURCE.glob("flask/*checks.py"), SOURCE / "flask/doctor.py", *SOURCE.glob("features/**/*.py")]


def test_every_check_is_named() -> None:
    """The tables name each thing that is looked at, in the configuration and from outside."""
    checks = {name for path in FILES for name in CHECK.findall(path.read_text())}
    assert {"secret_key", "csp", "hash_cost", "way_back", "throttle"} <= checks
    assert {name for name in checks if f"`{name}`" not in PAGE} == set()


def test_the_example_prints_what_the_page_shows() -> None:
    """The output on the page is that of its example."""
    example = PAGE.partition("```python\n")[2].partition("```")[0]
    shown = PAGE.partition("```text\n")[2].partition("```")[0]
    names: dict[str, object] = {}
    exec(example, {"__name__": "shop", "Flask": Flask, "LoginManager": LoginManager}, names)  # noqa: S102 -- our page
    assert names["result"].output == shown  # type: ignore[attr-defined]
