"""What is said to the database, put together once, so that it can be prepared by its text."""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

from typing import Protocol

from admit.stores.sql_rows import ENDING_COLUMNS, SESSION_COLUMNS

__all__ = ["Dialect", "Statements", "Wording"]


class Dialect(Protocol):
    """In what SQLite and PostgreSQL differ."""

    mark: str
    is_not_distinct_from: str
    is_distinct_from: str
    is_among: str
    lock_rows: str


class Wording:
    """How statements for the tables under one prefix are put together; the names were checked before."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        self._place: str = f'"{schema}".' if schema else ""
        self._prefix: str = prefix
        self._dialect: Dialect = dialect

    def _table(self, name: str) -> str:
        return f'{self._place}"{self._prefix}{name}"'

    def _marked(self, statement: str) -> str:
        return statement.replace("?", self._dialect.mark)

    def _insert(self, table: str, columns: tuple[str, ...]) -> str:
        names = ", ".join(f'"{name}"' for name in columns)
        return self._marked(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})")

    def _purge(self, table: str, key: str, expires: str = "expires_at") -> str:
        # In an order, so that they are found by the index that has it, and not by reading the whole table.
        expired = f"SELECT {key} FROM {table} WHERE {expires} < ? ORDER BY {expires} LIMIT ? {self._dialect.lock_rows}"
        return self._marked(f"DELETE FROM {table} WHERE {key} {self._dialect.is_among.format(expired)} RETURNING 1")


class Statements(Wording):
    """The statements about sessions and endings."""

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str) -> None:
        super().__init__(dialect, schema, prefix)
        sessions, endings = self._table("sessions"), self._table("endings")
        columns = ", ".join(SESSION_COLUMNS[:-1])
        self.add: str = self._insert(sessions, SESSION_COLUMNS)
        self.get: str = self._marked(f"SELECT {columns} FROM {sessions} WHERE id = ?")
        self.list: str = self._marked(f"SELECT {columns} FROM {sessions} WHERE subject = ? ORDER BY created_at, id")
        # As text: the driver of PostgreSQL sends a number as wide as it is, and a question is prepared for one width.
        self.list_newest: str = self._marked(
            f"SELECT {columns} FROM {sessions} WHERE subject = ?"
            f" ORDER BY created_at DESC, id DESC LIMIT CAST(? AS BIGINT)"
        )
        # A later touch may come in before an earlier one: what is there already stays.
        self.touch: str = self._marked(
            f"UPDATE {sessions} SET expires_at = CASE WHEN seen_at < ? THEN ? ELSE expires_at END,"
            f" seen_at = CASE WHEN seen_at < ? THEN ? ELSE seen_at END WHERE id = ? RETURNING 1"
        )
        self.swap: str = self._marked(
            f"UPDATE {sessions} SET secret_hash = ?, nonce = ?, rotated_at = ?, confirmed_at = ?"
            f" WHERE id = ? AND secret_hash = ? AND confirmed_at {dialect.is_not_distinct_from} ? RETURNING 1"
        )
        self.delete: str = self._marked(f"DELETE FROM {sessions} WHERE id = ? RETURNING expires_at")
        # An id that ended before would be one that somebody added twice: it has to end all the same.
        self.end: str = self._insert(endings, ENDING_COLUMNS) + " ON CONFLICT (session_id) DO NOTHING"
        self.get_ending: str = self._marked(f'SELECT reason, at, "by" FROM {endings} WHERE session_id = ?')
        self.count: str = f"SELECT count(*) FROM {sessions}"
        self.count_of: str = self._marked(f"SELECT count(*) FROM {sessions} WHERE subject = ?")
        self.purge_sessions: str = self._purge(sessions, "id")
        self.purge_endings: str = self._purge(endings, "session_id")

    def noted_version(self, table: str) -> str:
        """Return the question which version of the tables is noted."""
        return f'SELECT version_num FROM {self._place}"{table}"'

    def note_version(self, table: str, version: str) -> str:
        """Return the statement that notes the version of tables that were just made, if none is noted."""
        name = f'{self._place}"{table}"'
        return f"INSERT INTO {name} (version_num) SELECT '{version}' WHERE NOT EXISTS (SELECT 1 FROM {name})"
