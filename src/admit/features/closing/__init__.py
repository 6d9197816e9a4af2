"""Closing an account: at once for everybody, for good after a grace, and then nothing of it is left.

An attacker closes the account of a session that they have stolen or that was left open; has another site close it;
brings a closed one back by an old cookie or a stolen session; asks whether there is a closed account of some name; and
waits until it is erased, to take its name and inherit what it had. So closing takes a fresh login and a ``POST`` of
this site, and the owner is told, by a mail that says how to keep the account; within the grace nothing opens it but a
login; after it, it has the face of an account that never was; and erasing it (:mod:`admit.erasure`) leaves nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from admit.adopting import Adopting
from admit.errors import ConfigurationError
from admit.feature import Context, Demand, Feature, Reply, action, way_in
from admit.operations import close_account
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.events import Events
    from admit.model import Account, Admitted, Client
    from admit.store import Stores

__all__ = ["Closed", "Closing"]

# What is called erased is to be so some day, and an account that is being erased has been closed for longer than this.
_LONGEST = timedelta(days=366)


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """That the account is closed, and until when a login opens it again."""

    until: Annotated[datetime, msgspec.Meta(tz=True)]


class Closing(Feature):
    """Lets people close their account, and come back for a while; after that the purge erases it.

    .. versionadded:: 0.2
    """

    name = "closing"
    sends_mail = True

    grace: timedelta = setting(timedelta(days=14), "How long a login opens a closed account again; then it is erased.")
    erases_users: bool = setting(
        False, "Whether the purge deletes the rows of the application's own users, where they are the accounts."
    )

    def __post_init__(self) -> None:
        """Check that there is a grace, and that it ends: until then nobody else can have the name."""
        super().__post_init__()
        self.demand_positive("grace")
        if self.grace > _LONGEST:
            message = f"{self.key('grace')} is {self.grace}. Set it to a year at most."
            raise ConfigurationError(message)

    @property
    def reopens_within(self) -> timedelta | None:
        """How long a login opens a closed account again."""
        return self.grace

    def watch(self, events: Events, stores: Stores, present: Callable[[], Client | None]) -> None:
        """Refuse to start where an erasure would delete what nobody has said may be deleted."""
        del events, present
        if isinstance(stores.accounts, Adopting) and not self.erases_users:
            key = self.key("erases_users")
            message = (
                "Closing would erase rows of the application's own table of users. Set "
                f"{key} = True if the purge may delete them, or take Closing out of the features."
            )
            raise ConfigurationError(message)

    @action("POST", "/close", title="Close your account", page="closing/close", demands=Demand.FRESH)
    def close(self, ctx: Context) -> Reply[Closed]:
        """Close the account: everybody is out at once, and it is erased later unless its owner logs in before."""
        account, until = ctx.demand_account(), ctx.now + self.grace
        # Where this fails the account is open, and its owner still here to try again.
        ctx.gate.revoke_all(account.id, keep=ctx.demand_session().id, by="owner")
        try:
            close_account(ctx.gate, ctx.accounts, account.id, at=ctx.now, by="owner")
        finally:
            if ctx.proofs.epoch_of(account.id) != account.epoch:
                self._write(ctx, account, "closing/closed_mail", until=until)
        ctx.leaves = True
        return Reply(Closed(until=until), page="closing/closed")

    def let_in(self, ctx: Context, admitted: Admitted) -> None:
        """Tell the owner if their login has opened the account again."""
        if admitted.reopened is not None:
            self._write(ctx, admitted.reopened, "closing/reopened_mail", at=ctx.now)

    def _write(self, ctx: Context, account: Account, mail: str, **values: object) -> None:
        # Not counted with other mails: a thief who has used those up must not keep this one from the owner.
        way = way_in(ctx.features)
        url = ctx.url(way) if way is not None else ctx.url("account.show")
        if account.email is not None:
            ctx.post(account.email.value, mail, {"account": account, "url": url, **values})
