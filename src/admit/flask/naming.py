"""Whom an operator means: each command takes the id of an account, its email address or its user name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click

from admit import identifiers
from admit.adopting import Adopting
from admit.flask.state import state_now

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from admit.model import Account
    from admit.store import AccountStore

__all__ = ["UnknownAccount", "account_named", "account_store", "empty_if_unknown", "subject_named"]


class UnknownAccount(click.ClickException):
    """There is no such account; the command ends with 1."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no account {name!r}. Give its id, its email address or its user name.")


@contextmanager
def empty_if_unknown(*, json: bool) -> Generator[None]:
    """Let a program that asked for a list as JSON read an empty one, before the command fails."""
    try:
        yield
    except UnknownAccount:
        if json:
            click.echo("[]")
        raise


def account_store() -> AccountStore | None:
    """Return the store that knows the users of this application by name, or None if only the application does."""
    state = state_now()
    if state.keeper.accounts is not None:
        return state.keeper.accounts.store
    kept = None if state.stores is None else state.stores.accounts
    # Without features a store over SQL has a table for accounts too, and nobody in it.
    is_adopted = isinstance(cast("object", kept), Adopting)
    return kept if is_adopted else None


def account_named(store: AccountStore, name: str) -> Account:
    """Return the account with this id, email address or user name.

    Raises:
        UnknownAccount: There is none.
    """
    found = _found(store, name)
    if found is None:
        raise UnknownAccount(name)
    return found


def subject_named(name: str, *, is_known: Callable[[str], bool]) -> str:
    """Return the subject that a name stands for.

    Args:
        name: An id, an email address or a user name; without accounts, what the user's ``get_id()`` returns.
        is_known: Whether the store has something about a subject that is no account, or is one no more.

    Raises:
        UnknownAccount: There is no such account, and nothing is known of such a subject.
    """
    store = account_store()
    if store is None:
        return name
    account = _found(store, name)
    if account is not None:
        return account.id
    if not name.isprintable() or not is_known(name):
        raise UnknownAccount(name)
    return name


def _found(store: AccountStore, name: str) -> Account | None:
    # An id first: a user name may look like one, and must not stand for somebody else's account.
    found = store.get_account(name) if name.isprintable() else None
    return found or store.find_account(identifiers.key_of(name) or "")
