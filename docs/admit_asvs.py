"""What OWASP's ASVS asks for, which tests show it, and why none does: read off ``asvs.csv`` and ``asvs.toml``."""

from __future__ import annotations

import ast
import csv
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from admit.flask.settings import ALL_SETTINGS
from admit.server.settings import known_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Entry", "Requirement", "entries", "faults", "markdown_of_asvs", "requirements"]

_HERE = Path(__file__).parent
_ROOT = _HERE.parent

#: Whose business a requirement may be. What is the application's, or about what there is none of, needs no entry.
_OURS = {"library", "service"}

#: A reason is a sentence, not a word.
_SENTENCE = re.compile(r"[A-Z`].{30,}[.]", re.DOTALL)

_CHAPTERS = {
    "V1": "Encoding and sanitization",
    "V2": "Validation and business logic",
    "V3": "Web frontend",
    "V4": "API and web service",
    "V6": "Authentication",
    "V7": "Session management",
    "V8": "Authorization",
    "V9": "Self-contained tokens",
    "V10": "OAuth and OIDC",
    "V11": "Cryptography",
    "V12": "Secure communication",
    "V13": "Configuration",
    "V14": "Data protection",
    "V15": "Secure coding and architecture",
    "V16": "Logging and error handling",
}


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One requirement of ASVS 5.0.0, in our words.

    Args:
        id: Its number there.
        level: 1 for everybody, 3 for whom an attack would ruin.
        text: What it asks for.
        applies: Whose business it is: the library's, the ready-made service's, the application's, or nobody's.
        how_to_test: What would show that it is met.
    """

    id: str
    level: int
    text: str
    applies: str
    how_to_test: str

    @property
    def chapter(self) -> str:
        """The chapter that it is in, such as ``"V6"``."""
        return self.id.partition(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it is this project's business."""
        return self.applies in _OURS


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What there is to say about a requirement.

    Args:
        tests: Those that fail if it is not met, as pytest names them.
        settings: What an operator sets to meet it, or to meet it better.
        reason: Without tests, why there are none; beside tests, what they do not show.
    """

    tests: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    reason: str = ""

    @property
    def standing(self) -> str:
        """How far it is shown: ``"tested"``, ``"in part"`` or ``"reason"``."""
        if not self.tests:
            return "reason"
        return "in part" if self.reason else "tested"


def requirements(path: Path = _HERE / "asvs.csv") -> list[Requirement]:
    """Return the requirements that concern a library for logins, in their order."""
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return [
            Requirement(
                id=row["id"],
                level=int(row["level"]),
                text=row["requirement"],
                applies=row["applies"],
                how_to_test=row["how_to_test"],
            )
            for row in rows
        ]


def entries(path: Path = _HERE / "asvs.toml") -> dict[str, Entry]:
    """Return what is said about each requirement, by its id.

    Raises:
        TypeError: A table has a key that is none.
    """
    return {id_: _entry(**said) for id_, said in tomllib.loads(path.read_text()).items()}


def _entry(tests: Iterable[str] = (), settings: Iterable[str] = (), reason: str = "") -> Entry:
    return Entry(tests=tuple(tests), settings=tuple(settings), reason=" ".join(reason.split()))


# -- what is wrong -----------------------------------------------------------------------------------------------------


def faults(asked: Iterable[Requirement], said: Mapping[str, Entry]) -> list[str]:
    """Return what is wrong with the entries, a sentence for each fault; nothing if all is well."""
    by_id = {one.id: one for one in asked}
    missing = [f"{id_} has no entry." for id_, one in by_id.items() if one.is_ours and id_ not in said]
    unknown = [f"{id_} is no requirement." for id_ in said if id_ not in by_id]
    wrong = [f"{id_} {fault}." for id_, entry in said.items() for fault in _faults_of(entry)]
    return missing + unknown + wrong


def _faults_of(entry: Entry) -> Iterable[str]:
    if not entry.tests and not entry.reason:
        yield "has neither a test nor a reason"
    if entry.reason and not _SENTENCE.fullmatch(entry.reason):
        yield f"has a reason that is no sentence: {entry.reason!r}"
    yield from (f"names {one}, which is no test" for one in entry.tests if not _is_test(one))
    yield from (f"names {one}, which is no setting" for one in entry.settings if one not in _settings())


def _is_test(node: str) -> bool:
    file, _, name = node.partition("::")
    path = _ROOT / file
    return path.is_file() and name in _tests_in(path)


@cache
def _tests_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {f"{one.name}::{name}" for one in classes for name in _named(one.body)}
    return frozenset({*_named(tree.body), *methods})


def _named(body: list[ast.stmt]) -> list[str]:
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node.name for node in functions if node.name.startswith("test_")]


@cache
def _settings() -> frozenset[str]:
    return frozenset(row.key for kind in {*ALL_SETTINGS, *known_settings()} for row in kind.describe())


# -- how it is shown ---------------------------------------------------------------------------------------------------


def markdown_of_asvs(asked: Iterable[Requirement], said: Mapping[str, Entry]) -> str:
    """Return the counts by chapter, and a table of each chapter's requirements."""
    ours = [one for one in asked if one.is_ours]
    chapters = list(dict.fromkeys(one.chapter for one in ours))
    parts = [_table(["chapter", "tested", "in part", "reason", "all"], _counts(ours, said, chapters))]
    for chapter in chapters:
        rows = [_row(one, said[one.id]) for one in ours if one.chapter == chapter]
        parts.append(f"## {chapter} {_CHAPTERS[chapter]}\n\n{_table(['', 'requirement', 'what shows it'], rows)}")
    return "\n\n".join(parts)


def _counts(ours: list[Requirement], said: Mapping[str, Entry], chapters: list[str]) -> list[list[str]]:
    rows = []
    for title, wanted in [*((f"{one} {_CHAPTERS[one]}", {one}) for one in chapters), ("all", set(chapters))]:
        standings = [said[one.id].standing for one in ours if one.chapter in wanted]
        counts = [standings.count(kind) for kind in ("tested", "in part", "reason")]
        rows.append([title, *map(str, counts), str(len(standings))])
    return rows


def _row(asked: Requirement, entry: Entry) -> list[str]:
    tests = "<br>".join(f"`{one.removeprefix('tests/')}`" for one in entry.tests)
    settings = ", ".join(f"`{one}`" for one in entry.settings)
    parts = [tests, f"Settings: {settings}" if settings else "", _escaped(entry.reason)]
    return [f"{asked.id}<br>level {asked.level}", _escaped(asked.text), "<br>".join(filter(None, parts))]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
