"""Base classes for the application's user, and for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

__all__ = ["AnonymousUserMixin", "UserMixin"]


class UserMixin:
    """What a user class needs: an active, authenticated user whose id is ``str(self.id)``.

    Mix it into a class that has an ``id``. Override :meth:`get_id` when the id is called otherwise, and
    :attr:`is_active` when accounts can be switched off: a user who is not active can't log in, and is
    not authenticated any more.

    .. versionadded:: 0.1
    """

    if TYPE_CHECKING:
        id: Any
    else:
        # Equal users share an id but not a hash: objects of an ORM change their id when they are stored.
        __hash__ = object.__hash__

    @property
    def is_active(self) -> bool:
        """Whether the user may log in."""
        return True

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is logged in: as long as the user is active."""
        return self.is_active

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is logged in."""
        return False

    def get_id(self) -> str:
        """Return the text that ``user_loader`` finds this user by.

        Raises:
            NotImplementedError: The class has no ``id``.
        """
        try:
            return str(self.id)
        except AttributeError:
            message = (
                f"{type(self).__name__} has no attribute 'id', so UserMixin can't tell who it is. "
                "Give it one, or override get_id()."
            )
            raise NotImplementedError(message) from None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UserMixin):
            return self.get_id() == other.get_id()
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal


class AnonymousUserMixin:
    """Nobody: what ``current_user`` is when no one is logged in.

    .. versionadded:: 0.1
    """

    @property
    def is_authenticated(self) -> Literal[False]:
        """Whether somebody is logged in."""
        return False

    @property
    def is_active(self) -> Literal[False]:
        """Whether the user may log in."""
        return False

    @property
    def is_anonymous(self) -> Literal[True]:
        """Whether nobody is logged in."""
        return True

    def get_id(self) -> None:
        """Return ``None``: nobody has no id."""
        return
