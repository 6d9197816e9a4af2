"""What happened, as types to subscribe to. An event never holds a secret.

Events are published after the store has done what they tell of. A subscriber that raises is logged and
disturbs nobody: a full disk under an audit log must not undo a revocation, nor keep anybody from logging in.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from admit.model import Client, EndReason

__all__ = [
    "AccountClosed",
    "AccountCreated",
    "AccountLocked",
    "AccountUnlocked",
    "Event",
    "Events",
    "LoggedIn",
    "LoginFailed",
    "LoginPending",
    "Reauthenticated",
    "SecretRotated",
    "SessionEnded",
    "SessionEvent",
    "SessionStolen",
    "Throttling",
]

_logger = logging.getLogger("admit.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events: about whom, and when. The subject is empty when nobody knows who it is about."""

    at: datetime
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent(Event):
    """The base of all events of a session."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(SessionEvent):
    """A session began."""

    method: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPending(Event):
    """Somebody has proven who they are, but for a second factor; ``needs`` are the methods that would do."""

    method: str
    needs: tuple[str, ...]
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """A login was refused; ``reason`` is for logs only, because it tells whether the account exists."""

    method: str
    reason: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling(Event):
    """A try was not even looked at, because there were too many; ``counter`` says of what kind."""

    counter: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreated(Event):
    """There is a new account."""

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLocked(Event):
    """An account was locked, and its sessions have ended; ``by`` says who did it."""

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnlocked(Event):
    """The owner of an account may log in again; ``by`` says who did it."""

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed(Event):
    """An account was closed for good; ``by`` says who did it."""

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reauthenticated(SessionEvent):
    """The person behind a session has proven once more who they are; ``replaced_id`` has ended for it."""

    method: str
    replaced_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated(SessionEvent):
    """A session in use got a new secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(SessionEvent):
    """A session ended; ``by`` says who did it, in the application's own words."""

    reason: EndReason
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStolen(SessionEnded):
    """A session ended because somebody presented a secret that its owner had stopped using.

    Either that somebody is a thief, or the owner is, as far as anybody can tell: the session is over for both.
    """


_Kind = TypeVar("_Kind", bound=Event)


class Events:
    """Passes events on to those who subscribed to their type, or to a base of it.

    .. versionadded:: 0.1
    """

    def __init__(self) -> None:
        self._subscribers: defaultdict[type[Event], list[Callable[[Any], object]]] = defaultdict(list)

    def subscribe(self, kind: type[_Kind], function: Callable[[_Kind], object]) -> None:
        """Call ``function`` with every event of this type."""
        self._subscribers[kind].append(function)

    def publish(self, event: Event) -> None:
        """Pass ``event`` on; what a subscriber raises is logged."""
        for kind in type(event).__mro__:
            for function in self._subscribers.get(kind, ()):
                try:
                    function(event)
                except Exception:
                    _logger.exception("A subscriber to %s failed.", kind.__name__)
