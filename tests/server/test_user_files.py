"""`admit user import` and `admit user export`: every good row arrives, every bad one is told, and both go on."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from admit.errors import StoreError
from admit.model import Account, Identifier, IdentifierKind
from admit.server import user_files
from admit.server.user_rows import COLUMNS, BadRow, Row, account_of, lines, parser, row_of, written
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from admit.tokens import new_account_id

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

Admit = Callable[..., Result]
OLD = "a password of long ago"
NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)


def users(admit: Admit) -> list[dict[str, Any]]:
    """Return what the operator sees."""
    return json.loads(admit("user", "list", "--json").stdout)


def test_csv(admit: Admit, folder: Path) -> None:
    """Columns may be in any order and may be missing; what is not given has its default."""
    text = (
        "username,email,verified,roles,created_at,locked_at\n"
        "Ada,Ada@example.org,true,admin staff,2020-01-02T03:04:05Z,\n"
        "the boss,,,,,2024-01-01\n"
        "\n"
        '"grace","grace@example.org",,"a,b",,\n'
    )
    (folder / "users.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    result = admit("user", "import", "users.csv")
    assert result.exit_code == 1
    assert result.stdout == "Imported 2 accounts; 0 were there already, and 1 rows are wrong.\n"
    assert "line 3: Expected" in result.stderr or "line 3: Invalid" in result.stderr
    found = {one["name"]: one for one in users(admit)}
    assert found["Ada"]["email"] == "Ada@example.org"
    assert found["Ada"]["created_at"] == "2020-01-02T03:04:05+00:00"
    assert (found["Ada"]["roles"], found["Ada"]["state"]) == (["admin", "staff"], "open")
    assert (found["grace"]["roles"], found["grace"]["state"]) == (["a", "b"], "unverified")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_old_passwords_sign_in(admit: Admit, folder: Path, make: Callable[..., Flask], form: str) -> None:
    """Hashes of another program are kept as they are, and their owners sign in at the first try."""
    rows = [
        {"email": f"{name}@example.org", "verified": True, "password_hash": generate_password_hash(OLD)}
        for name in "ab"
    ]
    lines_of = {
        "jsonl": [json.dumps(one) for one in rows],
        "csv": ["email,verified,password_hash", *(",".join(map(str, one.values())) for one in rows)],
    }
    (folder / f"users.{form}").write_text("\n".join(lines_of[form]).replace("True", "true"))
    assert admit("user", "import", f"users.{form}").exit_code == 0
    client = make().test_client()
    for name in "ab":
        answer = client.post("/api/account/sign-in", json={"identifier": f"{name}@example.org", "password": OLD})
        assert answer.status_code == 200


BAD = {
    "no name": ("{}", "An account needs an email or a username."),
    "no JSON": ('{"email": ', "Input data was truncated"),
    "a list": ("[]", "Expected `object`, got `array`"),
    "an unknown field": ('{"email": "x@example.org", "admin": true}', "unknown field `admin`"),
    "a wrong type": ('{"email": 5}', "Expected `str | null`, got `int` - at `$.email`"),
    "no address": ('{"email": "nowhere"}', "email: 'nowhere' can't be typed, or is no address."),
    "an invisible name": ('{"username": "a\\u200bb"}', "username: 'a\\u200bb' can't be typed."),
    "a NUL": ('{"username": "a\\u0000"}', "username: 'a\\x00' can't be typed."),
    "an empty id": ('{"username": "a", "id": ""}', "id: 1 to 64 characters, please."),
    "a long id": (json.dumps({"username": "a", "id": "x" * 65}), "id: 1 to 64 characters, please."),
    "a plain password": ('{"username": "a", "password_hash": "secret"}', "password_hash: This is of no form"),
    "a costly password": (
        json.dumps({"email": "x@example.org", "password_hash": f"$2b$31${'a' * 21}O{'a' * 31}"}),
        "password_hash: This hash (bcrypt, cost=31) costs more than is computed here.",
    ),
    "another one's address": (
        '{"email": "mallory@example.org", "username": "Victim@example.org"}',
        "username: 'Victim@example.org' is an address, which may be another one's. Put it into the column email.",
    ),
    "an address where names are": ('{"username": "victim@example.org"}', "Put it into the column email."),
    "a look-alike": (
        json.dumps({"username": "\u0441\u0430\u0440\u0430"}),
        "looks, letter by letter, like a name in another script. Give another one.",
    ),
    "too long": (json.dumps({"username": "a" * 70_000}), "It is longer than any account."),
    "far too long": (json.dumps({"username": "a" * 700_000}), "It is longer than any account."),
    "another encoding": (b'{"username": "\xe4da"}', "This is not UTF-8."),
    "taken": (
        '{"email": "GOOD0@example.org", "username": "other"}',
        "Another account has this id, or one of these names.",
    ),
}


def test_each_bad_row_is_told_and_no_good_one_lost(admit: Admit, folder: Path) -> None:
    """Whatever is wrong with a row, it is told with its line, and the rows around it are kept."""
    with (folder / "users.jsonl").open("wb") as file:
        for number, (text, _) in enumerate(BAD.values()):
            file.write(b'{"email": "good%d@example.org"}\n' % number)
            file.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
    result = admit("user", "import", "users.jsonl", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"imported": len(BAD), "there": 0, "bad": len(BAD)}
    told = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    for number, ((_, reason), one) in enumerate(zip(BAD.values(), told, strict=True)):
        assert one["line"] == 2 * number + 2
        assert reason in one["reason"]
    assert len(users(admit)) == len(BAD)


def test_user_names_that_are_addresses(
    admit: Admit, folder: Path, make: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where people have user names alone, addresses among them sign in; and one's own address says nothing more."""
    hashed = generate_password_hash(OLD, "pbkdf2:sha256:1")
    row = {"username": "ada@example.org", "password_hash": hashed}
    (folder / "users.jsonl").write_text(json.dumps(row))
    monkeypatch.setenv("ADMIT_REGISTRATION_IDENTIFIERS", "username")
    result = admit("user", "import", "users.jsonl")
    assert result.exit_code == 0, result.stderr
    client = make(registration_identifiers=("username",)).test_client()
    answer = client.post("/api/account/sign-in", json={"identifier": "Ada@example.org", "password": OLD})
    assert answer.status_code == 200
    both = Row(email="ada@example.org", username="ADA@example.org")
    assert [one.kind for one in account_of(both, b"", NOW).identifiers] == [IdentifierKind.EMAIL]


