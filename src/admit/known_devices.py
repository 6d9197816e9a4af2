"""Devices that an owner has logged in with before. A mark on one opens nothing; it only tells friends from strangers.

A stranger who burns an account's tries must not keep its owner out, so tries from a known device are counted apart.
An attacker would plant a mark of their own on the owner's device, so that logging in there would make it known: a
mark that the account does not know is never taken up, the device gets a new one.

A client that keeps no cookies can't show a mark. It is known by its network and by what it calls itself, which is
enough not to tell its owner of it each time, and no more: both can be said by others, so that it gets no tries of its
own. Places and marks are counted apart, so that neither pushes out the other.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from admit import tokens
from admit.model import Credential
from admit.throttle import network
from admit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from admit.model import Client
    from admit.store import CredentialStore

__all__ = ["KIND", "KINDS", "KnownDevices"]

#: What the marks are among the credentials.
KIND = "known_device"
# What places are among them, where clients are that keep no mark.
_PLACE = "known_place"
#: Both.
KINDS = frozenset({KIND, _PLACE})

# How many devices of one person, and how many places, are remembered; the first one makes room.
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
        self._keep(KIND, mark.id, subject, tokens.hash_secret(mark.secret).hex())
        return str(mark)

    def knows(self, subject: str, marks: Sequence[str], place: Client | None = None) -> bool:
        """Tell whether the subject has logged in before on a device with one of these marks, or else from this place.

        Args:
            subject: Who logs in.
            marks: What the device shows.
            place: The client, if it keeps no mark.
        """
        if self.recognize(marks, subject) is not None:
            return True
        return place is not None and self._credentials.get_credential(_PLACE, _place_key(subject, place)) is not None

    def remember(self, subject: str, place: Client | None = None) -> str | None:
        """Remember a device, and return the mark for it; or the place, which has none."""
        if place is None:
            return self.mark(subject)
        self._keep(_PLACE, _place_key(subject, place), subject, "")
        return None

    def forget(self, subject: str) -> None:
        """Forget all devices of a subject."""
        for known in (*self._of(subject, KIND), *self._of(subject, _PLACE)):
            self._credentials.delete_credential(known.id)

    def _keep(self, kind: str, key: str, subject: str, hashed: str) -> None:
        known = self._of(subject, kind)
        for oldest in known[: max(0, len(known) - _MOST + 1)]:
            self._credentials.delete_credential(oldest.id)
        self._credentials.add_credential(
            Credential(tokens.new_id(), kind, key, subject, hashed, created_at=self._clock())
        )

    def _of(self, subject: str, kind: str) -> list[Credential]:
        return [one for one in self._credentials.list_credentials(subject) if one.kind == kind]


def _place_key(subject: str, place: Client) -> str:
    text = "\0".join((subject, network(place.address), place.user_agent or ""))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _matches(mark: Token, known: Credential) -> bool:
    return tokens.matches(mark.secret, bytes.fromhex(known.secret))
