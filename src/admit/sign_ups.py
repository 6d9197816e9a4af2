"""Sign-ups that wait until their address is confirmed.

An attacker signs up with somebody else's address: to take the place of an account, to be in it when its owner comes, to
learn whether there is one, to hold a user name, or to be the one whose password counts when the owner presses a link.
So a sign-up is no account. It is a challenge that holds the account which is to be, and the client that signed up
keeps its token. It deletes and replaces nobody's account and nobody's sign-up, holds no name, looks the same whether or
not its address has an account, and becomes one when its address is confirmed, if that has none by then. What was set up
with it counts only where it was set up: confirmed from anywhere else, the account begins without it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from admit import codes, identifiers, origins, tokens
from admit.errors import IdentifierTaken, InvalidChallenge, InvalidInput, StoreError, Text
from admit.model import Account, Credential, Identifier, IdentifierKind
from admit.operations import create_account
from admit.origins import KIND
from admit.throttle import UNKNOWN, network
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from admit.codes import Mailed
    from admit.context import Context
    from admit.model import Challenge

__all__ = [
    "INVITATION",
    "KIND",
    "SignUp",
    "Waiting",
    "at_link",
    "complete",
    "forget_invitation",
    "here",
    "keep",
    "make",
    "may_wait",
    "nothing",
]

#: What an invitation is among the challenges, and its use among the credentials.
INVITATION = "invitation"
#: How many sign-ups with one address wait at a time, and of those from one network.
_MOST, _MOST_OF_NETWORK = 50, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody has signed up with.

    Args:
        account: The account that is to be, with a mail address.
        credentials: What its owner is to log in with.
        method: The feature that it came by.
        invitation: The id of the invitation that it uses up, if it takes one.
    """

    account: Account
    credentials: tuple[Credential, ...]
    method: str
    invitation: str = ""

    @property
    def key(self) -> str:
        """The canonical form of the address."""
        return self.account.email.key if self.account.email else ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-up whose address is yet to be confirmed; ``token`` is the client's, if it is the one that signed up."""

    challenge: Challenge
    sign_up: SignUp
    token: str | None = None

    @property
    def is_kept(self) -> bool:
        """Whether what was set up stands: here is where that was done, or there is nothing that somebody could know."""
        return self.token is not None or not self.sign_up.credentials

    def is_named(self, key: str) -> bool:
        """Tell whether this is the canonical form of one of its names."""
        return any(one.key == key for one in self.sign_up.account.identifiers)


def keep(
    ctx: Context, sign_up: SignUp, lifetime: timedelta, *, instead_of: Waiting | None = None
) -> tuple[str, Mailed]:
    """Keep a sign-up, and give its token to the client.

    Args:
        ctx: The request.
        sign_up: What somebody has signed up with.
        lifetime: How long its address can be confirmed.
        instead_of: An earlier one of the same client, which is void from now on.

    Returns:
        The token for the link in its mail, and what else goes into that.
    """
    mailed = codes.new()
    details = {**_packed(sign_up), **mailed.details}
    # Of a subject of its own: nothing that is done with an account, or with another sign-up, may void it.
    token = ctx.gate.challenges.issue(KIND, sign_up.account.id, lifetime, details)
    if instead_of is not None:
        ctx.gate.challenges.claim(instead_of.challenge.id)
    ctx.keeps[KIND] = token
    return str(Token(token.partition(".")[0], mailed.secret)), mailed


def nothing() -> str:
    """Return a token that opens nothing, for a client that must not be told that there is nothing to open."""
    return str(Token(tokens.new_id(), tokens.new_secret()))


def here(ctx: Context, key: str | None = None) -> Waiting | None:
    """Return the sign-up that this client waits with.

    Args:
        ctx: The request.
        key: The canonical form of its address; ``None`` for whichever it is.
    """
    for token in origins.shown(ctx):
        try:
            challenge = ctx.gate.look(KIND, token)
        except InvalidChallenge:
            continue
        found = Waiting(challenge, _unpacked(challenge.details), token)
        if key in {None, found.sign_up.key}:
            return found
    return None


def at_link(ctx: Context, link: str) -> Waiting | None:
    """Return the sign-up that the link of a mail belongs to, and whether that is this client's."""
    try:
        challenge = ctx.gate.challenges.look(KIND, link, by=codes.LINK)
    except InvalidChallenge:
        return None
    own = here(ctx)
    if own is not None and own.challenge.id == challenge.id:
        return own
    return Waiting(challenge, _unpacked(challenge.details))


def complete(ctx: Context, waiting: Waiting, *, username: str | None = None) -> Account:
    """Make the account of a sign-up whose address is proven to be the client's; exactly one caller succeeds.

    It may be called again for what was interrupted. A name that somebody else has by now costs nothing: the sign-up
    waits for another one, and so does its invitation.

    Args:
        ctx: The request.
        waiting: The sign-up.
        username: The user name that the person wants instead.

    Raises:
        IdentifierTaken: Somebody else has the user name by now.
        InvalidChallenge: The address has an account by now, the invitation is used, or somebody else was first.
        InvalidInput: The user name is not acceptable.
    """
    account = _confirmed(ctx, waiting, username)
    new = ctx.accounts.get_account(account.id) or _made(ctx, waiting, account)
    forget_invitation(ctx, waiting.sign_up)
    if ctx.gate.challenges.claim(waiting.challenge.id) is None:
        raise InvalidChallenge(reason="used at the same moment")
    for feature in ctx.features.values():
        feature.welcome(ctx, new)
    return new


