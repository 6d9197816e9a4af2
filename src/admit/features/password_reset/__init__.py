"""Regaining an account whose password is forgotten, by a link to its address.

An attacker asks for a link with a Host header of their own, asks to learn who has an account, guesses or replays
tokens, uses two at once or an old one, and hopes to be logged in past a second factor. So the link's host is
configured, the answer is the same for all, a token is random, hashed, for one use and one purpose, dies with newer
ones and with any change of the password, and nobody is logged in by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import msgspec

from admit import identifiers
from admit.errors import InvalidChallenge, InvalidCredentials, LockedAccount, StoreError, Text
from admit.events import Event
from admit.feature import About, Context, Face, Feature, Reply, Secret, Shown, Token, action
from admit.findings import at_most
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.feature import SecretKeeper
    from admit.findings import Finding
    from admit.model import Account

__all__ = ["AskForm", "Asked", "ChooseForm", "Chosen", "PasswordReset", "PasswordWasReset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordWasReset(Event):
    """A password was chosen anew by a link."""

    said: ClassVar[Text | None] = Text("A new password was chosen, by a link in a mail.")


class AskForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose password is forgotten: a mail address or a user name."""

    identifier: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """That a mail is on its way, if there is such an account."""

    next: str = "check_mail"


class ChooseForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link, and the new password."""

    token: Token
    password: Secret


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """That the new password counts, and how many logins have ended for it."""

    next: str = "sign_in"


class PasswordReset(Feature):
    """Sends a link by which the owner of a confirmed address can choose a new password.

    .. versionadded:: 0.2
    """

    name = "password_reset"
    sends_mail = True
    mails_confirmed_only = True
    needs_email = True

    lifetime: timedelta = setting(timedelta(minutes=20), "How long a link works.")

    def missing(self, features: Mapping[str, Feature]) -> str | None:
        """Return what this feature lacks: one that keeps passwords."""
        from admit.feature import SecretKeeper

        if any(isinstance(one, SecretKeeper) for one in features.values()):
            return None
        return "PasswordReset has no passwords to reset. Add Password() to the features, or take PasswordReset out."

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Tell of links that work for long (OWASP, Forgot Password Cheat Sheet)."""
        del features
        why = "and whoever reads an old mail can choose a password"
        return [at_most("reset_lifetime", self.key("lifetime"), self.lifetime, timedelta(hours=1), why)]

    def recover(self, ctx: Context, account: Account) -> str | None:
        """Return a link by which the owner of the account can choose a password."""
        return self._link(ctx, account)

    @action(
        "POST",
        "/password-reset",
        title="Forgot your password?",
        page="password_reset/ask",
        shown=Shown.GUESTS,
        status=202,
    )
    def ask(self, ctx: Context, form: AskForm) -> Reply[Asked]:
        """Send a link, if there is an account with a confirmed address. The answer does not tell."""
        key = identifiers.key_of(form.identifier)
        account = ctx.accounts.find_account(key) if key else None
        device = ctx.devices.recognize(ctx.marks, account.id if account else "")
        ctx.throttle.request(ctx.client, device=device)
        nobody = ctx.nobody(key or "")
        # As much is asked of nobody as of anybody, or the time would tell whether there is an account.
        person = account or nobody
        is_confirmed = person.email is not None and person.is_verified
        may_return = ctx.gate.admission.can_return(person)
        account = person if is_confirmed and may_return else nobody
        minutes = int(self.lifetime.total_seconds() // 60)
        ctx.send(account, "password_reset/mail", link=partial(self._link, ctx), minutes=minutes)
        return Reply(Asked(), page="password_reset/asked")

    @action(
        "GET",
        "/password-reset/choose",
        title="Choose a new password",
        page="password_reset/choose",
        faces=[Face.PAGE],
        by_mail=True,
    )
    def form(self, ctx: Context) -> Reply[None]:
        """Show the form, if the link still works; nothing is changed by looking."""
        self._owner(ctx, ctx.kept.get("link", ""))
        return Reply(None)

    @action(
        "POST",
        "/password-reset/choose",
        title="Choose a new password",
        page="password_reset/choose",
        errors=[InvalidChallenge, LockedAccount],
        link="/password-reset/<token>",
        by_mail=True,
    )
    def choose(self, ctx: Context, form: ChooseForm) -> Reply[Chosen]:
        """Make a new password the one that counts. All sessions end, and nobody is logged in by it."""
        account = self._owner(ctx, form.token)
        ctx.gate.admission.bar(account, self.name)
        keeper = self._keeper(ctx)
        # Refused before the link is used up: a password that is too short must not cost another mail.
        credential = keeper.enroll(ctx, account, form.password)
        epoch = ctx.proofs.epoch_of(account.id)
        try:
            keeper.replace(ctx, account, credential)
            if ctx.proofs.epoch_of(account.id) == epoch:  # kept by a feature that knows of no epochs
                ctx.end_logins(account, by=self.name)
        except InvalidCredentials as error:
            raise InvalidChallenge(reason=error.reason) from error
        except StoreError:
            if ctx.proofs.epoch_of(account.id) != epoch:  # it was done, and something after it was not
                self._tell(ctx, account)
            raise
        self._tell(ctx, account)
        ctx.leaves = ctx.account is not None and ctx.account.id == account.id
        ctx.keeps["link"] = ""
        return Reply(Chosen(), page="password_reset/chosen")

    def _owner(self, ctx: Context, token: str) -> Account:
        """Return the account that a link is for, and note that the page is about it, whoever is signed in.

        Raises:
            InvalidChallenge: The link does not work, or the account is gone.
        """
        account = ctx.accounts.get_account(ctx.gate.look(self.name, token).subject)
        if account is None or ctx.gate.admission.is_over(account):
            raise InvalidChallenge(reason="the account is gone, or closed")
        ctx.about = About(account.label, account.id)
        return account

    def _tell(self, ctx: Context, account: Account) -> None:
        ctx.publish(PasswordWasReset(at=ctx.now, subject=account.id))

    def _link(self, ctx: Context, account: Account) -> str:
        return ctx.url("password_reset.choose", token=ctx.gate.challenge(self.name, account.id, self.lifetime))

    def _keeper(self, ctx: Context) -> SecretKeeper:
        keeper = ctx.secret_keeper()
        if keeper is None:
            raise InvalidChallenge(reason="there is nothing to reset")
        return keeper
