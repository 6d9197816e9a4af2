"""A table that nobody made for Admit: people get in by their old password, and what can't work is told before."""

from __future__ import annotations

import logging
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ConfigurationError
from admit.features.password_reset import PasswordReset
from admit.features.registration import Registration
from tests.applications.odd_table.members import NEW, OLD, SITE, Members, asked_for, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COLUMNS = ("bytes", "bytes in text", "text")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Members]]:
    """Return what makes the application."""
    with ExitStack() as closing:

        def make(column: str = "bytes", **more: Any) -> Members:
            members = Members(tmp_path, column, **more)
            closing.callback(members.close)
            return members

        yield make


# -- hashes as bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", COLUMNS)
def test_u13_hashes_as_bytes_are_read(make: Callable[..., Members], column: str) -> None:
    """Everybody signs in by the old password, again and again, and nobody by a wrong one."""
    members = make(column)
    members.add("ada")
    client = members.start()
    for _ in range(2):
        assert sign_in(client, "ada", "wrong") == 401
        assert sign_in(client, "ada") == 200
        assert client.get("/me", base_url=SITE).text == "ada"
    with members.app.app_context():
        assert list(members.accounts.findings()) == []
    assert members.old_code_takes("ada", OLD)


@pytest.mark.parametrize("column", COLUMNS)
def test_u13_a_new_hash_is_stored_as_the_old_code_reads_it(make: Callable[..., Members], column: str) -> None:
    """A change and a sign-up write bytes where bytes are, so that the way back is open."""
    members = make(column)
    members.add("ada")
    client = members.start(Registration(identifiers=("username", "email")))
    assert sign_in(client, "ada") == 200
    assert asked_for(client, "password", old_password=OLD, password=NEW).status_code == 200
    assert members.old_code_takes("ada", NEW)
    assert not members.old_code_takes("ada", OLD)
    eve = members.app.test_client()
    form = {"username": "eve", "email": "eve@example.org", "password": NEW}
    assert asked_for(eve, "sign-up", **form).status_code == 202
    assert sign_in(eve, "eve", NEW) == 200
    assert members.old_code_takes("eve", NEW)


@pytest.mark.parametrize("column", COLUMNS)
def test_u13_what_the_old_code_writes_counts_again(make: Callable[..., Members], column: str) -> None:
    """If the old code changes a password, the one before is void here, too."""
    members = make(column)
    members.add("ada")
    client = members.start()
    assert sign_in(client, "ada") == 200
    import bcrypt

    with members.app.app_context():
        hashed: Any = bcrypt.hashpw(NEW.encode(), bcrypt.gensalt(4))
        ada = members.db.session.query(members.member).one()
        ada.secret = hashed.decode() if column == "text" else hashed
        members.db.session.commit()
    assert sign_in(client, "ada", OLD) == 401
    assert sign_in(client, "ada", NEW) == 200


@pytest.mark.parametrize(
    ("column", "stored"),
    [("bytes", b"\xff\xfe\x00\x01"), ("bytes", b"5f4dcc3b5aa765d61d8327deb882cf99"), ("text", "plain text")],
)
def test_u13_what_cant_be_read_is_found(
    make: Callable[..., Members], caplog: pytest.LogCaptureFixture, column: str, stored: Any
) -> None:
    """It is logged at start, once for all users, and findings() and the doctor say so; the value is in none of them."""
    members = make(column)
    members.add("ada", stored)
    members.add("bob", stored)
    client = members.start()
    assert caplog.text.count("no hash which can be read") == 1
    assert sign_in(client, "ada") == 401
    with members.app.app_context():
        [found] = members.accounts.findings()
    told = members.app.test_cli_runner().invoke(args=["admit", "doctor"]).output
    assert "user 1 and 1 more have" in found
    assert "no hash which can be read" in told
    assert "5f4dcc" not in caplog.text + found + told


@pytest.mark.parametrize("mark", [b"!", b"*", b"", b"!$2b$04$x"])
def test_u13_a_mark_of_no_password_is_meant(make: Callable[..., Members], mark: bytes) -> None:
    """Nobody is told of users who are meant to have no password."""
    members = make()
    members.add("ada", mark)
    members.start()
    with members.app.app_context():
        assert list(members.accounts.findings()) == []


# -- mails that never come --------------------------------------------------------------------------------------------


