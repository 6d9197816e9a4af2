"""What the gate sends out and takes back, at the epoch that a request has noted, and how many sessions there are."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

from admit import policy
from admit.challenges import Challenges
from admit.errors import ConfigurationError
from admit.model import EndReason
from admit.proofs import Proofs
from admit.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from admit.events import Events
    from admit.model import Challenge, Session
    from admit.settings import SessionSettings
    from admit.store import SessionStore, Stores

__all__ = ["Issuing"]

# How many sessions one login ends at most, where an account has many of a time without a limit.
_SURPLUS = 500


class Issuing(Sessions):
    """Issues challenges and takes them back, and makes room for new sessions.

    Args:
        store: Where sessions are kept.
        settings: How long they live.
        clock: Returns the present time, aware and UTC; that of the store if it is missing.
        events: Who is told.
        stores: Where accounts, credentials and challenges are kept; ``None`` where there are none.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        store: SessionStore,
        settings: SessionSettings | None,
        *,
        clock: Callable[[], datetime] | None,
        events: Events | None,
        stores: Stores | None,
    ) -> None:
        super().__init__(store, settings, clock=clock, events=events)
        self._stores = stores
        self._proofs: Proofs | None = None

    def noting(self, proofs: Proofs) -> Self:
        """Return this gate for one request, which has noted what it has read, and goes on noting.

        Args:
            proofs: The notes of the request.

        .. versionadded:: 0.2
        """
        gate = copy(self)
        gate._proofs = proofs  # noqa: SLF001 -- a copy of our own
        return gate

    def from_first(self, subject: str) -> Self:
        """Return this gate for what was proven before anything has ended the logins of a subject's account.

        For a proof that knows of no epoch, such as a cookie that another program has made: it counts until something
        ends the logins of the account for the first time.

        Args:
            subject: Whom the proof is about.

        .. versionadded:: 0.2
        """
        proofs = self._noted()
        proofs.note_first(subject)
        return self.noting(proofs)

    def _noted(self) -> Proofs:
        """Return the notes of the request, or new ones: then nothing is known of what was read before the call."""
        if self._proofs is not None:
            return self._proofs
        stores = self._stores
        return Proofs(None) if stores is None else Proofs(stores.accounts, stores.credentials)

    # -- challenges ------------------------------------------------------------------------------

    @property
    def challenges(self) -> Challenges:
        """What is sent out and may come back once.

        Raises:
            ConfigurationError: The store keeps no challenges.
        """
        if self._stores is None or self._stores.challenges is None:
            message = "This store keeps no challenges. Give one that does, such as sqlite:///app.db."
            raise ConfigurationError(message)
        return Challenges(self._stores.challenges, self._clock, self._noted())

    def challenge(
        self,
        kind: str,
        subject: str,
        lifetime: timedelta,
        details: Mapping[str, str] | None = None,
        *,
        epoch: int | None = None,
    ) -> str:
        """Return the token of a new challenge; the older ones of this kind and subject are void."""
        return self.challenges.issue(kind, subject, lifetime, details, alone=True, epoch=epoch)

    def look(self, kind: str, token: str) -> Challenge:
        """Return the challenge that a token opens, and leave it; as :meth:`take`, but nothing changes."""
        return self.challenges.look(kind, token)

    def take(self, kind: str, token: str) -> Challenge:
        """Return the challenge that a token opens: exactly one caller gets it.

        Raises:
            InvalidChallenge: There is none of this kind, or not any more.
        """
        return self.challenges.take(kind, token)

    # -- making room -----------------------------------------------------------------------------

    def _enforce_cap(self, new: Session, now: datetime) -> None:
        most = self.settings.max_per_user
        if most is None:
            return
        listed = self.store.list_sessions(new.subject, limit=most + _SURPLUS)
        if len(listed) < most + _SURPLUS:
            listed = [one for one in listed if policy.is_alive(one, now)]
        # All logins that race agree on the order, so that two of them never end each other. One that finds
        # itself among the oldest stays all the same: there may be one too many until the next login.
        living = sorted(listed, key=lambda one: (one.created_at, one.id == new.id))
        self._end_some([one for one in living[:-most] if one.id != new.id], EndReason.CAP, now)
