"""What is wrong with what an application stands on: its stores and its mail server. They are asked, and a little tried.

Nothing that is found out here is an exception: a store that does not answer is a finding, and the others go on.
"""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from admit import tokens
from admit.adopting import SharingKeys
from admit.background import BackgroundSender
from admit.errors import StoreError
from admit.findings import error, note, ok, warning
from admit.flask.mailing import Unsent
from admit.flask.store_health import health_findings
from admit.mail import ConsoleSender, Greeting
from admit.store import Announcing, Listening
from admit.stores import is_in_memory
from admit.stores.near import NearStore
from admit.stores.pushing import seconds_until_heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from admit.findings import Finding
    from admit.flask.facts import Facts
    from admit.store import Stores

__all__ = ["kind_of_disk", "store_findings"]

_ROUNDS = 5
#: More than this is felt, in seconds: each request that asks who the user is waits for it.
_SLOW = 0.02
#: What a daily purge has left behind is older than this only if there is none.
_OVERDUE = timedelta(days=2)
#: Of how many users the names are compared: more would take long, and tell nothing new.
_MOST_USERS = 100_000
_MOST_NAMED = 20
#: How long a change may take to be heard, in seconds.
_PATIENCE = 3.0
_MOUNTS = Path("/proc/mounts")
_FAR_DISKS = frozenset({"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs"})
_CHECK_IT = "Check that it runs, and that its address and its rights are right."


def store_findings(facts: Facts, *, now: datetime) -> Iterator[Finding]:
    """Return what the stores and the mail server of an application answer.

    Args:
        facts: What is known of it.
        now: The present time, aware and UTC.
    """
    if facts.stores is not None:
        for store in _kept(facts.stores):
            yield from _of_store(store, facts, now)
        yield from _near(facts.stores, now)
    if facts.sends_mail:
        yield from _mail(facts.sender)


def _kept(stores: Stores) -> list[Any]:
    """Return what keeps sessions and what keeps accounts, which may be one and the same."""
    found = (_inner(stores.sessions), stores.accounts)
    return list({id(store): store for store in found if store is not None}.values())


def _inner(store: Any) -> Any:
    return store.store if isinstance(store, NearStore) else store


def _of_store(store: Any, facts: Facts, now: datetime) -> Iterator[Finding]:
    name = type(store).__name__
    try:
        seconds = _latency(getattr(store, "get_session", None) or store.get_account)
        yield _of_latency(name, seconds)
        yield from _overdue(store, name, now)
        yield from _keys(store)
        yield from _users(store)
        yield from _table(store, facts)
    except StoreError as problem:
        # Tables that are not there look the same as a store that is not.
        yield error("store", f"{name} does not answer: {problem}.", f"{_CHECK_IT} Tables are made by admit db upgrade.")
        return
    yield from _tables(store, name)
    yield from _eviction(store, name)
    yield from _disk(store)
    yield from health_findings(store, name)


def _latency(ask: Callable[[str], object]) -> float:
    took: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        ask(tokens.new_id())
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _of_latency(name: str, seconds: float) -> Finding:
    sentence = f"{name} answers in {seconds * 1000:.1f} ms."
    if seconds <= _SLOW:
        return ok("store", sentence)
    return warning("store", sentence, "Bring it nearer: each request that asks who the user is waits for that.")


def _tables(store: Any, name: str) -> Iterator[Finding]:
    if not hasattr(store, "is_current"):
        return
    try:
        is_current = store.is_current()
    except StoreError:
        is_current = False
    if is_current:
        yield ok("tables", f"The tables of {name} are of this version.")
    else:
        yield error("tables", f"The tables of {name} are of another version.", "Run admit db upgrade.")


def _overdue(store: Any, name: str, now: datetime) -> Iterator[Finding]:
    if not hasattr(store, "count_overdue"):
        return
    count = store.count_overdue(before=now - _OVERDUE)
    if not count:
        yield ok("purge", f"Nothing in {name} is overdue for the purge.")
        return
    sentence = f"{count} things in {name} or more are over since {_OVERDUE.days} days: nobody purges."
    yield warning("purge", sentence, "Run admit purge every day.")


def _eviction(store: Any, name: str) -> Iterator[Finding]:
    """Tell of a server that forgets what it likes when it is full: sessions, and how often somebody has guessed."""
    if not hasattr(store, "eviction_policy"):
        return
    advice = "Set maxmemory-policy noeviction, and give it a server of its own."
    try:
        policy: str = store.eviction_policy()
    except StoreError as problem:
        yield note("eviction", f"{name} does not say what it does when it is full: {problem}.", advice)
        return
    if policy == "noeviction":
        yield ok("eviction", f"{name} forgets nothing when it is full.")
    else:
        sentence = (
            f"{name} is set to {policy}: when it is full it forgets sessions, and how often somebody has guessed."
        )
        yield warning("eviction", sentence, advice)


