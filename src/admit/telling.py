"""Telling of events, and keeping them: with the change that they tell of where that can be."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from admit.events import Event, Events

__all__ = ["Keeper", "Telling"]


class Keeper(Protocol):
    """Keeps events for good: with the change that they tell of where it can, and else right after it."""

    def with_change(self, events: Sequence[Event]) -> AbstractContextManager[Callable[[], bool]]:
        """Write the events with the change that is made in the block; what it gives tells whether they were."""
        ...

    def keep(self, event: Event, *, is_written: bool) -> None:
        """Note that an event happened, and write it unless that was done with the change."""
        ...


class Telling:
    """Events that are about to happen: they are told if the change that is made in the block was made.

    Args:
        events: Those who are told.
        expected: What is about to happen.
    """

    def __init__(self, events: Events, expected: Sequence[Event]) -> None:
        self._events = events
        self._expected = expected
        self._written: dict[Keeper, bool] = {}
        self._block = ExitStack()

    def __enter__(self) -> Self:
        """Let keepers write the events with what is changed from now on."""
        for keeper in self._events.keepers:
            is_written = self._block.enter_context(keeper.with_change(self._expected))
            self._block.callback(self._note, keeper, is_written)
        return self

    def __exit__(self, *raised: object) -> None:
        """Note what was written."""
        self._block.close()

    def publish(self, *events: Event) -> None:
        """Pass on those of the events that are named, or all."""
        for event in events or self._expected:
            self._events.publish(event, self._written)

    def _note(self, keeper: Keeper, is_written: Callable[[], bool]) -> None:
        self._written[keeper] = is_written()
