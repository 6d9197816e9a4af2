"""Changing an account that others change at the same moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from admit.changing import change_account
from admit.errors import NotFound, StoreError
from admit.events import Events
from admit.testing.samples import an_account
from tests.contested import Contested


@pytest.fixture
def store() -> Contested:
    """Return a store in which nobody is first yet."""
    return Contested()


def test_it_is_changed_as_it_stands(store: Contested) -> None:
    """A change is made on what the account is by then, so that those of others stay."""
    account = store.add_account(an_account("ada"))
    store.left = 3
    told = Events().telling()
    assert change_account(store, account.id, lambda one: replace(one, locked_at=one.created_at), told)
    found = store.get_account(account.id)
    assert found
    assert (found.roles, found.locked_at) == (frozenset({"role-0"}), account.created_at)


def test_there_may_be_nothing_to_change(store: Contested) -> None:
    """An account that is as it should be is left as it is."""
    account = store.add_account(an_account("ada"))
    assert not change_account(store, account.id, lambda _: None, Events().telling())
    assert store.get_account(account.id) == account


def test_nobody(store: Contested) -> None:
    """An account that is not there can't be changed."""
    with pytest.raises(NotFound):
        change_account(store, "nobody", lambda one: one, Events().telling())


def test_it_gives_up(store: Contested) -> None:
    """An account that never stands still is no reason to try for ever."""
    account = store.add_account(an_account("ada"))
    store.left = 1000
    with pytest.raises(StoreError, match="again and again"):
        change_account(store, account.id, lambda one: one, Events().telling())
