"""Doing things at once: the same moves by many threads of one store, or by processes with a store each."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from threading import Barrier
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    # A store of any kind: each contract knows its own.
    Opener: TypeAlias = Callable[[], Any]
    Move: TypeAlias = Callable[[Any], Any]

__all__ = ["Crew", "Processes", "Threads", "close"]

#: Seconds to wait for each other: longer than the slowest start of a process on a busy machine.
_PATIENCE = 120.0


class Meeting(Protocol):
    """A barrier, of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all are here."""
        ...


class Crew(Protocol):
    """Racers, who run rounds in which each has one move and all start together."""

    size: int

    def race(self, opener: Opener, store: Any, rounds: Sequence[Sequence[Move]]) -> list[list[Any]]:
        """Run the rounds, with one move for each racer in each, and return what the moves returned."""
        ...


class Threads:
    """Threads that share one store, as those of a web server do."""

    size = 8

    def race(self, opener: Opener, store: Any, rounds: Sequence[Sequence[Move]]) -> list[list[Any]]:
        """Run the rounds on ``store``."""
        del opener
        start = Barrier(self.size)
        with ThreadPoolExecutor(self.size) as threads:
            return _by_round([threads.submit(_run, store, start, moves) for moves in _by_racer(rounds, self.size)])


class Processes:
    """Processes of the operating system, each of which opens the store for itself."""

    def __init__(self, size: int = 4) -> None:
        self.size = size
        spawn = get_context("spawn")
        self._line = spawn.Barrier(self.size)
        self._pool = ProcessPoolExecutor(self.size, mp_context=spawn, initializer=Start.meet_at, initargs=(self._line,))

    def race(self, opener: Opener, store: Any, rounds: Sequence[Sequence[Move]]) -> list[list[Any]]:
        """Run the rounds on what ``opener`` opens in each process."""
        del store
        # A racer whose store did not open has left the others of an earlier race waiting, in vain.
        self._line.reset()
        return _by_round([self._pool.submit(_open_and_run, opener, moves) for moves in _by_racer(rounds, self.size)])

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


class Start:
    """Where the racers of a process's crew meet: set once in each process, when it begins."""

    line: ClassVar[Meeting]

    @classmethod
    def meet_at(cls: type[Self], line: Meeting) -> None:
        """Remember the barrier: it can be inherited by a process, but not sent to one."""
        cls.line = line


def close(store: Any) -> None:
    """Close a store, if it is one of those that can be closed."""
    if hasattr(store, "close"):
        store.close()


def _by_racer(rounds: Sequence[Sequence[Move]], size: int) -> list[list[Move]]:
    columns = [list(moves) for moves in zip(*rounds, strict=True)]
    # One racer more or less would wait for ever.
    assert len(columns) == size
    return columns


def _by_round(racers: Sequence[Future[list[Any]]]) -> list[list[Any]]:
    wait(racers)
    return [list(results) for results in zip(*(racer.result() for racer in racers), strict=True)]


def _open_and_run(opener: Opener, moves: Sequence[Move]) -> list[Any]:
    store = opener()
    try:
        return _run(store, Start.line, moves)
    finally:
        close(store)


def _run(store: Any, start: Meeting, moves: Sequence[Move]) -> list[Any]:
    results: list[Any] = []
    failures: list[Exception] = []
    for move in moves:
        start.wait(_PATIENCE)
        try:
            results.append(move(store))
        except Exception as error:  # noqa: BLE001 -- the others wait at the next start: fail after the race
            failures.append(error)
    if failures:
        raise failures[0]
    return results
