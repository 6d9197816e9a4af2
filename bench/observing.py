"""What metrics and spans add to a request that asks who the user is."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from prometheus_client import CollectorRegistry

from admit.flask.metrics import Metrics
from admit.flask.traces import Traces
from bench import stores
from bench.rounds import added, interleave

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from bench.rounds import Contender

#: How much longer a request may take with metrics: what is looked at at each request must not be felt.
TARGET = 1.05

#: What is compared with what. Whoever has spans has one of the request already, which is no doing of ours.
_PAIRS = {
    "metrics": "nothing",
    "spans, not sampled": "that of the request, not sampled",
    "spans, sampled": "that of the request, sampled",
}


class Cost(NamedTuple):
    """What is looked at, what a request takes without it and what it adds, in microseconds."""

    case: str
    watched: str
    base: float
    added: float

    @property
    def ratio(self) -> float:
        """How long a request takes, as a multiple of what it takes without."""
        return (self.base + self.added) / self.base


def measure(folder: Path, rounds: int, requests: int) -> Iterator[Cost]:
    """Time requests whose session the near cache knows, and such that ask SQLite."""
    for title, config in (("GET, SQLite behind the near cache", {}), ("GET, SQLite", stores.NO_CACHE)):
        url = f"sqlite:///{folder}/observing{len(config)}.db"
        case = stores.Case(title, "/who", "GET", url, config, None)
        found = {name: _contender(case, name) for name in (*_PAIRS.values(), *_PAIRS)}
        figures = interleave(found, rounds, requests)
        for name, base in _PAIRS.items():
            yield Cost(title, name, statistics.median(figures[base]), added(figures, name, base).added)
        stores.close({"Admit": found["nothing"]})


def _contender(case: stores.Case, name: str) -> Contender:
    contender = stores.contenders(case)["Admit"]
    app = contender.app
    if name == "metrics":
        Metrics(app, registry=CollectorRegistry())
    elif name != "nothing":
        provider = TracerProvider(sampler=ALWAYS_OFF if "not sampled" in name else ALWAYS_ON)
        _span_requests(app, provider)
        if name in _PAIRS:
            Traces(app, tracer_provider=provider)
    return contender


def _span_requests(app: Flask, provider: TracerProvider) -> None:
    view, tracer = app.wsgi_app, provider.get_tracer("requests")

    def traced(environ: Any, start_response: Any) -> Any:
        with tracer.start_as_current_span("request"):
            return view(environ, start_response)

    app.wsgi_app = traced  # type: ignore[method-assign]