def _keys(store: Any) -> Iterator[Finding]:
    """Tell of a table whose next user gets the key of one who was deleted."""
    if hasattr(store, "uses_keys_again") and store.uses_keys_again():
        sentence = (
            "SQLite gives the key of a deleted user to the next one, who would have the old sessions if another "
            "program deletes and adds the rows."
        )
        advice = (
            'Make the table with __table_args__ = {"sqlite_autoincrement": True}, or call sessions.revoke_all(user) '
            "when you delete a user."
        )
        yield note("keys", sentence, advice)


def _table(store: Any, facts: Facts) -> Iterator[Finding]:
    """Tell of an application's own table whose users get no mails, or whose hashes can't be read."""
    if isinstance(store, SharingKeys):
        mails_confirmed_only = any(one.mails_confirmed_only for one in facts.features.values())
        for told in store.start_findings(mails_confirmed_only=mails_confirmed_only):
            said, _, advice = told.rpartition(". ")
            yield warning("users", f"{said}.", advice)


def _users(store: Any) -> Iterator[Finding]:
    """Tell of users of an application's own table who can't sign in."""
    if not hasattr(store, "findings"):
        return
    count: int = store.count_accounts()
    if count > _MOST_USERS:
        sentence = f"There are {count} users: too many to compare their names here."
        yield note("users", sentence, "Ask ModelAccounts.findings() for those who can't sign in, at a quiet time.")
        return
    found = iter(store.findings())
    for _, sentence in zip(range(_MOST_NAMED), found, strict=False):
        said, _, advice = sentence.rpartition(". ")
        yield warning("users", f"{said}.", advice)
    if next(found, None) is not None:
        yield note("users", "There are more such users.", "Ask ModelAccounts.findings() for all.")


def _disk(store: Any) -> Iterator[Finding]:
    file: Path | None = getattr(store, "file", None)
    if file is None or not _MOUNTS.exists():
        return
    kind = kind_of_disk(file, _MOUNTS.read_text(errors="replace"))
    if kind in _FAR_DISKS:
        sentence = f"{file} is on a disk of the network ({kind}), where SQLite can lose what it has written."
        yield error("disk", sentence, "Move it to a disk of this machine, or use PostgreSQL.")


def kind_of_disk(file: Path, mounts: str) -> str:
    """Return the kind of file system that a file is on.

    Args:
        file: Its absolute path.
        mounts: What Linux says in ``/proc/mounts``.
    """
    found = [line.split()[1:3] for line in mounts.splitlines()]
    above = [(place, kind) for place, kind in found if file.is_relative_to(place.replace("\\040", " "))]
    # Of two mounts at one place the later one is seen.
    return max(reversed(above), key=lambda one: len(one[0]), default=("", ""))[1]


def _near(stores: Stores, now: datetime) -> Iterator[Finding]:
    near, store = stores.sessions, _inner(stores.sessions)
    if is_in_memory(store):
        return
    advice = "Let the user of the store listen and notify, and connect without a pooler in between."
    if not isinstance(near, NearStore):
        yield ok("near_cache", "No sessions are kept at hand: each change counts at once.")
    elif not isinstance(store, Announcing):
        sentence = f"{type(store).__name__} does not tell what changed, so that an ended session goes on for a moment."
        yield note("near_cache", sentence, "Give it on_change(), or set ADMIT_STORE_NEAR_ENTRIES to 0.")
    else:
        yield from _push(store, now, advice)


def _push(store: Any, now: datetime, advice: str) -> Iterator[Finding]:
    # SQLite only tells that something has changed.
    names_sessions = getattr(store, "file", None) is None
    try:
        seconds = seconds_until_heard(store, store, now=now, patience=_PATIENCE, names_sessions=names_sessions)
    except StoreError as problem:
        yield error("near_cache", f"Changes could not be tried: {problem}.", _CHECK_IT)
        return
    if seconds is None and isinstance(store, Listening) and not store.is_listening():
        sentence = f"{type(store).__name__} does not let this process listen, so that it asks at each request."
        yield error("near_cache", sentence, f"{advice} The log of admit.store says what went wrong.")
    elif seconds is None:
        sentence = "The store does not push: a session that was ended elsewhere goes on for ADMIT_STORE_NEAR_MAX_AGE."
        yield error("near_cache", sentence, advice)
    else:
        yield ok("near_cache", f"A change is heard after {seconds * 1000:.0f} ms.")


def _mail(sender: Any) -> Iterator[Finding]:
    sender = sender.sender if isinstance(sender, BackgroundSender) else sender
    if isinstance(sender, ConsoleSender | Unsent):
        return  # which is said elsewhere
    if not isinstance(sender, Greeting):
        sentence = f"Whether {type(sender).__name__} could send a mail can't be asked."
        yield note("mail", sentence, "Send yourself one, or give the sender a method greet().")
        return
    try:
        sender.greet()
    except OSError as problem:
        sentence = f"The mail server does not take mails: {type(problem).__name__}: {_first_line(problem)}."
        yield error("mail", sentence, "Check ADMIT_MAIL_URL: host, port, encryption, user and password.")
    else:
        yield ok("mail", "The mail server lets this sender in.")


def _first_line(problem: OSError) -> str:
    return " ".join(str(problem).split())[:200]
