"""Confirming that a mail address is its owner's.

An attacker signs up with somebody else's address and waits for its owner to confirm it; opens a link of their own in
somebody's browser to log them in as another; or has a link opened by a scanner. So a link confirms and does nothing
else, takes a press of a button, and keeps what was set up only in the browser that did: anywhere else it voids it,
and the owner of the address chooses anew.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import msgspec

from admit import identifiers, tokens
from admit.changing import outdated
from admit.errors import InvalidChallenge, Text
from admit.events import Event
from admit.feature import Context, Face, Feature, Reply, Token, action
from admit.findings import at_most, ok, warning
from admit.model import Credential, IdentifierKind
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.findings import Finding
    from admit.model import Account

__all__ = ["Confirmed", "IdentifierVerified", "MailVerification", "RequestForm", "Requested", "TokenForm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierVerified(Event):
    """A mail address was confirmed; ``kept`` tells whether what was set up before it still stands."""

    said: ClassVar[Text | None] = Text("Your mail address was confirmed.")

    kept: bool


class RequestForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address that wants another link."""

    email: str


class TokenForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link."""

    token: Token


class Requested(msgspec.Struct, frozen=True, kw_only=True):
    """That a mail is on its way, if the address is one that waits for it."""

    next: str = "check_mail"


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next: logging in (``sign_in``), or choosing a password (``choose_secret``) by a link."""

    next: str
    url: str | None = None


