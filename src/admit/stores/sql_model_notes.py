"""What is noted of an application's user beside its table, and what of an account is in the table's own columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.model import IdentifierKind
from admit.stores.sql_model_values import EPOCH

if TYPE_CHECKING:
    from admit.model import Account

__all__ = ["changed_names", "in_columns", "is_locked", "note_of", "noted_key"]


def note_of(account: Account) -> Account:
    """Return an account as it is noted: with names that are its alone, whoever else may have had them."""
    # Whose user name is their own address has one name, and that is the one that may be confirmed.
    named = sorted(account.identifiers, key=lambda one: one.kind is IdentifierKind.EMAIL)
    noted = {one.key: replace(one, key=noted_key(account.id, one.key)) for one in named}
    # Whom the application has switched off it may switch on again: that is no lock of ours.
    locked_at = None if account.locked_at == EPOCH else account.locked_at
    return replace(account, identifiers=tuple(noted.values()), locked_at=locked_at)


def noted_key(account_id: str, key: str) -> str:
    """Return the key under which a name is noted."""
    return f"{account_id} {key}"


def in_columns(account: Account) -> object:
    """Return what of an account may be in columns."""
    # Not whether it is closed: its owner may open it again, and whom the application switches off meanwhile stays so.
    return account.identifiers, is_locked(account)


def is_locked(account: Account) -> bool:
    """Tell whether an account is locked, or switched off by the application."""
    return account.locked_at is not None


def changed_names(before: Account, after: Account) -> dict[IdentifierKind, str | None]:
    """Return the names that differ, as they are afterwards; ``None`` for one that is given up."""
    old, new = ({one.kind: one.value for one in account.identifiers} for account in (before, after))
    return {kind: new.get(kind) for kind in {*old, *new} if new.get(kind) != old.get(kind)}
