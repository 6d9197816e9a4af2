"""Timing whole requests in one process: contenders interleaved, in many short rounds.

A machine's speed drifts from second to second, so that no two runs compare. Within a round all contenders
run one after the other, in random order, and what counts is the difference inside the round.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Flask

    Environ = dict[str, Any]


def stay_on_one_core() -> str:
    """Run this process, and the servers that it starts, on one core from now on; return the words for a report.

    A request to a server on another core waits for that core to wake up, and then for its own: on a virtual
    machine that takes several times as long as a look-up, varies by as much, and a machine that is busy, as
    one in production, does not do it.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "Servers may run on cores of their own."
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return "The stores' servers run on the same core, which no one has to wake up."


@dataclass(frozen=True)
class Contender:
    """An application and the request that it is timed with."""

    app: Flask
    environ: Environ
    status: str = "200"

    def request(self) -> Environ:
        """Return what the next request is, anew each time."""
        return dict(self.environ)


@dataclass(frozen=True)
class Figure:
    """What a contender adds to the base, in microseconds a request: the median and the middle half."""

    added: float
    low: float
    high: float


def answer(contender: Contender) -> str:
    """Send one request through the application and return the status; the body is read to its end."""
    statuses: list[str] = []

    def start_response(status: str, _headers: Any, _error: Any = None) -> Any:
        statuses.append(status)

    body: Iterable[bytes] = contender.app.wsgi_app(contender.request(), start_response)
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return statuses[0]


def check(contenders: Mapping[str, Contender]) -> None:
    """Stop if a contender does not do what is to be timed."""
    for name, contender in contenders.items():
        status = answer(contender)
        assert status.startswith(contender.status), f"{name} answers {status} to {contender.environ['PATH_INFO']}"


def timed(contender: Contender, requests: int) -> float:
    """Return the microseconds that a request takes, on average over ``requests`` of them."""
    started = perf_counter()
    for _ in range(requests):
        answer(contender)
    return (perf_counter() - started) / requests * 1e6


def interleave(contenders: Mapping[str, Contender], rounds: int, requests: int) -> dict[str, list[float]]:
    """Return each contender's microseconds a request, one figure a round."""
    check(contenders)
    for contender in contenders.values():
        timed(contender, requests)
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        names = list(contenders)
        random.shuffle(names)
        for name in names:
            figures[name].append(timed(contenders[name], requests))
    gc.unfreeze()
    return figures


def added(figures: Mapping[str, list[float]], name: str, base: str) -> Figure:
    """Return what ``name`` adds to ``base``, by the differences within each round."""
    differences = [mine - other for mine, other in zip(figures[name], figures[base], strict=True)]
    low, median, high = statistics.quantiles(differences, n=4)
    return Figure(median, low, high)


def ratio(mine: Figure, other: Figure) -> float:
    """Return how much ``mine`` adds as a multiple of what ``other`` adds."""
    return mine.added / other.added
