"""What clients send about passwords, and what they get."""

from __future__ import annotations

import msgspec

from admit.feature import Secret

__all__ = ["Changed", "ConfirmForm", "LoginForm", "NewPasswordForm", "StrengthForm", "StrengthView"]


class LoginForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who somebody says they are, and the proof."""

    identifier: str
    password: Secret
    remember: bool = False


class ConfirmForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof of who is logged in already."""

    password: Secret


class NewPasswordForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password that counts, and the one that is to."""

    old_password: Secret
    password: Secret


class StrengthForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A password that somebody thinks of."""

    password: Secret


class StrengthView(msgspec.Struct, frozen=True, kw_only=True):
    """How hard a password is to guess, from 0 to 4, and what would make it harder."""

    score: int
    warning: str | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """That the new password counts, and how many other logins have ended for it."""

    ended: int
