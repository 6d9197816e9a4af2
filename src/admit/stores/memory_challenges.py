"""Challenges in the memory of one process."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from admit.per_process import Mutex

if TYPE_CHECKING:
    from datetime import datetime

    from admit.model import Challenge

__all__ = ["MemoryChallenges"]


class MemoryChallenges:
    """Keeps challenges in dictionaries."""

    def __init__(self) -> None:
        self._challenges_lock = Mutex()
        self._challenges: dict[str, Challenge] = {}
        self._challenges_of: dict[str, set[str]] = {}

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Keep a new challenge; ``alone``, and those of the same kind and subject are gone in the same step."""
        with self._challenges_lock:
            if alone:
                self._drop_challenges(challenge.subject, challenge.kind)
            self._challenges[challenge.id] = challenge
            self._challenges_of.setdefault(challenge.subject, set()).add(challenge.id)

    def get_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge with this id, too old or not, or ``None``; it stays."""
        return self._challenges.get(challenge_id)

    def take_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge and forget it: exactly one of any number of callers gets it."""
        with self._challenges_lock:
            return self._drop_challenge(challenge_id)

    def delete_challenges(self, subject: str, *, kind: str | None = None) -> int:
        """Forget the subject's challenges, of one kind or of all; return how many there were."""
        with self._challenges_lock:
            return self._drop_challenges(subject, kind)

    def _drop_challenges(self, subject: str, kind: str | None) -> int:
        found = [self._challenges[one] for one in self._challenges_of.get(subject, ())]
        doomed = [one for one in found if kind in {None, one.kind}]
        for one in doomed:
            self._drop_challenge(one.id)
        return len(doomed)

    def _drop_challenge(self, challenge_id: str) -> Challenge | None:
        challenge = self._challenges.pop(challenge_id, None)
        if challenge is not None:
            left = self._challenges_of[challenge.subject]
            left.remove(challenge_id)
            if not left:
                del self._challenges_of[challenge.subject]
        return challenge

    def _purge_challenges(self, before: datetime, batch: int) -> int:
        with self._challenges_lock:
            expired = (one.id for one in self._challenges.values() if one.expires_at < before)
            doomed = list(islice(expired, batch))
            for challenge_id in doomed:
                self._drop_challenge(challenge_id)
        return len(doomed)
