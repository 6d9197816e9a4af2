"""Who has made an account, and who has set up what is in it, before its address is confirmed.

Where no address has to be confirmed, an attacker signs up with somebody else's and waits for its owner to confirm it:
to be in the account then, or to keep the address from its owner. So an account that a sign-up makes has a mark, of
which the browser that signed up keeps the other half: what was set up counts where it was set up, and nowhere else.
What an operator has made is nobody's to take, and what an operator has set up is no stranger's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from admit import tokens
from admit.adopting import Adopting
from admit.model import Credential

if TYPE_CHECKING:
    from admit.context import Context
    from admit.model import Account

__all__ = [
    "KIND",
    "OPERATOR",
    "is_of_sign_up",
    "mark",
    "may_be_strangers",
    "set_up",
    "shown",
    "unmark",
    "was_made_here",
]

#: What a mark is among the credentials, a waiting sign-up among the challenges, and either in what a client keeps.
KIND = "sign_up"
#: Who can be trusted to have set something up for the owner of the address.
OPERATOR = "operator"

#: In the details of a credential: who has set it up, if that was not somebody who has signed up here.
_BY = "set_up_by"


def mark(ctx: Context, account: Account) -> Credential:
    """Return what notes that this client makes an account, and give it what it is known by; nothing is written."""
    secret = ctx.keeps[KIND] = tokens.new_secret()
    hashed = tokens.hash_secret(secret).hex()
    return Credential(tokens.new_id(), KIND, account.id, account.id, hashed, created_at=ctx.now)


def unmark(ctx: Context, account: Account) -> None:
    """Forget what :func:`mark` has noted, once the address is confirmed."""
    known = ctx.credentials.get_credential(KIND, account.id)
    if known is not None:
        ctx.credentials.delete_credential(known.id)
    ctx.keeps[KIND] = ""


def was_made_here(ctx: Context, account: Account) -> bool:
    """Tell whether a sign-up of this client has made an account."""
    known = ctx.credentials.get_credential(KIND, account.id)
    return known is not None and any(tokens.matches(one, bytes.fromhex(known.secret)) for one in shown(ctx))


def is_of_sign_up(ctx: Context, account: Account) -> bool:
    """Tell whether a sign-up has made an account, and nobody else: no operator, and no other program."""
    found = ctx.credentials.list_credentials(account.id)
    if any(one.kind == KIND for one in found):
        return True
    # One of before there were marks.
    is_others = isinstance(ctx.credentials, Adopting) or any(one.is_adopted or _BY in one.details for one in found)
    return bool(found) and not is_others and account.locked_at is None and not account.roles


def set_up(credential: Credential, by: str) -> Credential:
    """Note in a credential who has set it up, where that was not somebody who has signed up here."""
    return replace(credential, details={**credential.details, _BY: by})


def may_be_strangers(credential: Credential) -> bool:
    """Tell whether somebody else than the operator may have set a credential up, before the address was confirmed.

    Another program's as well: whoever signed up there need not have been the owner of the address.
    """
    return credential.is_adopted or credential.details.get(_BY) != OPERATOR


def shown(ctx: Context) -> tuple[str, str]:
    """Return what the client brings of a sign-up: in a cookie, or in a header if it is one without cookies."""
    return ctx.kept.get(KIND, ""), ctx.pending_token or ""
