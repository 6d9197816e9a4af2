"""Sessions and endings as a few bytes: what stands under a key of Redis.

A value begins with one byte that names the state and the version of this layout. Numbers are big-endian;
a time is the count of microseconds since the first moment of year 1, so that every ``datetime`` fits and
comes back exactly. Parts of unknown length carry their length in front.

::

    ALIVE    lengths 1 · seen_at 8 · created_at 8 · confirmed_at 8 · rotated_at 8 ·
             ends_at - created_at n · idle m ·                                        (so far: the head)
             secret_hash 1+n · nonce 1+n · remembered 1 · seed 1+n · deflated texts
    PENDING  predecessor 1+n · the value that it becomes when the predecessor has ended for it
    ENDED    the head of the session that it was · at 8 · reason 1 · successor 1+n · by 0..n

A duration counts seconds if it is even and microseconds if it is odd, after its last bit: a week takes three
bytes. What a script changes stands before the rest, which it need not understand. The texts (subject,
address, user agent, authentications) are JSON, deflated against a dictionary of what such texts are made of:
an ordinary user agent shrinks from 110 bytes to about 10, and inflating takes half a microsecond. Dictionary
and order of reasons belong to the layout: change either and change the version.
"""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from admit.model import Authentication, Client, Ending, EndReason, Factor, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ALIVE",
    "CONFIRMED",
    "ENDED",
    "FIXED",
    "PENDING",
    "SEEN",
    "Ended",
    "Pending",
    "expires_at",
    "from_unix",
    "pack_ending",
    "pack_guard",
    "pack_note",
    "pack_pending",
    "pack_rotation",
    "pack_session",
    "pack_time",
    "unpack_ended",
    "unpack_note",
    "unpack_pending",
    "unpack_session",
]

ALIVE, PENDING, ENDED = 0x11, 0x12, 0x13

_FIXED = Struct(">BBQQQQ")
SEEN, CONFIRMED, FIXED = 2, 18, _FIXED.size
_TIME = Struct(">Q")
_ENDING = Struct(">QB")

_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)
_YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_NEVER = 2**64 - 1

_REASONS: tuple[EndReason, ...] = (
    EndReason.LOGOUT,
    EndReason.REVOKED,
    EndReason.IDLE,
    EndReason.ABSOLUTE,
    EndReason.REPLACED,
    EndReason.STOLEN,
    EndReason.CAP,
)
_FACTORS = {Factor.KNOW: 1, Factor.HAVE: 2, Factor.ARE: 4}
_FACTOR_SETS: list[frozenset[Factor]] = [
    frozenset(factor for factor, bit in _FACTORS.items() if mask & bit) for mask in range(8)
]
_decode = json.JSONDecoder().raw_decode
# Two kibibytes hold the dictionary below and the text; more would only be cleared at every look-up.
_WINDOW = 11

_TEXTS = (
    '"magic_link"recovery_code"totp"passkey"remembered"],"127.0.0.1","192.168.[["password",1,0]]'
    "(iPad; CPU OS 18_0 like Mac OS X)(X11; Ubuntu; Linux x86_64; rv:130.0)"
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Mobile Safari/537.36 OPR/115.0.0.0 SamsungBrowser/26.0 Edg/130.0.0.0"
    "Mozilla/5.0 (X11; Linux x86_64) Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    'Chrome/130.0.0.0 Safari/537.36",[["password",1,0]]]'
).encode("ascii")


class Pending(NamedTuple):
    """A session that lives from the moment at which its predecessor has ended for it."""

    predecessor: str
    value: bytes


class Ended(NamedTuple):
    """What is left of a session: why it ended, which session followed, when this may be forgotten."""

    ending: Ending
    successor: str
    expires_at: datetime


def pack_session(session: Session) -> bytes:
    """Return the value of a living session; its id is the key's business."""
    stay, idle = _duration(session.ends_at - session.created_at), _duration(session.idle)
    lengths = len(stay) << 4 | len(idle)
    times, secret = pack_rotation(session)
    parts = (
        bytes((ALIVE, lengths)),
        pack_time(session.seen_at),
        pack_time(session.created_at),
        times,
        stay,
        idle,
        secret,
        bytes((session.remembered,)),
        _sized(session.seed),
        _deflate(_texts(session).encode()),
    )
    return b"".join(parts)


def unpack_session(session_id: str, value: bytes) -> Session:
    """Return the session of a value that :func:`pack_session` made."""
    # In one piece, because this is the cost of a look-up beside the round trip.
    lengths: int
    _, lengths, seen, created, confirmed, rotated = _FIXED.unpack_from(value)
    idle_at = FIXED + (lengths >> 4)
    hash_at = idle_at + (lengths & 15) + 1
    nonce_at = hash_at + value[hash_at - 1] + 1
    seed_at = nonce_at + value[nonce_at - 1] + 2
    texts_at = seed_at + value[seed_at - 1]
    texts = zlib.decompressobj(-_WINDOW, zdict=_TEXTS).decompress(value[texts_at:]).decode()
    found: tuple[str, str | None, str | None, list[tuple[str, int, int]]] = _decode(texts)[0]
    subject, address, user_agent, authentications = found
    created_at = _YEAR_1 + timedelta(0, 0, created)
    return Session(
        id=session_id,
        subject=subject,
        secret_hash=value[hash_at : nonce_at - 1],
        seed=value[seed_at:texts_at],
        created_at=created_at,
        seen_at=_YEAR_1 + timedelta(0, 0, seen),
        idle=_timedelta(value[idle_at : hash_at - 1]),
        ends_at=created_at + _timedelta(value[FIXED:idle_at]),
        rotated_at=_YEAR_1 + timedelta(0, 0, rotated),
        confirmed_at=None if confirmed == _NEVER else _YEAR_1 + timedelta(0, 0, confirmed),
        nonce=value[nonce_at : seed_at - 2],
        remembered=value[seed_at - 2] == 1,
        authentications=tuple(
            Authentication(method, _FACTOR_SETS[mask], created_at + timedelta(0, 0, after))
            for method, mask, after in authentications
        ),
        client=Client(address, user_agent),
    )


