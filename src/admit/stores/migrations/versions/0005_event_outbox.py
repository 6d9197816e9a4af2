"""Records of events that wait to be linked into the chain."""
# ruff: noqa: INP001 -- Alembic runs it as a script

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table; one that ``create()`` made is left as it is."""
    options = op.get_context().opts
    schema: str | None = options["schema"]
    prefix: str = options["prefix"]
    op.create_table(
        f"{prefix}event_outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("personal", sa.Text),
        schema=schema,
        if_not_exists=True,
    )
