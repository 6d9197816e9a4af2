"""The base classes for users."""

from __future__ import annotations

import pytest

from admit.flask import AnonymousUserMixin, UserMixin


class User(UserMixin):
    """A user with an id."""

    def __init__(self, id: object) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


class Dormant(User):
    """A user whose account is switched off."""

    is_active = False  # type: ignore[assignment]


def test_a_user() -> None:
    """A user is active, authenticated, not anonymous, and has its id as text."""
    user = User(7)
    assert (user.is_active, user.is_authenticated, user.is_anonymous) == (True, True, False)
    assert user.get_id() == "7"


def test_a_user_who_is_not_active_is_not_authenticated() -> None:
    """Switching an account off ends what it may do."""
    assert not Dormant(1).is_authenticated


def test_without_an_id() -> None:
    """A class without an id is told so, and what to do."""
    with pytest.raises(NotImplementedError, match="Give it one, or override get_id"):
        UserMixin().get_id()


def test_equality() -> None:
    """Users with the same id are equal, others are not, and nothing else is equal to a user."""
    assert User(1) == User("1")
    assert User(1) != User(2)
    assert User(1) != 1
    assert not User(1) == object()  # noqa: SIM201 -- both operators are ours
    assert len({User(1), User(2)}) == 2


def test_nobody() -> None:
    """The anonymous user is nobody in every respect."""
    nobody = AnonymousUserMixin()
    assert (nobody.is_active, nobody.is_authenticated, nobody.is_anonymous) == (False, False, True)
    assert nobody.get_id() is None