def make(ctx: Context, sign_up: SignUp, account: Account, *credentials: Credential) -> Account:
    """Make an account, and use up the invitation of its sign-up with it, if it takes one.

    What has used it up is kept with the account, in one step: there is one account for an invitation, and none is used
    up without. So nothing is lost where this is interrupted before, and nothing is to be had where it is after.

    Raises:
        IdentifierTaken: Another account has one of its names.
        InvalidChallenge: The invitation is used.
    """
    used = _use_of(ctx, sign_up.invitation, account)
    try:
        made = create_account(
            ctx.gate, ctx.accounts, account, *credentials, *used, method=sign_up.method, by_owner=True
        )
    except (IdentifierTaken, StoreError):
        _refuse_used(ctx, sign_up.invitation)
        raise
    forget_invitation(ctx, sign_up)
    return made


def forget_invitation(ctx: Context, sign_up: SignUp) -> None:
    """Forget the invitation of a sign-up, if it takes one. That may fail: its use is noted with the account."""
    if sign_up.invitation:
        with suppress(StoreError):
            ctx.gate.challenges.claim(sign_up.invitation)


def may_wait(ctx: Context, key: str, lifetime: timedelta) -> bool:
    """Count a sign-up with an address, and tell whether it may wait: few of one network's may, and many of all."""
    where = network(ctx.client.address)
    bounds = [(key, _MOST)] if where == UNKNOWN else [(f"{where} {key}", _MOST_OF_NETWORK), (key, _MOST)]
    return all(ctx.throttle.allows(KIND, name, burst=most, interval=lifetime / most) for name, most in bounds)


# -- steps ---------------------------------------------------------------------------------------------------


def _confirmed(ctx: Context, waiting: Waiting, username: str | None) -> Account:
    """Return the account as it is to be: without what may be a stranger's where it was not set up here."""
    account = waiting.sign_up.account
    if username is not None and account.username is None:
        raise InvalidInput({"username": Text("There is no such field.")})
    wanted = account.username if username is None else identifiers.username(username)
    named = tuple(
        replace(one, verified_at=ctx.now) if one.kind is IdentifierKind.EMAIL else wanted or one
        for one in account.identifiers
    )
    # Another id where it is another account: whoever comes second must not take this one for theirs.
    account_id = account.id if waiting.is_kept else tokens.new_account_id(ctx.now)
    return replace(account, id=account_id, identifiers=named, created_at=ctx.now)


def _made(ctx: Context, waiting: Waiting, account: Account) -> Account:
    _refuse_taken(ctx, waiting, account)
    credentials = waiting.sign_up.credentials if waiting.is_kept else ()
    try:
        return make(ctx, waiting.sign_up, account, *credentials)
    except IdentifierTaken:
        _refuse_taken(ctx, waiting, account)
        raise


def _use_of(ctx: Context, invitation: str, account: Account) -> tuple[Credential, ...]:
    """Return what notes that an account has used an invitation up; nothing if it takes none.

    Raises:
        InvalidChallenge: Another account has, or the invitation is gone.
    """
    if not invitation:
        return ()
    _refuse_used(ctx, invitation)
    if not ctx.gate.challenges.is_kept(invitation):
        raise InvalidChallenge(reason="the invitation is used")
    return (Credential(tokens.new_id(), INVITATION, invitation, account.id, "", created_at=ctx.now),)


def _refuse_used(ctx: Context, invitation: str) -> None:
    if invitation and ctx.credentials.get_credential(INVITATION, invitation) is not None:
        raise InvalidChallenge(reason="the invitation is used")


def _refuse_taken(ctx: Context, waiting: Waiting, account: Account) -> None:
    if ctx.accounts.find_account(waiting.sign_up.key) is not None:
        raise InvalidChallenge(reason="the address has an account by now")
    if account.username is not None and ctx.accounts.find_account(account.username.key) is not None:
        raise IdentifierTaken(field="username")


def _packed(sign_up: SignUp) -> dict[str, str]:
    account = sign_up.account
    named = [[one.kind.value, one.value, one.key] for one in account.identifiers]
    kept = [
        [one.id, one.kind, one.key, one.secret, one.created_at.isoformat(), dict(one.details)]
        for one in sign_up.credentials
    ]
    return {
        "account": json.dumps([account.id, account.created_at.isoformat(), named]),
        "credentials": json.dumps(kept),
        "method": sign_up.method,
        "invitation": sign_up.invitation,
    }


def _unpacked(details: Mapping[str, str]) -> SignUp:
    account_id, created_at, named = json.loads(details["account"])
    names = tuple(Identifier(IdentifierKind(kind), value, key) for kind, value, key in named)
    kept = (
        Credential(own_id, kind, key, account_id, secret, datetime.fromisoformat(at), details=more)
        for own_id, kind, key, secret, at, more in json.loads(details["credentials"])
    )
    return SignUp(
        account=Account(account_id, names, datetime.fromisoformat(created_at)),
        credentials=tuple(kept),
        method=details["method"],
        invitation=details["invitation"],
    )
