"""Writing results down: as JSON for programs, as a table for people."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from bench.rounds import Figure

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("Flask", "Werkzeug", "Flask-Login", "SQLAlchemy")


@dataclass(frozen=True)
class Row:
    """One line of a table: a case, what the base takes, what each adds, and the ratio of the two."""

    case: str
    base: float
    mine: Figure
    other: Figure
    target: float | None

    @property
    def ratio(self) -> float:
        """What ours adds, as a multiple of what the other adds."""
        return self.mine.added / self.other.added

    @property
    def verdict(self) -> str:
        """Whether the target was met."""
        if self.target is None:
            return ""
        return f"at most {self.target}: {'met' if self.ratio <= self.target else 'MISSED'}"


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| case | bare Flask | Admit adds | Flask-Login adds | ratio | target |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.case} | {row.base:.1f} µs | {_figure(row.mine)} | {_figure(row.other)} "
        f"| {row.ratio:.2f} | {row.verdict} |"
        for row in rows
    ]
    return "\n".join(lines)


def write(name: str, rows: list[Row], *, note: str, command: str, at: datetime) -> None:
    """Write ``<name>.md`` and ``<name>.json`` to the folder of results."""
    write_text(name, f"Medians, the middle half in brackets. {note}\n\n{table(rows)}", command=command, at=at)
    figures = [
        {
            "case": row.case,
            "base_us": row.base,
            "admit_adds_us": row.mine.added,
            "flask_login_adds_us": row.other.added,
            "ratio": row.ratio,
            "target": row.target,
        }
        for row in rows
    ]
    write_json(name, {"rows": figures}, command=command, at=at)


def write_json(name: str, figures: dict[str, Any], *, command: str, at: datetime) -> None:
    """Write ``<name>.json`` to the folder of results, with what it was measured by and on."""
    record = {"command": command, "date": f"{at:%Y-%m-%d}", "machine": _machine(), "versions": _versions(), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")


def write_text(name: str, text: str, *, command: str, at: datetime) -> None:
    """Write ``<name>.md`` to the folder of results, with what it was measured by and on."""
    head = f"Command: `{command}`, {at:%Y-%m-%d}. {_machine()}. {_versions()}."
    (RESULTS / f"{name}.md").write_text(f"# {name}\n\n{head}\n\n{text}\n")


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _versions() -> str:
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


def command_line() -> str:
    """Return the command that this run was started with."""
    return " ".join(["python", "-m", "bench", *sys.argv[1:]])


def _figure(figure: Figure) -> str:
    return f"{figure.added:.1f} µs ({figure.low:.1f} to {figure.high:.1f})"
