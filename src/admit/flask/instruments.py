"""The metrics themselves: their names, their labels and how the sessions are counted.

Whoever reads metrics is told numbers and never who. No label holds what a client has sent: methods are those of the
features that are there, and everything else is a word of the code. So there is a bound on the number of series that no
client can move.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from admit.errors import ConfigurationError, StoreError
from admit.per_process import Mutex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.store import SessionStore

__all__ = ["Instruments", "LiveSessions", "instruments_of"]

#: Seconds. The least is what memory takes, and behind the greatest a store has not answered in time.
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0)

#: How long a count of the sessions holds at least (seconds), and how many times as long as it took to count them.
_HOLDS, _TIMES = 15.0, 100.0


class LiveSessions(Collector):
    """Counts the sessions when somebody fetches the metrics.

    In a large store that takes seconds, and metrics are fetched as often as somebody likes. So a count holds for a
    hundred times as long as it took, and at least for 15 seconds: the store spends at most 1 % of its time on it.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._stores: list[weakref.ref[SessionStore]] = []
        self._lock = Mutex()
        self._found: int | None = None
        self._holds_until = clock()

    def watch(self, store: SessionStore) -> None:
        """Count the sessions of this store as well, for as long as somebody has it."""
        self._stores.append(weakref.ref(store))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say what is collected, without counting."""
        yield GaugeMetricFamily(
            "admit_sessions_live",
            "Sessions in the store that have not ended; one whose time is over counts until it is purged.",
        )

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return how many sessions there are; nothing if a store does not answer."""
        found = self._counted()
        for family in self.describe():
            if found is not None:
                family.add_metric([], found)
            yield family

    def _counted(self) -> int | None:
        # Whoever comes while another counts is told what was found before.
        if self._clock() >= self._holds_until and self._lock.acquire(blocking=False):
            began = self._clock()
            try:
                self._found = self._count()
            finally:
                now = self._clock()
                self._holds_until = now + max(_HOLDS, _TIMES * (now - began))
                self._lock.release()
        return self._found

    def _count(self) -> int | None:
        stores = [store for store in (reference() for reference in self._stores) if store is not None]
        try:
            return sum(store.count_sessions() for store in stores) if stores else None
        except StoreError:
            return None


class Instruments:
    """Every metric of one registry.

    Args:
        registry: Where they are registered.

    Raises:
        ConfigurationError: Several processes are to count together, and there is no folder for it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if folder is not None and not Path(folder).is_dir():
            message = f"PROMETHEUS_MULTIPROC_DIR is {folder!r}, which is no folder. Make it before the server starts."
            raise ConfigurationError(message)
        self.logins: Counter = Counter(
            "admit_logins_total",
            "Logins, by the feature that verified them and what came of them.",
            ["method", "outcome"],
            registry=registry,
        )
        self.throttled: Counter = Counter(
            "admit_throttled_total",
            "Tries that were not looked at because there were too many, by the counter that was used up.",
            ["counter"],
            registry=registry,
        )
        self.sessions_ended: Counter = Counter(
            "admit_sessions_ended_total", "Sessions that ended, by the reason.", ["reason"], registry=registry
        )
        self.events: Counter = Counter(
            "admit_events_total", "Everything that happened, by kind.", ["event"], registry=registry
        )
        self.mails: Counter = Counter(
            "admit_mails_total", "Mails, by what came of trying to send them.", ["outcome"], registry=registry
        )
        self.store_seconds: Histogram = Histogram(
            "admit_store_seconds",
            "How long a store took to answer, or not to.",
            ["store", "operation"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.store_errors: Counter = Counter(
            "admit_store_errors_total",
            "Questions that a store did not answer.",
            ["store", "operation"],
            registry=registry,
        )
        self.deaf: Counter = Counter(
            "admit_listening_failures_total",
            "Tries to hear what other processes change that failed; until one succeeds nothing is served from memory.",
            ["store"],
            registry=registry,
        )
        self.live: LiveSessions = LiveSessions()
        #: What is to be shown to whoever fetches the metrics.
        self.shown: CollectorRegistry = registry
        if folder is not None:
            # Of several processes each writes files, and any of them can read them all; but a count of the sessions
            # is no matter of any process.
            self.shown = CollectorRegistry()
            MultiProcessCollector(self.shown)  # type: ignore[no-untyped-call] # it has no types
        self.shown.register(self.live)


def instruments_of(registry: CollectorRegistry) -> Instruments:
    """Return the metrics of a registry, made once: a name can be registered only once, and tests make many apps."""
    found: Instruments | None = vars(registry).get("_admit_instruments")
    if found is None:
        found = vars(registry)["_admit_instruments"] = Instruments(registry)
    return found
