"""``admit``: the ready-made application, and what its operator does."""

from __future__ import annotations

import json as encoding
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from admit.flask.cli import db_commands, sessions_commands
from admit.flask.context import application
from admit.flask.doctor import doctor_command
from admit.flask.event_commands import events_commands
from admit.flask.printing import as_json, print_rows
from admit.flask.purging import purge
from admit.server.app import OUTBOX
from admit.server.configuration import CONFIG, shown_settings
from admit.server.examining import look
from admit.server.pages import accounts_of
from admit.server.program import Program, Setup, the_setup
from admit.server.serving import listen, serve
from admit.server.settings import ServerSettings, known_settings
from admit.server.user_files import export_users, import_users
from admit.server.users import user_commands

__all__ = ["main"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="admit", message="%(version)s")
@click.option("--db", metavar="URL", help="Where accounts are kept; sqlite:///admit.db without.")
@click.option("--config", type=_FILE, envvar=CONFIG, metavar="FILE", help="A TOML file with settings.")
@click.pass_context
def main(ctx: click.Context, *, db: str | None, config: Path | None) -> None:
    """Login, sessions and accounts, ready to use.

    Settings come from flags, the environment (ADMIT_…) and a TOML file, in this order. "admit settings" lists them.
    """
    ctx.obj = Setup({ServerSettings.key("db"): db}, config)


user_commands.add_command(import_users)
user_commands.add_command(export_users)
main.add_command(user_commands)
main.add_command(sessions_commands)
main.add_command(db_commands)
main.add_command(events_commands)
main.add_command(purge)
main.add_command(doctor_command(look))


@main.command("run")
@click.option("--db", metavar="URL", help="Where accounts are kept; sqlite:///admit.db without.")
@click.option("--host", help="The address to listen at; 127.0.0.1 without.")
@click.option("--port", type=int, help="The port to listen at; 5000 without, and 0 for one that is free.")
@click.option("--dev/--no-dev", default=None, help="Print mails, and show them at /account/outbox, instead of sending.")
@click.option("--threads", type=int, help="How many requests are answered at once; 32 without.")
@click.option("--public-url", metavar="URL", help="The address of this site in links of mails.")
@click.option("--proxies", type=int, help="How many proxies of your own are in front.")
@click.option("--config", type=_FILE, metavar="FILE", help="A TOML file with settings.")
def run(*, config: Path | None, **flags: Any) -> None:
    """Serve all features, on SQLite unless told otherwise.

    To have a look: admit run --dev
    """
    setup = the_setup()
    setup.file = config or setup.file
    setup.flags |= {f"ADMIT_{name}".upper(): value for name, value in flags.items() if value is not None}
    server = ServerSettings.from_mapping(setup.values)
    listening = listen(server)
    with listening:
        port: int = listening.getsockname()[1]
        app = setup.served_app(ADMIT_PORT=port)
        address = f"http://{f'[{server.host}]' if ':' in server.host else server.host}:{port}"
        click.echo(f"Serving at {address}")
        if server.dev:
            click.echo(f"Mails are kept at {app.extensions[OUTBOX]}, because this is development.")
        serve(app, server, listening)


@main.command("settings")
@as_json
def list_settings(*, json: bool) -> None:
    """List all settings, with the values that count and where they come from.

    Secrets are masked.
    """
    rows = [one._asdict() for one in shown_settings(the_setup().found, known_settings())]
    if not json:
        rows = [{**row, "value": "none" if row["value"] is None else str(row["value"])} for row in rows]
    print_rows(rows, ["key", "value", "origin", "doc"], json=json)


@main.command("openapi")
@with_appcontext
def print_openapi() -> None:
    """Print the description of the JSON API: OpenAPI 3.1."""
    from admit.flask.openapi import describe

    click.echo(encoding.dumps(describe(accounts_of(application())), indent=2))
