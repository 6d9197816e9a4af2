"""``admit events …``: what was recorded, and whether anybody has changed it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup

from admit import chain, tokens
from admit.chain import Flaw
from admit.flask.naming import empty_if_unknown, subject_named
from admit.flask.printing import as_json, print_row, print_rows, store_trouble_said
from admit.flask.state import state_now

if TYPE_CHECKING:
    from admit.chain import Link, Verdict
    from admit.store import EventStore

__all__ = ["EVENT_COLUMNS", "event_row", "event_store", "events_commands"]

events_commands: AppGroup = AppGroup("events", help="List what was recorded, and find what somebody changed.")

#: What people are shown of a record; JSON has all of it.
EVENT_COLUMNS = ("number", "at", "event", "outcome", "subject", "actor", "method", "reason", "address")

_HASH_LENGTH = 32
_FOUND = {
    Flaw.EDITED: "Record {number} was edited.",
    Flaw.REMOVED: "Record {number} was removed.",
    Flaw.REORDERED: "Record {number} was re-ordered: it is not where it was written.",
    Flaw.ADDED: "Record {number} was added past the chain.",
}


@events_commands.command("list")
@click.option("--subject", metavar="USER", help="Only those about USER: an id, an email address or a user name.")
@click.option("--session", metavar="ID", help="Only those of the session with this ID.")
@click.option("--before", type=click.IntRange(1), help="Only those with a lower number than this one.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@as_json
def list_events(*, subject: str | None, session: str | None, before: int | None, limit: int, json: bool) -> None:
    """List what was recorded, the latest first."""
    session_hash = None if session is None else tokens.short_hash(session)
    with store_trouble_said(), empty_if_unknown(json=json):
        narrowed = None if subject is None else _subject(subject)
        found = _store().list_events(subject=narrowed, session=session_hash, before=before, limit=limit)
    print_rows(map(event_row, found), EVENT_COLUMNS, json=json, nothing="Nothing is recorded.")


@events_commands.command("verify")
@click.option("--head", "heads", multiple=True, metavar="HASH", help="A head that was printed before.")
@click.option("--batch", type=click.IntRange(1), default=1000, show_default=True, help="How many to read at once.")
@as_json
@click.pass_context
def verify(ctx: click.Context, *, heads: tuple[str, ...], batch: int, json: bool) -> None:
    """Look at all records, and say whether one was edited, removed, re-ordered or added.

    Prints the head, which stands for everything so far. Keep it where whoever writes to the database can't: given by
    --head, it tells whether it is still in the chain. The exit code is 1 when something is wrong.
    """
    known = {_hash(head): head for head in heads}
    with store_trouble_said():
        store = _store()
        ends = store.get_ends()
        length = ends.head_number - ends.base_number
        # On standard error, so that what follows can be read by a program.
        with click.progressbar(length=length, label="Verifying", show_pos=True, file=sys.stderr) as bar:
            verdict = chain.verify(store, heads=known, tell=bar.update, batch=batch)
    wrong = [_FOUND[verdict.flaw].format(number=verdict.number)] if verdict.flaw else []
    wrong += [f"The head {known[one]} is not in the chain." for one in sorted(verdict.missing)]
    print_row(_row_of(verdict), _sentence(verdict), json=json)
    if not json:
        click.echo(f"Head: {verdict.ends.head_hash.hex()}")
    for sentence in wrong:
        click.echo(sentence, err=True)
    ctx.exit(1 if wrong else 0)


@events_commands.command("erase")
@click.argument("subject", metavar="USER")
@click.confirmation_option(prompt="What is erased can't be had back. Go on?")
@as_json
def erase(subject: str, *, json: bool) -> None:
    """Forget all that is personal in the records about USER: an id, an email address or a user name.

    Their places in the chain stay, so that it can still be verified.
    """
    with store_trouble_said():
        count = _store().erase_events(_subject(subject))
    print_row({"erased": count}, f"Erased what was personal in {_records(count)}.", json=json)


def event_store() -> EventStore | None:
    """Return what keeps the events of this application, if anything does."""
    accounts = state_now().keeper.accounts
    return None if accounts is None else accounts.stores.events


def event_row(link: Link) -> dict[str, Any]:
    """Return what is printed of a record."""
    record = link.record
    return {
        "number": link.number,
        "at": record.at,
        "event": record.name,
        "outcome": str(record.outcome),
        "subject": record.subject,
        "actor": record.actor,
        "method": record.method,
        "reason": record.reason,
        "address": record.client.address,
        "user_agent": record.client.user_agent,
        "session": record.session,
        "details": dict(record.details),
        "erased": link.is_erased,
        "hash": link.hash.hex(),
    }


def _store() -> EventStore:
    store = event_store()
    if store is None:
        message = "Nothing is recorded here. Give LoginManager the feature Activity(), and a store over SQL."
        raise click.ClickException(message)
    return store


def _subject(name: str) -> str:
    """Return the subject that is meant; there may be records about accounts that are gone."""
    return subject_named(name, is_known=lambda subject: bool(_store().list_events(subject=subject, limit=1)))


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != _HASH_LENGTH:
        message = f"{text!r} is no head. Give the 64 hexadecimal digits that verify has printed."
        raise click.UsageError(message)
    return found


def _row_of(verdict: Verdict) -> dict[str, Any]:
    return {
        "holds": verdict.holds,
        "checked": verdict.checked,
        "erased": verdict.erased,
        "flaw": None if verdict.flaw is None else str(verdict.flaw),
        "number": verdict.number,
        "missing": sorted(one.hex() for one in verdict.missing),
        "first": verdict.ends.base_number + 1,
        "last": verdict.ends.head_number,
        "head": verdict.ends.head_hash.hex(),
    }


def _sentence(verdict: Verdict) -> str:
    erased = f", {verdict.erased} of them erased" if verdict.erased else ""
    told = "The chain holds" if verdict.holds else "Something is wrong"
    return f"{told}. Verified {_records(verdict.checked)}{erased}."


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"
