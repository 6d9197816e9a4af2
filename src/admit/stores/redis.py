"""Sessions, challenges and counters in Redis 7 or Valkey, on one server or on a cluster.

What follows is about sessions; see also :mod:`admit.stores.redis_challenges` and :mod:`admit.stores.redis_counters`.
Accounts and credentials are not kept here: they belong where they can be queried and backed up.

**Layout.** One key per session, one per subject::

    admit:s:<id>          the session, or that it ended (see admit.stores.redis_packing)
    admit:u:{<subject>}   a sorted set: the ids of the subject's sessions (see admit.stores.redis_lists)
    admit:changes         the channel on which the id of every changed session is published

A request brings nothing but the session's id, and a look-up is to be one round trip; so in a cluster a
session lies where its id says, and only what belongs to the subject lies together under its hash tag. No
script can change keys of two slots at once. What must happen in one step therefore happens to *one* key: a
session and its ending are two states of the same key, and whoever turns one into the other by a script has
won. The same steps serve a single server, so that there is one order to understand, and to test.

**A login** writes the list entry first and the session then. Killed between, it leaves an entry without a
session, which every reader skips.

**An ending** turns the session into its ending and then takes the entry out of the list. Killed between, it
leaves an entry for what has ended, which the next reader takes out.

**A replacement** writes the new session as *pending*, with the id of its predecessor: as long as that lives
the new session does not. Then it ends the predecessor, noting the successor in the ending: this is the
moment at which the one dies and the other lives. Then it writes the new session without the note. Killed
before that moment, the new session never lived; killed after it, whoever meets the new session finds the
predecessor ended in its favour and finishes the work. Of several replacements one script wins, and the
losers take away what they wrote.

**Ending all of a subject's sessions** goes on until a look finds none: a successor was listed before its
predecessor ended, so none escapes.

**Expiry** is only garbage collection. A key is due one day after its session's last moment, or one day after
it was written if that is later: so clocks that disagree a little lose nothing. An entry without
a session is taken out when the session that it announced would be due, because no writer, however long it was
stopped, can then still write it: the key would be due at once.

A server that evicts keys when its memory is full may evict a list, the ending of a session, or how often somebody has
guessed: give it ``maxmemory-policy noeviction``. It then refuses new sessions when it is full, and goes on ending those
that there are.

Replication is asynchronous. When a primary dies, changes of its last moments may be lost with it, an ending
among them; ``min-replicas-to-write`` narrows that, and nothing in Redis rules it out. A list that was lost is made
again by the next touch or rotation of each session, which also ends those that missed the end of all.
"""

from __future__ import annotations

import re
from collections import deque
from hmac import compare_digest
from itertools import islice
from typing import TYPE_CHECKING

from admit.listening import Changes
from admit.model import Ending, EndReason
from admit.stores import redis_packing as packing
from admit.stores.redis_challenges import RedisChallenges
from admit.stores.redis_changes import hearing
from admit.stores.redis_counters import RedisCounters
from admit.stores.redis_lists import GRACE, Lists, milliseconds
from admit.stores.redis_records import STEP, Records
from admit.stores.redis_scripts import NOW, ROTATE, TOUCH
from admit.stores.redis_urls import open_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from redis import Redis
    from redis.cluster import RedisCluster

    from admit.model import Session

__all__ = ["RedisStore"]

_FACT = re.compile(r"^(\w+):(\S+)", re.MULTILINE)


