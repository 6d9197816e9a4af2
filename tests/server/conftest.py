"""What the tests of the ready-made application share: a folder of its own, and an environment that says nothing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from admit.server import create_app
from admit.server.cli import main
from admit.server.pages import close_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from click.testing import Result
    from flask import Flask

PASSWORD = "a phrase that nobody else has 9"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to an empty folder, where the database will be, and forget what the environment says."""
    for name in [*os.environ]:
        if name.startswith(("ADMIT_", "FLASK_", "GUNICORN_")) or name == "WEB_CONCURRENCY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make() -> Iterator[Callable[..., Flask]]:
    """Return what makes the application, with settings by their names without the prefix; `dev` unless told."""
    with ExitStack() as closing:

        def make(**settings: Any) -> Flask:
            values: Mapping[str, Any] = {"dev": True} | settings
            app = create_app({f"ADMIT_{name}".upper(): value for name, value in values.items()})
            closing.callback(close_stores, app)
            return app

        yield make


@pytest.fixture
def admit() -> Callable[..., Result]:
    """Return what runs `admit` with these words."""

    def admit(*words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, words, input=typed, prog_name="admit")

    return admit
