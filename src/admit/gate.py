"""The gate: the only place where a session begins, or is replaced by one that rests on more.

What was proven must still count once the session is there. So the account is read before the proof, and once more when
the session is in the store: a change is seen there (:mod:`admit.proofs`), or it ends the session with all the others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from admit import policy, rotation, tokens
from admit.admission import Admission
from admit.errors import AdmitError, InvalidChallenge, StoreError
from admit.events import LoggedIn, LoginFailed, LoginPending, Reauthenticated
from admit.issuing import Issuing
from admit.model import Admitted, Authentication, Client, Ending, EndReason, Pending, Session
from admit.sessions import checked_subject, ended_event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from admit.events import Event, Events
    from admit.model import Challenge, Factor
    from admit.proofs import Proofs
    from admit.settings import SessionSettings
    from admit.store import SessionStore, Stores
    from admit.telling import Telling

__all__ = ["Gate"]

# What a half-done login is as a challenge, and how long one may take to complete it.
_LOGIN = "login"
_PENDING = timedelta(minutes=10)


class Gate(Issuing):
    """Begins, resumes, replaces and ends sessions.

    Args:
        store: Where sessions are kept.
        settings: How long they live.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
        events: Who is told.
        stores: Where accounts, credentials and challenges are kept; only who has accounts needs them.
        second_factors: The methods that are second factors: whoever has a credential of one needs it to log in.
        verified_only: Whether an account can be used only once its mail address is confirmed.
        grace: How long a closed account is opened again by a login; ``None`` for never.

    .. versionadded:: 0.1
    """

    def __init__(  # noqa: PLR0913 -- what a gate stands on
        self,
        store: SessionStore,
        settings: SessionSettings | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        events: Events | None = None,
        stores: Stores | None = None,
        second_factors: Collection[str] = (),
        verified_only: bool = False,
        grace: timedelta | None = None,
    ) -> None:
        super().__init__(store, settings, clock=clock, events=events, stores=stores)
        self._credentials = stores.credentials if stores else None
        self._second_factors = frozenset(second_factors)
        accounts = stores.accounts if stores else None
        #: What every login meets, once it has proven all that it has to.
        self.admission: Admission = Admission(
            accounts, clock=self._clock, events=self.events, verified_only=verified_only, grace=grace
        )

    # -- beginning -------------------------------------------------------------------------------

    def admit(  # noqa: PLR0913 -- what a login is made of
        self,
        subject: str,
        method: str,
        factors: frozenset[Factor] = frozenset(),
        *,
        pending: str | None = None,
        replacing: Session | None = None,
        client: Client | None = None,
        remember: bool = False,
        duration: timedelta | None = None,
        fresh: bool = True,
        of_account: bool = False,
        waits: bool = False,
    ) -> Admitted | Pending:
        """Begin a session for ``subject``, who has proven who they are, or say what is still missing.

        What was proven still counts once the session is there, or it is ended: nothing has ended the logins of the
        account (``Account.epoch``) since the request first read it. Without a request (:meth:`noting`)
        that is said of the time since this was called, and of a half-done login since it began.

        Args:
            subject: The id of whom the session is about.
            method: What verified it.
            factors: What the proof rests on.
            pending: The token of the half-done login that this proof completes.
            replacing: The session that the client held: it ends, whoever it was about.
            client: What is known of the client.
            remember: Whether the session outlives the browser.
            duration: How long a remembered session lives, used or not, instead of what the settings say.
            fresh: Whether the person has proven it just now.
            of_account: Whether the subject has to be an account, and one that is gone meanwhile gets no session.
            waits: Whether the session ends after a minute unless it is kept (:meth:`keep`) or used: for who has more
                to do before the client is answered. One that takes the place of another always waits for its first use.

        Raises:
            InvalidChallenge: The half-done login is unknown, too old, done already, or somebody else's.
            InvalidCredentials: The account is closed, or gone, or was changed after the proof was read.
            LockedAccount: The account is locked.
            VerificationRequired: The account's mail address is not confirmed, and has to be.
            StoreError: The store did not do it; no session has begun.
            TypeError: The subject is no text.
        """
        now = self._clock()
        client = client or Client()
        proofs = self._noted()
        epoch = proofs.epoch_of(checked_subject(subject))
        proven = (Authentication(method, factors, now),) if fresh else ()
        if pending is not None:
            begun = self._take_login(pending, subject)
            proven = (*begun.authentications, *proven)
            remember, duration = _lasting(begun.details)
        needs = policy.missing(proven, self._enrolled(subject))
        if needs:
            details = _lasting_as(remember=remember, duration=duration)
            return self._postpone(subject, proven, needs, client, details, epoch)
        new = self._new_session(subject, proven, client, remember=remember, duration=duration)
        return self._begin(new, method, replacing, proofs, of_account=of_account, waits=waits)

    def _new_session(
        self,
        subject: str,
        proofs: tuple[Authentication, ...],
        client: Client,
        *,
        remember: bool,
        duration: timedelta | None,
    ) -> Session:
        now = self._clock()
        idle, absolute = self.settings.lifetimes(remember=remember, duration=duration)
        return Session(
            id=tokens.new_id(),
            subject=subject,
            secret_hash=b"",
            seed=tokens.new_seed(),
            created_at=now,
            seen_at=now,
            idle=idle,
            ends_at=now + absolute,
            rotated_at=now,
            remembered=remember,
            authentications=proofs,
            client=client,
        )

    def _begin(  # noqa: PLR0913 -- what a beginning is made of
        self, new: Session, method: str, replacing: Session | None, proofs: Proofs, *, of_account: bool, waits: bool
    ) -> Admitted:
        now, subject, client = new.created_at, new.subject, new.client
        session, token = rotation.with_first_secret(new, now)
        login = LoggedIn(at=now, subject=subject, session_id=session.id, method=method, client=client)
        # A login with the right credentials begins a session even if the old one has just been ended.
        told = self._replace(replacing, session, now, login) if replacing else None
        has_replaced = told is not None
        if told is None:
            # Where nobody may be refused it begins whole. Else it waits: nobody has its token if something fails now.
            if not waits and not self.admission.has_accounts:
                session = rotation.confirmed(session, now)
            with self.events.telling(login) as told:
                self.store.add_session(session)
        try:
            reopened = self.admission.enter(
                subject,
                method,
                proofs,
                is_proven=bool(session.authentications),
                of_account=of_account,
                end_others=partial(self.revoke_all, subject, keep=session.id, by="admission"),
            )
        except AdmitError as refusal:
            self._refuse_entry(session, method, refusal.reason)
            raise
        except StoreError:
            self._drop(session)
            raise
        if reopened is None:  # or all others have ended
            self._enforce_cap(session, now)
        told.publish(login)
        admitted = Admitted(session, token, reopened, waits=not has_replaced and policy.is_unused(session))
        return admitted if waits else replace(admitted, session=self.keep(admitted), waits=False)

    def _refuse_entry(self, session: Session, method: str, reason: str) -> None:
        """End a session that has just begun, and tell why nobody was let in."""
        now, subject = session.created_at, session.subject
        self._end(session, EndReason.REVOKED, now, by="admission")
        self.events.publish(LoginFailed(at=now, subject=subject, method=method, reason=reason, client=session.client))

    # -- second factors --------------------------------------------------------------------------

    def _enrolled(self, subject: str) -> set[str]:
        if not self._second_factors or self._credentials is None:
            return set()
        return {one.kind for one in self._credentials.list_credentials(subject)} & self._second_factors

    def _postpone(  # noqa: PLR0913, PLR0917 -- what a half-done login is made of
        self,
        subject: str,
        proofs: tuple[Authentication, ...],
        needs: tuple[str, ...],
        client: Client,
        details: Mapping[str, str],
        epoch: int,
    ) -> Pending:
        token = self.challenges.issue(_LOGIN, subject, _PENDING, details, authentications=proofs, epoch=epoch)
        method = proofs[-1].method if proofs else ""
        self.events.publish(LoginPending(at=self._clock(), subject=subject, method=method, needs=needs, client=client))
        return Pending(subject, needs, token)

    def _take_login(self, token: str, subject: str) -> Challenge:
        # Looked at first: a proof of one person must not use up the half-done login of another.
        if self.look(_LOGIN, token).subject != subject:
            raise InvalidChallenge(reason="the half-done login is another's")
        return self.take(_LOGIN, token)

    def pending(self, token: str) -> Pending:
        """Return the half-done login that ``token`` goes on with, and leave it as it is.

        Raises:
            InvalidChallenge: There is none, or not any more.
        """
        begun = self.look(_LOGIN, token)
        return Pending(begun.subject, policy.missing(begun.authentications, self._enrolled(begun.subject)), token)

    # -- replacing -------------------------------------------------------------------------------

    def reauthenticate(
        self, session: Session, method: str, factors: frozenset[Factor] = frozenset(), *, client: Client | None = None
    ) -> Admitted | None:
        """Replace a living session by one with one proof more; ``None`` if it has ended meanwhile.

        Both of its times begin anew (NIST SP 800-63B-4, section 5.2). Of proofs of one kind the latest is kept. As with
        :meth:`admit`, what was proven still counts once the new session is there, or both are ended; and unless the new
        one is used within a minute it has ended, for its token may have been lost on the way.

        Raises:
            InvalidCredentials: The account was changed after the proof was read.
        """
        now, proofs = self._clock(), self._noted()
        proofs.epoch_of(session.subject)
        if not policy.is_alive(session, now):
            return None
        kept = (proof for proof in session.authentications if (proof.method, proof.factors) != (method, factors))
        renewed = replace(
            session,
            id=tokens.new_id(),
            seed=tokens.new_seed(),
            nonce=b"",
            created_at=now,
            seen_at=now,
            ends_at=now + (session.ends_at - session.created_at),
            authentications=(*kept, Authentication(method, factors, now)),
            client=client or session.client,
        )
        new, token = rotation.with_first_secret(renewed, now)
        proven = Reauthenticated(at=now, subject=new.subject, session_id=new.id, method=method, replaced_id=session.id)
        told = self._replace(session, new, now, proven)
        if told is None:
            return None
        try:
            self.admission.stay(new.subject, method, proofs)
        except AdmitError as refusal:
            self._refuse_entry(new, method, refusal.reason)
            raise
        except StoreError:
            self._drop(new)
            raise
        told.publish(proven)
        return Admitted(new, token)

    def _replace(self, old: Session, new: Session, now: datetime, began: Event) -> Telling | None:
        """Put one in the place of another; return what tells of the new one, or ``None`` if the old one is gone."""
        ended = ended_event(old, EndReason.REPLACED, now)
        with self.events.telling(ended, began) as told:
            replaced = self.store.replace_session(old.id, new, ending=Ending(EndReason.REPLACED, now))
        if not replaced:
            return None
        told.publish(ended)
        return told


def _lasting_as(*, remember: bool, duration: timedelta | None) -> dict[str, str]:
    """Return how long the session is to last, as a half-done login notes it."""
    seconds = {} if duration is None else {"duration": repr(duration.total_seconds())}
    return {"remember": "yes", **seconds} if remember else seconds


def _lasting(details: Mapping[str, str]) -> tuple[bool, timedelta | None]:
    seconds = details.get("duration")
    return "remember" in details, None if seconds is None else timedelta(seconds=float(seconds))