def pack_rotation(session: Session) -> tuple[bytes, bytes]:
    """Return what a rotation changes: the times that belong to the secret, and its hash and nonce."""
    times = _confirmed(session) + pack_time(session.rotated_at)
    return times, _sized(session.secret_hash) + _sized(session.nonce)


def pack_guard(session: Session) -> bytes:
    """Return what must still stand for a rotation: the time of confirmation and the hash."""
    return _confirmed(session) + _sized(session.secret_hash)


def pack_time(time: datetime) -> bytes:
    """Return a time as it stands in a value's head."""
    return _TIME.pack(_ticks(time))


def pack_pending(predecessor: str, value: bytes) -> bytes:
    """Return the value of a session that waits for its predecessor's ending."""
    return bytes((PENDING,)) + _sized(predecessor.encode()) + value


def unpack_pending(value: bytes) -> Pending:
    """Return what :func:`pack_pending` joined."""
    end = 2 + value[1]
    return Pending(value[2:end].decode(), value[end:])


def pack_ending(ending: Ending, successor: str = "") -> bytes:
    """Return what follows the head in the value of an ended session."""
    fixed = _ENDING.pack(_ticks(ending.at), _REASONS.index(ending.reason))
    by = b"" if ending.by is None else json.dumps(ending.by).encode()
    return fixed + _sized(successor.encode()) + by


def unpack_ended(value: bytes) -> Ended:
    """Return what is left of an ended session."""
    at = FIXED + sum(divmod(value[1], 16))
    ended, reason = _ENDING.unpack_from(value, at)
    successor_at = at + _ENDING.size + 1
    by_at = successor_at + value[successor_at - 1]
    by = json.loads(value[by_at:]) if value[by_at:] else None
    ending = Ending(_REASONS[int(reason)], _time(ended), by)
    return Ended(ending, value[successor_at:by_at].decode(), expires_at(value))


def pack_note(at: datetime, keep: str | None) -> bytes:
    """Return the note that all of a subject's sessions have ended, but one."""
    return pack_time(at) + (keep or "").encode()


def unpack_note(note: bytes) -> tuple[datetime, str]:
    """Return what :func:`pack_note` joined; the id is empty if no session was kept."""
    (at,) = _TIME.unpack_from(note)
    return _time(at), note[_TIME.size :].decode()


def expires_at(value: bytes) -> datetime:
    """Return when a session ends, or would have, from the value of a living or an ended one."""
    _, lengths, seen, created, _, _ = _FIXED.unpack_from(value)
    middle = FIXED + (lengths >> 4)
    idle = _timedelta(value[middle : middle + (lengths & 15)])
    return min(_time(seen) + idle, _time(created) + _timedelta(value[FIXED:middle]))


def from_unix(microseconds: int) -> datetime:
    """Return a time that Redis told."""
    return _YEAR_1970 + timedelta(0, 0, microseconds)


def _texts(session: Session) -> str:
    client = session.client
    authentications = [
        (one.method, _mask(one.factors), (one.at - session.created_at) // _MICROSECOND)
        for one in session.authentications
    ]
    texts = (session.subject, client.address, client.user_agent, authentications)
    return json.dumps(texts, separators=(",", ":"))


def _confirmed(session: Session) -> bytes:
    return _TIME.pack(_NEVER) if session.confirmed_at is None else pack_time(session.confirmed_at)


def _mask(factors: Iterable[Factor]) -> int:
    return sum(_FACTORS[factor] for factor in factors)


def _ticks(time: datetime) -> int:
    return (time - _YEAR_1) // _MICROSECOND


def _time(ticks: int) -> datetime:
    return _YEAR_1 + timedelta(0, 0, ticks)


def _duration(duration: timedelta) -> bytes:
    microseconds = duration // _MICROSECOND
    seconds, rest = divmod(microseconds, _SECOND)
    number = microseconds << 1 | 1 if rest else seconds << 1
    return number.to_bytes(number.bit_length() // 8 + 1, signed=True)


def _timedelta(duration: bytes) -> timedelta:
    number = int.from_bytes(duration, signed=True)
    return timedelta(0, 0, number >> 1) if number & 1 else timedelta(0, number >> 1)


def _sized(part: bytes) -> bytes:
    return bytes((len(part),)) + part


def _deflate(raw: bytes) -> bytes:
    deflating = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW, 9, zdict=_TEXTS)
    return deflating.compress(raw) + deflating.flush()
