"""Admit's own migrations: run by ``SqlStore.upgrade``, with a version table of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import text

from admit.stores.sql_tables import version_table

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["scripts", "upgrade"]


def scripts() -> ScriptDirectory:
    """Return the migrations."""
    return ScriptDirectory(str(Path(__file__).parent))


def upgrade(engine: Engine, schema: str | None, prefix: str) -> None:
    """Run the migrations that the database has not seen yet, in one transaction."""
    version = version_table(prefix)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two that are deployed at once would both begin at the same place.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": version})
        elif connection.connection.dbapi_connection.in_transaction is False:  # type: ignore[union-attr]
            # The same for SQLite, whose driver begins with the first row that is written, and not with a new column.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        options = {"version_table": version, "version_table_schema": schema, "schema": schema, "prefix": prefix}
        context = MigrationContext.configure(connection, opts=options)
        _run(context)


def _run(context: MigrationContext) -> None:
    found = scripts()
    left = list(found.iterate_revisions("head", context.get_current_heads() or "base"))
    with Operations.context(context):
        for script in reversed(left):
            script.module.upgrade()
            context.stamp(found, script.revision)
