"""Faults under traffic: four workers over each store, something broken all the time, and the promises checked.

The stores are visited side by side, each by clients of its own; workers of each kind serve a part of the time. What
clients saw is checked afterwards, as a history whose operations overlap.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.faults import breaking, checking, fleet, site, visiting
from bench.faults.history import History
from tests.deployment.site import Outage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.faults.history import Operation
    from bench.faults.site import Site

__all__ = ["Found", "as_json", "is_good", "measure", "tables"]

#: After how many seconds the next thing is broken, and how long before the first.
EVERY, _CALM = 20.0, 6.0
_CHANGE = "workers ended or begun"
PEOPLE, VISITORS = 80, 6
#: How much longer than asked for one store may take to start, to be mended and to stop, in seconds.
_PATIENCE = 900
#: How many of the violations of one kind are written down.
_SHOWN = 8


class Found(NamedTuple):
    """What came of one store."""

    store: str
    kinds: tuple[str, ...]
    answers: dict[str, int]
    faults: dict[str, int]
    broken: dict[str, list[str]]
    unaccounted: list[str]
    dropped: int
    refused: int

    @property
    def is_good(self) -> bool:
        """Whether all that was promised was kept."""
        return not (self.unaccounted or any(self.broken.values()))


def measure(minutes: float) -> list[Found]:
    """Visit and break each store for so many minutes, side by side."""
    kinds = tuple(kind for kind in fleet.KINDS if kind != fleet.UWSGI or fleet.has_uwsgi())
    seconds = minutes * 60
    with ProcessPoolExecutor(len(site.STORES), mp_context=get_context("spawn")) as processes:
        found = processes.map(
            partial(_of_store, kinds=kinds, seconds=seconds), site.STORES, timeout=seconds + _PATIENCE
        )
        return list(found)


def is_good(found: Sequence[Found]) -> bool:
    """Tell whether all that was promised was kept."""
    return all(one.is_good for one in found)


def _of_store(store: str, *, kinds: tuple[str, ...], seconds: float) -> Found:
    history = History()
    with site.opened(store, PEOPLE) as place, visiting.visited(place, history, visitors=VISITORS) as given_up:
        faults = breaking.in_turn(store, random.Random(store))  # noqa: S311 -- no secrets
        ended = time.monotonic()
        for kind in kinds:
            with fleet.serving(kind, place.folder, place.stores) as place.fleet:
                # From when those of before were told to end until all of these serve, nobody does.
                place.outages.append(Outage(_CHANGE, ended, time.monotonic()))
                _break(place, history, faults, time.monotonic() + seconds / len(kinds))
                ended = time.monotonic()
        place.outages.append(Outage(_CHANGE, ended, time.monotonic()))
    if given_up:
        raise given_up[0]
    return _found(store, kinds, history.operations, place)


def _break(place: Site, history: History, faults: Any, until: float) -> None:
    history.wait(_CALM)
    while (began := time.monotonic()) + EVERY / 2 < until and not history.stop.is_set():
        breaking.broken(place, next(faults), history.wait)
        history.wait(max(0.0, min(began + EVERY, until) - time.monotonic()))


def _found(store: str, kinds: tuple[str, ...], history: list[Operation], place: Site) -> Found:
    broken: dict[str, list[str]] = {promise: [] for promise in checking.PROMISES}
    for violation in checking.violations(history):
        broken[violation.promise].append(f"{violation.what} {_when(violation.at, kinds, place.outages)}")
    return Found(
        store=store,
        kinds=kinds,
        answers=Counter(f"{one.what} {one.status or 'none'}" for one in history if not one.is_dropped),
        faults=Counter(one.what for one in place.outages),
        broken=broken,
        unaccounted=[
            f"{_said(one)} {_when(one.ended, kinds, place.outages)}"
            for one in checking.unaccounted(history, place.outages)
        ],
        dropped=sum(one.is_dropped for one in history),
        refused=sum(one.status == 503 for one in history),
    )


def _when(at: float, kinds: Sequence[str], outages: Sequence[Outage]) -> str:
    """Say which workers served at some time, and what was broken last."""
    before = sorted((one for one in outages if one.began <= at), key=lambda one: one.began)
    if not before:
        return "(before anything was broken)"
    kind = kinds[min(sum(one.what == _CHANGE for one in before), len(kinds)) - 1]
    return f"({kind}; {at - before[-1].began:.1f} s after this began: {before[-1].what})"


def _said(one: Operation) -> str:
    outcome = f"503 {one.said}" if one.status else "no answer"
    return f"{one.what}: {outcome} after {one.ended - one.began:.1f} s"


def as_json(found: Sequence[Found]) -> dict[str, Any]:
    """Return the figures for programs."""
    return {"stores": [one._asdict() | {"is_good": one.is_good} for one in found]}


def tables(found: Sequence[Found], minutes: float) -> str:
    """Return the figures for people."""
    parts = [_head(found, minutes), _of_stores(found), _of_faults(found), _of_answers(found), _of_wrongs(found)]
    return "\n\n".join(part for part in parts if part)


def _head(found: Sequence[Found], minutes: float) -> str:
    missing = [kind for kind in fleet.KINDS if kind not in found[0].kinds]
    absent = f"**Not installed, so left out: {', '.join(missing)}.** " if missing else ""
    return (
        f"{fleet.WORKERS} workers over each store, side by side, for {minutes:g} minutes, a third of it each: "
        f"{', '.join(found[0].kinds)}. {absent}{VISITORS} visitors a store; something is broken every {EVERY:g} s for "
        f"{breaking.LASTS:g} s; clients lose answers on purpose. Redis has its accounts in SQLite, and what it has "
        f"answered in its file. A session that was ended counts as accepted from {checking.BOUND:g} s on after its end "
        f"(`ADMIT_STORE_NEAR_MAX_AGE`). An answer is accounted for by a fault until {checking.AFTERMATH:g} s after it."
    )


def _of_stores(found: Sequence[Found]) -> str:
    rows = [
        f"| {one.store} | {sum(one.answers.values()) + one.dropped:,} | {sum(one.faults.values())} | {one.dropped:,} "
        f"| {one.refused:,} | {len(one.unaccounted)} | {' | '.join(str(len(it)) for it in one.broken.values())} |"
        for one in found
    ]
    promises = " | ".join(checking.PROMISES)
    head = (
        f"| store | operations | faults | answers lost on purpose | answered 503 | unaccounted answers | {promises} |"
    )
    about = "The columns of promises say how often each was broken."
    return "\n".join([about, "", head, f"|---|{'---|' * (5 + len(checking.PROMISES))}", *rows])


def _of_faults(found: Sequence[Found]) -> str:
    names = dict.fromkeys([*(one.name for one in breaking.FAULTS), *(name for one in found for name in one.faults)])
    rows = [f"| {name} | {' | '.join(str(one.faults.get(name, '')) for one in found)} |" for name in names]
    return "\n".join([f"| fault | {' | '.join(one.store for one in found)} |", f"|---|{'---|' * len(found)}", *rows])


def _of_answers(found: Sequence[Found]) -> str:
    names = sorted({name for one in found for name in one.answers})
    rows = [
        f"| {' | '.join(name.rsplit(' ', 1))} | {' | '.join(f'{one.answers.get(name, 0):,}' for one in found)} |"
        for name in names
    ]
    head = f"| request | answer | {' | '.join(one.store for one in found)} |"
    return "\n".join([head, f"|---|---|{'---|' * len(found)}", *rows])


def _of_wrongs(found: Sequence[Found]) -> str:
    rows = [
        f"- {one.store}: {promise}: {what}"
        for one in found
        for promise, broken in [*one.broken.items(), ("an answer that no fault accounts for", one.unaccounted)]
        for what in [*broken[:_SHOWN], *([f"and {len(broken) - _SHOWN} more"] if len(broken) > _SHOWN else [])]
    ]
    return "\n".join(["What was broken:", "", *rows]) if rows else ""
