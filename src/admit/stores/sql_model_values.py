"""What a row of an application's users says, and its key as the id of an account and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger

from admit.adopting import EPOCH
from admit.errors import ConfigurationError
from admit.model import IdentifierKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

__all__ = ["EPOCH", "KEY_TYPES", "Person", "key_of", "kinds_of", "largest_of", "moment_of", "still", "text_of"]

_KINDS = {str(kind): kind for kind in IdentifierKind}

#: What the key of a user may be.
KEY_TYPES = (int, str, UUID)

_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)


class Person(NamedTuple):
    """What the row of a user says."""

    id: str
    names: tuple[tuple[IdentifierKind, str], ...]
    password: str | None
    is_active: bool
    verified_at: datetime | None
    #: What was read of the columns that an account is made of, by attribute.
    read: Mapping[str, Any]
    #: What was read of the column of the password, as it is: text or bytes.
    stored_password: Any = None


def key_of(account_id: str, kind: type, largest: int) -> Any:
    """Return the key for an id, or ``None`` for what can't be one: each key has one spelling.

    Args:
        account_id: What :class:`str` makes of the key.
        kind: The type of the key.
        largest: The largest whole number that the column holds.
    """
    if kind is int:
        return int(account_id) if _WHOLE.fullmatch(account_id) and abs(int(account_id)) <= largest else None
    if kind is UUID:
        return _uuid(account_id)
    return account_id if account_id.isprintable() else None


def largest_of(column: TypeEngine[Any], dialect: Dialect) -> int:
    """Return the largest whole number that such a column holds: asked for a larger one, PostgreSQL fails."""
    kind: object = column.dialect_impl(dialect)
    kind = getattr(kind, "impl_instance", kind)
    bits = 15 if isinstance(kind, SmallInteger) else 63 if isinstance(kind, BigInteger) else 31
    # SQLite's columns hold what they are given.
    return (1 << (63 if dialect.name == "sqlite" else bits)) - 1


def text_of(stored: Any) -> str | None:
    """Return a hash as text, of a column that holds text or bytes."""
    if isinstance(stored, bytes):
        return stored.decode(errors="replace")
    return None if stored is None else str(stored)


def moment_of(value: Any) -> datetime | None:
    """Return when something happened, of a column that says when, or only whether."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return EPOCH if value else None


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def kinds_of(identifiers: Sequence[str] | Mapping[str, str]) -> dict[str, IdentifierKind]:
    """Return which attribute is what kind of name.

    Raises:
        ConfigurationError: That is not said, or said wrongly.
    """
    found: Mapping[str, str] = (
        identifiers if hasattr(identifiers, "items") else {name: name for name in identifiers}  # type: ignore[assignment]
    )
    if not found or not set(found.values()) <= set(_KINDS):
        message = (
            f"identifiers={identifiers!r} does not say which names are mail addresses. "
            'Say what kind each is, as in {"login": "username", "mail": "email"}.'
        )
        raise ConfigurationError(message)
    return {name: _KINDS[kind] for name, kind in found.items()}


def still(column: Any, value: Any) -> Any:
    """Return the condition that a column still holds what was read of it."""
    if value is None:
        return column.is_(None)
    # A time may be written in more ways than one, by the application and by us.
    return column.is_not(None) if isinstance(value, datetime) else column == value