def test_a_quote_takes_no_other_line_along(admit: Admit, folder: Path) -> None:
    """A quote that nobody closes, and a line with too many values, are one bad row each."""
    (folder / "users.csv").write_text('email\n"a@example.org\nb@example.org\nc@example.org,x\nd@example.org\n')
    result = admit("user", "import", "users.csv")
    assert "line 2: This is no line of CSV" in result.stderr
    assert "line 4: There are 2 values for 1 columns." in result.stderr
    assert {one["email"] for one in users(admit)} == {"b@example.org", "d@example.org"}


def test_the_same_command_goes_on(admit: Admit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption the same command keeps what is missing, and a line that was mended is kept too."""
    text = "".join(f'{{"email": "user{number}@example.org"}}\n' for number in range(10))
    monkeypatch.setattr(user_files, "_AT_ONCE", 1)
    (folder / "users.jsonl").write_text(text + '{"email": "nowhere"}\n')
    add, added = SqlStore.add_accounts, []

    def interrupted(store: SqlStore, *given: Any) -> Any:
        added.append(True)
        if len(added) == 6:
            raise KeyboardInterrupt
        return add(store, *given)

    monkeypatch.setattr(SqlStore, "add_accounts", interrupted)
    assert admit("user", "import", "users.jsonl").exit_code != 0
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert len(users(admit)) == 5
    (folder / "users.jsonl").write_text(text + '{"email": "somewhere@example.org"}\n')
    result = admit("user", "import", "users.jsonl", "--json")
    assert json.loads(result.stdout) == {"imported": 6, "there": 5, "bad": 0}
    result = admit("user", "import", "users.jsonl", "--json", "--from-line", "11")
    assert json.loads(result.stdout) == {"imported": 0, "there": 1, "bad": 0}


def test_a_store_that_is_down_is_no_bad_row(admit: Admit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine is to blame for ends the command: the row is not called bad."""

    def fail(*given: Any) -> None:
        message = "disk full"
        raise StoreError(message)

    (folder / "users.jsonl").write_text('{"email": "ada@example.org"}\n')
    for verb in ("add_account", "add_accounts"):
        monkeypatch.setattr(SqlStore, verb, fail)
    result = admit("user", "import", "users.jsonl")
    assert result.exit_code == 1
    assert "The store did not answer: disk full." in result.output


def test_an_id_that_is_taken_costs_no_other_row(admit: Admit, folder: Path) -> None:
    """A row with the id of another account, and one with a name of another, leave all rows around them as they are."""
    rows = [{"id": "1", "username": "ada"}, {"id": "1", "username": "eve"}, {"id": "2", "username": "ADA"}]
    rows += [{"id": "3", "username": "grace"}]
    (folder / "users.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = admit("user", "import", "users.jsonl", "--json")
    assert json.loads(result.stdout) == {"imported": 2, "there": 0, "bad": 2}
    again = json.loads(admit("user", "import", "users.jsonl", "--json").stdout)
    assert again == {"imported": 0, "there": 2, "bad": 2}
    assert {one["name"] for one in users(admit)} == {"ada", "grace"}


def test_any_store_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that can't keep many at once keeps one after the other."""
    store = MemoryStore()
    account = Account("1", (Identifier(IdentifierKind.USERNAME, "ada", "ada"),), NOW)
    assert user_files._added(store, [(1, account, []), (2, account, [])]) == [True, False]
    assert store.get_account("1") == account


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        ("mail,username", r"Name each once: id, email, username"),
        ("email,email", "which are not the names of columns"),
        ("", "which are not the names of columns"),
        ('"email', "The first line can't be read: This is no line of CSV"),
    ],
)
def test_a_first_line_that_names_no_columns(admit: Admit, folder: Path, first: str, sentence: str) -> None:
    """A file of CSV says what its columns are, by names that there are."""
    (folder / "users.csv").write_text(f"{first}\nada@example.org\n" if first else "")
    result = admit("user", "import", "users.csv")
    assert result.exit_code == 1
    assert sentence in result.output


