"""Putting another password in the place of one: what ends for it, and who is told.

A thief would have a sign-in with the old password under way, change the password at the same moment as its owner, or
end their own session in between so that nobody is told. So what can be voided is voided first; the password is written
in one step with the account's next epoch, by which exactly one of two changes wins and nothing proven before counts any
more; and once that is done the owner is told, whatever fails after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from admit.changing import change_account, outdated
from admit.errors import Text
from admit.events import Event
from admit.model import ADOPTED

if TYPE_CHECKING:
    from admit.context import Context
    from admit.model import Account, Credential
    from admit.telling import Telling

__all__ = ["PasswordChanged", "Verified", "notify", "settle", "tell", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """There is another password, and ``ended`` other sessions have ended for it."""

    said: ClassVar[Text | None] = Text("Your password was changed.")

    ended: int


class Verified(NamedTuple):
    """A password that was right: what keeps it, and the better hash that it needs, if it does."""

    credential: Credential
    new_hash: str | None

    def note(self, ctx: Context) -> None:
        """Keep the better hash. Until then it can be told that the password came from elsewhere."""
        if self.new_hash is not None:
            # Lost to another change of the password: then there is nothing to note.
            details = {name: value for name, value in self.credential.details.items() if name != ADOPTED}
            new = replace(self.credential, secret=self.new_hash, details=details)
            ctx.credentials.replace_credential(self.credential, new)


def write(ctx: Context, account: Account, credential: Credential, *, stays: bool = True) -> int:
    """Keep a password, and tell its owner; return how many sessions ended: all, but for this one if it ``stays``.

    Sessions end before it counts. They may be in another store than the passwords: where that one is down nothing has
    changed, and the owner, who is told so, tries again. The other way round a thief would stay.

    Raises:
        InvalidCredentials: Somebody else has ended the logins of the account since this request has read it.
        StoreError: A store did not answer; if the password was written all the same, its owner was told.
    """
    keep = ctx.session.id if ctx.session is not None and stays else None
    ended = ctx.gate.revoke_all(account.id, keep=keep, by="password")
    ctx.devices.forget(account.id)
    told = ctx.gate.events.telling(PasswordChanged(at=ctx.now, subject=account.id, ended=ended))
    change_account(ctx.accounts, account.id, outdated, told, credential)
    try:
        return ended + settle(ctx, account, keep=keep)
    finally:
        tell(ctx, account, told)


def settle(ctx: Context, account: Account, *, keep: str | None = None) -> int:
    """End what has begun with the old password meanwhile, links and half-done logins; return how many sessions ended.

    It may be called again, if it was interrupted.
    """
    ended = ctx.gate.revoke_all(account.id, keep=keep, by="password")
    # They open nothing at the new epoch; nobody has to keep them.
    ctx.gate.challenges.void(account.id)
    # This device is known again, or strangers who guess could keep the owner out of it.
    ctx.mark = ctx.devices.mark(account.id)
    return ended


def tell(ctx: Context, account: Account, told: Telling) -> None:
    """Tell the owner, and whoever listens."""
    told.publish()
    notify(ctx, account)


def notify(ctx: Context, account: Account) -> None:
    """Tell the owner by mail: not counted with others, so that nobody who has used those up can keep it from them."""
    if account.email is not None:
        values = {"account": account, "at": ctx.now, "url": ctx.url("password_reset.ask")}
        ctx.post(account.email.value, "password/changed_mail", values)
