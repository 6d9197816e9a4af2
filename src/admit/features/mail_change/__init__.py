"""Changing the mail address of an account, with a way back for whoever has the old one.

An attacker changes the address of a session that they have stolen, so that resets come to them; has resets sent to an
address that is not confirmed; asks for addresses to learn which have accounts; gets the owner of an address to confirm
it for the attacker's account, or somebody to confirm one that they have mistyped; and after a change keeps the owner
from undoing it. So a change takes a fresh login, and counts once its link is opened by who is logged in to that very
account; the answer is the same for an address that is taken; and the old address is told, with a link that works for a
week, whatever is done with the account meanwhile.

Source: NIST SP 800-63B-4, section 4.6 (notices, with a way to object); OWASP, Authentication Cheat Sheet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from admit import identifiers, origins
from admit.changing import outdated
from admit.errors import (
    IdentifierTaken,
    InvalidChallenge,
    InvalidCredentials,
    InvalidInput,
    Overloaded,
    Text,
    Throttled,
)
from admit.events import Event
from admit.feature import About, Context, Demand, Face, Feature, Reply, Shown, action, can_regain
from admit.features.mail_change import ways_back
from admit.features.mail_change.forms import (
    MailChangedBack,
    MailChangeForm,
    MailChangeLinkForm,
    MailChangeSent,
    MailMoved,
    NewMail,
)
from admit.findings import at_most, in_words, ok, warning
from admit.model import Identifier, IdentifierKind
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.findings import Finding
    from admit.model import Account, Credential

__all__ = [
    "MailChange",
    "MailChangeForm",
    "MailChangeLinkForm",
    "MailChangeSent",
    "MailChanged",
    "MailChangedBack",
    "MailMoved",
    "MailRestored",
    "NewMail",
]

_HOUR = timedelta(hours=1)
#: How many changes one account may ask for in an hour.
_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MailChanged(Event):
    """Another mail address counts."""

    said: ClassVar[Text | None] = Text("Your mail address was changed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRestored(Event):
    """The owner of the old address has taken the account back; its sessions have ended, and its password."""

    said: ClassVar[Text | None] = Text("You went back to your old mail address.")


class MailChange(Feature):
    """Lets people change their mail address, and take a change back that was not theirs.

    .. versionadded:: 0.2
    """

    name = "mail_change"
    sends_mail = True
    needs_email = True

    lifetime: timedelta = setting(timedelta(hours=24), "How long the link to a new address works.")
    way_back: timedelta = setting(timedelta(days=7), "How long the old address can take the change back.")

    def __post_init__(self) -> None:
        """Check that both links work for a time."""
        super().__post_init__()
        self.demand_positive()

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Return what this feature lacks: a way to choose a new password for whoever takes an account back."""
        if can_regain(features):
            return None
        return (
            "MailChange lets people take their account back, and there is no way for them to choose a new password. "
            "Add PasswordReset() to the features, or take MailChange out."
        )

    def export(self, ctx: Context, account: Account) -> Any:
        """Return the old addresses to which a way leads back."""
        return ways_back.listed(ctx, account.id) or None

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Tell of a change that can't be taken back for long enough, and of links that work for long."""
        del features
        why = "and a change that was forgotten counts all at once"
        found = at_most("change_lifetime", self.key("lifetime"), self.lifetime, timedelta(days=3), why)
        sentence, least = f"{self.key('way_back')} is {in_words(self.way_back)}", timedelta(days=7)
        if self.way_back >= least:
            return [found, ok("way_back", f"{sentence}.")]
        sentence += ", and whoever does not read their mail on holiday loses the account."
        return [found, warning("way_back", sentence, f"Set it to {in_words(least)} or more.")]

    @action(
        "POST",
        "/mail-change",
        title="Change mail address",
        page="mail_change/ask",
        shown=Shown.MEMBERS,
        demands=Demand.FRESH,
        status=202,
        errors=[Throttled],
    )
    def ask(self, ctx: Context, form: MailChangeForm) -> Reply[MailChangeSent]:
        """Send a link to the new address. The answer does not tell whether that has an account already."""
        account, new = ctx.demand_account(), identifiers.email(form.email)
        if new.key == _key_of(account):
            raise InvalidInput({"email": Text("This is your address already.")})
        ctx.throttle.request(ctx.client)
        if not ctx.throttle.allows(self.name, account.id, burst=_MOST, interval=_HOUR / _MOST):
            raise Throttled(int(_HOUR.total_seconds()) // _MOST)
        holder = ctx.accounts.find_account(new.key)
        details = {"value": new.value, "key": new.key, "from": _key_of(account)}
        # Not as a known device: the mailbox is not known to be its owner's.
        is_allowed = ctx.throttle.allows_mail(new.key, purpose=self.name, client=ctx.client)
        # A mail that is not sent must not void the one before.
        subject = account.id if is_allowed else ""
        token = ctx.gate.challenge(self.name, subject, self.lifetime, details)
        # Somebody whose user name it is does not have it.
        known = holder.email if holder is not None and _key_of(holder) == new.key else None
        is_taken = not self._gives_up(ctx, holder, new.key)
        if known is not None and is_taken:
            to, mail = known.value, "mail_change/taken"
        else:
            to, mail = new.value, "mail_change/new_mail"
        values = {
            "account": holder,
            "url": ctx.url("mail_change.confirm", token=token),
            "hours": int(self.lifetime.total_seconds() // 3600),
        }
        ctx.post(to if is_allowed else None, mail, values)
        return Reply(MailChangeSent(), page="mail_change/asked")

    @action(
        "GET",
        "/mail-change/confirm",
        title="Confirm your new address",
        page="mail_change/confirm",
        demands=Demand.SESSION,
        faces=[Face.PAGE],
        by_mail=True,
    )
    def form(self, ctx: Context) -> Reply[NewMail]:
        """Show the button that makes the new address count; nothing is changed by looking."""
        return Reply(NewMail(email=self._asked(ctx, ctx.kept.get("link", ""))["value"]))

    @action(
        "POST",
        "/mail-change/confirm",
        title="Confirm your new address",
        page="mail_change/confirm",
        demands=Demand.SESSION,
        errors=[InvalidChallenge],
        link="/mail-change/confirm/<token>",
        by_mail=True,
    )
    def confirm(self, ctx: Context, form: MailChangeLinkForm) -> Reply[MailMoved]:
        """Make the new address count, for who is logged in to the account that it was asked for."""
        account, asked = ctx.demand_account(), self._asked(ctx, form.token)
        new = Identifier(IdentifierKind.EMAIL, asked["value"], asked["key"], verified_at=ctx.now)
        # Before the change: there must be none without a way back.
        old = account.email if account.email and account.email.verified_at else None
        way = ways_back.issue(ctx, account.id, old, self.way_back) if old else ""
        # With it the link is used up, and a reset that went to the old address is void.
        if not self._write(ctx, account, new):
            raise InvalidChallenge(reason="the account has changed meanwhile")
        # The page of the answer says who is logged in, by the name that they have now.
        ctx.account = replace(account, identifiers=_with(account, new))
        ctx.publish(MailChanged(at=ctx.now, subject=account.id))
        until = None if old is None else ctx.now + self.way_back
        if old is not None:
            # Not counted with other mails: whoever has used those up must not keep this one from the owner.
            values = {"account": account, "url": ctx.url("mail_change.undo", token=way), "until": until}
            ctx.post(old.value, "mail_change/old_mail", values)
        ctx.keeps["link"] = ""
        ctx.gate.challenges.void(account.id)  # which open nothing any more; nobody has to keep them
        return Reply(MailMoved(email=new.value, until=until), page="mail_change/confirmed")

    @action(
        "GET",
        "/mail-change/undo",
        title="Take your account back",
        page="mail_change/undo",
        faces=[Face.PAGE],
        by_mail=True,
    )
    def undo_form(self, ctx: Context) -> Reply[NewMail]:
        """Show the button that takes the change back; nothing is changed by looking."""
        return Reply(NewMail(email=self._way(ctx, ctx.kept.get("link", "")).details["value"]))

    @action(
        "POST",
        "/mail-change/undo",
        title="Take your account back",
        page="mail_change/undo",
        errors=[InvalidChallenge, Overloaded],
        link="/mail-change/undo/<token>",
        by_mail=True,
    )
    def undo(self, ctx: Context, form: MailChangeLinkForm) -> Reply[MailChangedBack]:
        """Make the old address count again, end all sessions and the password, and mail a link to choose another."""
        way = self._way(ctx, form.token)
        account = ctx.accounts.get_account(way.subject)
        # A closed one as well, as long as it can be opened again: a thief may have closed it.
        if account is None or not ctx.gate.admission.can_return(account):
            raise InvalidChallenge(reason="the account is gone, or locked")
        ways_back.void_newer(ctx, way)
        try:
            is_mailed = ctx.evict(
                account,
                lambda: ways_back.claim(ctx, way),
                key=way.details["key"],
                change=lambda standing: self._restored(ctx, standing, way),
            )
        except IdentifierTaken as error:
            raise InvalidChallenge(reason="taken at the same moment") from error
        ctx.publish(MailRestored(at=ctx.now, subject=account.id))
        ctx.keeps["link"] = ""
        body = MailChangedBack(email=way.details["value"], next="check_mail" if is_mailed else "sign_in")
        return Reply(body, page="mail_change/undone")

    # -- steps -------------------------------------------------------------------------------------

    def _asked(self, ctx: Context, token: str) -> Mapping[str, str]:
        """Return what was asked for, if it was for the account of who is logged in, and of its present address.

        Whoever can only read the new mailbox gets no account by a slip of its owner's hand, and whoever asks for
        somebody else's address can't have them confirm it.
        """
        account, asked = ctx.demand_account(), ctx.gate.look(self.name, token)
        ctx.about = About(asked.details["value"], asked.subject)
        if asked.subject != account.id or asked.details["from"] != _key_of(account):
            raise InvalidChallenge(reason="another's, or of another address")
        return asked.details

    def _way(self, ctx: Context, token: str) -> Credential:
        way = ways_back.look(ctx, token)
        ctx.about = About(way.details["value"], way.subject)
        return way

    def _restored(self, ctx: Context, account: Account, way: Credential) -> Account:
        """Return an account with its old address."""
        # Asked after the account was read: two ways at once, of a thief and of the owner, or the older one wins.
        ways_back.demand(ctx, way)
        address = ways_back.address_of(way, ctx.now)
        self._release(ctx, address.key, account.id)
        return replace(outdated(account), identifiers=_with(account, address))

    def _write(self, ctx: Context, account: Account, address: Identifier) -> bool:
        self._release(ctx, address.key, account.id)
        new = replace(outdated(account), identifiers=_with(account, address))
        try:
            return ctx.accounts.replace_account(account, new)
        except (IdentifierTaken, InvalidCredentials) as error:
            raise InvalidChallenge(reason="taken at the same moment") from error

    def _release(self, ctx: Context, key: str, subject: str) -> None:
        """Take an address from an account that a sign-up made with it, and that nobody has confirmed.

        Where addresses need not be confirmed, a thief who has changed an address would sign up with the old one, so
        that it can't come back. What an operator has made, or another program, is never changed by somebody else.

        Raises:
            InvalidChallenge: It is another account's.
        """
        holder = ctx.accounts.find_account(key)
        if holder is None or holder.id == subject or _key_of(holder) != key:
            return
        left = tuple(one for one in holder.identifiers if one.key != key)
        is_released = self._gives_up(ctx, holder, key) and ctx.accounts.replace_account(
            holder, replace(holder, identifiers=left)
        )
        if not is_released:
            raise InvalidChallenge(reason="the address is another account's")

    def _gives_up(self, ctx: Context, holder: Account | None, key: str) -> bool:
        # Asked for in any case: time must not tell whose it is.
        is_signed_up = origins.is_of_sign_up(ctx, holder or ctx.nobody(key))
        is_confirmed = holder is not None and any(one.key == key and one.verified_at for one in holder.identifiers)
        return is_signed_up and not is_confirmed and not ctx.gate.admission.verified_only


def _key_of(account: Account) -> str:
    return account.email.key if account.email else ""


def _with(account: Account, address: Identifier) -> tuple[Identifier, ...]:
    """Return the names of an account with another mail address."""
    if account.email is None:
        return (*account.identifiers, address)
    return tuple(address if one.kind is IdentifierKind.EMAIL else one for one in account.identifiers)
