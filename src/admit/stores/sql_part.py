"""What the parts of the store over SQL have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.stores.sql_postgres import PostgresDatabase
    from admit.stores.sql_rows import Row
    from admit.stores.sql_sqlite import SqliteDatabase

    Database: TypeAlias = SqliteDatabase | PostgresDatabase
    Run: TypeAlias = Callable[..., list[Row]]

__all__ = ["Part"]


class Part:
    """A part of the store: some of its verbs, over the database that all parts share."""

    _database: Database

    if TYPE_CHECKING:

        def _record(self, run: Run) -> None:
            """Append what is to be recorded with this change, if anything is; the part that keeps events has it."""
