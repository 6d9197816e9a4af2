"""How a session gets a new secret in mid-life, and what an old one means.

Browsers send requests side by side, responses get lost, and a request may be under way for minutes: a client may
bring an old secret for no fault of its own. What an old secret means:

* The direct predecessor is served until the client has used its successor, and for 2 minutes after the rotation: it
  gets the same successor each time. It is also served if its request began before the rotation.
* After that the predecessor opens nothing, and nobody is accused. The session lives on for the client that holds the
  present secret. If the other one signs in, the session that it held ends, as at every sign-in: so a thief who was
  the first to rotate is out when the owner signs in.
* An older secret, superseded by two, is a copy: the client that it was given to has used later ones. The session ends
  for everybody, and :class:`admit.events.SessionStolen` is published.

A session that takes the place of another is no successor of this kind: the token of the old one opens nothing, or a
copy of it would get the new one. If the response with the new token is lost, the person signs in again, and the session
that nobody can use ends after a minute (:func:`admit.policy.is_unused`).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from admit import tokens

if TYPE_CHECKING:
    from datetime import datetime

    from admit.model import Session

__all__ = ["Standing", "confirmed", "next_token", "rotated", "standing", "with_first_secret"]


class Standing(Enum):
    """What a presented secret is to a session."""

    CURRENT = auto()
    PREDECESSOR = auto()
    SUPERSEDED = auto()
    UNKNOWN = auto()


def standing(session: Session, secret: str) -> Standing:
    """Tell what ``secret`` is to the session: each test takes constant time."""
    if tokens.matches(secret, session.secret_hash):
        return Standing.CURRENT
    if session.nonce and tokens.matches(_successor(session, secret), session.secret_hash):
        return Standing.PREDECESSOR
    return Standing.SUPERSEDED if tokens.bears_mark(secret, session.seed) else Standing.UNKNOWN


def with_first_secret(session: Session, now: datetime) -> tuple[Session, str]:
    """Return the session with a secret of its own, and the token for the client: shown once, kept nowhere.

    It waits for the client to use it (:func:`confirmed`).
    """
    secret = tokens.first_secret(session.seed)
    session = replace(session, secret_hash=tokens.hash_secret(secret), rotated_at=now, confirmed_at=None)
    return session, str(tokens.Token(session.id, secret))


def confirmed(session: Session, now: datetime) -> Session:
    """Return the session after its client has used the present secret, or was given the first one."""
    return replace(session, confirmed_at=now)


def rotated(session: Session, secret: str, now: datetime) -> Session:
    """Return the session with the successor of its present ``secret``, which the client is yet to use."""
    session = replace(session, nonce=tokens.new_seed(), rotated_at=now, confirmed_at=None)
    return replace(session, secret_hash=tokens.hash_secret(_successor(session, secret)))


def next_token(session: Session, secret: str) -> str:
    """Return the token that a client with the predecessor ``secret`` is to have; the same one every time."""
    return str(tokens.Token(session.id, _successor(session, secret)))


def _successor(session: Session, secret: str) -> str:
    return tokens.successor(secret, session.seed, session.nonce)
