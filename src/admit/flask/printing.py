"""What commands print: a table on a terminal, plain lines when piped, JSON when asked for."""

from __future__ import annotations

import json as encoding
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from admit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

__all__ = ["as_json", "legible", "moment", "plain", "print_row", "print_rows", "store_trouble_said"]

_JSON = {bool, int, float, str, dict, list, tuple, type(None)}

#: The option of every command that shows something.
as_json: Callable[[Any], Any] = click.option("--json", is_flag=True, help="Print JSON, for programs.")


def moment(at: datetime) -> str:
    """Return a time as people read it."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, json: bool, nothing: str = "There is nothing."
) -> None:
    """Print rows.

    Args:
        rows: What there is; JSON has all of each.
        columns: What of it is shown to people.
        json: Whether to print JSON.
        nothing: What to say to people when there are none.
    """
    found = list(rows)
    if json:
        click.echo(encoding.dumps([plain(row) for row in found], indent=2))
    elif not found:
        click.echo(nothing)
    else:
        cells = [[_cell(row[column]) for column in columns] for row in found]
        is_table = sys.stdout.isatty() and find_spec("rich") is not None
        (_print_table if is_table else _print_lines)(columns, cells)


def print_row(row: Mapping[str, Any], sentence: str | None = None, *, json: bool) -> None:
    """Print one thing: as a sentence, if there is one that says it, or else a line for each of its parts."""
    if json:
        click.echo(encoding.dumps(plain(row), indent=2))
    elif sentence is not None:
        click.echo(legible(sentence))
    else:
        _print_lines([], [[name.replace("_", " ") + ":", _cell(value)] for name, value in row.items()])


@contextmanager
def store_trouble_said() -> Generator[None]:
    """End the command with a sentence if the store does not answer."""
    try:
        yield
    except StoreError as error:
        message = f"The store did not answer: {error}. Check that it runs and that its address is right."
        raise click.ClickException(message) from error


def _print_lines(_columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    rich: Any = {name: import_module(f"rich.{name}") for name in ("box", "console", "table", "text")}
    table = rich["table"].Table(box=rich["box"].SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " ").capitalize(), overflow="fold")
    for row in cells:
        # As text: what looks like markup may come from a stranger.
        table.add_row(*(rich["text"].Text(cell) for cell in row))
    rich["console"].Console(file=sys.stdout).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return legible(", ".join(map(str, value)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "" if value is None else legible(str(value))


def legible(text: str) -> str:
    """Return a text with what a terminal would act on, instead of showing it, spelled out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: _encoded(value) for name, value in row.items()}


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if type(value) in _JSON else str(value)
