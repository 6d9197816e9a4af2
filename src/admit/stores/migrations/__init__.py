"""Admit's own migrations: run by ``SqlStore.upgrade``, with a version table of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from admit.stores.sql_tables import version_table

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["config", "upgrade"]


def config() -> Config:
    """Return what Alembic has to know to find the migrations."""
    found = Config()
    # Alembic reads a percent sign in a path as the beginning of a variable.
    found.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    return found


def upgrade(engine: Engine, schema: str | None, prefix: str) -> None:
    """Run the migrations that the database has not seen yet, in one transaction."""
    with engine.begin() as connection:
        alembic = config()
        alembic.attributes.update(
            connection=connection, schema=schema, prefix=prefix, version_table=version_table(prefix)
        )
        command.upgrade(alembic, "head")
