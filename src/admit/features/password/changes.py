"""What is published when a password has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from admit.errors import Text
from admit.events import Event

__all__ = ["PasswordChanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """There is another password, and ``ended`` other sessions have ended for it."""

    said: ClassVar[Text | None] = Text("Your password was changed.")

    ended: int