class RedisStore(RedisChallenges, RedisCounters):
    """Keeps sessions, challenges and counters in Redis or Valkey, and tells other processes which sessions changed.

    Args:
        where: A URL (``redis://``, ``rediss://``, ``unix://``, ``redis+cluster://host:port,host:port``), or
            a client of redis-py, whose addresses, credentials and encryption are used.
        prefix: What the names of all keys begin with, and the channel's.
        connect_timeout: How long to wait for a connection, in seconds.
        command_timeout: How long to wait for an answer, in seconds.
        max_counters: How many counters are kept at most; beyond it those nearest to rest are forgotten.

    Raises:
        ConfigurationError: The URL is none of Redis.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       Keeps challenges and counters too; ``max_counters``.
    """

    def __init__(
        self,
        where: str | Redis | RedisCluster,
        *,
        prefix: str = "admit:",
        connect_timeout: float = 0.5,
        command_timeout: float = 0.5,
        max_counters: int = 100_000,
    ) -> None:
        self._prefix, self._max_counters = prefix, max_counters
        self._nodes = open_nodes(where, connect_timeout=connect_timeout, command_timeout=command_timeout)
        self._records = Records(self._nodes, prefix)
        self._lists = Lists(self._nodes, prefix)
        self._changes = Changes(hearing(self._nodes.listen, self._records.channel))
        self._walks: deque[Iterator[bytes]] = deque()

    def add_session(self, session: Session) -> None:
        """Keep a new session."""
        due = self._lists.enter(session)
        self._records.write(session.id, packing.pack_session(session), due)

    def get_session(self, session_id: str) -> Session | None:
        """Return the session with this id, alive or past its times, or ``None``."""
        session = self._records.get(session_id)
        self._changes.keep_listening()
        return session

    def touch_session(self, session_id: str, *, seen_at: datetime, expires_at: datetime) -> bool:
        """Note that the session was used; ``False`` if it is gone. Never moves ``seen_at`` back."""
        seen = packing.pack_time(seen_at)
        value = self._records.change(TOUCH, session_id, seen, milliseconds(expires_at), GRACE)
        session = self._records.living(session_id, value)
        return session is not None and self._is_listed(session)

    def replace_session(self, old_id: str, new: Session, *, ending: Ending) -> bool:
        """End the session ``old_id`` and keep ``new``, in one step; ``False`` if the old one is gone."""
        due = self._lists.enter(new)
        self._records.write(new.id, packing.pack_pending(old_id, packing.pack_session(new)), due)
        old = self._records.end(old_id, packing.pack_ending(ending, new.id))
        if old is None:
            self._records.remove(new.id)
            self._lists.leave(new.subject, [new.id])
            return False
        self._records.promote(new.id)
        self._lists.leave(old.subject, [old_id])
        return True

    def replace_secret(self, old: Session, new: Session) -> bool:
        """Write ``new``'s secret and what belongs to it if ``old``'s still stands."""
        answer = self._records.change(ROTATE, old.id, packing.pack_guard(old), *packing.pack_rotation(new))
        if answer != 1:
            return False
        # A confirmation comes with the second request of each login: nothing is lost so soon.
        return compare_digest(new.secret_hash, old.secret_hash) or self._is_listed(new)

    def list_sessions(self, subject: str, *, limit: int | None = None) -> Sequence[Session]:
        """Return the subject's sessions, oldest ``created_at`` first, those past their times included.

        With a limit, those of a long list that are due last.
        """
        listed = sorted(self._living(subject, limit), key=lambda session: session.created_at)
        return listed if limit is None else listed[-limit:]

    def delete_session(self, session_id: str, *, ending: Ending) -> bool:
        """End the session and keep why; ``True`` for exactly one caller, the one who ended it."""
        session = self._records.end(session_id, packing.pack_ending(ending))
        if session is None:
            return False
        self._lists.leave(session.subject, [session_id])
        return True

    def delete_sessions(
        self, subject: str, *, keep: str | None = None, only: Sequence[str] | None = None, ending: Ending
    ) -> int:
        """End all sessions of the subject but the one with the id ``keep``, or only some; return how many ended."""
        text = packing.pack_ending(ending)
        if only is not None:
            found = {one.id for one in self._living_of(subject, only)}
            return self._end_some(subject, [one for one in dict.fromkeys(only) if one in found and one != keep], text)
        self._lists.note_end(subject, ending.at, keep)
        ended = 0
        while doomed := [one.id for one in self._living(subject) if one.id != keep]:
            ended += self._end_some(subject, doomed, text)
        return ended

    def get_ending(self, session_id: str) -> Ending | None:
        """Return why the session ended; ``None`` if it lives, never lived or is forgotten."""
        ended = self._records.get_ended(session_id)
        return None if ended is None else ended.ending

    def count_sessions(self, subject: str | None = None) -> int:
        """Return how many sessions are kept, of one subject or of all.

        To count all, every key is looked at, a few hundred at a time: seconds for a million sessions.
        """
        return self._records.count() if subject is None else len(self._living(subject))

    def purge(self, *, before: datetime, batch: int = 1000) -> int:
        """Remove at most ``batch`` things whose time was over before ``before``.

        Redis does so by itself, a day later. A call goes on where the last one stopped; when it returns
        less than ``batch`` it has gone through all keys.
        """
        removed = 0
        for walk in (self._last_walk(), self._records.walk()):
            while keys := list(islice(walk, min(STEP, batch - removed))):
                removed += self._purge(keys, before)
            if removed == batch:
                self._walks.append(walk)
                return removed
        removed += self._purge_challenges(before, batch - removed)
        return removed + self._purge_counters(before, batch - removed)

    def on_change(self, drop: Callable[[str | None], None]) -> Callable[[], None]:
        """Call ``drop`` with the id of each session that changed; return what stops it.

        One thread listens for the whole process. Whenever it begins to listen, and whenever it can't any
        longer, it calls ``drop(None)``.
        """
        return self._changes.subscribe(drop)

    def is_listening(self) -> bool:
        """Return whether this process hears of changes now."""
        return self._changes.are_heard

    def on_listening(self, tell: Callable[[bool], object]) -> None:
        """Call ``tell`` with ``True`` when this process begins to hear changes, with ``False`` at a try that fails."""
        self._changes.watch(tell)

    def now(self) -> datetime:
        """Return the time of the server; of a cluster, of one node, which is the same one for everybody."""
        return packing.from_unix(int(self._nodes.ask("EVALSHA", NOW, 1, f"{self._prefix}time")))

    def eviction_policy(self) -> str:
        """Return what the server does when its memory is full: ``noeviction``; of a cluster, of the worst node.

        Raises:
            StoreError: The server did not answer, or does not tell it to this user.

        .. versionadded:: 0.2
        """
        policies = [said.get("maxmemory_policy", "noeviction") for said in self._told("memory")]
        return next((one for one in policies if one != "noeviction"), "noeviction")

    def fullness(self) -> float | None:
        """Return which part of its ``maxmemory`` the fullest server uses; ``None`` if none has a limit.

        Raises:
            StoreError: The server did not answer, or does not tell it to this user.

        .. versionadded:: 0.2
        """
        limited = [said for said in self._told("memory") if int(said.get("maxmemory", 0))]
        return max((int(said["used_memory"]) / int(said["maxmemory"]) for said in limited), default=None)

    def can_save(self) -> bool:
        """Return whether every server could write to its disk the last time; one that can't refuses all changes.

        Raises:
            StoreError: The server did not answer, or does not tell it to this user.

        .. versionadded:: 0.2
        """
        return all(
            said.get(name, "ok") == "ok"
            for said in self._told("persistence")
            for name in ("rdb_last_bgsave_status", "aof_last_write_status")
        )

    def close(self) -> None:
        """Stop listening and close the connections."""
        self._changes.stop()
        self._nodes.close()

    def _living(self, subject: str, limit: int | None = None) -> list[Session]:
        """Return the subject's sessions, and take out of the list what has ended or was never written."""
        entries = self._lists.ids(subject)
        found: dict[str, Session] = {}
        for start in range(0, len(entries), STEP):
            found.update((one.id, one) for one in self._living_of(subject, entries[start : start + STEP]))
            if limit is not None and len(found) >= limit:
                break
        return list(found.values())

    def _living_of(self, subject: str, entries: Sequence[str]) -> list[Session]:
        values = self._records.read_all(entries)
        living = {one: self._records.living(one, value) for one, value in values.items()}
        ended = [one for one, value in values.items() if value is not None and living[one] is None]
        absent = [one for one, value in values.items() if value is None]
        if ended:
            self._lists.leave(subject, ended)
        if absent:
            self._lists.forget(subject, absent)
        return [session for session in living.values() if session is not None and session.subject == subject]

    def _end_some(self, subject: str, session_ids: Sequence[str], text: bytes) -> int:
        """End sessions of a subject, in steps that hold the server up for no longer than others can wait."""
        ended = 0
        for start in range(0, len(session_ids), STEP):
            step = session_ids[start : start + STEP]
            ended += self._records.end_all(step, text)
            self._lists.leave(subject, step)
        return ended

    def _told(self, section: str) -> list[dict[str, str]]:
        """Return a section of what each server tells about itself."""
        return [dict(_FACT.findall(one.decode())) for one in self._nodes.ask_each("INFO", section)]

    def _is_listed(self, session: Session) -> bool:
        """Put a session back into its list if that was lost; end it if it has missed the end of all, and say so."""
        ended_at = self._lists.restore(session)
        if ended_at is not None:
            self.delete_session(session.id, ending=Ending(EndReason.REVOKED, ended_at))
        return ended_at is None

    def _last_walk(self) -> Iterator[bytes]:
        try:
            return self._walks.pop()
        except IndexError:
            return iter(())

    def _purge(self, keys: Sequence[bytes], before: datetime) -> int:
        dropped = self._records.drop_expired(keys, before)
        self._lists.leave_all([session for session in dropped if session is not None])
        return len(dropped)
