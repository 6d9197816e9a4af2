"""Records of events that wait to be linked into the chain, in PostgreSQL.

The end of the chain is one row. A login that changed it in its transaction would hold it until the commit, for as many
round trips as are left, and all logins of a site would queue there. So a record is written into a table of its own, in
the transaction of the change that it tells of, and no login waits for another. *Sealing* moves what waits into the
chain, in the order in which it was written: right after the commit by the process that has written, under a lock that
it tries and does not wait for, and before the chain is read, verified, erased or purged.

SQLite has one writer at a time anyway. There a record is linked at once.
"""
# ruff: noqa: S608 -- only names that were checked and our own words are put together; values are always arguments

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.stores.sql_statements import Wording

if TYPE_CHECKING:
    from admit.stores.sql_statements import Dialect

__all__ = ["BATCH", "RECORD_COLUMNS", "ROUNDS", "OutboxStatements"]

#: What is kept of a record before it is linked.
RECORD_COLUMNS = ("at", "name", "outcome", "method", "reason", "subject", "session", "personal")
#: How many records are linked in one transaction, and how many transactions one login does for all at most.
BATCH, ROUNDS = 300, 3

_TYPES = {"number": "bigint", "at": "bigint"} | dict.fromkeys(("salt", "personal_hash", "previous", "hash"), "bytea")


class OutboxStatements(Wording):
    """The statements about records that wait.

    Args:
        columns: The columns of a link, in the order in which they are written.
    """

    def __init__(self, dialect: Dialect, schema: str | None, prefix: str, columns: tuple[str, ...]) -> None:
        super().__init__(dialect, schema, prefix)
        waiting, ends = self._table("event_outbox"), self._table("event_ends")
        names = ", ".join(f'"{name}"' for name in RECORD_COLUMNS)
        # The chain has to be there: a record that could never be linked is none, and then the change is not made.
        at = f"COALESCE((SELECT number FROM {self._table('events')} WHERE FALSE), ?)"
        values = ", ".join([at, *"?" * (len(RECORD_COLUMNS) - 1)])
        self.add: str = self._marked(f"INSERT INTO {waiting} ({names}) VALUES ({values})")
        self.look: str = f"SELECT 1 FROM {waiting} LIMIT 1"
        self.hold: str = f"SELECT head_number, head_hash FROM {ends} WHERE id = 1 FOR UPDATE"
        self.try_to_hold: str = f"{self.hold} SKIP LOCKED"
        first = f"SELECT id FROM {waiting} ORDER BY id LIMIT ?"
        self.take: str = self._marked(
            f"DELETE FROM {waiting} WHERE id {dialect.is_among.format(first)} RETURNING id, {names}"
        )
        arrays = ", ".join(f"CAST(? AS {_TYPES.get(name, 'text')}[])" for name in columns)
        listed = ", ".join(f'"{name}"' for name in columns)
        self.link: str = self._marked(
            f"WITH head AS (UPDATE {ends} SET head_number = ?, head_hash = ? WHERE id = 1)"
            f" INSERT INTO {self._table('events')} ({listed}) SELECT * FROM unnest({arrays})"
        )
