"""From a URL or an engine to the database that it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from admit.errors import ConfigurationError
from admit.stores.sql_forks import keep_apart
from admit.stores.sql_in_memory import InMemoryDatabase, is_in_memory, with_one_connection
from admit.stores.sql_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

    from admit.stores.sql_part import Database

__all__ = ["check_names", "database_of", "engine_of"]

#: What Python's driver of SQLite takes in a URL, and what SQLite itself takes in a file: with uri=true.
_SQLITE_OPTIONS = frozenset(
    {"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri"}
)
_SQLITE_URI_OPTIONS = frozenset({"cache", "immutable", "mode", "modeof", "nolock", "psow", "vfs"})
_HIGHEST_PORT = 65_535
_OPTION = re.compile(r"[a-z_]{1,40}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def check_names(schema: str | None, prefix: str) -> None:
    """Check that the names can be put into statements.

    Raises:
        ConfigurationError: One can't; the message says which can.
    """
    for name in (prefix, schema):
        if name is not None and not _NAME.fullmatch(name):
            message = f"{name!r} can't be a schema or a prefix. Use at most 40 ASCII letters, digits and underscores."
            raise ConfigurationError(message)


def engine_of(source: Engine | str) -> Engine:
    """Return an application's engine as it is, or make one for a URL.

    Raises:
        ConfigurationError: The URL is none, or its driver is not installed.
    """
    if not isinstance(source, str):
        keep_apart(source)
        return source
    try:
        url = make_url(source)
        _check(url)
        # Which driver stands for PostgreSQL depends on the version of SQLAlchemy.
        engine = create_engine(
            url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url, poolclass=NullPool
        )
    except ModuleNotFoundError as error:
        message = f"The driver {error.name} is not installed. Use sqlite:///, or install admit[postgres]."
        raise ConfigurationError(message) from error
    except (ArgumentError, ValueError):
        # Without the URL, and without SQLAlchemy's own error, which may quote it: it may hold a password.
        message = "This is no URL of a database. Use one such as sqlite:///app.db or postgresql+psycopg://host/name."
        raise ConfigurationError(message) from None
    if engine.driver == "psycopg":
        from admit.stores.sql_postgres import unknown_option

        _refuse_option(unknown_option(engine))
    # A second connection would open a second database.
    return with_one_connection(engine.url) if is_in_memory(engine) else engine


def _check(url: URL) -> None:
    """Refuse what nobody would notice, or only when the database is used for the first time."""
    if url.port is not None and not 0 < url.port <= _HIGHEST_PORT:
        message = f"The URL of the database has a port that there is not. Use one from 1 to {_HIGHEST_PORT}."
        raise ConfigurationError(message)
    if url.get_backend_name() == "sqlite":
        known = _SQLITE_OPTIONS | _SQLITE_URI_OPTIONS if url.query.get("uri") else _SQLITE_OPTIONS
        _refuse_option(next((name for name in url.query if name not in known), None))


def _refuse_option(name: str | None) -> None:
    if name is not None:
        said = name if _OPTION.fullmatch(name) else "one that is no word"  # which may be a part of a password
        message = (
            f"The URL of the database has an option that there is not: {said}. Correct it, or take it out; time limits "
            "are ADMIT_STORE_CONNECT_TIMEOUT and ADMIT_STORE_COMMAND_TIMEOUT."
        )
        raise ConfigurationError(message)


def database_of(
    engine: Engine, schema: str | None, prefix: str, connect_timeout: float, command_timeout: float
) -> Database:
    """Return the database of an engine.

    Raises:
        ConfigurationError: Its driver is not supported.
    """
    driver = f"{engine.dialect.name}+{engine.dialect.driver}"
    if driver == "sqlite+pysqlite" and schema is None:
        kind = InMemoryDatabase if is_in_memory(engine) else SqliteDatabase
        return kind(engine, command_timeout)
    if driver == "postgresql+psycopg" and not engine.dialect.is_async:
        from admit.stores.sql_postgres import PostgresDatabase

        return PostgresDatabase(engine, f"{schema or ''}.{prefix}", connect_timeout, command_timeout)
    what = "A schema in SQLite" if engine.dialect.name == "sqlite" and schema else f"The driver {driver}"
    message = f"{what} is not supported. Use sqlite:///, without a schema, or postgresql+psycopg://."
    raise ConfigurationError(message)
