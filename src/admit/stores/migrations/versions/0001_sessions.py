"""Sessions, and why they ended."""
# ruff: noqa: INP001 -- Alembic runs it as a script

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables; those that ``create()`` made are left as they are."""
    options = op.get_context().opts
    schema: str | None = options["schema"]
    prefix: str = options["prefix"]
    op.create_table(
        f"{prefix}sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("seed", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("idle", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("rotated_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("remembered", sa.Boolean, nullable=False),
        sa.Column("authentications", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("user_agent", sa.Text),
        schema=schema,
        if_not_exists=True,
    )
    op.create_table(
        f"{prefix}endings",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        schema=schema,
        if_not_exists=True,
    )
    for table, name, columns in (
        ("sessions", "subject", ["subject", "created_at"]),
        ("sessions", "expires_at", ["expires_at"]),
        ("endings", "expires_at", ["expires_at"]),
    ):
        op.create_index(f"{prefix}{table}_{name}", f"{prefix}{table}", columns, schema=schema, if_not_exists=True)
