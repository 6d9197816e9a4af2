"""What is kept of an event, and what is logged of it: plain text of bounded length, and no secret."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from admit import tokens
from admit.events import name_of
from admit.model import Client, EndReason, EventRecord, Outcome

if TYPE_CHECKING:
    from admit.events import Event

__all__ = ["line_of", "record_of"]

# What a record has a field for; all else that an event tells is among its details.
_FIELDS = {"at", "subject", "session_id", "method", "reason", "client", "by"}
_LONGEST = 200

#: Why a session ended when its own owner ended it.
_BY_OWNER = {EndReason.LOGOUT, EndReason.REPLACED}


def record_of(event: Event, present: Client | None) -> EventRecord:
    """Return the record of an event.

    Args:
        event: What happened.
        present: What is known of the client of the request in which it happened, if it was in one.
    """
    session_id: str | None = getattr(event, "session_id", None)
    return EventRecord(
        at=event.at,
        name=name_of(type(event)),
        outcome=event.outcome,
        method=_optional(getattr(event, "method", None)),
        reason=_optional(getattr(event, "reason", None)),
        subject=event.subject,
        actor=_actor(event),
        session=None if session_id is None else tokens.short_hash(session_id),
        client=getattr(event, "client", None) or present or Client(),
        details=_details(event),
    )


def line_of(record: EventRecord) -> str:
    """Return a record as one line of JSON in printable ASCII, so that nobody can forge a second line."""
    told = {
        "time": record.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "event": record.name,
        "outcome": record.outcome.value,
        "method": record.method,
        "reason": record.reason,
        "subject": record.subject or None,
        "actor": record.actor,
        "session": record.session,
        "address": record.client.address,
        "user_agent": record.client.user_agent,
        "details": dict(record.details) or None,
    }
    return json.dumps({name: value for name, value in told.items() if value is not None})


def _actor(event: Event) -> str | None:
    """Return who did it, as far as that is known: whom the event names, or the owner of what they have proven."""
    by = getattr(event, "by", None)
    if by is not None:
        return _plain(by)
    reason = getattr(event, "reason", None)
    is_owner = event.outcome is Outcome.SUCCESS and (not isinstance(reason, EndReason) or reason in _BY_OWNER)
    return (event.subject or None) if is_owner else None


def _details(event: Event) -> dict[str, str]:
    others = {one.name: getattr(event, one.name) for one in fields(event) if one.name not in _FIELDS}
    return {name: _detail(name, value) for name, value in others.items() if value is not None}


def _detail(name: str, value: Any) -> str:
    # Whatever is called an id may be one of a session.
    if name.endswith("_id"):
        return tokens.short_hash(str(value))
    if isinstance(value, list | tuple | set | frozenset):
        return _plain(", ".join(sorted(map(str, cast("list[Any]", value)))))
    return _plain(value)


def _optional(value: object) -> str | None:
    return None if value is None else _plain(value) or None


def _plain(value: object) -> str:
    """Return a text in which nothing is more than text, whoever reads it."""
    text = str(value)[:_LONGEST]
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
