"""What the doctor finds about a store that will not work for long: full memory, a full disk, a clock that is wrong."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from admit.errors import StoreError
from admit.findings import error, note, ok, warning
from admit.store_clock import Timed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.findings import Finding

__all__ = ["health_findings"]

#: From this part on, something is nearly full.
_NEARLY_FULL = 0.8
#: By how much the clock of this machine may differ from the store's.
_APART = timedelta(seconds=5)


def health_findings(store: Any, name: str) -> Iterator[Finding]:
    """Return what is to be said of a store: how full it is, and what time it has.

    Args:
        store: The store, which has answered before.
        name: What it is called.
    """
    try:
        yield from _memory(store, name)
        yield from _saving(store, name)
        yield from _clock(store, name)
    except StoreError as problem:
        yield note("space", f"{name} does not say how full it is: {problem}.", "Let its user run INFO, or watch it.")
    yield from _disk(store)


def _memory(store: Any, name: str) -> Iterator[Finding]:
    if not hasattr(store, "fullness"):
        return
    part: float | None = store.fullness()
    if part is None:
        advice = (
            "Set maxmemory below what the machine has: then nobody can sign in when it is full, but all can sign out."
        )
        yield note("space", f"{name} has no maxmemory, so that nobody knows when it is full.", advice)
        return
    yield _of_space(name, part, "Give it more memory (maxmemory). When it is full, nobody can sign in.")


def _saving(store: Any, name: str) -> Iterator[Finding]:
    if hasattr(store, "can_save") and not store.can_save():
        sentence = f"{name} can't write to its disk, and may refuse all changes: nobody can sign in or out."
        yield error("disk", sentence, "Make room on its disk, or see its log.")


def _disk(store: Any) -> Iterator[Finding]:
    file: Path | None = getattr(store, "file", None)
    if file is None or not file.parent.exists():
        return
    usage = shutil.disk_usage(file.parent)
    if usage.used >= _NEARLY_FULL * usage.total:
        yield _of_space(
            f"The disk of {file}", usage.used / usage.total, "Make room. When it is full, nobody can sign in."
        )


def _of_space(what: str, part: float, advice: str) -> Finding:
    sentence = f"{what} is {part:.0%} full."
    return warning("space", sentence, advice) if part >= _NEARLY_FULL else ok("space", sentence)


def _clock(store: Any, name: str) -> Iterator[Finding]:
    if not isinstance(store, Timed):
        return
    apart = abs(datetime.now(UTC) - store.now())
    if apart > _APART:
        sentence = f"The clocks of this machine and of {name} are {apart.total_seconds():.0f} s apart."
        yield warning(
            "clock", sentence, "Let NTP set both. Admit goes by the clock of the store, other programs do not."
        )
