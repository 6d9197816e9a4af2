"""The nouns: frozen values that every other module passes around. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = [
    "Admitted",
    "Authentication",
    "Client",
    "EndReason",
    "Ending",
    "Factor",
    "Resumed",
    "Session",
]


class Factor(StrEnum):
    """What a proof rests on (NIST SP 800-63B-4, section 2)."""

    KNOW = "know"
    HAVE = "have"
    ARE = "are"


class EndReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "logout"
    REVOKED = "revoked"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REPLACED = "replaced"
    STOLEN = "stolen"
    CAP = "cap"


@dataclass(frozen=True, slots=True)
class Authentication:
    """One successful proof: the method that verified it, the factors it rests on, and when."""

    method: str
    factors: frozenset[Factor]
    at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of the other side of a connection; nothing here is trusted for a decision."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One stay of one subject on one device.

    The client holds ``id.secret``; only the SHA-256 of the secret's text is kept. ``seed`` and
    ``nonce`` serve rotation and are explained in :mod:`admit.tokens`. All times are aware and UTC.

    ``idle`` is how long the session lives without being used and ``ends_at`` when it ends however
    much it is used. ``rotated_at`` is when the present secret was made; ``confirmed_at`` is when the
    client first used it (``None`` until then).
    """

    id: str
    subject: str
    secret_hash: bytes = field(repr=False)
    # Whoever reads the seed in a log could make a secret that looks spent, and so end the session.
    seed: bytes = field(repr=False)
    created_at: datetime
    seen_at: datetime
    idle: timedelta
    ends_at: datetime
    rotated_at: datetime
    confirmed_at: datetime | None = None
    nonce: bytes = field(default=b"", repr=False)
    remembered: bool = False
    authentications: tuple[Authentication, ...] = ()
    client: Client = field(default_factory=Client)

    @property
    def expires_at(self) -> datetime:
        """When the session ends unless it is used before."""
        return min(self.seen_at + self.idle, self.ends_at)

    @property
    def authenticated_at(self) -> datetime | None:
        """The time of the last authentication, if there was one."""
        return self.authentications[-1].at if self.authentications else None


@dataclass(frozen=True, slots=True)
class Ending:
    """That a session ended, when and why; kept for as long as the session would have lived.

    ``by`` says who ended it, in the application's own words (``"owner"``, ``"admin:7"``).
    """

    reason: EndReason
    at: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A login that ended in a session, and the token for the client: shown once, kept nowhere."""

    session: Session
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of a token: its session, or why there is none.

    ``token`` is a new one that the client has to get instead of the one it sent.
    """

    session: Session | None = None
    token: str | None = field(default=None, repr=False)
    ending: Ending | None = None
