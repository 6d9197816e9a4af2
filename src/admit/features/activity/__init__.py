"""Activity: what happened with an account, written down where nobody can change it unnoticed, and shown to its owner.

An attacker wants to leave no trace: to edit or remove what was written, to write so much that it is not found, to put
lines of their own into a log, or to read what others did. So records are only ever appended, in a chain
(:mod:`admit.chain`); what costs a stranger nothing is written down only so often; a log line is one JSON object in
printable ASCII; and a page shows exactly the records about who asks for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from admit import device_names, tokens
from admit.errors import ConfigurationError, NotFound, Text
from admit.events import SecretRotated, SessionEnded, kinds, name_of
from admit.feature import Context, Demand, Feature, Reply, Shown, action
from admit.features.activity.lines import Lines
from admit.features.activity.recorder import Recorder
from admit.findings import at_most
from admit.model import EndReason
from admit.settings import setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from admit.chain import Link
    from admit.events import Events
    from admit.findings import Finding
    from admit.model import Account, Client, EventRecord, Session
    from admit.store import EventStore, Stores

__all__ = ["Activity", "ActivityList", "ActivityView"]

_ON_A_PAGE = 50
_AT_ONCE = 500
_MOST_DIGITS = 18

#: What became of a session, in the words of its owner.
_ENDINGS = {
    EndReason.LOGOUT: Text("You signed out."),
    EndReason.IDLE: Text("A device was signed out, because it was not used for long."),
    EndReason.ABSOLUTE: Text("A device was signed out, because its sign-in was long ago."),
    EndReason.REPLACED: Text("A sign-in took the place of an older one on the same device."),
    EndReason.CAP: Text("A device was signed out, because there were too many."),
}


class ActivityView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; ``event`` is its name, and ``by_owner`` whether the account's owner did it."""

    at: datetime
    event: str
    outcome: str
    method: str | None
    reason: str | None
    by_owner: bool
    address: str | None
    device: str | None
    is_this_session: bool


class ActivityList(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, the latest first. With ``before`` the list goes on; ``null`` when there is no more."""

    entries: list[ActivityView]
    before: str | None


class Activity(Feature):
    """Records every event, and shows people what happened with their account.

    .. versionadded:: 0.2
    """

    name = "activity"

    retention: timedelta | None = setting(
        timedelta(days=365), "How long records are kept; the purge removes older ones. None for ever."
    )
    leave_out: tuple[str, ...] = setting(
        (name_of(SecretRotated),), 'Events that are not recorded, such as "secret_rotated", which is mere routine.'
    )
    addresses: bool = setting(True, "Whether addresses and user agents of clients are recorded.")

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        self.demand_positive("retention")
        unknown = sorted(set(self.leave_out) - set(kinds()))
        if unknown:
            message = f"{self.key('leave_out')} has {unknown[0]!r}. The events are {', '.join(sorted(kinds()))}."
            raise ConfigurationError(message)

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Tell of records that are kept for longer than anybody will want them."""
        del features
        why = "and what is personal is to be kept no longer than it is needed"
        return [at_most("retention", self.key("retention"), self.retention, timedelta(days=2 * 366), why)]

    @action("GET", "/activity", title="Activity", page="activity/show", shown=Shown.MEMBERS, demands=Demand.SESSION)
    def show(self, ctx: Context) -> Reply[ActivityList]:
        """Return what happened with the account lately."""
        return _listed(ctx, None)

    @action(
        "GET",
        "/activity/before/<before>",
        title="Older activity",
        page="activity/show",
        demands=Demand.SESSION,
        errors=[NotFound],
    )
    def show_older(self, ctx: Context, before: str) -> Reply[ActivityList]:
        """Return what happened with the account before, from where a list has ended."""
        if not (before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS):
            raise NotFound(reason="no place in a list")
        return _listed(ctx, int(before))

    def watch(self, events: Events, stores: Stores, present: Callable[[], Client | None]) -> None:
        """Record every event from now on."""
        recorder = Recorder(
            _kept(stores.events), stores.counters, present, leave_out=self.leave_out, addresses=self.addresses
        )
        events.keep_by(recorder)

    def purge(self, stores: Stores, *, now: datetime, batch: int) -> int:
        """Remove records that are older than the policy lets them be."""
        if self.retention is None:
            return 0
        return _kept(stores.events).purge_events(before=now - self.retention, batch=batch)

    def export(self, ctx: Context, account: Account) -> Any:
        """Return all that is recorded about the account, the latest first."""
        return [_exported(one, account.id) for one in _records(ctx, account.id, None, _AT_ONCE)] or None

    def erase(self, stores: Stores, account: Account) -> None:
        """Erase what is personal in the records about the account; their places in the chain stay."""
        _kept(stores.events).erase_events(account.id)

    def words(self, entry: ActivityView) -> Text:
        """Return what an entry is called in front of people."""
        if entry.event == name_of(SessionEnded) and entry.reason in _ENDINGS:
            return _ENDINGS[EndReason(entry.reason)]
        kind = kinds().get(entry.event)
        return (kind and kind.said) or Text(entry.event.replace("_", " ").capitalize() + ".")


def _kept(store: EventStore | None) -> EventStore:
    if store is None:
        message = (
            "Activity has no store that keeps events. Give one over SQL, alone or as the first of a pair, "
            "or take Activity out of the features."
        )
        raise ConfigurationError(message)
    return store


def _listed(ctx: Context, before: int | None) -> Reply[ActivityList]:
    session = ctx.demand_session()
    entries: list[ActivityView] = []
    for link, is_line in Lines().marked(_records(ctx, session.subject, before, _ON_A_PAGE + 1)):
        if is_line and len(entries) == _ON_A_PAGE:
            return Reply(ActivityList(entries=entries, before=str(link.number + 1)))
        if is_line:
            entries.append(_view(link, session))
    return Reply(ActivityList(entries=entries, before=None))


def _records(ctx: Context, subject: str, before: int | None, at_once: int) -> Iterator[Link]:
    """Give the records about an account, the latest first, and ask for so many at a time."""
    while page := _kept(ctx.events).list_events(subject=subject, before=before, limit=at_once):
        yield from page
        if len(page) < at_once:
            return
        before = page[-1].number


def _view(link: Link, here: Session) -> ActivityView:
    record = link.record
    user_agent = record.client.user_agent
    return ActivityView(
        at=record.at,
        event=record.name,
        outcome=record.outcome.value,
        method=record.method,
        reason=record.reason,
        by_owner=_is_by_owner(record, here.subject),
        address=record.client.address,
        device=device_names.name_of(user_agent) if user_agent else None,
        is_this_session=record.session == tokens.short_hash(here.id),
    )


def _is_by_owner(record: EventRecord, subject: str) -> bool:
    return record.actor in {"owner", subject}


def _exported(link: Link, subject: str) -> dict[str, Any]:
    """Return a record as its owner gets it. Who else has done something is not theirs to know by name."""
    record = link.record
    return {
        "at": record.at,
        "event": record.name,
        "outcome": record.outcome.value,
        "method": record.method,
        "reason": record.reason,
        "by_owner": _is_by_owner(record, subject),
        "address": record.client.address,
        "user_agent": record.client.user_agent,
        "details": dict(record.details),
    }
