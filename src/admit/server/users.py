"""``admit user …``: what an operator does with accounts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup

from admit.errors import IdentifierTaken
from admit.flask.context import application
from admit.flask.naming import account_named
from admit.flask.printing import as_json, print_row, print_rows
from admit.operations import create_account, lock_account, new_account, unlock_account
from admit.server.app import has_public_url
from admit.server.pages import accounts_of
from admit.server.program import the_setup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.flask.accounts import Accounts
    from admit.model import Account, Credential

__all__ = ["user_commands"]

user_commands: AppGroup = AppGroup("user", help="Make accounts, look at them, and lock them.")

_BY = "operator"
_AT_ONCE = 100
_COLUMNS = ("id", "name", "email", "roles", "state", "created_at")


@user_commands.command("create")
@click.option("--email", help="The mail address.")
@click.option("--username", help="The user name.")
@click.option("--role", "roles", multiple=True, help="A role, such as admin; may be given more than once.")
@click.option("--verified", is_flag=True, help="The address is known to be the owner's: no mail has to confirm it.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@as_json
def create_user(  # noqa: PLR0913 -- what an account is made of
    *, email: str | None, username: str | None, roles: tuple[str, ...], verified: bool, password_stdin: bool, json: bool
) -> None:
    """Make an account.

    It needs a mail address or a user name. The password is asked for twice.
    """
    if email is None and username is None:
        message = "An account needs a name. Give it one by --email or --username."
        raise click.UsageError(message)
    accounts = _accounts()
    account = new_account(at=accounts.now(), email=email, username=username, roles=roles, verified=verified)
    taken = [one.value for one in account.identifiers if accounts.store.find_account(one.key) is not None]
    if taken:  # told before a password is asked for
        raise _taken(*taken)
    credentials = _credentials(accounts, account, is_piped=password_stdin)
    try:
        account = create_account(accounts.keeper.gate, accounts.store, account, *credentials, method=_BY)
    except IdentifierTaken as error:
        raise _taken(account.label) from error
    print_row(_row(account), f"{account.label} has an account now: {account.id}.", json=json)


@user_commands.command("list")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many at most.")
@as_json
def list_users(*, limit: int, json: bool) -> None:
    """List the accounts, the oldest first."""
    found = [_row(one) for one in _first(_accounts(), limit)]
    print_rows(found, _COLUMNS, json=json, nothing="There is no account.")


@user_commands.command("show")
@click.argument("user")
@as_json
def show_user(user: str, *, json: bool) -> None:
    """Show the account of USER: an id, an email address or a user name."""
    accounts = _accounts()
    account = account_named(accounts.store, user)
    kinds = sorted({one.kind for one in accounts.credentials.list_credentials(account.id)})
    sessions = len(accounts.keeper.gate.sessions_of(account.id))
    print_row({**_row(account), "verified": account.is_verified, "credentials": kinds, "sessions": sessions}, json=json)


@user_commands.command("lock")
@click.argument("user")
@click.option("--by", default=_BY, show_default=True, help="Who does it, for the record.")
@as_json
def lock_user(user: str, *, by: str, json: bool) -> None:
    """Lock the account of USER: an id, an email address or a user name.

    Nobody can log in to it, and whoever is logged in is out at the next request.
    """
    accounts = _accounts()
    account = account_named(accounts.store, user)
    ended = lock_account(accounts.keeper.gate, accounts.store, account.id, at=accounts.now(), by=by)
    sessions = "1 session" if ended == 1 else f"{ended} sessions"
    print_row({"id": account.id, "ended": ended}, f"{account.label} is locked; {sessions} ended.", json=json)


@user_commands.command("unlock")
@click.argument("user")
@click.option("--by", default=_BY, show_default=True, help="Who does it, for the record.")
@as_json
def unlock_user(user: str, *, by: str, json: bool) -> None:
    """Let the owner of a locked account log in again.

    USER is an id, an email address or a user name.
    """
    accounts = _accounts()
    account = account_named(accounts.store, user)
    unlock_account(accounts.keeper.gate, accounts.store, account.id, at=accounts.now(), by=by)
    print_row({"id": account.id}, f"{account.label} is open again.", json=json)


@user_commands.command("invite")
@as_json
def invite_user(*, json: bool) -> None:
    """Print a link by which one person can sign up.

    It is shown this once. It counts where signing up is by invitation (ADMIT_REGISTRATION_MODE).
    """
    accounts = _accounts()
    inviting: Any = next((one for one in accounts.features.values() if hasattr(one, "invite")), None)
    if inviting is None:
        message = "Nobody can sign up here, so that there is nothing to invite to."
        raise click.ClickException(message)
    if not has_public_url(the_setup().values):
        message = "A link needs the address of this site. Set ADMIT_PUBLIC_URL to the one that it is served at."
        raise click.ClickException(message)
    action = next(one.name for one in inviting.actions() if one.link is not None)
    token = inviting.invite(accounts.keeper.gate)
    url = accounts.mailing.url(f"{inviting.name}.{action}", token=token)
    print_row({"url": url}, url, json=json)


def _accounts() -> Accounts:
    return accounts_of(application())


def _taken(*names: str) -> click.ClickException:
    return click.ClickException(f"There is an account of {' and '.join(names)} already.")


def _credentials(accounts: Accounts, account: Account, *, is_piped: bool) -> list[Credential]:
    with application().test_request_context(base_url=accounts.mailing.base):
        ctx = accounts.context()
        keeper = ctx.secret_keeper()
        return [] if keeper is None else [keeper.enroll(ctx, account, _password(is_piped=is_piped))]


def _password(*, is_piped: bool) -> str:
    if is_piped:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    prompt: Callable[..., str] = click.prompt
    return prompt("Password", hide_input=True, confirmation_prompt="The same again")


def _first(accounts: Accounts, limit: int) -> Iterator[Account]:
    last = ""
    while limit > 0:
        page = accounts.store.list_accounts(after=last, limit=min(limit, _AT_ONCE))
        yield from page
        if not page:
            return
        last, limit = page[-1].id, limit - len(page)


def _row(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.username.value if account.username else None,
        "email": account.email.value if account.email else None,
        "roles": sorted(account.roles),
        "state": _state(account),
        "created_at": account.created_at,
    }


def _state(account: Account) -> str:
    if account.closed_at is not None:
        return "closed"
    if account.locked_at is not None:
        return "locked"
    return "open" if account.is_verified else "unverified"
