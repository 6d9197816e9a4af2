"""What importing Admit adds to the start of an application that imports Flask."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import NamedTuple

ROUNDS = 40
TARGET = 40
BASE = "import flask"
STATEMENTS = {
    "Admit": f"{BASE}, admit.flask",
    "Flask-Login": f"{BASE}, flask_login",
}


class Added(NamedTuple):
    """Milliseconds that an import adds: between medians, and between the fastest of all rounds."""

    name: str
    median: float
    fastest: float


def measure() -> list[Added]:
    """Start processes in turns, each of which imports one thing more or not."""
    statements = {"": BASE, **STATEMENTS}
    times: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(ROUNDS):
        for name, statement in statements.items():
            times[name].append(_run(statement))
    base = times.pop("")
    return [
        Added(name, statistics.median(found) - statistics.median(base), min(found) - min(base))
        for name, found in times.items()
    ]


def _run(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603 -- the statements above
    return (time.perf_counter() - start) * 1000