def test_u15_users_whom_no_reset_reaches_are_told_of(
    make: Callable[..., Members], caplog: pytest.LogCaptureFixture
) -> None:
    """Where no address counts as confirmed the log says so once, at start, and so does the doctor; no answer does."""
    members = make()
    members.add("ada")
    client = members.start(PasswordReset())
    for _ in range(2):
        assert asked_for(client, "password-reset", identifier="ada@example.org").status_code == 202
    assert members.mails == []
    assert caplog.text.count("does not count as confirmed") == 1
    assert "verified=True" in caplog.text
    assert "does not count as confirmed" in members.app.test_cli_runner().invoke(args=["admit", "doctor"]).output


@pytest.mark.parametrize("options", [{"verified": True}, {"identifiers": {"login": "username"}}, None])
def test_u15_otherwise_nothing_is_said(
    make: Callable[..., Members], caplog: pytest.LogCaptureFixture, options: dict[str, Any] | None
) -> None:
    """Not where addresses count, where there are none, and where nothing mails to confirmed ones alone."""
    members = make()
    members.add("ada")
    members.start(*([] if options is None else [PasswordReset()]), **(options or {}))
    assert "confirmed" not in caplog.text
    assert "count as confirmed" not in members.app.test_cli_runner().invoke(args=["admit", "doctor"]).output


def test_u15_a_table_that_is_not_there_yet_hinders_nothing(
    make: Callable[..., Members], caplog: pytest.LogCaptureFixture
) -> None:
    """The application starts before its tables are made."""
    members = make()
    members.db.create_all = lambda: None  # type: ignore[method-assign]
    members.start(PasswordReset())
    assert caplog.text == ""


# -- signing up -------------------------------------------------------------------------------------------------------


def demanding(members: Members) -> dict[str, Any]:
    """Return a column that has to have a value."""
    return {"full_name": members.db.Column("VollerName", members.db.String(80), nullable=False)}


@pytest.mark.parametrize("mode", ["debug", "production"])
def test_u21_a_column_that_signing_up_leaves_empty_is_found_at_start(tmp_path: Path, mode: str) -> None:
    """The sentence names the column and what to do; without signing up the same table is fine."""
    members = Members(tmp_path)
    members = Members(tmp_path, **demanding(members))
    members.app.debug = mode == "debug"
    with pytest.raises(ConfigurationError, match=r"'full_name' of Mitglied .* default"):
        members.start(Registration(identifiers=("username", "email")))
    members.close()
    other = Members(tmp_path, **demanding(members))
    other.start()
    other.close()


def test_u21_a_name_that_is_not_asked_for_is_found_at_start(make: Callable[..., Members]) -> None:
    """The user name must not be empty here, and a sign-up by address alone would leave it so."""
    with pytest.raises(ConfigurationError, match="'login' of Mitglied"):
        make().start(Registration())


def test_u21_a_model_that_fills_its_columns_is_fine(make: Callable[..., Members]) -> None:
    """What an __init__ or a listener of the application's does can't be seen at start, and may be enough."""
    from sqlalchemy import event

    members = make()
    members = make(**demanding(members))

    @event.listens_for(members.member, "before_insert")
    def fill(_mapper: Any, _connection: Any, member: Any) -> None:
        member.full_name = "unknown"

    client = members.start(Registration(identifiers=("username", "email")))
    form = {"username": "eve", "email": "eve@example.org", "password": NEW}
    assert asked_for(client, "sign-up", **form).status_code == 202
    assert sign_in(client, "eve", NEW) == 200


def test_u21_a_model_with_its_own_init_is_fine(make: Callable[..., Members]) -> None:
    """It is not called before somebody signs up."""
    members = make()

    def init(self: Any, **values: Any) -> None:
        for name, value in ({"full_name": "unknown"} | values).items():
            setattr(self, name, value)

    members = make(__init__=init, **demanding(members))
    client = members.start(Registration(identifiers=("username", "email")))
    form = {"username": "eve", "email": "eve@example.org", "password": NEW}
    assert asked_for(client, "sign-up", **form).status_code == 202
    assert sign_in(client, "eve", NEW) == 200


def test_u21_a_flag_of_confirmed_addresses_is_filled(make: Callable[..., Members]) -> None:
    """A sign-up writes the column that verified= names, so that it needs no default."""
    members = make()
    members = make(confirmed=members.db.Column("Bestaetigt", members.db.Boolean, nullable=False))
    client = members.start(Registration(identifiers=("username", "email")), verified="confirmed")
    form = {"username": "eve", "email": "eve@example.org", "password": NEW}
    assert asked_for(client, "sign-up", **form).status_code == 202
    assert sign_in(client, "eve", NEW) == 200


def test_u21_a_closed_sign_up_demands_nothing(make: Callable[..., Members]) -> None:
    """Nobody signs up, so that no row is made."""
    from admit.features.registration import SignUp

    make().start(Registration(mode=SignUp.CLOSED))


