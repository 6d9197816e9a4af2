"""Passwords: logging in by one, changing it, and proving once more who one is.

An attacker guesses, measures time to learn which accounts exist, sends what two hashes take for one password, floods
the machine with logins until it has no memory or thread left, and changes the password of a session that they have
stolen. So every try is counted before it is looked at and costs exactly one hash, whether there is such an account or
not; hashing is bounded; and a change asks for the old password, ends the other sessions and tells the owner.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from admit import foreign_hashes, identifiers, sign_ups, tokens
from admit.errors import (
    AdmitError,
    ConfigurationError,
    InvalidCredentials,
    InvalidInput,
    Overloaded,
    Text,
    Throttled,
    VerificationRequired,
)
from admit.events import LoginFailed
from admit.feature import Context, Demand, Face, Feature, Reply, Shown, Signed, action
from admit.features.password import adopted, changes, examining, policy
from admit.features.password.breaches import BreachCheck
from admit.features.password.changes import PasswordChanged
from admit.features.password.forms import Changed, ConfirmForm, LoginForm, NewPasswordForm, StrengthForm, StrengthView
from admit.features.password.hashing import Hasher
from admit.features.password.pool import Pool, on_behalf_of
from admit.model import ADOPTED, ECHO, Credential, Factor
from admit.settings import setting
from admit.throttle import network

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from admit.features.password.hashing import Verdict
    from admit.findings import Finding
    from admit.model import Account, Session
    from admit.throttle import Attempt

__all__ = [
    "Changed",
    "ConfirmForm",
    "LoginForm",
    "NewPasswordForm",
    "Password",
    "PasswordChanged",
    "StrengthForm",
    "StrengthView",
]

_logger = logging.getLogger("admit.password")

#: Of how many accounts it is logged in a process that their hash is not computed.
_MOST_TOLD = 1000
_KNOW = frozenset({Factor.KNOW})
#: How long those may wait who want to know how hard a password is to guess, which matters less than a login.
_SOON = timedelta(seconds=1)
_BREACHED = Text("This password is known from a breach of another site. Please choose one that nobody has.")


class Password(Feature):
    """Lets people log in by a password that they have chosen.

    .. versionadded:: 0.2
    """

    name = "password"
    logs_in: ClassVar[str | None] = "login"
    proves: ClassVar[str | None] = "confirm"
    well_known: ClassVar[Mapping[str, str]] = {"change-password": "change"}

    min_length: int = setting(15, "How many characters a password has at least (NIST SP 800-63B-4, section 3.1.1.2).")
    min_length_with_factor: int = setting(8, "The same where the account has a second factor as well.")
    memory_kib: int = setting(19456, "How much memory one hash takes, in KiB (argon2id).")
    time_cost: int = setting(2, "How many passes one hash makes over it.")
    parallelism: int = setting(1, "How many lanes one hash has.")
    hashes_at_once: int = setting(1, "How many passwords one process hashes at the same time.")
    patience: timedelta = setting(
        timedelta(seconds=10), "How long those who hash may stand in a queue; a burst that is over sooner is served."
    )
    logins_at_once: int = setting(
        4,
        "How many may hash or wait in one process for one account at one address, and in all once the queue has stood; "
        "one more is told to try again.",
    )
    breach_check: BreachCheck | None = setting(
        None, "Tells whether a password is known from a breach; None for no check."
    )
    adopted_like: str | None = setting(
        None, "One of the hashes that were imported: every login takes as long as one of them; None for no such hash."
    )
    flask_security_salt: str | None = setting(
        None, "The SECURITY_PASSWORD_SALT of the Flask-Security application whose passwords were adopted."
    )

    def __post_init__(self) -> None:
        """Check that the example is one."""
        super().__post_init__()
        if self.adopted_like is not None and not adopted.is_readable(self.adopted_like):
            why = foreign_hashes.cost_objection(self.adopted_like) or ""
            message = f"{self.key('adopted_like')} can't be verified. {why}".strip()
            message += " Set it to one of the hashes that were imported."
            raise ConfigurationError(message)

    @cached_property
    def hasher(self) -> Hasher:
        """What hashes the passwords, made at its first use in each process."""
        return Hasher(
            memory_kib=self.memory_kib,
            time_cost=self.time_cost,
            parallelism=self.parallelism,
            pool=Pool(at_once=self.hashes_at_once, places=self.logins_at_once, patience=self.patience),
            flask_security_salt=self.flask_security_salt,
        )

    @cached_property
    def _told(self) -> set[str]:
        return set()

    @cached_property
    def _judges(self) -> Pool:
        # A password can be made to take a tenth of a second to judge, and whoever asks need not have an account.
        return Pool(at_once=1, places=2, patience=_SOON)

    def examine(self, features: Mapping[str, Feature]) -> Iterable[Finding]:
        """Tell of weak settings, and whether a hash costs on this machine what it should."""
        return examining.examine(self, features)

    # -- actions -----------------------------------------------------------------------------------

    @action(
        "POST",
        "/sign-in",
        title="Sign in",
        page="password/sign_in",
        shown=Shown.GUESTS,
        errors=[InvalidCredentials, Throttled, Overloaded, VerificationRequired],
        goes_on=True,
    )
    def login(self, ctx: Context, form: LoginForm) -> Reply[Signed]:
        """Log in by identifier and password.

        Unknown accounts, wrong passwords and accounts without one get the same answer. That an account is locked is
        told after the right password only. Whoever has just signed up with this password is told to confirm the address
        first, whether or not that has an account.
        """
        key = identifiers.key_of(form.identifier) or ""
        account = ctx.accounts.find_account(key)
        # Whatever is asked of a known account is asked of an unknown one: time must not tell them apart.
        subject = account.id if account else ""
        device = ctx.devices.recognize(ctx.marks, subject)
        name = subject or key
        attempt = ctx.throttle.attempt(name, ctx.client, device=device, subject=subject, settles=True)
        verified = self._verify(ctx, subject, form.password, attempt, name)
        if verified is None:
            is_waiting = self._is_of_sign_up(ctx, key, form.password, name)
            reason = "address not confirmed" if is_waiting else "wrong password" if account else "unknown account"
            ctx.publish(LoginFailed(at=ctx.now, subject=subject, method=self.name, reason=reason, client=ctx.client))
            # A failure all the same: whoever signs up with what they guess must not guess for nothing.
            raise VerificationRequired(reason=reason) if is_waiting else InvalidCredentials(reason=reason)
        try:
            reply = ctx.admit(subject, self.name, _KNOW, remember=form.remember)
        except AdmitError:
            # An account that anybody can make, with an address that is not theirs, must not be worth more tries.
            attempt.failed()
            raise
        attempt.succeeded()
        verified.note(ctx)
        return reply

    @action(
        "POST",
        "/password/confirm",
        title="Confirm with your password",
        page="password/confirm",
        demands=Demand.SESSION,
        errors=[InvalidCredentials, Throttled, Overloaded],
    )
    def confirm(self, ctx: Context, form: ConfirmForm) -> Reply[Signed]:
        """Prove once more who is logged in, which makes the session fresh."""
        account = ctx.demand_account()
        if not self._proves(ctx, account, form.password, self._attempt(ctx, account)):
            raise self._refused(ctx, account, "wrong password")
        return ctx.confirm(account.id, self.name, _KNOW)

    @action(
        "POST",
        "/password",
        title="Change password",
        page="password/change",
        shown=Shown.MEMBERS,
        demands=Demand.SESSION,
        errors=[InvalidCredentials, Throttled, Overloaded],
    )
    def change(self, ctx: Context, form: NewPasswordForm) -> Reply[Changed]:
        """Change the password: the other sessions end, this one gets a new token, and the owner is told."""
        account = ctx.demand_account()
        session, attempt = ctx.demand_session(), self._attempt(ctx, account)
        if self._proves(ctx, account, form.old_password, attempt):
            ended = changes.write(ctx, account, self.enroll(ctx, account, form.password))
        elif self._was_interrupted(ctx, session) and self._proves(ctx, account, form.password, attempt):
            ended = changes.settle(ctx, account, keep=session.id)
            changes.notify(ctx, account)
        else:
            raise self._refused(ctx, account, "wrong old_password")
        # Last of all: a session that has ended meanwhile keeps nobody from being told.
        ctx.confirm(account.id, self.name, _KNOW)
        return Reply(Changed(ended=ended), page="password/changed")

    @action("POST", "/password/strength", title="Password strength", faces=[Face.JSON], errors=[Overloaded])
    def strength(self, ctx: Context, form: StrengthForm) -> Reply[StrengthView]:
        """Tell how hard a password is to guess. It is neither kept nor compared with anybody's."""
        del ctx
        found = self._judges.run(lambda: policy.strength(form.password, ()))
        return Reply(StrengthView(score=found.score, warning=found.warning))

    # -- for other features ------------------------------------------------------------------------

    def enroll(self, ctx: Context, account: Account, secret: str) -> Credential:
        """Return the credential that would keep a password; nothing is written.

        Raises:
            InvalidInput: The password is not good enough; the message says why.
            Overloaded: Too many are hashed right now.
        """
        policy.check(
            secret,
            minimum=self._minimum(ctx, account),
            words=[ctx.site_name, *(one.value for one in account.identifiers)],
        )
        if self.breach_check is not None and self.breach_check.count(secret):
            raise InvalidInput({"password": _BREACHED})
        example = adopted.example_of(ctx.credentials)
        with on_behalf_of((account.id, network(ctx.client.address))):
            echo = {} if example is None else {ECHO: self.hasher.hash_alike(secret, example)}
            credential = self._credential(account.id, self.hasher.hash(secret), ctx.now)
        return replace(credential, details=echo)

    def adopt(self, account: Account, hashed: str, at: datetime) -> Credential | None:
        """Return the credential that keeps a hash that another program made, or ``None`` if that can't be verified.

        Args:
            account: Whose password it is.
            hashed: The hash.
            at: The present time, aware and UTC.
        """
        if not adopted.is_readable(hashed):
            return None
        return replace(self._credential(account.id, hashed, at), details={ADOPTED: self.name})

    def _credential(self, account_id: str, hashed: str, at: datetime) -> Credential:
        return Credential(
            id=tokens.new_id(), kind=self.name, key=account_id, subject=account_id, secret=hashed, created_at=at
        )

    def replace(self, ctx: Context, account: Account, credential: Credential) -> None:
        """Make ``credential`` the one that counts; all sessions end, and the owner is told."""
        changes.write(ctx, account, credential, stays=False)

    # -- steps -------------------------------------------------------------------------------------

    def _verify(
        self, ctx: Context, subject: str, password: str, attempt: Attempt, name: str
    ) -> changes.Verified | None:
        """Return what the password has shown if it is the subject's, with exactly one hash."""
        credential = ctx.credentials.get_credential(self.name, subject)
        try:
            verdict = self._verdict(ctx, password, credential, name)
        except Overloaded:
            attempt.withdraw()  # it was not looked at
            raise
        except InvalidInput:
            attempt.failed()
            raise
        if credential is None or not verdict.matches:
            attempt.failed()
            return None
        return changes.Verified(credential, verdict.new_hash)

    def _is_of_sign_up(self, ctx: Context, key: str, password: str, name: str) -> bool:
        """Tell whether the password is that of the sign-up by this name that this client waits with, if it does.

        It costs a hash more then, whether or not there is an account.
        """
        waiting = sign_ups.here(ctx)
        if waiting is None or not waiting.is_named(key):
            return False
        found = (one for one in waiting.sign_up.credentials if one.kind == self.name)
        return self._verdict(ctx, password, next(found, None), name).matches

    def _verdict(self, ctx: Context, password: str, credential: Credential | None, name: str) -> Verdict:
        stored = credential.secret if credential else None
        if credential is not None:
            self._tell_of_cost(credential)
        example = adopted.example_of(ctx.credentials) or self.adopted_like
        is_adopted = credential is not None and credential.is_adopted
        with on_behalf_of((name, network(ctx.client.address))):
            if not is_adopted and example is None:
                return self.hasher.verify(password, stored)
            return self.hasher.verify_beside(password, stored, adopted=is_adopted, example=example)

    def _tell_of_cost(self, credential: Credential) -> None:
        """Log once in each process that a hash is not computed, which is answered like a wrong password."""
        objection = foreign_hashes.cost_objection(credential.secret)
        if objection is not None and len(self._told) < _MOST_TOLD and credential.subject not in self._told:
            self._told.add(credential.subject)
            _logger.error("Account %s can't sign in by its password. %s", credential.subject, objection)

    def _attempt(self, ctx: Context, account: Account) -> Attempt:
        device = ctx.devices.recognize(ctx.marks, account.id)
        return ctx.throttle.attempt(account.id, ctx.client, device=device, subject=account.id, settles=True)

    def _proves(self, ctx: Context, account: Account, password: str, attempt: Attempt) -> bool:
        """Tell whether the password is that of who is logged in, and settle the try if it is."""
        verified = self._verify(ctx, account.id, password, attempt, account.id)
        if verified is None:
            return False
        attempt.succeeded()
        verified.note(ctx)
        return True

    def _refused(self, ctx: Context, account: Account, reason: str) -> InvalidCredentials:
        failed = LoginFailed(
            at=ctx.now, subject=account.id, method=self.name, reason="wrong password", client=ctx.client
        )
        ctx.publish(failed)
        return InvalidCredentials(reason=reason)

    def _was_interrupted(self, ctx: Context, session: Session) -> bool:
        """Tell whether this session has changed the password, and was not confirmed after that: something failed.

        Whoever sends the same once more has the rest of it done.
        """
        credential = ctx.credentials.get_credential(self.name, session.subject)
        return credential is not None and credential.created_at >= session.created_at

    def _minimum(self, ctx: Context, account: Account) -> int:
        kinds = {one.kind for one in ctx.credentials.list_credentials(account.id)}
        has_factor = any(feature.second_factor and name in kinds for name, feature in ctx.features.items())
        return self.min_length_with_factor if has_factor else self.min_length
