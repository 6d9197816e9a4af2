"""What ``make mutants`` does: takes out one guard at a time, in a copy of the tree, and looks whether a test fails.

The guards are listed in ``mutants.toml``: each is an exact text of a file, and what stands there when the guard is
gone. A guard without which every named test passes survives: nobody would notice if a change lost it. A text that is
not there exactly once is a flaw of the list.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tools" / "mutants.toml"
RESULTS = ROOT / "bench" / "results" / "mutants.md"
#: How long the tests of one guard may take, in seconds. One that hangs can't be told from a machine that is busy.
PATIENCE = 600
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class Guard(NamedTuple):
    """A guard: what it is against, where it is, what stands there without it, and which tests should notice."""

    name: str
    against: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


class Outcome(StrEnum):
    """What became of the tests without a guard."""

    NOTICED = "noticed"
    SURVIVES = "SURVIVES"
    BROKEN = "BROKEN"


class Result(NamedTuple):
    """What the tests of a guard said without it, and for how long they ran."""

    guard: Guard
    outcome: Outcome
    said: str
    seconds: float


def main() -> None:
    """Try the guards that the command line names; exit with 1 if one survives, or the list is not right."""
    parser = argparse.ArgumentParser(prog="python tools/mutants.py", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", help="a guard to try; may be given again")
    parser.add_argument("--list", action="store_true", help="show the guards and try none")
    options = parser.parse_args()
    listed = guards()
    chosen = [one for one in listed if not options.only or one.name in options.only]
    unknown = set(options.only or ()) - {one.name for one in listed}
    wrong = [
        *flaws(listed, ROOT),
        *(f"There is no guard {name!r}. Use --list to see them." for name in sorted(unknown)),
    ]
    if options.list:
        print(*(f"{one.name} ({one.against}): {one.file}" for one in chosen), sep="\n")
    if wrong:
        sys.exit("\n".join(wrong))
    if not options.list:
        results = tried(chosen)
        if not options.only:
            RESULTS.write_text(table(results, datetime.now(UTC)))
        sys.exit(any(one.outcome is not Outcome.NOTICED for one in results))


def guards(file: Path = LIST) -> list[Guard]:
    """Return the guards of a list."""
    rows = tomllib.loads(file.read_text())["guard"]
    return [Guard(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def flaws(listed: list[Guard], root: Path) -> list[str]:
    """Return what is wrong with a list: guards that are elsewhere by now, and tests that are not there."""
    names = [one.name for one in listed]
    found = [f"{name}: two guards have this name." for name in sorted({one for one in names if names.count(one) > 1})]
    for one in listed:
        file = root / one.file
        times = file.read_text().count(one.text) if file.is_file() else 0
        if times != 1:
            found.append(f"{one.name}: {one.file} has its text {times} times, instead of once. Correct its entry.")
        if one.replacement == one.text:
            found.append(f"{one.name}: the replacement is the text itself.")
        missing = [test for test in one.tests if not (root / test.partition("::")[0]).exists()]
        if missing or not one.tests:
            found.append(f"{one.name}: there are no tests {', '.join(missing)}.")
    return found


def tried(chosen: list[Guard]) -> list[Result]:
    """Try guards one after the other, and say what becomes of each."""
    with tempfile.TemporaryDirectory(prefix="admit-mutants-") as folder:
        tree = Path(folder)
        copy(tree)
        results: list[Result] = []
        for guard in chosen:
            results.append(without(guard, tree))
            outcome, said, seconds = results[-1][1:]
            print(f"{outcome:8} {seconds:6.1f} s  {guard.name} ({guard.against}): {said}", flush=True)
    left = [one.guard.name for one in results if one.outcome is not Outcome.NOTICED]
    print(f"{len(results)} guards, {len(left)} that no test would miss{': ' if left else ''}{', '.join(left)}")
    return results


def copy(tree: Path) -> None:
    """Copy all files under version control, or that would be, to a folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)


def without(guard: Guard, tree: Path) -> Result:
    """Run the tests of a guard in a tree without it, and put it back."""
    file = tree / guard.file
    whole = file.read_text()
    _write(file, whole.replace(guard.text, guard.replacement))
    began = time.monotonic()
    try:
        code, said = _pytest(tree, guard.tests)
    finally:
        _write(file, whole)
    outcome, by = judged(code, said)
    if outcome is Outcome.NOTICED and code and _pytest(tree, (by.strip("`"),))[0]:
        # It would notice everything.
        outcome, by = Outcome.BROKEN, f"{by} fails with the guard in place as well"
    return Result(guard, outcome, by, time.monotonic() - began)


def judged(code: int | None, said: str) -> tuple[Outcome, str]:
    """Return what an exit code of pytest says of a guard, and by what; there is none if it took too long."""
    if code is None:
        return Outcome.BROKEN, f"no test has failed in {PATIENCE} s"
    if code == 0:
        return Outcome.SURVIVES, "all tests pass"
    failed = _FAILED.search(said)
    # Another code than 1 is that of tests which were not run at all.
    if code != 1 or failed is None:
        return Outcome.BROKEN, f"pytest exits with {code}: {said.strip().splitlines()[-1] if said.strip() else ''}"
    return Outcome.NOTICED, f"`{failed[1]}`"


def table(results: list[Result], at: datetime) -> str:
    """Return the results for people."""
    rows = [
        f"| {guard.name} | {guard.against} | `{guard.file}` | {outcome} | {said} | {seconds:.0f} |"
        for guard, outcome, said, seconds in results
    ]
    head = "| guard | against | file | without it | by | s |"
    noticed = sum(one.outcome is Outcome.NOTICED for one in results)
    of_all = f"{len(results)} guards, each taken out alone: a test fails for {noticed} of them."
    about = f"Command: `make mutants`, {at:%Y-%m-%d}. {of_all}"
    return "\n".join(["# mutants", "", about, "", head, f"|{'---|' * 6}", *rows, ""])


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    # A file may change twice in a second here, which is as closely as Python looks.
    for compiled in file.parent.glob(f"__pycache__/{file.stem}.*"):
        compiled.unlink()


def _pytest(tree: Path, tests: tuple[str, ...]) -> tuple[int | None, str]:
    """Run tests on the code in a tree, and return the exit code and what was said; no code if it took too long."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=no"]
    told = {"PYTHONPATH": str(tree / "src")}  # and not the code that is installed
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=tree,
            env=os.environ | told,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    main()
