"""Challenges: what is sent out and may come back once, as a link, a code, or a login that lacks a factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit import tokens
from admit.errors import InvalidChallenge
from admit.model import Challenge
from admit.proofs import CHANGED, Proofs
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from admit.model import Authentication
    from admit.store import ChallengeStore

__all__ = ["Challenges"]


class Challenges:
    """Issues challenges and takes them back.

    An attacker who holds a token of one purpose tries it at another, tries it twice, tries it late, or tries to burn
    somebody's by guessing. So a challenge is taken only by its own kind, by one caller, in time, and with its secret;
    a try that fails leaves it as it was. And it is good only as long as nothing has ended the logins of the account
    that it is about, even where it could not be voided then. What is to outlive that, so that an owner can take an
    account back whose password a thief has changed, is issued for a subject that is no account.

    Args:
        store: Where they are kept.
        clock: Returns the present time, aware and UTC.
        proofs: The epochs of accounts, as this request has noted them; ``None`` where there are no accounts.

    .. versionadded:: 0.2
    """

    def __init__(self, store: ChallengeStore, clock: Callable[[], datetime], proofs: Proofs | None = None) -> None:
        self._store = store
        self._clock = clock
        self._proofs = proofs or Proofs(None)

    def issue(  # noqa: PLR0913 -- what a challenge is made of
        self,
        kind: str,
        subject: str,
        lifetime: timedelta,
        details: Mapping[str, str] | None = None,
        *,
        alone: bool = False,
        authentications: tuple[Authentication, ...] = (),
        epoch: int | None = None,
        challenge_id: str | None = None,
    ) -> str:
        """Keep a new challenge and return its token, which is shown once and kept nowhere.

        Args:
            kind: What it is good for, and nothing else.
            subject: Whom it is about.
            lifetime: How long it may come back.
            details: What to note besides.
            alone: Whether it voids the older ones of its kind and subject.
            authentications: What a half-done login has proven.
            epoch: That of the subject's account; without it, the one that this request has noted.
            challenge_id: Its id, where that follows from another one; a new one without it.
        """
        now = self._clock()
        token = Token(challenge_id or tokens.new_id(), tokens.new_secret())
        challenge = Challenge(
            id=token.id,
            kind=kind,
            subject=subject,
            secret_hash=tokens.hash_secret(token.secret),
            created_at=now,
            expires_at=now + lifetime,
            details=details or {},
            authentications=authentications,
            epoch=self._proofs.epoch_of(subject) if epoch is None else epoch,
        )
        self._store.add_challenge(challenge, alone=alone)
        return str(token)

    def look(self, kind: str, token: str, *, by: str | None = None) -> Challenge:
        """Return the challenge of this kind that ``token`` opens, and leave it to be taken.

        Args:
            kind: What it is good for.
            token: What came back.
            by: The detail that holds the hash of the secret, where it is another one than the challenge's own.

        Raises:
            InvalidChallenge: There is none, or not any more.
        """
        parsed = tokens.parse_challenge(token)
        found = None if parsed is None else self._store.get_challenge(parsed.id)
        if parsed is None or found is None:
            raise InvalidChallenge(reason="unknown or used")
        if found.kind != kind or not tokens.matches(parsed.secret, _kept(found, by)):
            raise InvalidChallenge(reason="of another kind, or another's")
        if self._clock() >= found.expires_at:
            raise InvalidChallenge(reason="too old")
        # With the epoch that is noted, so that what rests on the challenge is refused if that changes after this.
        if found.epoch != self._proofs.epoch_of(found.subject):
            raise InvalidChallenge(reason=CHANGED)
        return found

    def take(self, kind: str, token: str) -> Challenge:
        """Return the challenge of this kind that ``token`` opens: exactly one caller gets it.

        Raises:
            InvalidChallenge: There is none, or not any more.
        """
        taken = self._store.take_challenge(self.look(kind, token).id)
        if taken is None:
            raise InvalidChallenge(reason="used at the same moment")
        return taken

    def claim(self, challenge_id: str) -> Challenge | None:
        """Take a challenge that somebody has shown to be theirs: exactly one caller gets it."""
        return self._store.take_challenge(challenge_id)

    def is_kept(self, challenge_id: str) -> bool:
        """Tell whether nobody has taken a challenge yet."""
        return self._store.get_challenge(challenge_id) is not None

    def void(self, subject: str, *, kind: str | None = None) -> int:
        """Make the subject's challenges worthless, of one kind or all; return how many there were."""
        return self._store.delete_challenges(subject, kind=kind)


def _kept(challenge: Challenge, by: str | None) -> bytes:
    return challenge.secret_hash if by is None else bytes.fromhex(challenge.details[by])
