"""``flask admit …``: what an operator does with sessions and their tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup

from admit import tokens
from admit.flask.current import active_login_manager
from admit.flask.doctor import doctor
from admit.flask.event_commands import EVENT_COLUMNS, event_row, event_store, events_commands
from admit.flask.naming import account_store, empty_if_unknown, subject_named
from admit.flask.printing import as_json, legible, moment, plain, print_row, print_rows, store_trouble_said
from admit.flask.purging import in_batches, purge, purged_rows
from admit.flask.sessions import UserSession
from admit.flask.settings import ALL_SETTINGS
from admit.flask.state import state_now
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from admit.gate import Gate
    from admit.model import Ending

__all__ = ["admit_commands", "db_commands", "sessions_commands"]

admit_commands: AppGroup = AppGroup("admit", help="Look after logins.")
sessions_commands: AppGroup = AppGroup("sessions", help="List sessions, end them, and say why one ended.")
db_commands: AppGroup = AppGroup("db", help="Look after the tables of the store.")
admit_commands.add_command(sessions_commands)
admit_commands.add_command(db_commands)
admit_commands.add_command(events_commands)
admit_commands.add_command(purge)
admit_commands.add_command(doctor)

#: A session's id that looks like an option.
_DASHED_ID = re.compile(r"-[A-Za-z0-9_-]{21}")

_COLUMNS = ("id", "seen_at", "device", "address", "kind")


class TakesIds(click.Command):
    """A command whose arguments are ids of sessions, of which one in 64 begins with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take such an id for an argument."""
        dashed = [one for one in args if _DASHED_ID.fullmatch(one)]
        if dashed and "--" not in args:
            args = [*(one for one in args if one not in dashed), "--", *dashed]
        return super().parse_args(ctx, args)


@sessions_commands.command("list")
@click.argument("user")
@as_json
def list_sessions(user: str, *, json: bool) -> None:
    """List the living sessions of USER, the latest first.

    USER is an id, an email address or a user name. Without accounts it is what the user's get_id() returns.
    """
    with store_trouble_said(), empty_if_unknown(json=json):
        found = [UserSession(session, _gate()) for session in reversed(_gate().sessions_of(_subject(user)))]
    print_rows(map(_row, found), _COLUMNS, json=json, nothing=f"{user} has no session.")


@sessions_commands.command("revoke", cls=TakesIds)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--user", help="End all sessions of this user: an id, an email address or a user name.")
@click.option("--by", default="operator", show_default=True, help="Who ends them, for the record.")
def revoke_sessions(ids: tuple[str, ...], user: str | None, by: str) -> None:
    """End the sessions with these IDs, or all sessions of a user.

    They are out at their next request. IDs are those that "list" shows.
    """
    if not ids and user is None:
        message = "Nothing to end. Name session IDs, or a user by --user."
        raise click.UsageError(message)
    with store_trouble_said():
        subject = None if user is None else _subject(user)  # before anything ends
        named = sum(_gate().revoke(session_id, by=by) for session_id in ids)
        others = 0 if subject is None else _gate().revoke_all(subject, by=by)
    click.echo(f"Ended {_sessions(named + others)}.")
    if user is not None and not others:
        click.echo(_nothing_of(user))
    missing = len(ids) - named
    if missing:
        message = f"{_sessions(missing)} had ended before, or never {'was' if missing == 1 else 'were'}."
        raise click.ClickException(message)


@sessions_commands.command("purge")
@in_batches()
def purge_sessions(batch: int) -> None:
    """Remove what is left of sessions whose time is over, and what features keep no longer.

    The store is never locked for long: rows go in batches. "purge" does this and more.
    """
    purged = 0
    with store_trouble_said(), click.progressbar(purged_rows(batch), label="Purging", show_pos=True) as batches:
        for count in batches:
            purged += count
    click.echo(f"Removed {purged} rows.")


@sessions_commands.command("why", cls=TakesIds)
@click.argument("session_id", metavar="ID")
@as_json
def why(session_id: str, *, json: bool) -> None:
    """Say why the session with this ID ended.

    With it comes what is recorded of the session.
    """
    with store_trouble_said():
        ending = _gate().why(session_id)
        events = _events_of(session_id)
    if ending is None and not events:
        message = f"Nothing is known of {session_id}: it lives, never lived, or its time is over anyway."
        raise click.ClickException(message)
    row = {"id": session_id, **_ending_row(ending), "events": [plain(one) for one in events]}
    print_row(row, _ending_sentence(session_id, ending), json=json)
    if events and not json:
        print_rows(events, EVENT_COLUMNS, json=False)


@db_commands.command("upgrade")
def upgrade_tables() -> None:
    """Make the store's tables, or bring them up to date."""
    upgrades = [store.upgrade for store in _stores() if hasattr(store, "upgrade")]
    if not upgrades:
        click.echo("This store has no tables.")
        return
    with store_trouble_said():
        for upgrade in upgrades:
            upgrade()
    click.echo("The tables are up to date.")


@admit_commands.command("settings")
def list_settings() -> None:
    """List all settings.

    For each the key, what it does, what it takes and the default.
    """
    for settings in ALL_SETTINGS:
        for row in settings.describe():
            click.echo(f"{row.key}\n    {row.doc}\n    Takes {row.kind}; default {row.default}.")


def _events_of(session_id: str) -> list[dict[str, Any]]:
    """Return what is recorded of a session, the oldest first."""
    store = event_store()
    found = () if store is None else store.list_events(session=tokens.short_hash(session_id))
    return [event_row(link) for link in reversed(found)]


def _ending_row(ending: Ending | None) -> dict[str, Any]:
    if ending is None:
        return {"ended_at": None, "reason": None, "by": None}
    return {"ended_at": ending.at, "reason": str(ending.reason), "by": ending.by}


def _ending_sentence(session_id: str, ending: Ending | None) -> str:
    if ending is None:
        return f"{session_id} has not ended, or its ending is forgotten."
    by = f" by {ending.by}" if ending.by else ""
    return f"{session_id} ended at {moment(ending.at)}: {ending.reason}{by}."


def _stores() -> list[Any]:
    """Return what keeps the sessions and what keeps the accounts, which may be one and the same."""
    sessions, stores = _gate().store, state_now().stores
    found: tuple[Any, ...] = (
        sessions.store if isinstance(sessions, NearStore) else sessions,
        stores and stores.accounts,
    )
    return list({id(store): store for store in found}.values())


def _gate() -> Gate:
    return active_login_manager().sessions.gate


def _row(session: UserSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "seen_at": session.seen_at,
        "device": session.device,
        "address": session.address or "unknown address",
        "kind": "remembered" if session.remembered else "this browser only",
        "created_at": session.created_at,
        "expires_at": session.expires_at,
    }


def _subject(user: str) -> str:
    return subject_named(user, is_known=lambda subject: bool(_gate().sessions_of(subject)))


def _nothing_of(user: str) -> str:
    advice = "" if account_store() else " Without accounts, a user is named by what get_id() returns."
    return legible(f"No session of {user} was found.{advice}")


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
