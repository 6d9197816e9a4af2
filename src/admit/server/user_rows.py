"""Accounts as rows of a file: CSV or JSON lines, one account a line, read and written a line at a time.

Whoever sends such a file may hold a mistake in any line, or a line without an end. So no line is read further than
it may be long, none takes part of another along, and what is wrong with one is said of that one.
"""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

import msgspec

from admit import identifiers
from admit.errors import ConfigurationError
from admit.look_alikes import is_look_alike
from admit.model import Account, Identifier, IdentifierKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from admit.model import Credential

__all__ = ["COLUMNS", "BadRow", "Line", "Row", "account_of", "lines", "parser", "refuse_address", "row_of", "written"]

#: The longest line, in bytes.
_LONGEST = 1 << 16
_LONGEST_ID = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

#: What makes a spreadsheet compute a cell instead of showing it, and what says that it shall not.
_FORMULAS, _TEXT = ("=", "+", "-", "@", "\t", "\r", "'"), "'"


class Line(NamedTuple):
    """A line of a file: its number, its bytes (``None`` if there are too many), and where in the file it ends."""

    number: int
    text: bytes | None
    end: int


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An account in a file."""

    id: str | None = None
    email: str | None = None
    username: str | None = None
    #: Whether the address is known to be the owner's.
    verified: bool = False
    roles: list[str] = []
    created_at: datetime | None = None
    locked_at: datetime | None = None
    closed_at: datetime | None = None
    password_hash: str | None = None
    #: Whether another program made the hash.
    adopted: bool = True


COLUMNS: tuple[str, ...] = Row.__struct_fields__


class BadRow(ValueError):
    """What is wrong with a line."""


def lines(file: BinaryIO) -> Iterator[Line]:
    """Return the lines of a file, however long, without holding more than one."""
    number = end = 0
    while part := file.readline(_LONGEST + 1):
        number, end, is_long = number + 1, end + len(part), len(part) > _LONGEST
        while not part.endswith(b"\n") and (rest := file.readline(_LONGEST + 1)):
            part, end, is_long = rest, end + len(rest), True
        yield Line(number, None if is_long else part.rstrip(b"\r\n"), end)


def parser(form: str, first: Line | None) -> Callable[[bytes], Row]:
    """Return what makes a row of a line.

    Args:
        form: ``csv`` or ``jsonl``.
        first: The first line, which in CSV names the columns.

    Raises:
        ConfigurationError: It names one that there is not.
    """
    if form == "jsonl":
        return _of_json
    header = _cells(_text((first and first.text) or b"").strip().removeprefix("\ufeff")) or [""]
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) < len(header):
        message = (
            f"The first line is {','.join(header)!r}, which are not the names of columns. "
            f"Name each once: {', '.join(COLUMNS)}."
        )
        raise ConfigurationError(message)
    return lambda text: _of_csv(header, text)


def account_of(row: Row, text: bytes, now: datetime) -> Account:
    """Return the account of a row.

    An id that the row does not have is made of the line, so that the same line is the same account another time.

    Args:
        row: The row.
        text: The line that it was read from.
        now: The present time, aware and UTC.

    Raises:
        BadRow: It has no name, or one that nobody can type.
    """
    email = None if row.email is None else _identifier(IdentifierKind.EMAIL, row.email, row, now)
    name = None if row.username is None else _identifier(IdentifierKind.USERNAME, row.username, row, now)
    if email is not None and name is not None and name.key == email.key:
        name = None  # it says nothing more
    if email is not None:
        refuse_address(name)
    named = [one for one in (email, name) if one is not None]
    if not named:
        message = "An account needs an email or a username."
        raise BadRow(message)
    if row.id is not None and not (row.id.isprintable() and 0 < len(row.id) <= _LONGEST_ID):
        message = f"id: 1 to {_LONGEST_ID} characters, please."
        raise BadRow(message)
    return Account(
        id=row.id or _made_id(text, _aware(row.created_at) or _EPOCH),
        identifiers=tuple(named),
        created_at=_aware(row.created_at) or now,
        locked_at=_aware(row.locked_at),
        closed_at=_aware(row.closed_at),
        roles=frozenset(row.roles),
    )


def refuse_address(name: Identifier | None) -> None:
    """Refuse a user name that is an address, where accounts have addresses as well.

    Raises:
        BadRow: It is one.
    """
    if name is not None and identifiers.kind_of(name.key) is IdentifierKind.EMAIL:
        message = f"username: {name.value!r} is an address, which may be another one's. Put it into the column email."
        raise BadRow(message)


def row_of(account: Account, password: Credential | None) -> Row:
    """Return the row of an account.

    Args:
        account: The account.
        password: Its password, if that is to be in the file.
    """
    row = Row(
        id=account.id,
        email=account.email.value if account.email else None,
        username=account.username.value if account.username else None,
        verified=account.email is not None and account.email.verified_at is not None,
        roles=sorted(account.roles),
        created_at=account.created_at,
        locked_at=account.locked_at,
        closed_at=account.closed_at,
    )
    if password is None:
        return row
    return msgspec.structs.replace(row, password_hash=password.secret, adopted=password.is_adopted)


def written(form: str, row: Row | None) -> bytes:
    """Return the line of a row, or the one that comes before the first."""
    if form == "jsonl":
        return b"" if row is None else msgspec.json.encode(row) + b"\n"
    cells = COLUMNS if row is None else [_cell(getattr(row, name)) for name in COLUMNS]
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _of_json(text: bytes) -> Row:
    try:
        return msgspec.json.decode(_text(text), type=Row)
    except msgspec.MsgspecError as error:
        raise BadRow(str(error)) from error


def _of_csv(header: Sequence[str], text: bytes) -> Row:
    cells = _cells(_text(text))
    if len(cells) != len(header):
        message = f"There are {len(cells)} values for {len(header)} columns."
        raise BadRow(message)
    values: dict[str, Any] = {name: _typed(cell) for name, cell in zip(header, cells, strict=True) if cell}
    if "roles" in values:
        values["roles"] = [one for one in values["roles"].replace(",", " ").split(" ") if one]
    try:
        return msgspec.convert(values, Row, strict=False)
    except msgspec.ValidationError as error:
        raise BadRow(str(error)) from error


def _cells(text: str) -> list[str]:
    # A line at a time: a quote that nobody closes would take all that follows into one value.
    try:
        return next(csv.reader([text], strict=True), list[str]())
    except csv.Error as error:
        message = f"This is no line of CSV: {error}."
        raise BadRow(message) from error


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        message = "This is not UTF-8."
        raise BadRow(message) from error


def _identifier(kind: IdentifierKind, value: str, row: Row, now: datetime) -> Identifier:
    # More is taken than may be signed up with: these people have their names already.
    key = identifiers.key_of(value)
    is_email = kind is IdentifierKind.EMAIL
    if key is None or ("@" in key) < is_email:
        message = (
            f"{kind}: {value!r} can't be typed, or is no address." if is_email else f"{kind}: {value!r} can't be typed."
        )
        raise BadRow(message)
    if not is_email and is_look_alike(value):
        message = f"{kind}: {value!r} looks, letter by letter, like a name in another script. Give another one."
        raise BadRow(message)
    verified_at = (_aware(row.created_at) or now) if row.verified and is_email else None
    return Identifier(kind, value, key, verified_at)


def _made_id(text: bytes, at: datetime) -> str:
    """Return an id as :func:`admit.tokens.new_account_id` makes them, but of a line instead of chance (RFC 9562)."""
    digest = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
    random = digest & ~(0xFFFF_FFFF_FFFF << 80) & ~(0xF << 76) & ~(0x3 << 62)
    milliseconds = max(0, (at - _EPOCH) // _MILLISECOND) & 0xFFFF_FFFF_FFFF
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | random))


def _aware(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return json.dumps(value)
    text: str = " ".join(cast("list[str]", value)) if isinstance(value, list) else value or ""
    # Somebody signs up as =HYPERLINK(…)@example.org, and the operator opens the file.
    return _TEXT + text if text.startswith(_FORMULAS) else text


def _typed(cell: str) -> str:
    """Take off what :func:`_cell` has put before a value."""
    return cell.removeprefix(_TEXT) if cell.startswith(tuple(_TEXT + one for one in _FORMULAS)) else cell
