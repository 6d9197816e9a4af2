"""Confirming that a mail address is its owner's, before there is an account or after.

An attacker signs up with somebody else's address and waits for its owner to confirm it; guesses codes; opens a link of
their own in somebody's browser to log them in as another; or has a link opened by a scanner. So where addresses have to
be confirmed a sign-up becomes an account only then (:mod:`admit.sign_ups`); a link confirms and does nothing else, and
takes a press of a button; a code is typed where somebody has signed up, a few times; and what was set up counts only
there: confirmed from anywhere else the address is its owner's, who chooses anew.

Source: NIST SP 800-63A (a code that is sent to an address works for 24 hours at most).
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from admit import codes, identifiers, origins, sign_ups, tokens
from admit.codes import WrongCode
from admit.errors import IdentifierTaken, InvalidChallenge, Throttled
from admit.feature import Context, Face, Feature, Reply, action
from admit.features.mail_verification import accounts, confirmed_links
from admit.features.mail_verification.events import IdentifierVerified, SignUpWaits
from admit.features.mail_verification.forms import (
    CodeForm,
    Confirmed,
    LinkView,
    Requested,
    RequestForm,
    TokenForm,
)
from admit.findings import at_most, ok, warning
from admit.origins import may_be_strangers
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.findings import Finding
    from admit.model import Account
    from admit.sign_ups import SignUp, Waiting
    from admit.store import Stores

__all__ = [
    "CodeForm",
    "Confirmed",
    "IdentifierVerified",
    "LinkView",
    "MailVerification",
    "RequestForm",
    "Requested",
    "SignUpWaits",
    "TokenForm",
]


class MailVerification(Feature):
    """Sends a link to each new address, and confirms the address when it comes back.

    .. versionadded:: 0.2
    """

    name = "mail_verification"
    sends_mail = True
    needs_email = True

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

    def hold(self, ctx: Context, sign_up: SignUp) -> bool:
        """Keep a sign-up, and send its address a link and a code; or tell whoever has an account with that."""
        if not self.required:
            return False
        earlier = sign_ups.here(ctx, sign_up.key)
        if earlier is not None or sign_ups.may_wait(ctx, sign_up.key, self.lifetime):
            self._keep(ctx, sign_up, earlier)
        else:
            ctx.keeps[sign_ups.KIND] = sign_ups.nothing()
        return True

    def welcome(self, ctx: Context, account: Account) -> bool:
        """Send the first link, where an account was made before its address is confirmed."""
        if account.email is None or account.is_verified:
            return False
        self._send(ctx, account)
        return True

    def pretend(self, ctx: Context) -> None:
        """Make a link that goes to nobody: it takes as long as :meth:`welcome` does."""
        ctx.gate.challenge(self.name, "", self.lifetime, {"key": ""})

    def erase(self, stores: Stores, account: Account) -> None:
        """Forget which links have confirmed its address."""
        confirmed_links.forget(stores, account)

    def confirmation(self, ctx: Context, account: Account) -> str | None:
        """Return a link by which the address of an account is confirmed."""
        return self._link(ctx, account)

    @action(
        "POST",
        "/verify/request",
        title="Send the link again",
        page="mail_verification/request",
        status=202,
        goes_on=True,
    )
    def request(self, ctx: Context, form: RequestForm) -> Reply[Requested]:
        """Send another mail, if the address waits for one. The answer does not tell.

        A client that has signed up gets a link and a code for that, in the place of the earlier ones.
        """
        ctx.throttle.request(ctx.client)
        key = identifiers.key_of(form.email) or ""
        waiting = sign_ups.here(ctx, key)
        if waiting is not None:
            self._keep(ctx, waiting.sign_up, waiting)
            return Reply(Requested(), page="mail_verification/sent")
        account, nobody = ctx.accounts.find_account(key) if key else None, ctx.nobody(key)
        # As much is asked of nobody as of anybody, or the time would tell whether there is an account.
        person = account or nobody
        is_waiting, may_return = not person.is_verified, ctx.gate.admission.can_return(person)
        self._send(ctx, person if is_waiting and may_return else nobody)
        return Reply(Requested(), page="mail_verification/sent")

    @action(
        "GET",
        "/verify",
        title="Confirm your address",
        page="mail_verification/confirm",
        faces=[Face.PAGE],
        by_mail=True,
    )
    def form(self, ctx: Context) -> Reply[LinkView]:
        """Show the button that confirms, or how to go on elsewhere: scanners follow links, people press buttons."""
        link = ctx.kept.get("link", "")
        waiting = self._waiting(ctx, link)
        if waiting is None:
            with confirmed_links.telling(ctx, link):
                account = ctx.accounts.get_account(ctx.gate.look(self.name, link).subject)
            if account is not None:
                accounts.note(ctx, account)
            return Reply(LinkView())
        if waiting.is_kept:
            return Reply(LinkView())
        username = waiting.sign_up.account.username
        view = LinkView(username=username.value if username else None, code=codes.code_of(link.partition(".")[2]))
        return Reply(view, page="mail_verification/elsewhere")

    @action(
        "POST",
        "/verify",
        title="Confirm your address",
        page="mail_verification/confirm",
        errors=[InvalidChallenge, IdentifierTaken],
        link="/verify/<token>",
        goes_on=True,
        by_mail=True,
    )
    def confirm(self, ctx: Context, form: TokenForm) -> Reply[Confirmed]:
        """Confirm the address that the link was sent to. Nobody is logged in by it.

        Where it is another client than the one that signed up, the account is made without the password that was chosen
        there. To keep that, have the code of the mail sent by the client that signed up.
        """
        waiting = self._waiting(ctx, form.token)
        with confirmed_links.telling(ctx, form.token):
            return self._confirm(ctx, form.token) if waiting is None else self._complete(ctx, waiting, form.username)

    @action(
        "POST",
        "/verify/code",
        title="Type the code",
        page="mail_verification/code",
        errors=[InvalidChallenge, IdentifierTaken, Throttled, WrongCode],
        goes_on=True,
        by_mail=True,
    )
    def enter(self, ctx: Context, form: CodeForm) -> Reply[Confirmed]:
        """Confirm an address by the code of the mail, where somebody has signed up with it."""
        waiting = sign_ups.here(ctx)
        if waiting is None:
            raise InvalidChallenge(reason="nobody has signed up here")
        mail = waiting.challenge.id
        attempt = ctx.throttle.attempt(waiting.sign_up.key, ctx.client)
        if not ctx.throttle.allows(self.name, mail, burst=codes.TRIES, interval=self.lifetime):
            raise InvalidChallenge(reason="too many wrong codes")
        if not codes.is_code(waiting.challenge, form.code):
            raise WrongCode(reason="wrong code")
        attempt.succeeded()
        ctx.throttle.forgive(self.name, mail)
        accounts.note(ctx, waiting.sign_up.account)
        return self._complete(ctx, waiting, form.username)

    # -- sign-ups ----------------------------------------------------------------------------------

    def _keep(self, ctx: Context, sign_up: SignUp, earlier: Waiting | None) -> None:
        """Keep a sign-up in the place of an earlier one of this client, and send the mail for it.

        As much is done where the address has an account, whose owner gets another mail.
        """
        is_mailed = ctx.throttle.allows_mail(sign_up.key, purpose=self.name, client=ctx.client)
        if is_mailed or earlier is None:
            link, mailed = sign_ups.keep(ctx, sign_up, self.lifetime, instead_of=earlier)
        else:
            # A mail that is not sent voids nothing: what this client waits with stays as it is.
            link, mailed = sign_ups.nothing(), codes.new()
            ctx.keeps[sign_ups.KIND] = earlier.token or ""
        owner = ctx.accounts.find_account(sign_up.key)
        if owner is not None and any(one.turn_away(ctx, owner, is_mailed=is_mailed) for one in ctx.features.values()):
            return
        ctx.publish(SignUpWaits(at=ctx.now, subject="", method=sign_up.method, client=ctx.client))
        self.confirmation(ctx, ctx.nobody(""))
        values = {
            "account": sign_up.account,
            "url": ctx.url("mail_verification.confirm", token=link),
            "code": mailed.code,
            "hours": self._hours,
        }
        address = sign_up.account.email if is_mailed and owner is None else None
        ctx.post(address.value if address else None, "mail_verification/mail", values)

    def _waiting(self, ctx: Context, link: str) -> Waiting | None:
        waiting = sign_ups.at_link(ctx, link)
        if waiting is not None:
            accounts.note(ctx, waiting.sign_up.account)
        return waiting

    def _complete(self, ctx: Context, waiting: Waiting, username: str | None) -> Reply[Confirmed]:
        account = sign_ups.complete(ctx, waiting, username=username)
        if waiting.token is not None:
            ctx.keeps[sign_ups.KIND] = ""
        confirmed_links.note(ctx, account, waiting.challenge.id, waiting.challenge.details[codes.LINK])
        return self._confirmed(ctx, account, is_kept=waiting.is_kept)

    # -- accounts ----------------------------------------------------------------------------------

    @property
    def _hours(self) -> int:
        return int(self.lifetime.total_seconds() // 3600)

    def _send(self, ctx: Context, account: Account) -> None:
        ctx.send(account, "mail_verification/mail", link=partial(self._link, ctx), hours=self._hours, code=None)

    def _link(self, ctx: Context, account: Account) -> str:
        key = account.email.key if account.email else ""
        token = ctx.gate.challenge(self.name, account.id, self.lifetime, {"key": key})
        return ctx.url("mail_verification.confirm", token=token)

    def _confirm(self, ctx: Context, token: str) -> Reply[Confirmed]:
        """Confirm the address of an account that is there: void first, and use the link up last."""
        account = accounts.owner(ctx, self.name, token)
        is_kept = origins.was_made_here(ctx, account)
        if not is_kept:
            self._void(ctx, account)
        accounts.verify(ctx, account, is_kept=is_kept)
        if not is_kept:
            self._void(ctx, account)  # what came in between
            ctx.leaves = ctx.account is not None and ctx.account.id == account.id
        ctx.gate.challenges.void(account.id, kind=self.name if is_kept else None)
        origins.unmark(ctx, account)
        link, _, secret = token.partition(".")
        confirmed_links.note(ctx, account, link, tokens.hash_secret(secret).hex())
        return self._confirmed(ctx, account, is_kept=is_kept or accounts.has_secret(ctx, account))

    def _void(self, ctx: Context, account: Account) -> None:
        """Make worthless what whoever has signed up has set up; what the operator has set up is nobody else's."""
        for credential in filter(may_be_strangers, ctx.credentials.list_credentials(account.id)):
            ctx.credentials.delete_credential(credential.id)
        ctx.gate.revoke_all(account.id, by="verification")

    def _confirmed(self, ctx: Context, account: Account, *, is_kept: bool) -> Reply[Confirmed]:
        ctx.publish(IdentifierVerified(at=ctx.now, subject=account.id, kept=is_kept))
        ctx.keeps["link"] = ""
        ways = () if is_kept else [feature.recover(ctx, account) for feature in ctx.features.values()]
        url = next(filter(None, ways), None)
        body = Confirmed(next="sign_in" if is_kept else "choose_secret", url=url)
        return Reply(body, page="mail_verification/confirmed")
