"""The nouns: frozen values that every other module passes around. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

__all__ = [
    "ADOPTED",
    "ECHO",
    "Account",
    "Admitted",
    "Authentication",
    "Challenge",
    "Client",
    "Credential",
    "EndReason",
    "Ending",
    "EventRecord",
    "Factor",
    "Identifier",
    "IdentifierKind",
    "Outcome",
    "Pending",
    "Resumed",
    "Session",
]

#: What the details of a credential hold that another program made.
ADOPTED = "adopted"
#: What a new credential's details may hold: the same password as another program would store it.
ECHO = "echo"


class Factor(StrEnum):
    """What a proof rests on (NIST SP 800-63B-4, section 2)."""

    KNOW = "know"
    HAVE = "have"
    ARE = "are"


class IdentifierKind(StrEnum):
    """What a person types to name an account."""

    EMAIL = "email"
    USERNAME = "username"


class EndReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "logout"
    REVOKED = "revoked"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REPLACED = "replaced"
    STOLEN = "stolen"
    CAP = "cap"


class Outcome(StrEnum):
    """What came of a try."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"


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
    client first used it (``None`` until then), or was given the first one where it held no session before.
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
        """When the session ends unless it is used before: one that waits for its client, by :mod:`admit.policy`."""
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
    """A login that ended in a session, and the token for the client: shown once, kept nowhere.

    ``reopened`` is the account if it had been closed, and is open again for it. ``waits`` says that the session ends
    after a minute unless ``Gate.keep()`` is called, or the token is used.
    """

    session: Session
    token: str = field(repr=False)
    reopened: Account | None = None
    waits: bool = False

    @property
    def has_reopened(self) -> bool:
        """Whether the account had been closed, and is open again for it."""
        return self.reopened is not None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of a token: its session, or why there is none.

    ``token`` is a new one that the client has to get instead of the one it sent.

    ``outdated`` is a session whose former secret the client has shown. It is served to nobody with that secret, and it
    lives on: the secret may come from a request that was very long under way. If that client signs in or out, this is
    the session that it had.
    """

    session: Session | None = None
    token: str | None = field(default=None, repr=False)
    ending: Ending | None = None
    outdated: Session | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name of an account: as it was typed, for showing and sending, and its one canonical form.

    ``key`` is unique over all accounts, whatever the kind, but for a user name that is somebody's address
    (:mod:`admit.identifiers`). ``verified_at`` is when the
    person has proven that it is theirs; until then it grants nothing.
    """

    kind: IdentifierKind
    value: str
    key: str
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Our record of a person who may log in. Its id is never used again.

    ``revision`` counts its changes: a change that was made on an older one is refused. ``epoch`` counts those that end
    logins (another password, a lock, an address that was taken back): what was proven at another epoch counts no more.
    """

    id: str
    identifiers: tuple[Identifier, ...]
    created_at: datetime
    locked_at: datetime | None = None
    closed_at: datetime | None = None
    roles: frozenset[str] = frozenset()
    revision: int = 0
    epoch: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its owner may log in."""
        return self.locked_at is None and self.closed_at is None

    @property
    def email(self) -> Identifier | None:
        """Its mail address, verified or not."""
        return self._of_kind(IdentifierKind.EMAIL)

    @property
    def username(self) -> Identifier | None:
        """Its user name."""
        return self._of_kind(IdentifierKind.USERNAME)

    @property
    def is_verified(self) -> bool:
        """Whether its mail address, if it has one, is known to be its owner's; a user name needs no proof."""
        return self.email is None or self.email.verified_at is not None

    @property
    def label(self) -> str:
        """What to call it in front of people: its user name, or else its address."""
        named = self.username or self.email
        return named.value if named else self.id

    def _of_kind(self, kind: IdentifierKind) -> Identifier | None:
        return next((one for one in self.identifiers if one.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Credential:
    """The stored half of an authenticator: a hash, a public key, a secret.

    ``kind`` is the name of the feature that it belongs to, and ``key`` is unique within the kind. ``secret`` is what a
    leak would give away, and ``details`` what else the feature notes. ``revision`` as in :class:`Account`.
    """

    id: str
    kind: str
    key: str
    subject: str
    secret: str = field(repr=False)
    created_at: datetime
    used_at: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    revision: int = 0

    @property
    def is_adopted(self) -> bool:
        """Whether another program made the secret, and it is yet to be replaced by one of ours."""
        return ADOPTED in self.details


@dataclass(frozen=True, slots=True)
class Challenge:
    """Something sent out that may come back once: a link, a code, a half-done login.

    The client holds ``id.secret``; only the hash of the secret is kept. ``kind`` is what it is good for, and it is
    good for nothing else. ``authentications`` are what a half-done login has proven so far. ``epoch`` is that of the
    subject's account when the challenge was issued: it is good for nothing at another one.
    """

    id: str
    kind: str
    subject: str
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    # A sign-up that waits has the hash of a password in it.
    details: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    authentications: tuple[Authentication, ...] = ()
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that still lacks a factor: which methods would do, and the token with which to go on."""

    subject: str
    needs: tuple[str, ...]
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What is kept of an event. It never holds a secret, and of a session only a short hash of its id.

    ``name`` is the event's class in snake case; ``method`` and ``reason`` are in the words of a feature. All of the
    other fields are personal, and gone once they are erased: ``subject`` is whom it is about and ``actor`` who did it.
    """

    at: datetime
    name: str
    outcome: Outcome = Outcome.SUCCESS
    method: str | None = None
    reason: str | None = None
    subject: str = ""
    actor: str | None = None
    session: str | None = None
    client: Client = field(default_factory=Client)
    details: Mapping[str, str] = field(default_factory=dict[str, str])
