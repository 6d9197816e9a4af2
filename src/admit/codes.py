"""Links and codes of mails: one mail holds both, and either shows that its reader has the mailbox.

An attacker guesses codes, reads a leaked database, or types a code of one mail at another. So a link holds 256 random
bits, a code eight digits that are only good together with what the browser that asked keeps, of both only hashes are
kept, and the hash of a code has that of its link for a salt. Whoever takes codes counts the tries. The code follows
from the secret of the link, so that the page of the link can show it: the mail with the link has the code as well.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

from admit import tokens
from admit.errors import AdmitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.model import Challenge

__all__ = ["LINK", "TRIES", "Mailed", "WrongCode", "WrongLoginCode", "code_of", "is_code", "is_link", "new"]

#: How many codes may be typed for one mail.
TRIES = 5
#: The names of the hashes among the details of a challenge.
LINK, _CODE = "link", "code"

_DIGITS = 8
#: What people put between digits, and where a phone puts a blank.
_BETWEEN = str.maketrans("", "", " -\u00a0\t")


class WrongCode(AdmitError):
    """The code is not the one in the mail."""

    code = "wrong_code"
    status = 422
    message = "This is not the code in our last mail to you."


class WrongLoginCode(WrongCode):
    """The code by which somebody wants to sign in is not the one in the mail."""

    status = 401


class Mailed(NamedTuple):
    """What goes into one mail, and the hashes of it, which are kept."""

    secret: str
    code: str
    details: Mapping[str, str]

    def __repr__(self) -> str:
        # Whoever reads it in a log or a traceback would have the mailbox.
        return "Mailed(...)"


def new() -> Mailed:
    """Make the secret of a link, and a code as a mail shows it."""
    secret = tokens.new_secret()
    code, link = code_of(secret), tokens.hash_secret(secret).hex()
    return Mailed(secret, code, {LINK: link, _CODE: _coded(link, code)})


def code_of(secret: str) -> str:
    """Return the code that goes with the secret of a link, as a mail shows it."""
    # Another hash than the one that is kept of the link, which must not tell the code.
    number = int.from_bytes(tokens.hash_secret(f"code:{secret}")) % 10**_DIGITS
    code = f"{number:0{_DIGITS}}"
    return f"{code[: _DIGITS // 2]} {code[_DIGITS // 2 :]}"


def is_link(challenge: Challenge, secret: str) -> bool:
    """Tell in constant time whether this is the secret of the link."""
    return tokens.matches(secret, bytes.fromhex(challenge.details[LINK]))


def is_code(challenge: Challenge, typed: str) -> bool:
    """Tell in constant time whether this is the code, however it is spaced."""
    return hmac.compare_digest(challenge.details[_CODE], _coded(challenge.details[LINK], typed))


def _coded(link: str, code: str) -> str:
    return tokens.hash_secret(f"{link}:{code.translate(_BETWEEN)}").hex()