class MailVerification(Feature):
    """Sends a link to each new address, and confirms the address when it comes back.

    .. versionadded:: 0.2
    """

    name = "mail_verification"
    sends_mail = True

    lifetime: timedelta = setting(timedelta(hours=24), "How long a link works.")
    required: bool = setting(True, "Whether an account can be used only once its address is confirmed.")

    @property
    def demands_verified(self) -> bool:
        """Whether accounts can be used only once their mail address is confirmed."""
        return self.required

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Tell of accounts with addresses that nobody has confirmed, and of links that work for long."""
        del features
        why = "and whoever reads an old mail has an account with another's password"
        found = at_most("verification_lifetime", self.key("lifetime"), self.lifetime, timedelta(days=3), why)
        if self.required:
            return [found, ok("addresses", "An account can be used only once its mail address is confirmed.")]
        sentence = "Accounts can be used with a mail address that is somebody else's."
        return [found, warning("addresses", sentence, f"Set {self.key('required')} to True.")]

    def welcome(self, ctx: Context, account: Account) -> bool:
        """Send the first link, and mark the browser that made the account."""
        if account.email is None:
            return False
        self._mark(ctx, account.id)
        self._send(ctx, account)
        return True

    def pretend(self, ctx: Context) -> None:
        """Mark the browser as :meth:`welcome` does, with a mark that nothing knows in the end.

        What is written for nobody, and taken back, takes as long as an account, its mark and its link.
        """
        mark = self._mark(ctx, tokens.new_id())
        ctx.credentials.delete_credential(mark.id)
        ctx.gate.challenge(self.name, "", self.lifetime, {"key": ""})

    @action("POST", "/verify/request", title="Send the link again", page="mail_verification/request", status=202)
    def request(self, ctx: Context, form: RequestForm) -> Reply[Requested]:
        """Send another link, if the address waits for one. The answer does not tell."""
        ctx.throttle.request(ctx.client)
        key = identifiers.key_of(form.email)
        account = ctx.accounts.find_account(key) if key else None
        if account is None or not ctx.gate.admission.can_return(account) or account.is_verified:
            account = ctx.nobody(key or "")
        self._send(ctx, account)
        return Reply(Requested(), page="mail_verification/sent")

    @action("GET", "/verify", title="Confirm your address", page="mail_verification/confirm", faces=[Face.PAGE])
    def form(self, ctx: Context) -> Reply[None]:
        """Show the button that confirms: scanners follow links, people press buttons."""
        ctx.gate.look(self.name, ctx.kept.get("link", ""))
        return Reply(None)

    @action(
        "POST",
        "/verify",
        title="Confirm your address",
        page="mail_verification/confirm",
        errors=[InvalidChallenge],
        link="/verify/<token>",
    )
    def confirm(self, ctx: Context, form: TokenForm) -> Reply[Confirmed]:
        """Confirm the address that the link was sent to. Nobody is logged in by it."""
        asked = ctx.gate.look(self.name, form.token)
        account = ctx.accounts.get_account(asked.subject)
        if account is None or account.is_verified or not ctx.gate.admission.can_return(account):
            raise InvalidChallenge(reason="the account is gone, locked, or confirmed")
        kept = self._was_set_up_here(ctx, account)
        if not kept:
            # Before the address counts: where this is interrupted, no squatter has an account with a confirmed one.
            self._void(ctx, account)
        self._verify(ctx, account, asked.details["key"], kept=kept)
        url = self._settle(ctx, account, kept=kept)
        ctx.publish(IdentifierVerified(at=ctx.now, subject=account.id, kept=kept))
        ctx.keeps.update({self.name: "", "link": ""})
        return Reply(
            Confirmed(next="sign_in" if kept else "choose_secret", url=url), page="mail_verification/confirmed"
        )

    def _mark(self, ctx: Context, key: str) -> Credential:
        """Mark this browser, so that it is known again when the address is confirmed."""
        mark = tokens.new_secret()
        known = Credential(tokens.new_id(), self.name, key, key, tokens.hash_secret(mark).hex(), created_at=ctx.now)
        ctx.credentials.add_credential(known)
        ctx.keeps[self.name] = mark
        return known

    def _send(self, ctx: Context, account: Account) -> None:
        hours = int(self.lifetime.total_seconds() // 3600)
        ctx.send(account, "mail_verification/mail", link=partial(self._link, ctx), hours=hours)

    def _link(self, ctx: Context, account: Account) -> str:
        key = account.email.key if account.email else ""
        token = ctx.gate.challenge(self.name, account.id, self.lifetime, {"key": key})
        return ctx.url("mail_verification.confirm", token=token)

    def _verify(self, ctx: Context, account: Account, key: str, *, kept: bool) -> None:
        """Note that the address with this key is confirmed; the link is bound to the address that it went to."""
        verified = tuple(
            replace(one, verified_at=ctx.now) if one.kind is IdentifierKind.EMAIL and one.key == key else one
            for one in account.identifiers
        )
        new = replace(account if kept else outdated(account), identifiers=verified)
        if verified == account.identifiers or not ctx.accounts.replace_account(account, new):
            raise InvalidChallenge(reason="the account has changed meanwhile")

    def _was_set_up_here(self, ctx: Context, account: Account) -> bool:
        """Tell whether this browser is the one that made the account."""
        mark = ctx.credentials.get_credential(self.name, account.id)
        shown = ctx.kept.get(self.name, "")
        if mark is None:
            return False
        return hmac.compare_digest(tokens.hash_secret(shown).hex(), mark.secret)

    def _void(self, ctx: Context, account: Account) -> None:
        """Make worthless what whoever signed up has set up."""
        for credential in ctx.credentials.list_credentials(account.id):
            ctx.credentials.delete_credential(credential.id)
        ctx.gate.revoke_all(account.id, by="verification")

    def _settle(self, ctx: Context, account: Account, *, kept: bool) -> str | None:
        """Use up the link and the mark, and what came in between; return where the owner can choose anew."""
        if kept:
            ctx.gate.challenges.void(account.id, kind=self.name)
            mark = ctx.credentials.get_credential(self.name, account.id)
            if mark is not None:
                ctx.credentials.delete_credential(mark.id)
            return None
        self._void(ctx, account)
        ctx.gate.challenges.void(account.id)
        fresh = ctx.accounts.get_account(account.id) or account
        ways = (feature.recover(ctx, fresh) for feature in ctx.features.values())
        return next((way for way in ways if way is not None), None)
