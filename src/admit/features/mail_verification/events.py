"""What is told of confirming an email address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from admit.errors import Text
from admit.events import Event
from admit.model import Outcome

if TYPE_CHECKING:
    from admit.model import Client

__all__ = ["IdentifierVerified", "SignUpWaits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpWaits(Event):
    """Somebody has signed up, and there is an account once the address is confirmed; it is about nobody until then."""

    outcome: ClassVar[Outcome] = Outcome.PENDING
    said: ClassVar[Text | None] = Text("Somebody signed up with your mail address.")

    method: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierVerified(Event):
    """A mail address was confirmed; ``kept`` tells whether what was set up before it still stands."""

    said: ClassVar[Text | None] = Text("Your mail address was confirmed.")

    kept: bool
