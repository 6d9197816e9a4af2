"""Records of events, and where their chain begins and ends."""
# ruff: noqa: INP001 -- Alembic runs it as a script

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables; those that ``create()`` made are left as they are."""
    options = op.get_context().opts
    schema: str | None = options["schema"]
    prefix: str = options["prefix"]
    op.create_table(
        f"{prefix}events",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("personal", sa.Text),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("personal_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        schema=schema,
        if_not_exists=True,
    )
    op.create_table(
        f"{prefix}event_ends",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("base_number", sa.BigInteger, nullable=False),
        sa.Column("base_hash", sa.LargeBinary, nullable=False),
        sa.Column("head_number", sa.BigInteger, nullable=False),
        sa.Column("head_hash", sa.LargeBinary, nullable=False),
        schema=schema,
        if_not_exists=True,
    )
    for name in ("subject", "session"):
        op.create_index(
            f"{prefix}events_{name}", f"{prefix}events", [name, "number"], schema=schema, if_not_exists=True
        )
