"""What a store must be able to do, as protocols.

Values in and out are the frozen nouns of :mod:`admit.model`. A store never sees a secret, only its
hash; it never reads a clock, because times are arguments and :mod:`admit.policy` decides. Absence is
``None`` or ``False``. Whatever the driver raises leaves as :exc:`admit.errors.StoreError` with the
cause attached. :class:`admit.testing.StoreContract` and its siblings are the executable form of this page.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from admit.chain import Ends, Link
    from admit.model import Account, Challenge, Credential, Ending, EventRecord, Session

__all__ = [
    "AccountStore",
    "Announcing",
    "Caching",
    "ChallengeStore",
    "CounterStore",
    "CredentialStore",
    "EventStore",
    "Listening",
    "Recording",
    "SessionStore",
    "Stores",
]


@runtime_checkable
class SessionStore(Protocol):
    """Keeps sessions, and for each ended one why it ended.

    A session that ended is gone for every verb but :meth:`get_ending`. No verb writes back a session
    that another caller ended: a lost race answers ``False``.

    .. versionadded:: 0.1
    """

    def add_session(self, session: Session) -> None:
        """Keep a new session."""
        ...

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        ...

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Note that the session was used; ``False`` if it is gone. Never moves ``seen_at`` back.

        ``expires_at`` is what the session's own property gives after the touch; a store may use it for
        garbage collection, never for a decision.
        """
        ...

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """End the session ``old_id`` and keep ``new``, in one step; ``False`` if the old one is gone.

        Exactly one of any number of callers that replace one session gets ``True``; the others leave
        nothing behind. The two may be of different subjects: two people may use one device.
        """
        ...

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write ``new``'s secret_hash, nonce, rotated_at and confirmed_at if ``old``'s still stand.

        Compare and swap on ``(secret_hash, confirmed_at)`` of the session ``old.id``, which is also
        ``new.id``; all other fields in the store stay as they are. ``False`` if another caller was first
        or the session is gone.
        """
        ...

    def list_sessions(self, subject: str, *, limit: int | None = None) -> Sequence[Session]:
        """Return the subject's sessions, oldest ``created_at`` first, those past their times included.

        With a ``limit``, only the newest so many. Of a longer list it may be those instead that expire last.
        """
        ...

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session and keep why; ``True`` for exactly one caller, the one who ended it."""
        ...

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """End all sessions of the subject but the one with the id ``keep``; return how many ended.

        One that takes the place of another at that moment ends with it, whoever of the two callers is first. Many end
        in steps, so that nobody waits for long for what is locked meanwhile. If a step fails, what ended before stays
        so, and the same call ends the rest.

        Args:
            subject: Whose sessions end.
            keep: The id of the one that stays.
            only: The ids of those that end, in place of all; one that is another subject's stays.
            ending: Why they end.
        """
        ...

    def get_ending(self, session_id: str) -> Ending | None:
        """Return why the session ended; ``None`` if it lives, never lived or is forgotten."""
        ...

    def count_sessions(self, subject: str | None = None) -> int:
        """Return how many sessions are kept, of one subject or of all."""
        ...

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` sessions and endings whose ``expires_at`` is before ``before``.

        Returns how many were removed; less than ``batch`` means that nothing is left to remove. An
        ending expires when its session would have. A store that keeps challenges and counters as well removes
        and counts those that expired, or came to rest, before ``before``.
        """
        ...

    def close(self) -> None:
        """Let go of connections and threads that the store itself opened."""
        ...


@runtime_checkable
class Announcing(Protocol):
    """A store that tells other processes what changed, so that a near cache can drop it.

    .. versionadded:: 0.1
    """

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Call ``drop`` with the id of each session changed or ended elsewhere; return what stops it.

        ``drop(None)`` means that anything may have changed (a lost connection, a whole-table change):
        drop all. Changes made through this very object may be announced as well. ``drop`` may be called
        from any thread and must not raise.
        """
        ...


@runtime_checkable
class Listening(Protocol):
    """An :class:`Announcing` store that knows whether this process hears what others change.

    .. versionadded:: 0.2
    """

    def is_listening(self) -> bool:
        """Return whether this process hears of changes now. While it does not, a near cache keeps nothing."""
        ...

    def on_listening(self, tell: Callable[[bool], object]) -> None:
        """Call ``tell`` with ``True`` when this process begins to hear changes, with ``False`` at a try that fails."""
        ...


@runtime_checkable
class Caching(Protocol):
    """A store that answers from a cache, which can be told to look again.

    .. versionadded:: 0.1
    """

    def forget(self, session_id: str) -> None:
        """Drop what is cached of this session: the next :meth:`SessionStore.get_session` reads the store.

        That there is no session is never cached.
        """
        ...


@runtime_checkable
class AccountStore(Protocol):
    """Keeps accounts; no two of them have an identifier's claim in common (:func:`admit.identifiers.claim_of`).

    That is its key, but for a user name that holds an at-sign: it keeps nobody from having that address.

    .. versionadded:: 0.2
    """

    def add_account(self, account: Account, *credentials: Credential) -> Account:
        """Keep a new account and its first credentials, in one step; return it as it is kept.

        A store that makes ids itself gives it another one, and its credentials with it.

        Raises:
            IdentifierTaken: Another account has one of its keys; nothing was written.
        """
        ...

    def get_account(self, account_id: str) -> Account | None:
        """Return the account with this id, or ``None``."""
        ...

    def find_account(self, key: str) -> Account | None:
        """Return the account that has an identifier with this canonical key, or ``None``.

        Of an address and a user name with one key it is the account that has the address.
        """
        ...

    def replace_account(self, old: Account, new: Account, *credentials: Credential) -> bool:
        """Write ``new``, and its credentials in the same step, if ``old`` still stands; ``False`` if it does not.

        Compare and swap on ``(id, revision)``; what is written has the revision ``old.revision + 1``. A credential
        takes the place of the one of its kind and key, which keeps its id and gets the next revision, so that whoever
        has read the one before can't write it back; where there is none, it is added.

        Raises:
            IdentifierTaken: Another account has one of the new keys; nothing was written.
            StoreError: A credential of that kind and key is another account's; nothing was written.
        """
        ...

    def delete_account(self, account_id: str) -> bool:
        """Forget the account and its credentials; ``False`` if there is none."""
        ...

    def list_accounts(self, *, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts whose id follows ``after``, in the order of their ids."""
        ...

    def list_closed(self, *, before: datetime, after: str = "", limit: int = 100) -> Sequence[Account]:
        """Return at most ``limit`` accounts closed before ``before``, of those that :meth:`list_accounts` lists."""
        ...

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        ...


@runtime_checkable
class CredentialStore(Protocol):
    """Keeps credentials; no two of one kind have the same key.

    .. versionadded:: 0.2
    """

    def add_credential(self, credential: Credential) -> bool:
        """Keep a new credential; ``False`` if its kind has one with this key, or its id is taken."""
        ...

    def get_credential(self, kind: str, key: str) -> Credential | None:
        """Return the credential of this kind with this key, or ``None``."""
        ...

    def list_credentials(self, subject: str) -> Sequence[Credential]:
        """Return the subject's credentials, oldest first."""
        ...

    def replace_credential(self, old: Credential, new: Credential) -> bool:
        """Write ``new`` if ``old`` still stands; ``False`` if it was changed or is gone.

        Compare and swap on ``(id, revision)``; what is written has the revision ``old.revision + 1``. Id, kind, key
        and subject never change.
        """
        ...

    def delete_credential(self, credential_id: str) -> bool:
        """Forget the credential; ``True`` for exactly one caller."""
        ...


@runtime_checkable
class ChallengeStore(Protocol):
    """Keeps challenges until they come back or are too old.

    .. versionadded:: 0.2
    """

    def add_challenge(self, challenge: Challenge, *, alone: bool = False) -> None:
        """Keep a new challenge; ``alone``, and those of the same kind and subject are gone in the same step."""
        ...

    def get_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge with this id, too old or not, or ``None``; it stays."""
        ...

    def take_challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge and forget it: exactly one of any number of callers gets it."""
        ...

    def delete_challenges(self, subject: str, *, kind: str | None = None) -> int:
        """Forget the subject's challenges, of one kind or of all; return how many there were."""
        ...


@runtime_checkable
class CounterStore(Protocol):
    """Counts what may be done only so often, exactly, whoever counts at the same time.

    The algorithm is GCRA (ITU-T I.371): a counter is one time, the *theoretical arrival time* at which it will be
    at rest. Each unit moves it ``interval`` further; ``burst`` units fit in before one has to wait. A counter that is
    at rest is not kept, and there is a bound on how many are kept: beyond it those nearest to rest are forgotten.

    .. versionadded:: 0.2
    """

    def spend(self, key: str, *, now: datetime, interval: timedelta, burst: int) -> timedelta:
        """Take one unit and return zero, or take none and return how long to wait until there is one."""
        ...

    def refund(self, key: str, *, now: datetime, interval: timedelta) -> None:
        """Give one unit back."""
        ...

    def reset_count(self, key: str) -> None:
        """Put the counter at rest."""
        ...


@runtime_checkable
class EventStore(Protocol):
    """Keeps records of events in one chain (:mod:`admit.chain`), to which they are only ever appended.

    .. versionadded:: 0.2
    """

    def add_event(self, record: EventRecord) -> None:
        """Append a record. However many append at once, each gets a place of its own and there is one chain."""
        ...

    def list_events(
        self, *, subject: str | None = None, session: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[Link]:
        """Return at most ``limit`` links, the latest first.

        Args:
            subject: Only those about this one; ``None`` for all.
            session: Only those of the session with this short hash; ``None`` for all.
            before: Only those whose number is lower.
            limit: How many at most.
        """
        ...

    def read_chain(self, *, after: int, limit: int = 1000) -> Sequence[Link]:
        """Return at most ``limit`` links whose number is higher than ``after``, in order, as they are kept."""
        ...

    def get_ends(self) -> Ends:
        """Return where the chain is said to begin and to end, which is kept beside the links."""
        ...

    def erase_events(self, subject: str) -> int:
        """Forget all that is personal in the records about a subject, and the salts; return of how many.

        The links stay, and so does the chain.
        """
        ...

    def purge_events(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` links from the old end of the chain, up to the first that is not before ``before``.

        The chain begins behind them from then on. Returns how many were removed.
        """
        ...


@runtime_checkable
class Recording(Protocol):
    """A store of events that can write them in one transaction with the change that they tell of.

    .. versionadded:: 0.2
    """

    def recording(self, records: Sequence[EventRecord]) -> AbstractContextManager[Callable[[], bool]]:
        """Append the records with the first change that this thread makes in the block: both, or neither.

        What it gives tells whether they were appended. They are not by a change of what another store keeps, nor by
        one that changes nothing: a lost race leaves no record.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """What keeps what: mostly one store for all, or two, one for accounts and one for sessions.

    ``None`` stands for what is not kept at all: Redis keeps no accounts, and a store of one's own for revocable
    sessions needs no more than those.

    .. versionadded:: 0.2
    """

    sessions: SessionStore
    accounts: AccountStore | None = None
    credentials: CredentialStore | None = None
    challenges: ChallengeStore | None = None
    counters: CounterStore | None = None
    events: EventStore | None = None

    def close(self) -> None:
        """Close each store once, even if another one fails to close."""
        kept = (self.sessions, self.accounts, self.credentials, self.challenges, self.counters, self.events)
        with ExitStack() as closing:
            for store in {id(one): one for one in kept}.values():
                closing.callback(getattr(store, "close", _nothing))


def _nothing() -> None:
    """Close what has nothing to close."""
