"""``admit user import`` and ``admit user export``: many accounts, from a file and into one."""

from __future__ import annotations

import json as encoding
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from flask.cli import with_appcontext

from admit import foreign_hashes
from admit.errors import IdentifierTaken, StoreError
from admit.flask.context import application
from admit.flask.printing import as_json, print_row
from admit.origins import set_up
from admit.server.pages import accounts_of
from admit.server.user_rows import BadRow, Line, account_of, lines, parser, refuse_address, row_of, written
from admit.stores.sql import SqlStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from typing import BinaryIO

    from admit.flask.accounts import Accounts
    from admit.model import Account, Credential
    from admit.server.user_rows import Row
    from admit.store import AccountStore

    _Read: TypeAlias = tuple[Line, Callable[[], Row] | None]

__all__ = ["export_users", "import_users"]

_FORMS = click.Choice(["csv", "jsonl"])
_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
_AT_ONCE = 200
_TAIL = 1 << 17


@dataclass
class _Tally:
    """What became of the rows of a file."""

    imported: int = 0
    there: int = 0
    bad: int = 0


@click.command("import")
@with_appcontext
@click.argument("file", type=_FILE)
@click.option("--format", "form", type=_FORMS, help="What the file is; its name says so without.")
@click.option("--from-line", default=1, type=click.IntRange(1), help="Skip the lines before this one.")
@as_json
def import_users(file: Path, *, form: str | None, from_line: int, json: bool) -> None:
    """Make accounts of the lines of FILE: CSV, or a JSON object a line; - for standard input.

    Rows that are wrong are told with their line, and the others are kept. The same command again goes on where it was
    stopped: what is there already is skipped. Hashes of passwords may be those of other programs.
    """
    accounts, tally = accounts_of(application()), _Tally()
    form = _form(file, form)
    source: Any
    with click.open_file(str(file), "rb") as source:
        length, end = 0 if file == Path("-") else file.stat().st_size, 0
        progress: Callable[..., Any] = click.progressbar
        with progress(length=length, label="Importing", file=sys.stderr) as bar:
            for batch in _batches(_rows(source, form, from_line)):
                for number, reason in _kept(accounts, batch, tally):
                    _tell(number, reason, json=json)
                bar.update(batch[-1][0].end - end)
                end = batch[-1][0].end
    counts = {"imported": tally.imported, "there": tally.there, "bad": tally.bad}
    sentence = f"Imported {tally.imported} accounts; {tally.there} were there already, and {tally.bad} rows are wrong."
    print_row(counts, sentence, json=json)
    if tally.bad:
        click.get_current_context().exit(1)


@click.command("export")
@with_appcontext
@click.argument("file", type=_FILE)
@click.option("--format", "form", type=_FORMS, help="What the file is to be; its name says so without.")
@click.option("--with-passwords", is_flag=True, help="Put the hashes of passwords into it, too.")
@click.option("--resume", is_flag=True, help="Go on with a file that was left half-written.")
@as_json
def export_users(file: Path, *, form: str | None, with_passwords: bool, resume: bool, json: bool) -> None:
    """Write all accounts to FILE, as "import" reads them; - for standard output."""
    accounts = accounts_of(application())
    form, exported = _form(file, form), 0
    last = _last_id(file, form) if resume and file.is_file() else ""
    with _opened(file, resume=resume) as target:
        if not resume or not file.stat().st_size:
            target.write(written(form, None))
        total = accounts.store.count_accounts()
        with click.progressbar(_all(accounts, last), length=total, label="Exporting", file=sys.stderr) as found:
            for account in found:
                password = _password(accounts, account) if with_passwords else None
                target.write(written(form, row_of(account, password)))
                exported += 1
    if file != Path("-"):
        print_row({"exported": exported}, f"Exported {exported} accounts to {file}.", json=json)


def _form(file: Path, form: str | None) -> str:
    found = form or file.suffix.removeprefix(".").replace("ndjson", "jsonl")
    if found not in _FORMS.choices:
        message = f"{str(file)!r} does not say what it is. Call it .csv or .jsonl, or say so by --format."
        raise click.UsageError(message)
    return found


# -- importing --------------------------------------------------------------------------------------------------------


def _rows(source: BinaryIO, form: str, from_line: int) -> Iterator[_Read]:
    """Return the lines that hold something, and what makes a row of each that is not too long."""
    found = lines(source)
    first = next(found, None) if form == "csv" else None
    try:
        parse = parser(form, first)
    except BadRow as error:
        message = f"The first line can't be read: {error}"
        raise click.ClickException(message) from error
    for line in found:
        if line.number >= from_line and (line.text is None or line.text.strip()):
            yield line, None if line.text is None else partial(parse, line.text)


