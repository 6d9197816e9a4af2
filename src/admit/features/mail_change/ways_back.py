"""The ways back to an old address: links that whoever has taken an account over can't make worthless.

A thief who has changed the address would change the password next, which voids all challenges, and would change the
address once more, so that only the way back to their own is left. So a way back is no challenge but kept beside the
credentials, a newer one does not void an older one, and the older one that is gone voids the newer ones.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from admit import tokens
from admit.errors import InvalidChallenge
from admit.model import Credential, Identifier, IdentifierKind
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from admit.feature import Context

__all__ = ["address_of", "claim", "demand", "issue", "listed", "look", "void_newer"]

_KIND = "mail_change"


def issue(ctx: Context, subject: str, old: Identifier, lifetime: timedelta) -> str:
    """Keep a new way back to an address, and return its token, which is shown once and kept nowhere."""
    for known in _of(ctx, subject):
        if _is_over(ctx, known):
            ctx.credentials.delete_credential(known.id)
    token = Token(tokens.new_id(), tokens.new_secret())
    details = {"value": old.value, "key": old.key, "until": (ctx.now + lifetime).isoformat()}
    hashed = tokens.hash_secret(token.secret).hex()
    ctx.credentials.add_credential(
        Credential(tokens.new_id(), _KIND, token.id, subject, hashed, created_at=ctx.now, details=details)
    )
    return str(token)


def look(ctx: Context, token: str) -> Credential:
    """Return the way back that a token opens, and leave it.

    Raises:
        InvalidChallenge: There is none, or not any more.
    """
    parsed = tokens.parse_challenge(token)
    known = None if parsed is None else ctx.credentials.get_credential(_KIND, parsed.id)
    if parsed is None or known is None or not tokens.matches(parsed.secret, bytes.fromhex(known.secret)):
        raise InvalidChallenge(reason="unknown or used")
    if _is_over(ctx, known):
        raise InvalidChallenge(reason="too old")
    return known


def demand(ctx: Context, way: Credential) -> None:
    """Refuse a way back that is used up by now, or by whoever has gone an older one.

    Raises:
        InvalidChallenge: There is none any more.
    """
    if ctx.credentials.get_credential(_KIND, way.key) is None:
        raise InvalidChallenge(reason="used at the same moment")


def void_newer(ctx: Context, way: Credential) -> None:
    """Void the ways back that are newer than this one: they may lead to whoever has taken the account over."""
    for known in _of(ctx, way.subject):
        if known.created_at >= way.created_at and known.id != way.id:
            ctx.credentials.delete_credential(known.id)


def claim(ctx: Context, way: Credential) -> None:
    """Use a way back up: exactly one caller succeeds.

    Raises:
        InvalidChallenge: Somebody else was first.
    """
    if not ctx.credentials.delete_credential(way.id):
        raise InvalidChallenge(reason="used at the same moment")


def listed(ctx: Context, subject: str) -> list[dict[str, object]]:
    """Return the addresses to which ways lead back, since when and until when."""
    return [
        {"address": one.details["value"], "created_at": one.created_at, "until": one.details["until"]}
        for one in _of(ctx, subject)
    ]


def address_of(way: Credential, at: datetime) -> Identifier:
    """Return the address that a way leads back to, which is proven by whoever has come by it."""
    return Identifier(IdentifierKind.EMAIL, way.details["value"], way.details["key"], verified_at=at)


def _of(ctx: Context, subject: str) -> Iterator[Credential]:
    return (one for one in ctx.credentials.list_credentials(subject) if one.kind == _KIND)


def _is_over(ctx: Context, way: Credential) -> bool:
    return ctx.now >= datetime.fromisoformat(way.details["until"])