def test_a_pipe_and_a_file_of_no_name(admit: Admit, folder: Path) -> None:
    """Standard input needs to be told what it is, and so does a file whose name does not say."""
    (folder / "users").write_text('{"email": "ada@example.org"}\n')
    for words in (["-"], ["users"]):
        assert admit("user", "import", *words).exit_code == 2
    assert admit("user", "import", "-", "--format", "jsonl", typed='{"email": "eve@example.org"}\n').exit_code == 0
    assert admit("user", "import", "users", "--format", "jsonl").exit_code == 0
    out = admit("user", "export", "-", "--format", "jsonl").stdout
    assert {json.loads(line)["email"] for line in out.splitlines()} == {"ada@example.org", "eve@example.org"}


# -- exporting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_was_exported_can_be_imported(
    admit: Admit, folder: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export has everything of an account, and its passwords when asked for; only the operator can read the file."""
    secret = generate_password_hash(OLD)
    words = ["--email", "ada@example.org", "--username", "ada", "--role", "admin", "--verified", "--password-stdin"]
    assert admit("user", "create", *words, typed="a phrase that nobody else has 9").exit_code == 0
    (folder / "more.jsonl").write_text(json.dumps({"username": "eve", "password_hash": secret}) + "\n")
    assert admit("user", "import", "more.jsonl").exit_code == 0
    assert admit("user", "lock", "eve").exit_code == 0
    before = users(admit)
    assert admit("user", "export", f"plain.{form}").exit_code == 0
    assert "argon2" not in (folder / f"plain.{form}").read_text()
    result = admit("user", "export", f"out.{form}", "--with-passwords")
    assert result.stdout == f"Exported 2 accounts to out.{form}.\n"
    assert (folder / f"out.{form}").stat().st_mode & 0o777 == 0o600
    text = (folder / f"out.{form}").read_text()
    assert "$argon2id$" in text
    assert secret in text
    result = admit("--db", "sqlite:///other.db", "user", "import", f"out.{form}")
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("ADMIT_DB", "sqlite:///other.db")
    assert users(admit) == before
    assert admit("user", "export", f"again.{form}", "--with-passwords").exit_code == 0
    assert (folder / f"again.{form}").read_text() == text


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_goes_on(admit: Admit, folder: Path, form: str) -> None:
    """A file that was left half-written is completed; one that is there is not written over."""
    names = "".join(f'{{"email": "user{number}@example.org"}}\n' for number in range(5))
    (folder / "users.jsonl").write_text(names)
    admit("user", "import", "users.jsonl")
    file = folder / f"out.{form}"
    assert admit("user", "export", file.name).exit_code == 0
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1 if form == "csv" else 0
    for cut in (len(whole), len(whole) - 10, first, 0, whole.index(b"\n", first) + 1):
        file.write_bytes(whole[:cut])
        assert admit("user", "export", file.name, "--resume").exit_code == 0
        assert file.read_bytes() == whole
    file.unlink()
    assert admit("user", "export", file.name, "--resume").exit_code == 0
    assert file.read_bytes() == whole
    result = admit("user", "export", file.name)
    assert result.exit_code == 1
    assert "There is a file" in result.output
    file.write_bytes(b"something else entirely\n")
    result = admit("user", "export", file.name, "--resume")
    assert result.exit_code == 1
    assert "can't be gone on with" in result.output


def test_without_passwords_there_are_none(admit: Admit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no feature keeps passwords a hash can't be imported, and none is exported."""
    monkeypatch.setattr(user_files, "_keeper", lambda accounts: None)
    (folder / "users.jsonl").write_text(
        json.dumps({"email": "a@example.org"}) + "\n" + json.dumps({"email": "b@example.org", "password_hash": "x"})
    )
    result = admit("user", "import", "users.jsonl")
    assert "line 2: password_hash: This is of no form that can be verified." in result.stderr
    assert admit("user", "export", "out.csv", "--with-passwords").exit_code == 0


