"""The tables, in SQLAlchemy's words: for making them, for migrations, and for telling them from the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.schema import CreateIndex, CreateTable

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = ["HEAD", "ddl", "is_kept", "is_ours", "note_prefix", "tables", "version_table"]

#: The migration that leads to the tables below.
HEAD = "0005"

_TABLES = (
    "sessions",
    "endings",
    "accounts",
    "identifiers",
    "credentials",
    "challenges",
    "counters",
    "events",
    "event_ends",
    "event_outbox",
    "alembic_version",
)


#: What the names of tables begin with, for each store that was opened in this process.
_prefixes = {"admit_"}


def note_prefix(prefix: str) -> None:
    """Note that there are tables of ours whose names begin like that."""
    _prefixes.add(prefix)


def is_kept(name: str | None) -> bool:
    """Tell whether a table is Admit's, whatever prefix a store of this process was given."""
    return any(is_ours(name, prefix) for prefix in _prefixes)


def is_ours(name: str | None, prefix: str = "admit_") -> bool:
    """Tell whether a table is Admit's, so that the application's own migrations leave it alone.

    Where a store over SQL is opened in the same process, Alembic and Flask-Migrate leave these tables alone by
    themselves. Where none is: ``include_name=lambda name, kind, parents: kind != "table" or not is_ours(name)``.

    Args:
        name: The table's name.
        prefix: What the names of Admit's tables begin with.

    .. versionadded:: 0.1
    """
    return name in {prefix + table for table in _TABLES}


def version_table(prefix: str) -> str:
    """Return the name of the table in which Alembic notes how far our tables are."""
    return f"{prefix}alembic_version"


def tables(schema: str | None, prefix: str) -> MetaData:
    """Describe our tables, under one prefix and in one schema."""
    metadata = MetaData(schema=schema)
    _describe_sessions(metadata, prefix)
    _describe_accounts(metadata, prefix)
    _describe_challenges(metadata, prefix)
    _describe_events(metadata, prefix)
    version = version_table(prefix)
    # As Alembic makes it, so that tables of either origin are the same.
    Table(
        version,
        metadata,
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{version}_pkc"),
    )
    return metadata


def _describe_sessions(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}sessions",
        metadata,
        Column("id", Text, primary_key=True),
        Column("subject", Text, nullable=False),
        *(Column(name, LargeBinary, nullable=False) for name in ("secret_hash", "seed", "nonce")),
        *(
            Column(name, BigInteger, nullable=False)
            for name in ("created_at", "seen_at", "idle", "ends_at", "rotated_at")
        ),
        Column("confirmed_at", BigInteger),
        Column("expires_at", BigInteger, nullable=False),
        Column("remembered", Boolean, nullable=False),
        Column("authentications", Text, nullable=False),
        Column("address", Text),
        Column("user_agent", Text),
        Index(f"{prefix}sessions_subject", "subject", "created_at"),
        Index(f"{prefix}sessions_expires_at", "expires_at"),
    )
    Table(
        f"{prefix}endings",
        metadata,
        Column("session_id", Text, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("by", Text),
        Column("expires_at", BigInteger, nullable=False),
        Index(f"{prefix}endings_expires_at", "expires_at"),
    )


def _describe_accounts(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}accounts",
        metadata,
        Column("id", Text, primary_key=True),
        Column("created_at", BigInteger, nullable=False),
        Column("locked_at", BigInteger),
        Column("closed_at", BigInteger),
        Column("roles", Text, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False, server_default="0"),
    )
    Table(
        f"{prefix}identifiers",
        metadata,
        Column("key", Text, primary_key=True),
        Column("account_id", Text, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("value", Text, nullable=False),
        Column("verified_at", BigInteger),
        Index(f"{prefix}identifiers_account_id", "account_id"),
    )
    Table(
        f"{prefix}credentials",
        metadata,
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("kind", "key", "subject", "secret")),
        Column("created_at", BigInteger, nullable=False),
        Column("used_at", BigInteger),
        Column("details", Text, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Index(f"{prefix}credentials_key", "kind", "key", unique=True),
        Index(f"{prefix}credentials_subject", "subject", "created_at"),
    )


def _describe_challenges(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}challenges",
        metadata,
        Column("id", Text, primary_key=True),
        *(Column(name, Text, nullable=False) for name in ("kind", "subject")),
        Column("secret_hash", LargeBinary, nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in ("created_at", "expires_at")),
        *(Column(name, Text, nullable=False) for name in ("details", "authentications")),
        Column("epoch", BigInteger, nullable=False, server_default="0"),
        Index(f"{prefix}challenges_subject", "subject", "kind"),
        Index(f"{prefix}challenges_expires_at", "expires_at"),
    )
    Table(
        f"{prefix}counters",
        metadata,
        Column("key", Text, primary_key=True),
        Column("tat", BigInteger, nullable=False),
        Index(f"{prefix}counters_tat", "tat"),
    )


def _describe_events(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}events",
        metadata,
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("at", BigInteger, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("name", "outcome")),
        *(Column(name, Text) for name in ("method", "reason", "subject", "session", "personal")),
        *(Column(name, LargeBinary, nullable=False) for name in ("salt", "personal_hash", "previous", "hash")),
        Index(f"{prefix}events_subject", "subject", "number"),
        Index(f"{prefix}events_session", "session", "number"),
    )
    Table(
        f"{prefix}event_ends",
        metadata,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("base_number", BigInteger, nullable=False),
        Column("base_hash", LargeBinary, nullable=False),
        Column("head_number", BigInteger, nullable=False),
        Column("head_hash", LargeBinary, nullable=False),
    )
    Table(
        f"{prefix}event_outbox",
        metadata,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("at", BigInteger, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("name", "outcome")),
        *(Column(name, Text) for name in ("method", "reason", "subject", "session", "personal")),
    )


def ddl(metadata: MetaData, dialect: Dialect) -> list[str]:
    """Return the statements that make what is not there yet."""
    statements: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        statements.append(CreateTable(table, if_not_exists=True))
        statements += [CreateIndex(index, if_not_exists=True) for index in sorted(table.indexes, key=_name)]
    return [str(statement.compile(dialect=dialect)) for statement in statements]


def _name(index: Index) -> str:
    return str(index.name)