def _batches(rows: Iterator[_Read]) -> Iterator[list[_Read]]:
    while batch := list(islice(rows, _AT_ONCE)):
        yield batch


def _kept(accounts: Accounts, batch: list[_Read], tally: _Tally) -> list[tuple[int, str]]:
    """Make accounts of some lines; return what is wrong, with the number of its line."""
    wrong: list[tuple[int, str]] = []
    good: list[tuple[int, Account, list[Credential]]] = []
    now = accounts.now()
    for line, parse in batch:
        try:
            good.append((line.number, *_made(accounts, line, parse, now)))
        except BadRow as error:
            wrong.append((line.number, str(error)))
    for (number, account, _), is_added in zip(good, _added(accounts.store, good), strict=True):
        if is_added:
            tally.imported += 1
        elif _is_there(accounts.store, account):
            tally.there += 1
        else:
            wrong.append((number, "Another account has this id, or one of these names."))
    tally.bad += len(wrong)
    return sorted(wrong)


def _made(
    accounts: Accounts, line: Line, parse: Callable[[], Row] | None, now: datetime
) -> tuple[Account, list[Credential]]:
    if parse is None or line.text is None:
        message = "It is longer than any account."
        raise BadRow(message)
    row = parse()
    account = account_of(row, line.text, now)
    if _takes_addresses(accounts):
        refuse_address(account.username)
    return account, _credentials(accounts, account, row, now)


def _added(store: AccountStore, good: list[tuple[int, Account, list[Credential]]]) -> list[bool]:
    """Keep accounts, together if the store can, and tell of each whether it is new."""
    if isinstance(store, SqlStore):
        with suppress(StoreError):
            return store.add_accounts((account, credentials) for _, account, credentials in good)
    # One of them has an id that is taken, or the store is down, or another one: now one by one.
    return [_is_added(store, account, credentials) for _, account, credentials in good]


def _is_there(store: AccountStore, account: Account) -> bool:
    found = store.get_account(account.id)
    return found is not None and {one.key for one in found.identifiers} == {one.key for one in account.identifiers}


def _is_added(store: AccountStore, account: Account, credentials: list[Credential]) -> bool:
    try:
        store.add_account(account, *credentials)
    except IdentifierTaken:
        return False
    except StoreError:
        if store.get_account(account.id) is None:
            raise
        return False
    return True


def _credentials(accounts: Accounts, account: Account, row: Row, now: datetime) -> list[Credential]:
    if row.password_hash is None:
        return []
    keeper = _keeper(accounts)
    credential = None if keeper is None else keeper.adopt(account, row.password_hash, now)
    if credential is None:
        objection = foreign_hashes.cost_objection(row.password_hash) or "This is of no form that can be verified."
        message = f"password_hash: {objection}"
        raise BadRow(message)
    return [set_up(credential if row.adopted else replace(credential, details={}), "import")]


def _takes_addresses(accounts: Accounts) -> bool:
    """Tell whether people sign up with addresses here."""
    features: list[Any] = list(accounts.features.values())
    return any("email" in getattr(one, "identifiers", ()) for one in features)


def _keeper(accounts: Accounts) -> Any:
    return next((one for one in accounts.features.values() if hasattr(one, "adopt")), None)


def _tell(number: int, reason: str, *, json: bool) -> None:
    click.echo(encoding.dumps({"line": number, "reason": reason}) if json else f"line {number}: {reason}", err=True)


# -- exporting --------------------------------------------------------------------------------------------------------


def _all(accounts: Accounts, last: str) -> Iterator[Account]:
    while page := accounts.store.list_accounts(after=last, limit=_AT_ONCE):
        yield from page
        last = page[-1].id


def _password(accounts: Accounts, account: Account) -> Credential | None:
    keeper = _keeper(accounts)
    return None if keeper is None else accounts.credentials.get_credential(keeper.name, account.id)


def _opened(file: Path, *, resume: bool) -> Any:
    if file == Path("-"):
        return click.open_file("-", "wb")
    try:
        # For the operator alone: it holds names, and hashes perhaps.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if resume else os.O_EXCL), 0o600)
    except FileExistsError as error:
        message = f"There is a file {str(file)!r} already. Give another name, or go on with it by --resume."
        raise click.ClickException(message) from error
    return os.fdopen(descriptor, "ab" if resume else "wb")


def _last_id(file: Path, form: str) -> str:
    """Return the id of the last whole line of a file, and cut off what there is behind it."""
    with file.open("r+b") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - _TAIL))
        tail = opened.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        opened.truncate(size - len(tail) + len(whole))
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    if last + b"\n" in {written(form, None), b"\n"}:
        return ""
    try:
        return parser(form, Line(1, written(form, None), 0))(last).id or ""
    except BadRow as error:
        message = f"{str(file)!r} can't be gone on with: {error} Export to another one."
        raise click.ClickException(message) from error
