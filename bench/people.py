"""Import and export of accounts: how long and with how much memory, for few and for many."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEAD", "Figures", "measure"]

HEAD = (
    "One row in a thousand is wrong. The first import is killed after a while, and the same command goes on. "
    "Memory is the most that the process had, all of Python and Flask included."
)
#: Of no password: at this point nothing is hashed.
_HASH = "$2b$12$" + "a" * 21 + "O" + "b" * 31
_EVERY = 1000


class Figures(NamedTuple):
    """What one command took."""

    command: str
    rows: int
    seconds: float
    mebibytes: float
    outcome: str

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def measure(folder: Path, *sizes: int) -> list[Figures]:
    """Import and export so many accounts each, in a database of their own.

    Args:
        folder: Where the files and databases are.
        sizes: How many rows.
    """
    return [one for size in sizes for one in _measure(folder / str(size), size)]


def _measure(folder: Path, size: int) -> list[Figures]:
    folder.mkdir()
    with (folder / "people.jsonl").open("w") as file:
        file.writelines(_line(number) for number in range(size))
    bad, good = size // _EVERY, size - size // _EVERY
    cut, _ = _run(folder, "import, killed", size, "import", "people.jsonl", stop_after=size / 50_000)
    whole, counts = _run(folder, "import, once more", size, "import", "people.jsonl", "--json")
    assert counts["imported"] + counts["there"] == good
    assert counts["bad"] == bad
    exported, written = _run(folder, "export", good, "export", "out.jsonl", "--with-passwords", "--json")
    assert written == {"exported": good}
    assert sum(1 for _ in (folder / "out.jsonl").open()) == good
    return [cut, whole, exported]


def _line(number: int) -> str:
    if number % _EVERY == 7:
        return '{"email": "of nobody", "roles": 5}\n'
    row = {"email": f"user{number}@example.org", "username": f"user{number}", "password_hash": _HASH}
    return json.dumps(row) + "\n"


def _run(
    folder: Path, name: str, rows: int, *words: str, stop_after: float | None = None
) -> tuple[Figures, dict[str, int]]:
    command = [sys.executable, "-m", "admit.server", "user", *words]
    began = time.perf_counter()
    with (folder / "told").open("w") as told, (folder / "said").open("w") as said:
        ran = subprocess.Popen(command, cwd=folder, stdout=said, stderr=told)  # noqa: S603 -- our own words
        if stop_after is not None:
            time.sleep(max(stop_after, 2))  # killed in the middle, and not while it starts
            os.kill(ran.pid, signal.SIGKILL)  # not send_signal(), which would ask for its end
        _, status, usage = os.wait4(ran.pid, 0)
    ran.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    output = (folder / "said").read_text()
    counts: dict[str, int] = json.loads(output) if output.startswith("{") else {}
    outcome = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "killed"
    return Figures(name, rows, seconds, usage.ru_maxrss / 1024, outcome), counts
