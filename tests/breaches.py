"""Finding which promise of a contract a store breaks."""

from __future__ import annotations

import inspect
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from admit.testing.racing import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["breach"]

MODEL = "test_it_does_what_memory_does"


def breach(contract: type[Any], store: Callable[[], Any]) -> str | None:
    """Return the first of the contract's tests, but the one of the model, that the store in one object fails."""

    class Alone(contract):
        shared = False
        __test__ = False

    for name, test in inspect.getmembers(Alone, inspect.isfunction):
        if name.startswith("test_") and name != MODEL:
            for given in parameters(test):
                try:
                    keep(Alone(), test, store(), given)
                except (Exception, pytest.fail.Exception):  # noqa: BLE001 -- a test fails by whatever it does not expect
                    return name
    return None


def keep(contract: Any, test: Callable[..., None], store: Any, given: dict[str, Any]) -> None:
    """Run one of the contract's tests on a store."""
    fixtures = {"store": store, "opener": lambda: store, "crew": Threads(), **given}
    test(contract, **{name: fixtures[name] for name in inspect.signature(test).parameters if name != "self"})


def parameters(test: Any) -> Iterator[dict[str, Any]]:
    """Return what each run of a test is given by its marks."""
    marks = [mark.args for mark in getattr(test, "pytestmark", [])]
    for values in product(*(list(values) for _, values in marks)):
        yield {name: value for (name, _), value in zip(marks, values, strict=True)}
