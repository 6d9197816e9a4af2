"""What the commands of ``admit`` have in common: how the application is found, and how what went wrong is said."""

from __future__ import annotations

import os
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import click
from flask.cli import ScriptInfo

from admit.errors import AdmitError, ConfigurationError, InvalidInput, StoreError
from admit.server.app import create_app
from admit.server.configuration import configuration, values_of
from admit.server.pages import close_stores
from admit.server.settings import known_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flask import Flask

    from admit.server.configuration import Found

__all__ = ["Program", "Setup", "the_setup"]


class Setup(ScriptInfo):
    """What the command line, the environment and the file say; Flask's commands get their application from it."""

    def __init__(self, flags: Mapping[str, Any], file: Path | None) -> None:
        super().__init__(create_app=self._commanded_app, set_debug_flag=False)
        self.flags: dict[str, Any] = dict(flags)
        self.file: Path | None = file

    @cached_property
    def found(self) -> dict[str, Found]:
        """What was set, and where."""
        return configuration(self.flags, os.environ, self.file, known_settings())

    @property
    def values(self) -> dict[str, Any]:
        """What was set."""
        return values_of(self.found)

    def _commanded_app(self) -> Flask:
        app = create_app(self.values, serves=False)
        click.get_current_context().find_root().call_on_close(partial(close_stores, app))
        return app

    def served_app(self, **more: Any) -> Flask:
        """Return the application, to be served; ``more`` is what became known meanwhile."""
        return create_app(self.values | more)


class Program(click.Group):
    """A group of commands that says what went wrong in a sentence, and ends with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            message = "\n".join(f"{name}: {text}" for name, text in error.fields.items())
        except (ConfigurationError, AdmitError) as error:
            message = str(error)
        except StoreError as error:
            message = f"The store did not answer: {error}. Check that it runs and that its address is right."
        raise click.ClickException(message)


def the_setup() -> Setup:
    """Return what the command at hand was told."""
    return click.get_current_context().ensure_object(Setup)
