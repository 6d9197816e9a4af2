"""What happened, as types to subscribe to. An event never holds a secret.

Events are published after the store has done what they tell of. A subscriber that raises is logged and
disturbs nobody: a full disk under an audit log must not undo a revocation, nor keep anybody from logging in. A keeper
may have them written in one transaction with the change itself; then neither is done without the other.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from admit.errors import Text
from admit.model import Outcome
from admit.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from admit.model import Client, EndReason
    from admit.telling import Keeper

__all__ = [
    "AccountClosed",
    "AccountCreated",
    "AccountErased",
    "AccountLocked",
    "AccountReopened",
    "AccountUnlocked",
    "Event",
    "Events",
    "LoggedIn",
    "LoginFailed",
    "LoginPending",
    "Reauthenticated",
    "Refused",
    "SecretRotated",
    "SessionEnded",
    "SessionEvent",
    "SessionStolen",
    "Throttling",
    "kinds",
    "name_of",
]

# Not "admit.events": what is written there is one JSON object a line.
_logger = logging.getLogger("admit.subscribers")

_NOWHERE: Mapping[Any, bool] = MappingProxyType({})
_START_OF_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events: about whom, and when. The subject is empty when nobody knows who it is about."""

    #: What came of what was tried.
    outcome: ClassVar[Outcome] = Outcome.SUCCESS
    #: What it is called in front of whom it is about.
    said: ClassVar[Text | None] = None
    #: Whether it tells that its session has begun, so that a list for people needs no second line for that.
    tells_login: ClassVar[bool] = False

    at: datetime
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent(Event):
    """The base of all events of a session."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(SessionEvent):
    """A session began."""

    said: ClassVar[Text | None] = Text("You signed in.")

    method: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPending(Event):
    """Somebody has proven who they are, but for a second factor; ``needs`` are the methods that would do."""

    outcome: ClassVar[Outcome] = Outcome.PENDING
    said: ClassVar[Text | None] = Text("The first step of a sign-in was right, and the second was still to come.")

    method: str
    needs: tuple[str, ...]
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """A login was refused; ``reason`` is for logs only, because it tells whether the account exists."""

    outcome: ClassVar[Outcome] = Outcome.FAILURE
    said: ClassVar[Text | None] = Text("A sign-in failed.")

    method: str
    reason: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling(Event):
    """A try was not even looked at, because there were too many; ``counter`` says of what kind."""

    outcome: ClassVar[Outcome] = Outcome.FAILURE
    said: ClassVar[Text | None] = Text("A sign-in was held off, because too many had failed.")

    counter: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Event):
    """Somebody was refused what they may not do: ``action`` is what they asked for, ``code`` that of the answer.

    That somebody is not logged in, or not lately, is no refusal; neither is a wrong password (:class:`LoginFailed`).
    """

    outcome: ClassVar[Outcome] = Outcome.FAILURE
    said: ClassVar[Text | None] = Text("Something was refused.")

    action: str
    code: str
    reason: str
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreated(Event):
    """There is a new account; ``by`` says who made it, if that was not its owner."""

    said: ClassVar[Text | None] = Text("Your account was made.")

    method: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLocked(Event):
    """An account was locked, and its sessions have ended; ``by`` says who did it."""

    said: ClassVar[Text | None] = Text("Your account was locked.")

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnlocked(Event):
    """The owner of an account may log in again; ``by`` says who did it."""

    said: ClassVar[Text | None] = Text("Your account was opened again.")

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed(Event):
    """An account was closed: its sessions have ended, and it is erased later; ``by`` says who did it."""

    said: ClassVar[Text | None] = Text("Your account was closed.")

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReopened(Event):
    """The owner of a closed account has come back in time, by logging in with ``method``."""

    said: ClassVar[Text | None] = Text("Your account was opened again, because you signed in.")

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountErased(Event):
    """All that is kept of a closed account is gone, or goes right after this; told again if that was interrupted.

    Subscribe to it to erase what the application itself keeps of the account.
    """

    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reauthenticated(SessionEvent):
    """The person behind a session has proven once more who they are; ``replaced_id`` has ended for it."""

    said: ClassVar[Text | None] = Text("You confirmed once more that it is you.")

    method: str
    replaced_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated(SessionEvent):
    """A session in use got a new secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(SessionEvent):
    """A session ended; ``by`` says who did it, in the application's own words."""

    said: ClassVar[Text | None] = Text("A device was signed out.")

    reason: EndReason
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStolen(SessionEnded):
    """A session ended because somebody presented a secret that its owner had stopped using.

    Either that somebody is a thief, or the owner is, as far as anybody can tell: the session is over for both.
    """

    outcome: ClassVar[Outcome] = Outcome.FAILURE
    said: ClassVar[Text | None] = Text("A device was signed out, because somebody else used its sign-in as well.")


_Kind = TypeVar("_Kind", bound=Event)


class Events:
    """Passes events on to those who subscribed to their type, or to a base of it.

    Args:
        also: Events of others, whose subscribers are told too; those who subscribe here are not told of theirs.

    .. versionadded:: 0.1
    """

    def __init__(self, also: Events | None = None) -> None:
        self._subscribers: defaultdict[type[Event], list[Callable[[Any], object]]] = defaultdict(list)
        self._keepers: list[Keeper] = []
        self._also = also

    @property
    def keepers(self) -> Sequence[Keeper]:
        """Those who keep every event."""
        return self._keepers if self._also is None else [*self._keepers, *self._also.keepers]

    def subscribe(self, kind: type[_Kind], function: Callable[[_Kind], object]) -> None:
        """Call ``function`` with every event of this type."""
        self._subscribers[kind].append(function)

    def keep_by(self, keeper: Keeper) -> None:
        """Let ``keeper`` keep every event.

        .. versionadded:: 0.2
        """
        self._keepers.append(keeper)

    def telling(self, *events: Event) -> Telling:
        """Return what tells of events if a change is made, and has them written with it where that can be.

        .. versionadded:: 0.2
        """
        return Telling(self, events)

    def publish(self, event: Event, written: Mapping[Keeper, bool] = _NOWHERE) -> None:
        """Pass ``event`` on; what a keeper or a subscriber raises is logged.

        Args:
            event: What happened.
            written: Whether a keeper has written it already.
        """
        for keeper in self.keepers:
            _call(partial(keeper.keep, is_written=written.get(keeper, False)), event)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        for kind in type(event).__mro__:
            for function in self._subscribers.get(kind, ()):
                _call(function, event)
        if self._also is not None:
            self._also._tell(event)  # noqa: SLF001 -- of this class


def _call(function: Callable[[Any], object], event: Event) -> None:
    try:
        function(event)
    except Exception:
        _logger.exception("A subscriber to %s failed.", type(event).__name__)


def name_of(kind: type[Event]) -> str:
    """Return what records and logs call a kind of event: its class in snake case, ``logged_in``."""
    return _START_OF_WORD.sub("_", kind.__name__).lower()


def kinds() -> dict[str, type[Event]]:
    """Return every kind of event that is declared, those of features included, by name."""
    return {name_of(kind): kind for kind in _kinds_of(Event)}


def _kinds_of(kind: type[Event]) -> Iterator[type[Event]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds_of(one)
