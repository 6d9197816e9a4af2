"""The account itself: who is logged in, and logging out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from admit.feature import Context, Demand, Feature, Reply, Shown, action

if TYPE_CHECKING:
    from admit.model import Account

__all__ = ["AccountPages", "AccountView"]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account, as its owner sees it."""

    id: str
    username: str | None
    email: str | None
    is_verified: bool
    roles: list[str]
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


class AccountPages(Feature):
    """Shows the account to its owner, and lets them log out.

    .. versionadded:: 0.2
    """

    name = "account"

    @action("GET", "/", title="Your account", page="account/show", shown=Shown.MEMBERS, demands=Demand.SESSION)
    def show(self, ctx: Context) -> Reply[AccountView]:
        """Return the account of who is logged in."""
        return Reply(_view(ctx.demand_account()))

    @action("POST", "/sign-out", title="Sign out", page="account/sign_out", status=204)
    def sign_out(self, ctx: Context) -> Reply[None]:
        """Log out: end the session, on the server and in this browser.

        Whoever is not logged in gets the same answer: to be logged out is what they asked for.
        """
        ctx.leaves = True
        return Reply(None)


def _view(account: Account) -> AccountView:
    return AccountView(
        id=account.id,
        username=account.username.value if account.username else None,
        email=account.email.value if account.email else None,
        is_verified=account.is_verified,
        roles=sorted(account.roles),
        created_at=account.created_at,
    )
