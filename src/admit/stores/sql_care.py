"""What an operator wants to know of a store over SQL: whether it is cleaned up, and where its file is."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from admit.stores.sql_in_memory import InMemoryDatabase
from admit.stores.sql_part import Part
from admit.stores.sql_rows import microseconds
from admit.stores.sql_sqlite import SqliteDatabase
from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from datetime import datetime

    from admit.stores.sql_statements import Dialect

__all__ = ["CareStatements", "SqlCare"]

_PURGED = ("sessions", "endings", "challenges")


class CareStatements(Wording):
    """The statements about what is left over."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        # Never more than are asked for are read, by the index that has the times in order.
        self.count_overdue: tuple[str, ...] = tuple(
            self._marked(
                f"SELECT count(*) FROM (SELECT 1 FROM {self._table(name)} WHERE expires_at < ? "
                "ORDER BY expires_at LIMIT CAST(? AS BIGINT)) AS overdue"
            )
            for name in _PURGED
        )


class SqlCare(Part):
    """What can be asked of the store besides its verbs."""

    _for_care: CareStatements

    def count_overdue(self, *, before: datetime, limit: int = 10_000) -> int:
        """Return how many things, ``limit`` of each kind at most, a purge of those before ``before`` would remove.

        .. versionadded:: 0.2
        """
        values = (microseconds(before), limit)
        return sum(int(self._database.ask(statement, values)[0][0]) for statement in self._for_care.count_overdue)

    def now(self) -> datetime:
        """Return the time of the database's server; of an SQLite file, of this machine.

        .. versionadded:: 0.2
        """
        return self._database.now()

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; ``None`` for other databases.

        .. versionadded:: 0.2
        """
        database = self._database
        if not isinstance(database, SqliteDatabase) or self.is_in_memory:
            return None
        return Path(database._file)  # noqa: SLF001 -- ours

    @property
    def is_in_memory(self) -> bool:
        """Whether this is an SQLite database in memory, which is gone with this process.

        .. versionadded:: 0.2
        """
        return isinstance(self._database, InMemoryDatabase)
