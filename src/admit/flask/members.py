"""Accounts as users: what ``current_user`` is when the application has no user class of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from flask import abort

from admit.errors import ConfigurationError, RoleRequired
from admit.flask import problems
from admit.flask.context import the_request
from admit.flask.current import active_login_manager, holds, user_now
from admit.flask.guards import guarded
from admit.flask.mixins import UserMixin
from admit.flask.state import state_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from admit.adopting import Adopting
    from admit.model import Account

__all__ = ["AccountUser", "roles_required", "user_of"]

View = TypeVar("View", bound="Callable[..., Any]")


class AccountUser(UserMixin):
    """The account of who is logged in, with the attributes that Flask-Login asks of a user.

    Args:
        account: The account.

    .. versionadded:: 0.2
    """

    def __init__(self, account: Account) -> None:
        #: The account itself.
        self.account = account

    @property
    def id(self) -> str:
        """The account's id, which is never used again."""
        return self.account.id

    @property
    def username(self) -> str | None:
        """Its user name, as it was typed."""
        return self.account.username.value if self.account.username else None

    @property
    def email(self) -> str | None:
        """Its mail address, as it was typed, confirmed or not."""
        return self.account.email.value if self.account.email else None

    @property
    def is_verified(self) -> bool:
        """Whether its mail address, if it has one, is confirmed."""
        return self.account.is_verified

    @property
    def label(self) -> str:
        """What to call it in front of people."""
        return self.account.label

    @property
    def roles(self) -> frozenset[str]:
        """Its roles."""
        return self.account.roles

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return self.account.created_at


def user_of(account: Account, adopting: Adopting | None) -> object | None:
    """Return what ``current_user`` is for an account: the application's own object, where its users are the accounts.

    Args:
        account: The account.
        adopting: What keeps the application's users, if they are the accounts.

    Raises:
        ConfigurationError: That object is nothing that Flask-Login would take for a user.
    """
    if adopting is None:
        return AccountUser(account)
    user = adopting.load_user(account.id)
    if user is not None and not hasattr(user, "is_authenticated"):
        name = type(user).__name__
        message = f"{name} has no is_authenticated. Let {name} inherit from admit.flask.UserMixin as well."
        raise ConfigurationError(message)
    return user if holds(user, "is_active") else None


def roles_required(*roles: str) -> Callable[[View], View]:
    """Let a view run only for somebody who has all of these roles; all others get 401 or 403.

    The roles are those of the account, or ``user.roles`` of the application's own user.

    .. versionadded:: 0.2
    """

    def refuse() -> Callable[[], Any] | None:
        user = user_now()
        if not holds(user, "is_authenticated"):
            return active_login_manager().unauthorized
        return None if set(roles) <= set(getattr(user, "roles", ())) else _refuse_role

    return lambda view: guarded(view, refuse)


def _refuse_role() -> Any:
    error, accounts = RoleRequired(), state_now().keeper.accounts
    if accounts is not None:
        from admit.flask.telling import tell_of_refusal

        tell_of_refusal(accounts, error, str(the_request().endpoint))
    return problems.problem(error) if problems.wanted() else abort(403)
