"""Epochs of accounts and challenges: what was proven at another one counts no more."""
# ruff: noqa: INP001 -- Alembic runs it as a script

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns where they are missing, with a default for processes of the version before."""
    options = op.get_context().opts
    schema: str | None = options["schema"]
    prefix: str = options["prefix"]
    for table in ("accounts", "challenges"):
        described = sa.inspect(op.get_bind()).get_columns(f"{prefix}{table}", schema=schema)
        if all(column["name"] != "epoch" for column in described):
            column = sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0")
            op.add_column(f"{prefix}{table}", column, schema=schema)
