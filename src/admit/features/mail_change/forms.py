"""What a change of the mail address takes, and what it answers."""

from __future__ import annotations

from datetime import datetime

import msgspec

from admit.feature import Token

__all__ = ["MailChangeForm", "MailChangeLinkForm", "MailChangeSent", "MailChangedBack", "MailMoved", "NewMail"]


class MailChangeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address that is to count."""

    email: str


class MailChangeSent(msgspec.Struct, frozen=True, kw_only=True):
    """That a mail is on its way to the new address, if that can be used."""

    next: str = "check_mail"


class MailChangeLinkForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link."""

    token: Token


class NewMail(msgspec.Struct, frozen=True, kw_only=True):
    """The address that a link is about."""

    email: str


class MailMoved(msgspec.Struct, frozen=True, kw_only=True):
    """The address that counts now, and until when the old one can take that back; never if nobody had confirmed it."""

    email: str
    until: datetime | None


class MailChangedBack(msgspec.Struct, frozen=True, kw_only=True):
    """The address that counts again, and what comes next: a mail (``check_mail``), or logging in (``sign_in``)."""

    email: str
    next: str