# -- rows -------------------------------------------------------------------------------------------------------------

moments = st.none() | st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- bounds
names = st.from_regex(r"[a-z]{1,20}", fullmatch=True)


@given(
    st.builds(
        Row,
        id=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
        email=st.none() | st.from_regex(r"[-+=']{0,2}[a-z]{1,20}@example\.org", fullmatch=True),
        username=names,
        verified=st.booleans(),
        roles=st.lists(names, unique=True).map(sorted),
        created_at=moments,
        locked_at=moments,
        closed_at=moments,
        password_hash=st.none() | st.text("abc$./,\"' =+-@", min_size=1),
        adopted=st.booleans(),
    ),
    st.sampled_from(["csv", "jsonl"]),
)
def test_a_row_that_was_written_is_read(row: Row, form: str) -> None:
    """What was written of any account is read as it was."""
    [header] = lines(io.BytesIO(written("csv", None)))
    [line] = lines(io.BytesIO(written(form, row)))
    assert line.text is not None
    assert parser(form, header)(line.text) == row
    account = account_of(row, line.text, NOW)
    again = row_of(account, None)
    assert again.created_at == row.created_at or NOW
    assert (again.id, again.email, again.username, again.roles) == (row.id, row.email, row.username, row.roles)


def test_a_cell_is_no_formula() -> None:
    """What a spreadsheet would compute is written as text, and is itself again when it is read."""
    row = Row(email="=1+1@example.org", username="@sum", roles=["-cmd", "+1"], password_hash="\t=x")
    line = written("csv", row)
    assert b",'=1+1@example.org,'@sum," in line
    assert b",'-cmd +1," in line
    assert not any(cell.startswith((b"=", b"+", b"-", b"@", b"\t")) for cell in line.split(b","))
    [header] = lines(io.BytesIO(written("csv", None)))
    assert parser("csv", header)(line.strip(b"\n")) == row


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl"]))
def test_whatever_a_line_is(raw: bytes, form: str) -> None:
    """A line is a row or a bad row, and never anything else."""
    [header] = lines(io.BytesIO(b"email,username\n"))
    for line in lines(io.BytesIO(raw)):
        assert line.text is not None
        with contextlib.suppress(BadRow):
            assert isinstance(account_of(parser(form, header)(line.text), line.text, NOW).id, str)


def test_lines_are_bounded() -> None:
    """However long a line is, no more of it is held than an account may take, and the next one is whole."""
    read: list[int] = []

    class Watched(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            found = super().readline(size)
            read.append(len(found))
            return found

    found = list(lines(Watched(b"x" * 1_000_000 + b"\nnext\n" + b"y" * 65_536 + b"\nlast")))
    assert [one.text for one in found] == [None, b"next", None, b"last"]
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert found[-1].end == 1_000_000 + 1 + 5 + 65_537 + 4
    assert max(read) <= 65_537


def test_an_id_is_made_of_the_line() -> None:
    """The same line is the same account, another one another; the id is a UUID of version 7 with the time in it."""
    row = Row(username="ada", created_at=NOW)
    first, again, other = (account_of(row, text, NOW).id for text in (b"one", b"one", b"two"))
    assert first == again != other
    assert (UUID(first).version, UUID(first).variant) == (7, UUID(new_account_id(NOW)).variant)
    assert UUID(first).int >> 80 == UUID(new_account_id(NOW)).int >> 80
    assert UUID(account_of(Row(username="ada"), b"", NOW).id).int >> 80 == 0
    early = msgspec.structs.replace(row, created_at=datetime(1960, 1, 1))  # noqa: DTZ001 -- a file may say so
    assert account_of(early, b"", NOW).created_at.tzinfo is UTC
    assert set(COLUMNS) == set(Row.__struct_fields__)
