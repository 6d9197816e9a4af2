"""Putting another password in the place of one: what ends for it, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from admit.errors import InvalidInput, Text
from admit.events import Event
from admit.model import ADOPTED

if TYPE_CHECKING:
    from admit.context import Context
    from admit.model import Account, Credential

__all__ = ["PasswordChanged", "Verified", "settle", "tell", "write"]

# How often to try again when another request changes the same password first.
_TRIES = 5


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


def write(ctx: Context, account: Account, credential: Credential) -> int:
    """Keep a password; return how many sessions ended, which is all but that of the client.

    They end before it counts. The sessions may be in another store than the passwords: where that one is down nothing
    has changed, and the owner, who is told so, tries again. The other way round a thief would stay.

    Raises:
        InvalidInput: Others keep changing it.
    """
    ended = ctx.gate.revoke_all(account.id, keep=ctx.session.id if ctx.session else None, by="password")
    for _ in range(_TRIES):
        old = ctx.credentials.get_credential(credential.kind, account.id)
        if old is None:
            written = ctx.credentials.add_credential(credential)
        else:
            changed = replace(
                old, secret=credential.secret, created_at=credential.created_at, details=credential.details
            )
            written = ctx.credentials.replace_credential(old, changed)
        if written:
            return ended
    raise InvalidInput({"password": Text("It was changed by somebody else at the same moment. Please try again.")})


def settle(ctx: Context, account: Account) -> int:
    """End what has begun with the old password meanwhile, and links, half-done logins and known devices.

    Returns:
        How many sessions ended.
    """
    keep = ctx.admitted.session.id if ctx.admitted else None
    ctx.gate.challenges.void(account.id)
    ended = ctx.gate.revoke_all(account.id, keep=keep, by="password")
    ctx.devices.forget(account.id)
    # But for this one, or strangers who guess could keep the owner out of it.
    ctx.mark = ctx.devices.mark(account.id)
    return ended


def tell(ctx: Context, account: Account, ended: int) -> None:
    """Tell the owner, and whoever listens."""
    ctx.publish(PasswordChanged(at=ctx.now, subject=account.id, ended=ended))
    if account.email is not None:
        # Not counted with what strangers can ask for: a thief who uses that up must not keep this from the owner.
        values = {"account": account, "at": ctx.now, "url": ctx.url("password_reset.ask")}
        ctx.post(account.email.value, "password/changed_mail", values)
