"""``flask admit``: known to each application from the start, and imported when somebody types it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from flask.cli import AppGroup

__all__ = ["Commands"]


class Commands(click.Group):
    """The commands of :mod:`admit.flask.cli`; whoever serves loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return _commands().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name, if there is one."""
        return _commands().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it can't do here is said in a sentence."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error


def _commands() -> AppGroup:
    from admit.flask.cli import admit_commands

    return admit_commands
