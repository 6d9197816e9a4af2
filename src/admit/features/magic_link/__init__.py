"""Logging in by mail: by a link, in the browser that asked for it, or by a code to type there.

An attacker has a scanner or a friend follow the link, sends a link of their own to log somebody in as the wrong person,
asks for a mail to somebody and guesses the code, uses one mail many times at once, and hopes that a mail counts for
the second factor. So a link shows a button and works only together with a secret that the asking browser keeps; a code
is typed into that very browser, a few times, and is counted as a password is; either works once, for ten minutes, and
until there is a newer one; and a mail proves no factor, so that whoever has enrolled a second one is asked for it.

A login by mail proves that the address is the person's. If nobody had confirmed it before, whatever was set up until
then may be a squatter's and is void: password, second factor, sessions. What an operator has set up is not.

Source: NIST SP 800-63B-4, sections 3.1.3.1 (mail is no authenticator of its own) and 3.1.3.2 (codes).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import msgspec

from admit import codes, identifiers, tokens
from admit.changing import outdated
from admit.codes import WrongLoginCode
from admit.errors import ConfigurationError, InvalidChallenge, InvalidCredentials, Text, Throttled
from admit.events import Event, LoginFailed
from admit.feature import About, Context, Face, Feature, Reply, Secret, Shown, Signed, action
from admit.feature import Token as TokenField
from admit.model import IdentifierKind
from admit.origins import may_be_strangers
from admit.settings import setting
from admit.tokens import Token

if TYPE_CHECKING:
    from datetime import datetime

    from admit.model import Account, Challenge, Identifier

__all__ = ["MagicLink", "MailCodeForm", "MailLinkForm", "MailLoginForm", "MailProven", "MailSent", "WrongLoginCode"]

#: The longest that a code may be typed (NIST SP 800-63B-4, section 3.1.3.2).
_LONGEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProven(Event):
    """A login by mail has shown whose an address is, and what was set up for the account before is void."""

    said: ClassVar[Text | None] = Text("Your mail address was confirmed, by signing in by mail.")


class MailLoginForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants to log in: a mail address or a user name."""

    identifier: str
    remember: bool = False


class MailSent(msgspec.Struct, frozen=True, kw_only=True):
    """That a mail is on its way, if there is such an account."""

    next: str = "check_mail"


class MailCodeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code in a mail."""

    code: Secret


class MailLinkForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of the link in a mail."""

    token: TokenField


