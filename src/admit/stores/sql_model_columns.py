"""The columns of an application's model: its key, and what type of Python each is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from admit.errors import ConfigurationError, StoreError
from admit.stores.sql_model_values import KEY_TYPES

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from sqlalchemy import Column

__all__ = ["demand", "primary_key", "python_type", "trouble"]


def demand(model: type[Any], columns: Mapping[str, Column[Any]], name: str) -> None:
    """Check that a model has a column.

    Raises:
        ConfigurationError: It has not.
    """
    if name not in columns:
        message = f"{model.__name__} has no column {name!r}. Name one of its attributes: {', '.join(sorted(columns))}."
        raise ConfigurationError(message)


def primary_key(model: type[Any], columns: Mapping[str, Column[Any]]) -> tuple[str, type]:
    """Return the attribute that is the key of a model, and the type of it.

    Raises:
        ConfigurationError: There are several, or none that can be the id of an account.
    """
    keys = [name for name, column in columns.items() if column.primary_key]
    kinds = [python_type(columns[name]) for name in keys]
    if len(keys) != 1 or kinds[0] not in KEY_TYPES:
        message = (
            f"{model.__name__} has no key of one whole number, text or UUID. Give a model that has one, "
            "or keep accounts in a store of Admit's own."
        )
        raise ConfigurationError(message)
    return keys[0], kinds[0]


def python_type(column: Column[Any]) -> Any:
    """Return the type of a column's values in Python, or ``None`` if its type does not say."""
    try:
        found: Any = column.type.python_type
    except NotImplementedError:  # SQLAlchemy's word for a type that has no Python type
        return None
    return getattr(found, "__origin__", found)  # of what is annotated, the type itself


@contextmanager
def trouble() -> Generator[None]:
    """Turn an error of the database into one of the store."""
    try:
        yield
    except SQLAlchemyError as error:
        # Without the statement: its parameters may be hashes of passwords.
        message = str(getattr(error, "orig", None) or type(error).__name__)
        raise StoreError(message) from error
