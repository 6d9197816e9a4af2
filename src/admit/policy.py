"""The rules about sessions, as pure functions: of a session, a time and a setting, and of nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from admit.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from admit.model import Authentication, Factor, Session

__all__ = [
    "assurance",
    "end_reason",
    "ends_by",
    "is_alive",
    "is_fresh",
    "is_theft",
    "is_unused",
    "is_within_grace",
    "missing",
    "needs_rotation",
    "needs_touch",
    "serves_predecessor",
]

#: How long a request may be under way with the secret that it was sent with: a slow upload, or a proxy that asks a
#: second server when the first one has been silent for a minute.
_UNDER_WAY = timedelta(minutes=2)

#: How long a session that nobody has used yet waits for its client.
_UNUSED = timedelta(minutes=1)


def is_alive(session: Session, now: datetime) -> bool:
    """Tell whether the session's time is not over."""
    return now < ends_by(session)


def is_unused(session: Session) -> bool:
    """Tell whether the session waits for its client: its token has not come back, nor is it known to be on its way."""
    return session.confirmed_at is None and not session.nonce


def ends_by(session: Session) -> datetime:
    """Return when the session ends unless it is used before.

    One that waits for its client has a minute: if the response with its token was lost, nobody will ever use it.
    """
    if is_unused(session):
        return min(session.expires_at, session.created_at + _UNUSED)
    return session.expires_at


def end_reason(session: Session, now: datetime) -> EndReason | None:
    """Return which of its two times a session ran out of, or ``None`` while it lives."""
    if is_alive(session, now):
        return None
    return EndReason.ABSOLUTE if session.ends_at <= ends_by(session) else EndReason.IDLE


def is_fresh(session: Session, now: datetime, within: timedelta) -> bool:
    """Tell whether the last authentication was at most ``within`` ago.

    A session that nobody has authenticated for (a remembered one that was restored) is never fresh.
    """
    authenticated_at = session.authenticated_at
    return authenticated_at is not None and now - authenticated_at <= within


def needs_touch(session: Session, now: datetime, every: timedelta) -> bool:
    """Tell whether the use of the session is to be noted."""
    return now - session.seen_at >= every


def needs_rotation(session: Session, now: datetime, every: timedelta | None, grace: timedelta) -> bool:
    """Tell whether a session in use is to get a new secret.

    Never before the client has used the present one and twice the grace is over: once for requests that
    still bring its predecessor, and once for the responses to them. Earlier, the next successor would make
    those requests look like theft, and one of those responses could put the jar back by one secret too many.
    """
    if every is None or session.confirmed_at is None:
        return False
    return now - session.rotated_at >= every and now - session.confirmed_at >= 2 * grace


def is_within_grace(session: Session, now: datetime, grace: timedelta) -> bool:
    """Tell whether the client may not have the present secret yet.

    Until it has used it, the response may have been lost; afterwards, requests that were on their way get ``grace``.
    """
    return session.confirmed_at is None or now - session.confirmed_at <= grace


def serves_predecessor(session: Session, now: datetime, grace: timedelta, began: datetime) -> bool:
    """Tell whether a request with the predecessor of the present secret is served.

    For 2 minutes after the rotation it is, and longer if it began before the rotation: then the secret was the right
    one when it was sent. A request is never judged by when somebody looks at it.

    Args:
        session: The session.
        now: The present time.
        grace: How long a secret is accepted after its successor was used.
        began: When the request began.
    """
    return began <= session.rotated_at or now - session.rotated_at <= _UNDER_WAY or is_within_grace(session, now, grace)


def is_theft(session: Session, began: datetime, every: timedelta | None) -> bool:
    """Tell whether a secret that is older than the predecessor can only be a copy.

    The client has used two later ones since. A request that began before the last rotation may have been sent by it
    all the same. So may one that is under way, where secrets change so often that it is overtaken by two of them.

    Args:
        session: The session.
        began: When the request began.
        every: After how long a session gets a new secret.
    """
    # The last rotation but one was at least `every` before the last one.
    return began - session.rotated_at >= max(_UNDER_WAY - (every or timedelta()), timedelta())


def assurance(session: Session) -> frozenset[Factor]:
    """Return the distinct factors that the session rests on."""
    return frozenset(factor for proof in session.authentications for factor in proof.factors)


def missing(authentications: Sequence[Authentication], enrolled: Iterable[str]) -> tuple[str, ...]:
    """Return the methods of which a login still needs one, in order; none if it may begin a session.

    Whoever has enrolled a second factor gets no session without it, whatever came first. A second factor alone is
    none: it needs a first one besides. One proof of two factors (a passkey that checked who holds it) is enough.

    Args:
        authentications: What the login has proven so far.
        enrolled: The second factors that the account has enrolled.
    """
    wanted = set(enrolled)
    methods = {proof.method for proof in authentications}
    if not wanted or any(len(proof.factors) > 1 for proof in authentications):
        return ()
    # Of a login that has only shown a second factor, all are still wanted: what it lacks is a first one.
    return () if len(methods) > 1 and methods & wanted else tuple(sorted(wanted - methods or wanted))
