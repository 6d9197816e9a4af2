"""Devices that an owner has logged in with before. A mark on one opens nothing; it only tells friends from strangers.

A stranger who burns an account's tries must not keep its owner out, so tries from a known device are counted apart.
An attacker would plant a mark of their own on the owner's device, so that logging in there would make it known: a
mark that the account does not know is never taken up, the device gets a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit import tokens
from admit.model import Credential
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from admit.store import CredentialStore

__all__ = ["KIND", "KnownDevices"]

#: What the marks are among the credentials.
KIND = "known_device"

# How many devices of one person are remembered; the one that was marked first makes room.
_MOST = 20


class KnownDevices:
    """Marks devices, and recognizes the marks.

    Args:
        credentials: Where the hashes of marks are kept.
        clock: Returns the present time, aware and UTC.

    .. versionadded:: 0.2
    """

    def __init__(self, credentials: CredentialStore, clock: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._clock = clock

    def recognize(self, marks: Sequence[str], subject: str) -> str | None:
        """Return the id of the device if one of its marks is known to be the subject's."""
        for mark in map(tokens.parse_challenge, marks):
            known = None if mark is None else self._credentials.get_credential(KIND, mark.id)
            if mark and known and known.subject == subject and _matches(mark, known):
                return known.key
        return None

    def mark(self, subject: str) -> str:
        """Remember a device as the subject's, and return the mark for it: shown once, kept nowhere."""
        mark = Token(tokens.new_id(), tokens.new_secret())
        hashed = tokens.hash_secret(mark.secret).hex()
        self._make_room(subject)
        self._credentials.add_credential(
            Credential(tokens.new_id(), KIND, mark.id, subject, hashed, created_at=self._clock())
        )
        return str(mark)

    def forget(self, subject: str) -> None:
        """Forget all devices of a subject."""
        for known in self._of(subject):
            self._credentials.delete_credential(known.id)

    def _make_room(self, subject: str) -> None:
        known = self._of(subject)
        for oldest in known[: max(0, len(known) - _MOST + 1)]:
            self._credentials.delete_credential(oldest.id)

    def _of(self, subject: str) -> list[Credential]:
        return [one for one in self._credentials.list_credentials(subject) if one.kind == KIND]


def _matches(mark: Token, known: Credential) -> bool:
    return tokens.matches(mark.secret, bytes.fromhex(known.secret))
