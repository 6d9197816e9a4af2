"""The account itself: who is logged in, logging out, and taking away all that is held of it.

An attacker who sits at a session that somebody has left open, or has stolen, wants the whole history of its owner in
one file; another site wants it to be made; and whoever finds the file later wants what opens an account. So the file is
made only for a fresh login and by a ``POST`` of this site, that is told as an event, and no secret or hash is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from admit.adopting import known_time, roles_of
from admit.errors import Text, Throttled
from admit.events import Event
from admit.feature import Context, Demand, Feature, Reply, Shown, action
from admit.known_devices import KIND

if TYPE_CHECKING:
    from admit.model import Account, Identifier

__all__ = ["AccountExport", "AccountExported", "AccountPages", "AccountView", "ExportedAccount", "ExportedName"]

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

# How many exports one account may ask for: each reads all that there is of it.
_MOST, _INTERVAL = 5, timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExported(Event):
    """The owner of an account has taken away all that is held of it, as a file."""

    said: ClassVar[Text | None] = Text("You downloaded all that we hold of your account.")


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account, as its owner sees it; without the time of its making, if nobody has noted that."""

    id: str
    username: str | None
    email: str | None
    is_verified: bool
    roles: list[str]
    created_at: _Moment | None


class ExportedName(msgspec.Struct, frozen=True, kw_only=True):
    """A name of an account: of which kind, as it was typed, and when it was confirmed, if that is known."""

    kind: str
    value: str
    verified_at: _Moment | None


class ExportedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account in a file, with all of its names."""

    id: str
    identifiers: list[ExportedName]
    roles: list[str]
    created_at: _Moment | None


class AccountExport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is held of an account; ``held`` is what each feature holds, by its name."""

    site: str
    exported_at: _Moment
    account: ExportedAccount
    held: dict[str, Any]


class AccountPages(Feature):
    """Shows the account to its owner, lets them take away all that is held of it, and lets them log out.

    .. versionadded:: 0.2
    """

    name = "account"

    @action("GET", "/", title="Your account", page="account/show", shown=Shown.MEMBERS, demands=Demand.SESSION)
    def show(self, ctx: Context) -> Reply[AccountView]:
        """Return the account of who is logged in."""
        account = ctx.demand_account()
        return Reply(_view(account, roles_of(account, ctx.credentials)))

    @action("POST", "/sign-out", title="Sign out", page="account/sign_out", status=204)
    def sign_out(self, ctx: Context) -> Reply[None]:
        """Log out: end the session, on the server and in this browser.

        Whoever is not logged in gets the same answer: to be logged out is what they asked for.
        """
        ctx.leaves = True
        return Reply(None)

    @action("POST", "/export", title="Download all that we hold", demands=Demand.FRESH, errors=[Throttled])
    def take_away(self, ctx: Context) -> Reply[AccountExport]:
        """Return all that is held of the account, as a file of JSON; no secret is in it."""
        account = ctx.demand_account()
        if not ctx.throttle.allows(self.name, account.id, burst=_MOST, interval=_INTERVAL):
            raise Throttled(int(_INTERVAL.total_seconds()))
        held = {name: found for name, one in ctx.features.items() if (found := one.export(ctx, account)) is not None}
        ctx.publish(AccountExported(at=ctx.now, subject=account.id))
        exported = _exported(account, roles_of(account, ctx.credentials))
        export = AccountExport(site=ctx.site_name, exported_at=ctx.now, account=exported, held=held)
        return Reply(export, file=f"account-{ctx.now:%Y-%m-%d}.json")

    def export(self, ctx: Context, account: Account) -> Any:
        """Return since when which devices are known to be the owner's."""
        known = [one for one in ctx.credentials.list_credentials(account.id) if one.kind == KIND]
        return {"known_devices": [{"known_since": one.created_at} for one in known]}


def _view(account: Account, roles: list[str]) -> AccountView:
    return AccountView(
        id=account.id,
        username=account.username.value if account.username else None,
        email=account.email.value if account.email else None,
        is_verified=account.is_verified,
        roles=roles,
        created_at=known_time(account.created_at),
    )


def _exported(account: Account, roles: list[str]) -> ExportedAccount:
    return ExportedAccount(
        id=account.id,
        identifiers=[_name(one) for one in account.identifiers],
        roles=roles,
        created_at=known_time(account.created_at),
    )


def _name(one: Identifier) -> ExportedName:
    return ExportedName(
        kind=one.kind.value,
        value=one.value,
        verified_at=known_time(one.verified_at),
    )
