"""The examples, served for real by waitress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.serving import ROOT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the recipe keeps its database and its key."""
    return tmp_path_factory.mktemp("instance")


@pytest.fixture(scope="module")
def recipe_url(instance: Path) -> Iterator[str]:
    """Serve the recipe and return its address."""
    with serving(ROOT / "examples/recipe/app.py", RECIPE_INSTANCE=str(instance)) as url:
        yield url


@pytest.fixture
def client(recipe_url: str) -> Iterator[httpx.Client]:
    """Return a client of the recipe with a cookie jar of its own."""
    with httpx.Client(base_url=recipe_url) as client:
        yield client


@pytest.fixture(scope="module")
def minimal_url() -> Iterator[str]:
    """Serve the minimal example and return its address."""
    with serving(ROOT / "examples/minimal/app.py") as url:
        yield url
