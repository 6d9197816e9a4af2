"""Two features of the tests: another way to log in, and a second factor."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from admit import tokens
from admit.errors import InvalidChallenge, InvalidCredentials
from admit.feature import Context, Demand, Face, Feature, Reply, Secret, Signed, action
from admit.model import Credential, Factor

if TYPE_CHECKING:
    from admit.store import CredentialStore

__all__ = ["Badge", "Dongle", "enroll"]


class BadgeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose badge it is, and what is written on it."""

    identifier: str
    badge: Secret
    remember: bool = False


class CodeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the dongle shows."""

    code: Secret


class Badge(Feature):
    """Logs people in by a badge: a first factor that the package does not know."""

    name = "badge"
    proves = "confirm"

    @action("POST", "/badge", title="Show your badge", faces=[Face.JSON])
    def login(self, ctx: Context, form: BadgeForm) -> Reply[Signed]:
        """Log in."""
        return ctx.admit(self._owner(ctx, form), self.name, frozenset({Factor.HAVE}), remember=form.remember)

    @action("POST", "/badge/confirm", title="Show it again", faces=[Face.JSON], demands=Demand.SESSION)
    def confirm(self, ctx: Context, form: BadgeForm) -> Reply[Signed]:
        """Prove it once more."""
        return ctx.confirm(self._owner(ctx, form), self.name, frozenset({Factor.HAVE}))

    def _owner(self, ctx: Context, form: BadgeForm) -> str:
        account = ctx.accounts.find_account(form.identifier)
        if account is None or form.badge != f"badge of {form.identifier}":
            raise InvalidCredentials
        return account.id


class Dongle(Feature):
    """A second factor: a fixed code, which is all that the tests need."""

    name = "dongle"
    second_factor = True
    proves = "prove"

    @action("POST", "/dongle", title="Enter the code", faces=[Face.JSON], errors=[InvalidChallenge])
    def prove(self, ctx: Context, form: CodeForm) -> Reply[Signed]:
        """Complete a login, or begin one."""
        if ctx.pending_token is None:
            raise InvalidChallenge(reason="nobody has begun to log in")
        subject = ctx.gate.pending(ctx.pending_token).subject
        credential = ctx.credentials.get_credential(self.name, subject)
        if credential is None or not hmac.compare_digest(credential.secret, form.code):
            raise InvalidCredentials
        return ctx.admit(subject, self.name, frozenset({Factor.HAVE}))


def enroll(credentials: CredentialStore, subject: str, code: str) -> None:
    """Give an account a dongle."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    assert credentials.add_credential(Credential(tokens.new_id(), "dongle", subject, subject, code, begun))
