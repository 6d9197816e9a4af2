"""What confirming an address takes, and what it answers."""

from __future__ import annotations

import msgspec

from admit.feature import Secret, Token

__all__ = ["CodeForm", "Confirmed", "LinkView", "RequestForm", "Requested", "TokenForm"]


class RequestForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address that wants another link."""

    email: str


class TokenForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link; and another user name, where somebody else has got the first one meanwhile."""

    token: Token
    username: str | None = None


class CodeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code of a mail; and another user name, where somebody else has got the first one meanwhile."""

    code: Secret
    username: str | None = None


class Requested(msgspec.Struct, frozen=True, kw_only=True):
    """That a mail is on its way, if the address is one that waits for it."""

    next: str = "check_mail"


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is about: the user name that was asked for with it, and its code, for the browser that signed up."""

    username: str | None = None
    code: str | None = None


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next: logging in (``sign_in``), or choosing a password (``choose_secret``) by a link.

    The latter where the address was confirmed elsewhere than it was signed up with: the password that was chosen there
    may be a stranger's, and does not count.
    """

    next: str
    url: str | None = None
