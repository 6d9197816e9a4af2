"""What the contracts of all stores have in common: the store under test, and racers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from admit.testing.racing import Processes, Threads, close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.testing.racing import Crew

__all__ = ["Contract"]

_PROCESSES = pytest.StashKey[dict[int, Processes]]()


class Contract:
    """Promises that a store has to keep, as tests."""

    #: Whether what one object of the store keeps is seen by another, in other processes too.
    shared = True
    #: How many processes race.
    processes = 4

    @pytest.fixture
    def store(self, opener: Callable[[], Any]) -> Iterator[Any]:
        """Open the store under test."""
        store = opener()
        yield store
        close(store)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each race with threads, and with processes where they can see the same things."""
        if "crew" in metafunc.fixturenames:
            kinds = ["threads", "processes"] if self.shared else ["threads"]
            metafunc.parametrize("crew", kinds, indirect=True)

    @pytest.fixture
    def crew(self, request: pytest.FixtureRequest) -> Crew:
        """Call for the racers."""
        return Threads() if request.param == "threads" else _processes(request.config, self.processes)


def _processes(config: pytest.Config, size: int) -> Processes:
    # They take a second to start, so that they serve for all stores.
    crews = config.stash.setdefault(_PROCESSES, {})
    if size not in crews:
        crews[size] = Processes(size)
        config.add_cleanup(crews[size].close)
    return crews[size]
