"""Signing up: for everybody, by invitation, or not at all.

An attacker signs up with addresses to learn which have accounts, by answer or by time; signs up with somebody else's
address, to be in the account when its owner comes, or to have an account deleted that is there; sends fields that no
form has; and sends two at once. So the answer is one and the same, with one hash and one mail on either path; where
addresses have to be confirmed there is no account before that (:mod:`admit.sign_ups`); no account that is there is ever
changed by a sign-up; and the store lets one of two win.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import msgspec

from admit import identifiers, origins, sign_ups, tokens
from admit.adopting import SharingKeys
from admit.errors import AdmitError, ConfigurationError, IdentifierTaken, InvalidChallenge, InvalidInput, Text
from admit.events import Event
from admit.feature import Context, Feature, Reply, Secret, Shown, Token, action
from admit.findings import ok, warning
from admit.model import Account, Outcome
from admit.settings import setting
from admit.sign_ups import INVITATION
from admit.sign_ups import SignUp as WaitingSignUp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.events import Events
    from admit.findings import Finding
    from admit.gate import Gate
    from admit.model import Client, Credential, Identifier
    from admit.store import Stores

__all__ = ["AddressInUse", "Registered", "Registration", "RegistrationClosed", "SignUp", "SignUpForm"]


class SignUp(StrEnum):
    """Who may sign up."""

    OPEN = "open"
    INVITATION = "invitation"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressInUse(Event):
    """Somebody tried to sign up with the address of an account.

    Told of where otherwise a sign-up or an account is, so that recording costs both alike.
    """

    outcome: ClassVar[Outcome] = Outcome.FAILURE
    said: ClassVar[Text | None] = Text("Somebody tried to sign up with your mail address.")

    method: str
    client: Client


class RegistrationClosed(AdmitError):
    """Nobody can sign up, or not without an invitation."""

    code = "registration_closed"
    status = 403
    message = "Signing up is by invitation only, or not possible at all."


class SignUpForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody signs up with."""

    email: str | None = None
    username: str | None = None
    password: Secret | None = None
    invitation: Token | None = None


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next: a mail (``check_mail``), or logging in (``sign_in``)."""

    next: str


class Registration(Feature):
    """Lets people make accounts.

    .. versionadded:: 0.2
    """

    name = "registration"
    sends_mail = True

    mode: SignUp = setting(SignUp.OPEN, "Who may sign up.")
    identifiers: tuple[str, ...] = setting(("email",), 'What an account is named by: "email", "username", or both.')
    invitation_lifetime: timedelta = setting(timedelta(days=7), "How long an invitation can be used.")

    def __post_init__(self) -> None:
        """Check that accounts have a name."""
        super().__post_init__()
        if not self.identifiers or not set(self.identifiers) <= {"email", "username"}:
            message = f'{self.key("identifiers")} is {self.identifiers!r}. Set it to ("email",), ("username",) or both.'
            raise ConfigurationError(message)

    @property
    def account_names(self) -> tuple[str, ...]:
        """What accounts are named by."""
        return self.identifiers

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Tell of accounts that anybody can make with an address that is not theirs."""
        takes_addresses = "email" in self.identifiers and self.mode is SignUp.OPEN
        if not takes_addresses or any(one.demands_verified for one in features.values()):
            return [ok("sign_up", f"Signing up is {self.mode}.")]
        sentence = "Anybody can sign up with a mail address that is somebody else's, and nobody has to confirm it."
        return [warning("sign_up", sentence, "Add MailVerification() to the features.")]

    def watch(self, events: Events, stores: Stores, present: Callable[[], Client | None]) -> None:
        """Refuse to start where nobody could sign up: an application's own table demands more than is asked for."""
        del events, present
        if self.mode is not SignUp.CLOSED and isinstance(stores.accounts, SharingKeys):
            stores.accounts.check_sign_up(self.identifiers)

    @action(
        "POST",
        "/sign-up",
        title="Sign up",
        page="registration/sign_up",
        shown=Shown.GUESTS,
        status=202,
        errors=[RegistrationClosed, IdentifierTaken, InvalidChallenge],
        link="/invitation/<token>",
        link_field="invitation",
        goes_on=True,
    )
    def sign_up(self, ctx: Context, form: SignUpForm) -> Reply[Registered]:
        """Make an account. The answer does not tell whether the address has one already."""
        invitation = self._invitation(ctx, form)
        ctx.throttle.request(ctx.client)
        account = self._account(ctx, form)
        self._refuse_taken_username(ctx, account)
        credentials = _credentials(ctx, account, form.password)
        sign_up = WaitingSignUp(account=account, credentials=credentials, method=self.name, invitation=invitation)
        if account.email is None or not any(one.hold(ctx, sign_up) for one in ctx.features.values()):
            self._make(ctx, sign_up)
        waits = account.email is not None
        return Reply(Registered(next="check_mail" if waits else "sign_in"), page="registration/signed_up")

    def invite(self, gate: Gate) -> str:
        """Return the token of a new invitation, for one account.

        .. versionadded:: 0.2
        """
        return gate.challenges.issue(INVITATION, "", self.invitation_lifetime)

    def turn_away(self, ctx: Context, owner: Account, *, is_mailed: bool) -> bool:
        """Tell the owner of an address that somebody tried to sign up with it, and how to confirm it if nobody has."""
        ctx.publish(AddressInUse(at=ctx.now, subject=owner.id, method=self.name, client=ctx.client))
        email = owner.email if is_mailed else None
        can_confirm = email is not None and email.verified_at is None and ctx.gate.admission.can_return(owner)
        # A link is made in any case, and a mail that is not sent voids none.
        to_confirm = owner if can_confirm else ctx.nobody("")
        links = [feature.confirmation(ctx, to_confirm) for feature in ctx.features.values()]
        values = {
            "account": owner,
            "url": ctx.url("account.show"),
            "confirm_url": next(filter(None, links), None) if can_confirm else None,
        }
        ctx.post(email.value if email else None, "registration/taken", values)
        return True

    def _invitation(self, ctx: Context, form: SignUpForm) -> str:
        """Return the id of the invitation that is to be used, where there has to be one."""
        if self.mode is SignUp.CLOSED or (self.mode is SignUp.INVITATION and not form.invitation):
            raise RegistrationClosed
        return ctx.gate.look(INVITATION, form.invitation or "").id if self.mode is SignUp.INVITATION else ""

    def _account(self, ctx: Context, form: SignUpForm) -> Account:
        """Return the account that is to be, whose identifiers are acceptable.

        Raises:
            InvalidInput: One is missing or not acceptable; all that is wrong is said at once.
        """
        found: list[Identifier] = []
        wrong: dict[str, str] = {}
        for kind, value, read in (
            ("email", form.email, identifiers.email),
            ("username", form.username, identifiers.username),
        ):
            try:
                if kind in self.identifiers:
                    found.append(read(value or "", field=kind))
                elif value is not None:
                    wrong[kind] = Text("There is no such field.")
            except InvalidInput as error:
                wrong.update(error.fields)
        if wrong:
            raise InvalidInput(wrong)
        return Account(id=tokens.new_account_id(ctx.now), identifiers=tuple(found), created_at=ctx.now)

    def _refuse_taken_username(self, ctx: Context, account: Account) -> None:
        # User names are public, so that this tells nothing new; an address is not, and must not be told.
        if account.username is not None and ctx.accounts.find_account(account.username.key) is not None:
            raise IdentifierTaken(field="username")

    def _make(self, ctx: Context, sign_up: WaitingSignUp) -> None:
        """Make the account at once, where nothing has to be confirmed."""
        account = sign_up.account
        marks = (origins.mark(ctx, account),) if account.email else ()
        try:
            made = sign_ups.make(ctx, sign_up, account, *sign_up.credentials, *marks)
        except IdentifierTaken:
            self._refuse(ctx, account)
            # As if there was an account now: an invitation that is still good would tell that there was one before.
            sign_ups.forget_invitation(ctx, sign_up)
            return
        mailed = [feature.welcome(ctx, made) for feature in ctx.features.values()]
        if made.email and not any(mailed):
            ctx.send(made, "registration/welcome")

    def _refuse(self, ctx: Context, account: Account) -> None:
        """Tell the owner of the address that somebody tried, instead of telling that somebody."""
        owner = ctx.accounts.find_account(account.email.key) if account.email else None
        if owner is None:  # the user name was taken at the same moment
            raise IdentifierTaken(field="username")
        for feature in ctx.features.values():
            feature.pretend(ctx)
        key = account.email.key if account.email else ""
        self.turn_away(ctx, owner, is_mailed=ctx.throttle.allows_mail(key, purpose=self.name, client=ctx.client))


def _credentials(ctx: Context, account: Account, secret: str | None) -> tuple[Credential, ...]:
    keeper = ctx.secret_keeper()
    if keeper is None:
        if secret is not None:
            raise InvalidInput({"password": Text("There is no such field.")})
        return ()
    if secret is None:
        raise InvalidInput({"password": Text("It is missing.")})
    return (keeper.enroll(ctx, account, secret),)
