"""The rules about sessions, as pure functions: of a session, a time and a setting, and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from admit.model import Authentication, Factor, Session

__all__ = [
    "assurance",
    "end_reason",
    "is_alive",
    "is_fresh",
    "is_within_grace",
    "missing",
    "needs_rotation",
    "needs_touch",
]


def is_alive(session: Session, now: datetime) -> bool:
    """Tell whether the session's time is not over."""
    return now < session.expires_at


def end_reason(session: Session, now: datetime) -> EndReason | None:
    """Return which of its two times a session ran out of, or ``None`` while it lives."""
    if is_alive(session, now):
        return None
    return EndReason.ABSOLUTE if session.ends_at <= session.expires_at else EndReason.IDLE


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
    """Tell whether the predecessor of the present secret is still accepted.

    Until the client has used the present one, it may never have received it; afterwards, requests that
    were on their way get ``grace``.
    """
    return session.confirmed_at is None or now - session.confirmed_at <= grace


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