def test_u21_no_hash_is_in_the_error_of_a_refused_row(
    make: Callable[..., Members], caplog: pytest.LogCaptureFixture
) -> None:
    """If the database refuses a row in spite of all, neither the log nor the traceback has the hash."""
    members = make("text")
    client = members.start(Registration(identifiers=("username", "email")))
    with members.app.app_context(), members.db.engine.begin() as connection:
        connection.exec_driver_sql('ALTER TABLE "tblMitglied" ADD COLUMN extra TEXT NOT NULL DEFAULT ""')
        connection.exec_driver_sql(
            'CREATE TRIGGER never BEFORE INSERT ON "tblMitglied" BEGIN SELECT RAISE(ABORT, "not today"); END'
        )
    members.app.config["PROPAGATE_EXCEPTIONS"] = True
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigurationError) as raised:
        asked_for(client, "sign-up", username="eve", email="eve@example.org", password=NEW)
    told = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "not today" in told
    assert "scrypt:" not in told
    assert "argon2" not in told


def test_u21_no_hash_is_in_the_error_of_a_failing_database(
    make: Callable[..., Members], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy's own error, which is the cause of ours, hides the parameters of its statement."""
    from admit.errors import StoreError

    members = make("text")
    members.add("ada")
    members.start()
    with members.app.app_context():
        table = members.accounts._table
        stored = table.password_of("1")
        with members.db.engine.begin() as connection:
            connection.exec_driver_sql(
                'CREATE TRIGGER never BEFORE UPDATE ON "tblMitglied" BEGIN SELECT RAISE(FAIL, "broken"); END'
            )
        with pytest.raises((StoreError, ConfigurationError)) as raised:
            table.replace_password("1", stored, str(stored)[::-1])
    told = "".join(traceback.format_exception(raised.value))
    assert str(stored)[::-1] not in told
    assert str(stored) not in told


# -- what is not known ------------------------------------------------------------------------------------------------


def test_n07_what_is_not_known_is_not_shown(make: Callable[..., Members]) -> None:
    """Nobody has noted since when an adopted user is there: neither the page nor the JSON says 1970."""
    members = make()
    members.add("ada")
    client = members.start(verified=True)
    assert sign_in(client, "ada") == 200
    view = client.get("/api/account/", base_url=SITE).json
    assert view["created_at"] is None
    page = client.get("/account/", base_url=SITE).text
    assert "1970" not in page
    assert "since" not in page
    export = asked_for(client, "export")
    assert export.status_code == 200
    assert "1970" not in export.text


def test_n07_a_sign_up_is_shown_with_its_time(make: Callable[..., Members]) -> None:
    """What is known is shown."""
    members = make()
    client = members.start(Registration(identifiers=("username", "email")))
    form = {"username": "eve", "email": "eve@example.org", "password": NEW}
    assert asked_for(client, "sign-up", **form).status_code == 202
    assert sign_in(client, "eve", NEW) == 200
    assert client.get("/api/account/", base_url=SITE).json["created_at"]
    assert "since" in client.get("/account/", base_url=SITE).text


class Role:
    """A role as an object with a name."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("roles", "shown"),
    [
        (["staff", "admin"], ["admin", "staff"]),
        ([Role("admin")], ["admin"]),
        ("admin", ["admin"]),
        (None, []),
        ((), []),
    ],
    ids=["names", "objects", "one", "none", "empty"],
)
def test_n07_roles_are_the_models(make: Callable[..., Members], roles: Any, shown: list[str]) -> None:
    """The page, the JSON and the export have the roles that the application's own user has."""
    members = make(roles=property(lambda self: roles))
    members.add("ada")
    client = members.start(verified=True)
    assert sign_in(client, "ada") == 200
    assert client.get("/api/account/", base_url=SITE).json["roles"] == shown
    assert all(role in client.get("/account/", base_url=SITE).text for role in shown)
    assert asked_for(client, "export").json["account"]["roles"] == shown


def test_n07_without_roles_of_the_model_those_of_the_account_are_shown(make: Callable[..., Members]) -> None:
    """A model without the attribute has the roles that are kept beside it."""
    from dataclasses import replace

    members = make()
    members.add("ada")
    client = members.start(verified=True)
    account = members.accounts.get_account("1")
    assert account
    assert members.accounts.replace_account(account, replace(account, roles=frozenset({"admin"})))
    assert members.accounts.roles_of("1") is None
    assert sign_in(client, "ada") == 200
    assert client.get("/api/account/", base_url=SITE).json["roles"] == ["admin"]
