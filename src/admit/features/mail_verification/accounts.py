"""The steps of confirming the address of an account that is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit.changing import outdated
from admit.errors import InvalidChallenge
from admit.feature import About
from admit.model import IdentifierKind
from admit.origins import may_be_strangers

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account

__all__ = ["has_secret", "note", "owner", "verify"]


def note(ctx: Context, account: Account) -> None:
    """Note that the page is about this account, whoever is signed in."""
    ctx.about = About(account.email.value if account.email else account.label, account.id)


def owner(ctx: Context, kind: str, token: str) -> Account:
    """Return the account whose address a link of this kind confirms.

    Raises:
        InvalidChallenge: The link does not work, or there is nothing to confirm.
    """
    link = ctx.gate.look(kind, token)
    account = ctx.accounts.get_account(link.subject)
    if account is None or account.is_verified or not ctx.gate.admission.can_return(account):
        raise InvalidChallenge(reason="the account is gone, locked, or confirmed")
    if account.email is None or account.email.key != link.details["key"]:
        raise InvalidChallenge(reason="the account has another address")
    note(ctx, account)
    return account


def verify(ctx: Context, account: Account, *, is_kept: bool) -> None:
    """Write that the address is confirmed, and raise the epoch if what was set up before does not count.

    Raises:
        InvalidChallenge: The account has changed meanwhile.
    """
    verified = tuple(
        replace(one, verified_at=ctx.now) if one.kind is IdentifierKind.EMAIL else one for one in account.identifiers
    )
    new = replace(account if is_kept else outdated(account), identifiers=verified)
    if not ctx.accounts.replace_account(account, new):
        raise InvalidChallenge(reason="the account has changed meanwhile")


def has_secret(ctx: Context, account: Account) -> bool:
    """Tell whether an operator has set up something to sign in with."""
    return any(not may_be_strangers(one) for one in ctx.credentials.list_credentials(account.id))
