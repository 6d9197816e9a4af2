"""The columns of an application's model: its key, and what type of Python each is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.orm import class_mapper

from admit.errors import ConfigurationError, StoreError
from admit.stores.sql_model_values import KEY_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

    from sqlalchemy import Column

__all__ = ["demand", "primary_key", "python_type", "refuse_unfilled", "said_by", "trouble"]


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


def refuse_unfilled(model: type[Any], columns: Mapping[str, Column[Any]], filled: Collection[str | None]) -> None:
    """Refuse a column that has to have a value, and gets none when somebody signs up.

    A model with an ``__init__`` or a listener of its own may fill it, which can't be seen before.

    Raises:
        ConfigurationError: There is one.
    """
    mapper = class_mapper(model, configure=False)
    makes_itself = not str(mapper.class_manager.original_init.__module__).startswith("sqlalchemy.")
    if makes_itself or mapper.dispatch.before_insert:
        return
    for name, column in columns.items():
        is_filled = column.nullable or column.default is not None or column.server_default is not None
        if name not in filled and not is_filled:
            message = (
                f"The column {name!r} of {model.__name__} has to have a value, and signing up gives it none. Give it a "
                f"default, let it be NULL, or name it in identifiers= if it is a name that people sign up with."
            )
            raise ConfigurationError(message)


@contextmanager
def trouble() -> Generator[None]:
    """Turn an error of the database into one of the store."""
    try:
        yield
    except SQLAlchemyError as error:
        if isinstance(error, StatementError):
            # Its parameters may be hashes of passwords, and a log has the error's own text as the cause.
            error.hide_parameters = True
        raise StoreError(said_by(error)) from error


def said_by(error: SQLAlchemyError) -> str:
    """Return the first line of what the driver said: those after it may have the values of a row."""
    said = str(getattr(error, "orig", None) or type(error).__name__)
    return said.partition("\n")[0].rstrip(". ")
