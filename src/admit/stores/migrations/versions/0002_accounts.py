"""Accounts with their identifiers and credentials, challenges, and counters."""
# ruff: noqa: INP001 -- Alembic runs it as a script

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; those that ``create()`` made are left as they are."""
    options = op.get_context().opts
    schema: str | None = options["schema"]
    prefix: str = options["prefix"]
    for table, described in _tables().items():
        op.create_table(f"{prefix}{table}", *described, schema=schema, if_not_exists=True)
    for table, name, columns, unique in (
        ("identifiers", "account_id", ["account_id"], False),
        ("credentials", "key", ["kind", "key"], True),
        ("credentials", "subject", ["subject", "created_at"], False),
        ("challenges", "subject", ["subject", "kind"], False),
        ("challenges", "expires_at", ["expires_at"], False),
        ("counters", "tat", ["tat"], False),
    ):
        op.create_index(
            f"{prefix}{table}_{name}", f"{prefix}{table}", columns, schema=schema, unique=unique, if_not_exists=True
        )


def _tables() -> dict[str, list[sa.Column[object]]]:
    return {
        "accounts": [
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("locked_at", sa.BigInteger),
            sa.Column("closed_at", sa.BigInteger),
            sa.Column("roles", sa.Text, nullable=False),
            sa.Column("revision", sa.BigInteger, nullable=False),
        ],
        "identifiers": [
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("account_id", sa.Text, nullable=False),
            sa.Column("position", sa.BigInteger, nullable=False),
            sa.Column("kind", sa.Text, nullable=False),
            sa.Column("value", sa.Text, nullable=False),
            sa.Column("verified_at", sa.BigInteger),
        ],
        "credentials": [
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("kind", sa.Text, nullable=False),
            sa.Column("key", sa.Text, nullable=False),
            sa.Column("subject", sa.Text, nullable=False),
            sa.Column("secret", sa.Text, nullable=False),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("used_at", sa.BigInteger),
            sa.Column("details", sa.Text, nullable=False),
            sa.Column("revision", sa.BigInteger, nullable=False),
        ],
        "challenges": [
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("kind", sa.Text, nullable=False),
            sa.Column("subject", sa.Text, nullable=False),
            sa.Column("secret_hash", sa.LargeBinary, nullable=False),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("expires_at", sa.BigInteger, nullable=False),
            sa.Column("details", sa.Text, nullable=False),
            sa.Column("authentications", sa.Text, nullable=False),
        ],
        "counters": [
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("tat", sa.BigInteger, nullable=False),
        ],
    }