class MagicLink(Feature):
    """Logs people in by a mail to their address.

    .. versionadded:: 0.2
    """

    name = "magic_link"
    logs_in: ClassVar[str | None] = "ask"
    sends_mail = True
    needs_email = True

    lifetime: timedelta = setting(_LONGEST, "How long a link and its code work; ten minutes at most.")

    def __post_init__(self) -> None:
        """Check that a mail works for a time, and for no longer than a code may."""
        super().__post_init__()
        if not timedelta() < self.lifetime <= _LONGEST:
            message = f"{self.key('lifetime')} is {self.lifetime}. Set it to more than zero and at most ten minutes."
            raise ConfigurationError(message)

    @action(
        "POST",
        "/magic-link",
        title="Sign in by mail",
        page="magic_link/ask",
        shown=Shown.GUESTS,
        status=202,
        errors=[Throttled],
    )
    def ask(self, ctx: Context, form: MailLoginForm) -> Reply[MailSent]:
        """Send a link and a code, if there is such an account. The answer does not tell."""
        key = identifiers.key_of(form.identifier) or ""
        account = ctx.accounts.find_account(key) if key else None
        device = ctx.devices.recognize(ctx.marks, account.id if account else "")
        ctx.throttle.request(ctx.client, device=device)
        address = account.email if account and ctx.gate.admission.can_return(account) else None
        # Counted by what was typed, so that neither the answer nor what the browser keeps tells who has an account.
        is_allowed = ctx.throttle.allows_mail(key, purpose=self.name, client=ctx.client, device=device)
        # A mail that is not sent must not void the one before, neither its link nor what this browser keeps for it.
        if is_allowed or not ctx.kept.get(self.name):
            self._send(ctx, account, key, address if is_allowed else None, remember=form.remember)
        return Reply(MailSent(), page="magic_link/code")

    @action("GET", "/magic-link/use", title="Sign in", page="magic_link/use", faces=[Face.PAGE], by_mail=True)
    def form(self, ctx: Context) -> Reply[None]:
        """Show the button that logs in, or how to go on in another browser; nothing is changed by looking."""
        link, kept = (tokens.parse_challenge(ctx.kept.get(name, "")) for name in ("link", self.name))
        if link is None or kept is None or link.id != kept.id:
            self._note_elsewhere(ctx, str(link))
            return Reply(None, page="magic_link/elsewhere")
        self._asked_here(ctx, str(link))
        return Reply(None)

    @action(
        "POST",
        "/magic-link/use",
        title="Sign in",
        page="magic_link/use",
        errors=[InvalidChallenge, InvalidCredentials],
        link="/magic-link/<token>",
        by_mail=True,
    )
    def use(self, ctx: Context, form: MailLinkForm) -> Reply[Signed]:
        """Log in by the link, in the browser in which it was asked for."""
        self._asked_here(ctx, form.token)
        return self._admit(ctx, ctx.gate.look(self.name, ctx.kept.get(self.name, "")))

    @action(
        "POST",
        "/magic-link/code",
        title="Type the code",
        page="magic_link/code",
        errors=[InvalidChallenge, InvalidCredentials, Throttled, WrongLoginCode],
        by_mail=True,
    )
    def enter(self, ctx: Context, form: MailCodeForm) -> Reply[Signed]:
        """Log in by the code, in the browser in which it was asked for; the mail may be read on another device."""
        asked = ctx.gate.look(self.name, ctx.kept.get(self.name, ""))
        subject = asked.details["account"]
        device = ctx.devices.recognize(ctx.marks, subject)
        name = subject or asked.details["key"]
        attempt = ctx.throttle.attempt(name, ctx.client, device=device, subject=subject, settles=True)
        if not ctx.throttle.allows(self.name, asked.id, burst=codes.TRIES, interval=_LONGEST):
            attempt.failed()
            self._take(ctx)
            raise InvalidChallenge(reason="too many wrong codes")
        if not codes.is_code(asked, form.code):
            ctx.publish(
                LoginFailed(at=ctx.now, subject=subject, method=self.name, reason="wrong code", client=ctx.client)
            )
            attempt.failed()
            raise WrongLoginCode(reason="wrong code")
        attempt.succeeded()
        return self._admit(ctx, asked)

    # -- steps -------------------------------------------------------------------------------------

    def _send(
        self, ctx: Context, account: Account | None, key: str, address: Identifier | None, *, remember: bool
    ) -> None:
        """Make a link and a code and send them to the address, or make them all the same and send them to nobody."""
        mailed = codes.new()
        details = {
            **mailed.details,
            "account": account.id if account else "",
            "key": address.key if address else key,
            "remember": "yes" if remember else "",
        }
        subject = account.id if account and address else _nobody(key)
        # At its epoch, which is known here, or as for nobody: time must not tell whether somebody is looked for.
        epoch = account.epoch if account and address else 0
        kept = ctx.gate.challenge(self.name, subject, self.lifetime, details, epoch=epoch)
        ctx.keeps[self.name] = kept
        values = {
            "account": account or ctx.nobody(key),
            "url": ctx.url("magic_link.use", token=str(Token(kept.partition(".")[0], mailed.secret))),
            "code": mailed.code,
            "minutes": int(self.lifetime.total_seconds() // 60),
        }
        ctx.post(address.value if address else None, "magic_link/mail", values)

    def _asked_here(self, ctx: Context, link: str) -> None:
        """Check that a link belongs to what this browser has asked for; nothing is changed.

        Raises:
            InvalidChallenge: It is another browser's, too old, used, or no link of ours.
        """
        asked, token = ctx.gate.look(self.name, ctx.kept.get(self.name, "")), tokens.parse_challenge(link)
        if token is None or token.id != asked.id or not codes.is_link(asked, token.secret):
            raise InvalidChallenge(reason="another browser's link, or none")
        _note(ctx, asked)

    def _note_elsewhere(self, ctx: Context, link: str) -> None:
        """Note which account a link is for that another browser has asked for: its holder has read the email."""
        with suppress(InvalidChallenge):
            _note(ctx, ctx.gate.challenges.look(self.name, link, by=codes.LINK))

    def _take(self, ctx: Context) -> Challenge:
        return ctx.gate.take(self.name, ctx.kept.get(self.name, ""))

    def _admit(self, ctx: Context, asked: Challenge) -> Reply[Signed]:
        account = ctx.accounts.get_account(asked.subject)
        if account is None or account.email is None or account.email.key != asked.details["key"]:
            raise InvalidChallenge(reason="the account is gone, or has another address")
        # Before an address is confirmed by it: nothing of a locked account changes.
        ctx.gate.admission.bar(account, self.name)
        if account.email.verified_at is None:
            self._prove(ctx, account)
        else:
            self._take(ctx)
        ctx.keeps.update({self.name: "", "link": ""})
        # No factor: with a password it would pass for two, and whoever reads the mails can mostly reset that as well.
        return ctx.admit(account.id, self.name, frozenset(), remember=bool(asked.details["remember"]))

    def _prove(self, ctx: Context, account: Account) -> None:
        """Void what whoever had signed up has set up, and note that the address is its owner's.

        In this order: where it is interrupted, no squatter has an account with a confirmed address.
        """
        _void(ctx, account)
        self._take(ctx)
        if not ctx.accounts.replace_account(account, _confirmed(account, at=ctx.now)):
            raise InvalidChallenge(reason="the account has changed meanwhile")
        _void(ctx, account)  # what came in between
        ctx.gate.challenges.void(account.id)
        ctx.publish(MailProven(at=ctx.now, subject=account.id))


def _note(ctx: Context, asked: Challenge) -> None:
    account = ctx.accounts.get_account(asked.subject)
    if account is not None:
        ctx.about = About(account.label, account.id)


def _void(ctx: Context, account: Account) -> None:
    for credential in filter(may_be_strangers, ctx.credentials.list_credentials(account.id)):
        ctx.credentials.delete_credential(credential.id)
    ctx.gate.revoke_all(account.id, by="verification")


def _confirmed(account: Account, *, at: datetime) -> Account:
    """Return an account whose address is its owner's, at its next epoch."""
    names = tuple(
        replace(one, verified_at=at) if one.kind is IdentifierKind.EMAIL else one for one in account.identifiers
    )
    return replace(outdated(account), identifiers=names)


def _nobody(key: str) -> str:
    # Each unknown name has a subject of its own, as each account has: or one mail to nobody would void all others.
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
