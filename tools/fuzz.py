"""Fuzz with atheris: ``SECONDS`` for each target, 60 unless it says otherwise, or for those that are named.

The properties are those of ``tests/fuzz``, which Hypothesis tries in the tests as well. What breaks one is kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("tokens", "next", "identifiers", "bodies", "cookies")


def main() -> None:
    """Run each target; the exit code is 1 if any was broken."""
    seconds = int(os.environ.get("SECONDS", "60"))
    folder = Path(tempfile.mkdtemp(prefix="admit-fuzz-"))
    print(f"== {seconds} seconds each; what is found is in {folder}", flush=True)
    names = sys.argv[1:] or TARGETS
    broken = [name for name in names if not holds(name, seconds, folder / name)]
    sys.exit(1 if broken else 0)


def holds(name: str, seconds: int, folder: Path) -> bool:
    """Run one target, print what came of it, and tell whether nothing broke it."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(seconds), "--folder", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    told = done.stdout.decode(errors="replace")
    executions, edges = last(r"number_of_executed_units:\s*(\d+)", told), last(r"\bcov: (\d+)", told)
    print(f"{name}: {executions} executions, {edges} edges of the code reached", flush=True)
    if done.returncode == 0:
        return True
    (folder / "log.txt").write_text(told)
    kept = next((str(path) for kind in ("crash", "timeout", "oom") for path in folder.glob(f"{kind}-*")), "no file")
    print(f"{told[-3000:]}\n== {name} was broken by the input in {kept}. To try it again:", flush=True)
    print(f"   {sys.executable} -m tests.fuzz.run {name} {kept}", flush=True)
    return False


def last(pattern: str, text: str) -> str:
    """Return the last match of a pattern's group, or a question mark."""
    found: list[str] = re.findall(pattern, text)
    return (found or ["?"])[-1]


if __name__ == "__main__":
    main()
