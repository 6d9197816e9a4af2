"""Sessions and endings as rows of plain columns: whole microseconds since 1970, bytes and text."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from admit.errors import StoreError
from admit.model import Authentication, Client, Ending, EndReason, Factor, Session

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "ENDING_COLUMNS",
    "SESSION_COLUMNS",
    "UNREADABLE",
    "Row",
    "authentications_text",
    "end_row",
    "microseconds",
    "moment",
    "optional",
    "optional_moment",
    "read_authentications",
    "read_ending",
    "read_session",
    "readable",
    "row_of",
]

Row: TypeAlias = "tuple[Any, ...]"

#: In the order in which they are read and written.
SESSION_COLUMNS = (
    "id",
    "subject",
    "secret_hash",
    "seed",
    "nonce",
    "created_at",
    "seen_at",
    "idle",
    "ends_at",
    "rotated_at",
    "confirmed_at",
    "remembered",
    "authentications",
    "address",
    "user_agent",
    "expires_at",
)
ENDING_COLUMNS = ("session_id", "reason", "at", "by", "expires_at")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: What reading a row raises that somebody else wrote.
UNREADABLE = (ValueError, TypeError, OverflowError)
_STRANGE = "A row in the database is not as this version of Admit writes it. Run upgrade(), or use another prefix."


def microseconds(at: datetime) -> int:
    """Return a moment as a column keeps it."""
    return (at - _EPOCH) // _MICROSECOND


def optional(at: datetime | None) -> int | None:
    """Return a moment, if there is one, as a column keeps it."""
    return None if at is None else microseconds(at)


def moment(count: int) -> datetime:
    """Return the moment that a column keeps."""
    return _EPOCH + timedelta(0, 0, count)


def optional_moment(count: int | None) -> datetime | None:
    """Return the moment that a column keeps, if it keeps one."""
    return None if count is None else moment(count)


def row_of(session: Session) -> Row:
    """Return the values of a session's columns."""
    return (
        session.id,
        session.subject,
        session.secret_hash,
        session.seed,
        session.nonce,
        microseconds(session.created_at),
        microseconds(session.seen_at),
        session.idle // _MICROSECOND,
        microseconds(session.ends_at),
        microseconds(session.rotated_at),
        None if session.confirmed_at is None else microseconds(session.confirmed_at),
        session.remembered,
        authentications_text(session.authentications),
        session.client.address,
        session.client.user_agent,
        microseconds(session.expires_at),
    )


def end_row(session_id: str, ending: Ending, expires_at: int) -> Row:
    """Return the values of an ending's columns."""
    return session_id, ending.reason.value, microseconds(ending.at), ending.by, expires_at


def read_session(row: Row) -> Session:
    """Return the session of a row.

    Raises:
        StoreError: The row is not one of ours.
    """
    # Not in the block below: this is the hot path.
    try:
        return _session(*row)
    except UNREADABLE as error:
        raise StoreError(_STRANGE) from error


def read_ending(row: Row) -> Ending:
    """Return the ending of the columns reason, at and by."""
    reason, at, by = row
    with readable():
        return Ending(EndReason(reason), moment(at), by)


@contextmanager
def readable() -> Generator[None]:
    """Say of a row that can't be read in the block that it is none of ours."""
    try:
        yield
    except UNREADABLE as error:
        raise StoreError(_STRANGE) from error


# All positions in one call: this is the hot path, and each name or loop would cost as much as a column. A row
# means the same session every time, and who makes one request mostly makes a few.
@lru_cache(maxsize=1024)
def _session(  # noqa: PLR0913, PLR0917
    session_id: str,
    subject: str,
    secret_hash: bytes,
    seed: bytes,
    nonce: bytes,
    created_at: int,
    seen_at: int,
    idle: int,
    ends_at: int,
    rotated_at: int,
    confirmed_at: int | None,
    remembered: int,
    authentications: str,
    address: str | None,
    user_agent: str | None,
) -> Session:
    return Session(
        session_id,
        subject,
        secret_hash,
        seed,
        moment(created_at),
        moment(seen_at),
        _span(idle),
        moment(ends_at),
        moment(rotated_at),
        None if confirmed_at is None else moment(confirmed_at),
        nonce,
        bool(remembered),
        read_authentications(authentications),
        _client(address, user_agent),
    )


# Few different values, each met again and again; the nouns are frozen, so that sessions may share them.


@lru_cache(maxsize=64)
def _span(count: int) -> timedelta:
    return timedelta(0, 0, count)


@lru_cache(maxsize=1024)
def _client(address: str | None, user_agent: str | None) -> Client:
    return Client(address, user_agent)


@lru_cache(maxsize=1024)
def read_authentications(text: str) -> tuple[Authentication, ...]:
    """Return the authentications that :func:`authentications_text` wrote."""
    return tuple(
        Authentication(method, frozenset(map(Factor, factors)), moment(at)) for method, factors, at in json.loads(text)
    )


def authentications_text(authentications: tuple[Authentication, ...]) -> str:
    """Return authentications as a column keeps them."""
    plain = [[one.method, sorted(one.factors), microseconds(one.at)] for one in authentications]
    return json.dumps(plain, separators=(",", ":"))
