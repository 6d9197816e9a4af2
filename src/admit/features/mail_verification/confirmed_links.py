"""Links that have confirmed their address: opened again, they say so.

Without that, people who open the link twice are told that it does not work, and ask for another one that never comes.
Only the holder of the link is told, and only as long as the account is there and its address is confirmed; so it tells
nothing that the link does not tell. What is kept is the hash of the link, and it outlives no account.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from admit import codes, identifiers, tokens
from admit.errors import InvalidChallenge, StoreError
from admit.feature import About
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Generator

    from admit.feature import Context
    from admit.model import Account
    from admit.store import Stores

__all__ = ["AlreadyConfirmed", "forget", "note", "telling"]

_KIND = "confirmed_link"
_KEPT_FOR = timedelta(days=7)


class AlreadyConfirmed(InvalidChallenge):
    """The link has confirmed its address already."""

    message = "This address is already confirmed. Sign in."


def note(ctx: Context, account: Account, link_id: str, link_hash: str) -> None:
    """Note that a link, or the code beside it, has confirmed the address of an account.

    It may fail: the address is confirmed.
    """
    details = {"account": account.id, codes.LINK: link_hash}
    with suppress(StoreError):
        ctx.gate.challenges.issue(_KIND, _subject(account), _KEPT_FOR, details, challenge_id=_noted(link_id))


def forget(stores: Stores, account: Account) -> None:
    """Forget the links of an account that is erased."""
    if stores.challenges is not None:
        stores.challenges.delete_challenges(_subject(account))


@contextmanager
def telling(ctx: Context, link: str) -> Generator[None]:
    """Say of a link that does not work that its address is confirmed, if it is: by this link, or at the same moment.

    Raises:
        AlreadyConfirmed: It is, in the place of the refusal.
    """
    try:
        yield
    except InvalidChallenge as refusal:
        owner = _owner(ctx, link)
        if owner is None or owner.email is None or not owner.is_verified:
            raise
        ctx.about = About(owner.email.value, owner.id)
        raise AlreadyConfirmed(reason=refusal.reason) from refusal


def _owner(ctx: Context, link: str) -> Account | None:
    token = tokens.parse_challenge(link)
    noted = "" if token is None else str(Token(_noted(token.id), token.secret))
    with suppress(InvalidChallenge):
        found = ctx.gate.challenges.look(_KIND, noted, by=codes.LINK)
        return ctx.accounts.get_account(found.details["account"])
    # A link that still opens something, which another link of the same address was faster to confirm.
    key = identifiers.key_of(ctx.about.name) if ctx.about else None
    return ctx.accounts.find_account(key) if key else None


def _noted(link_id: str) -> str:
    """Return the id of what is noted of a link: it follows from the id of the link."""
    hashed = hashlib.sha256(f"{_KIND}:{link_id}".encode()).digest()
    return urlsafe_b64encode(hashed[:16]).decode().rstrip("=")


def _subject(account: Account) -> str:
    # Not the account itself: a change of the password voids all that is the account's.
    return f"{_KIND}:{account.id}"
