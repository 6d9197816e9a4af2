"""Watching the processes of a site from outside: their memory, and how many of their threads hash passwords."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.site import Site

__all__ = ["Sample", "sample", "watched"]

# Where the niceness is among the fields that follow the name of a thread in /proc/…/stat, and what hashing adds.
_NICE_FIELD = 16
_STEPS_BACK = 10


class Sample(NamedTuple):
    """What a process had at some time, in MiB, and its threads."""

    at: float
    pid: int
    resident: float
    peak: float
    hashing: int


def sample(pid: int) -> Sample:
    """Look at a process once."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    stats = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    niceness = [int(stat.rpartition(")")[2].split()[_NICE_FIELD]) for stat in stats]
    # The threads that hash passwords step back behind all others: by that they are known from outside.
    hashing = sum(1 for one in niceness if one >= min(niceness) + _STEPS_BACK)
    return Sample(time.monotonic(), pid, resident, peak, hashing)


@contextmanager
def watched(site: Site, every: float = 1.0) -> Iterator[list[Sample]]:
    """Look at each worker every so many seconds until the block ends."""
    samples: list[Sample] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(every):
            for pid in site.workers():
                # One that ends just now has nothing to look at.
                with suppress(OSError, KeyError):
                    samples.append(sample(pid))

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    try:
        yield samples
    finally:
        done.set()
        watcher.join()
