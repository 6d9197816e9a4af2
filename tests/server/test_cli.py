"""`admit`, as an operator types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import Result

from admit import features
from admit.errors import IdentifierTaken
from admit.stores.sql import SqlStore

if TYPE_CHECKING:
    from pathlib import Path

Admit = Callable[..., Result]
PASSWORD = "a phrase that nobody else has 9"


def create(admit: Admit, email: str = "ada@example.org", *more: str) -> dict[str, Any]:
    """Make an account, and return what is printed of it."""
    words = ["user", "create", "--email", email, "--verified", "--password-stdin", "--json", *more]
    result = admit(*words, typed=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_help_reads_well(admit: Admit) -> None:
    """Every command says what it does in its help, and every option too."""
    for words in ([], ["user"], ["user", "create"], ["user", "lock"], ["run"], ["sessions"], ["settings"], ["db"]):
        result = admit(*words, "--help")
        assert result.exit_code == 0
        assert "Usage: admit" in result.output
        options = [line for line in result.output.splitlines() if line.startswith("  --")]
        assert all(len(line.split()) > 2 or len(line) > 24 for line in options)


def test_the_version(admit: Admit) -> None:
    """The version is printed alone."""
    from importlib.metadata import version

    assert admit("--version").output == f"{version('admit')}\n"


@pytest.mark.parametrize("words", [["urn"], ["user", "create"], ["user", "show"], ["user", "list", "--limit", "0"]])
def test_a_command_that_is_not_understood(admit: Admit, words: list[str]) -> None:
    """What is misspelled or missing ends with 2."""
    assert admit(*words).exit_code == 2


# -- accounts ---------------------------------------------------------------------------------------------------------


def test_creating_asks_twice(admit: Admit) -> None:
    """The password is asked for twice, is not shown, and the account is there."""
    result = admit("user", "create", "--username", "ada", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert "ada has an account now" in result.output
    shown = json.loads(admit("user", "show", "ada", "--json").stdout)
    assert (shown["name"], shown["credentials"], shown["sessions"]) == ("ada", ["password"], 0)


def test_creating_by_a_pipe(admit: Admit) -> None:
    """A program gives the password on standard input and gets JSON."""
    made = create(admit, "ada@example.org", "--role", "admin", "--role", "staff", "--username", "ada")
    assert made["roles"] == ["admin", "staff"]
    assert made["state"] == "open"
    listed = json.loads(admit("user", "list", "--json").stdout)
    assert listed == [made]


@pytest.mark.parametrize(
    ("words", "typed", "sentence"),
    [
        (["--email", "nowhere"], PASSWORD, "email: Please enter one mail address"),
        (["--email", "b@example.org"], "short", "password: "),
        (["--email", "ADA@example.org"], PASSWORD, "There is an account of ADA@example.org already."),
    ],
    ids=["address", "password", "taken"],
)
def test_creating_what_can_not_be(admit: Admit, words: list[str], typed: str, sentence: str) -> None:
    """What is not acceptable is said with its field, and nothing is made."""
    create(admit)
    result = admit("user", "create", *words, "--password-stdin", typed=typed)
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(json.loads(admit("user", "list", "--json").stdout)) == 1


def test_creating_at_the_same_moment(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who loses the race for a name is told like anybody who comes later."""

    def lost(*_: object) -> None:
        raise IdentifierTaken

    monkeypatch.setattr(SqlStore, "add_account", lost)
    result = admit("user", "create", "--email", "ada@example.org", "--password-stdin", typed=PASSWORD)
    assert result.exit_code == 1
    assert "There is an account of ada@example.org already." in result.output


def test_an_account_without_password(admit: Admit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no feature keeps passwords, none is asked for, and nobody can be invited."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "__init__.py").touch()
    monkeypatch.setattr(features, "__path__", [str(tmp_path)])
    assert admit("user", "create", "--email", "ada@example.org").exit_code == 0
    assert "Nobody can sign up here" in admit("user", "invite").output


def test_listing(admit: Admit) -> None:
    """Accounts are listed oldest first, over pages of the store, with their state."""
    assert admit("user", "list").output == "There is no account.\n"
    assert admit("user", "list", "--json").output == "[]\n"
    made = [create(admit, f"user{number}@example.org") for number in range(3)]
    admit("user", "lock", "user1@example.org")
    lines = admit("user", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == [one["id"] for one in made]
    assert [line.split()[2] for line in lines] == ["open", "locked", "open"]
    assert len(admit("user", "list", "--limit", "2").output.splitlines()) == 2


def test_states(admit: Admit, folder: Path) -> None:
    """An account whose address is not confirmed is shown as such, and a closed one too."""
    from dataclasses import replace

    result = admit("user", "create", "--email", "bob@example.org", "--password-stdin", "--json", typed=PASSWORD)
    account_id = json.loads(result.stdout)["id"]
    assert json.loads(result.stdout)["state"] == "unverified"
    store = SqlStore(f"sqlite:///{folder}/admit.db")
    account = store.get_account(account_id)
    store.replace_account(account, replace(account, closed_at=account.created_at))
    store.close()
    shown = admit("user", "show", account_id).output
    assert "state:" in shown
    assert "closed" in shown
    assert "verified:" in shown


def test_more_accounts_than_a_page(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list goes on where the first page of the store ends."""
    monkeypatch.setattr("admit.server.users._AT_ONCE", 2)
    for number in range(5):
        create(admit, f"user{number}@example.org")
    assert len(json.loads(admit("user", "list", "--json").stdout)) == 5


def test_locking_and_unlocking(admit: Admit, folder: Path) -> None:
    """A locked account has no sessions, an unlocked one may have some again, and each is said."""
    from admit.gate import Gate

    made = create(admit)
    store = SqlStore(f"sqlite:///{folder}/admit.db")
    session = Gate(store).admit(made["id"], "password").session
    listed = json.loads(admit("sessions", "list", made["id"], "--json").stdout)
    assert [one["id"] for one in listed] == [session.id]
    assert admit("user", "lock", "ada@example.org", "--by", "admin:7").output == (
        "ada@example.org is locked; 1 session ended.\n"
    )
    assert store.list_sessions(made["id"]) == []
    store.close()
    why = json.loads(admit("sessions", "why", session.id, "--json").stdout)
    assert (why["reason"], why["by"]) == ("revoked", "admin:7")
    assert json.loads(admit("user", "lock", made["id"], "--json").stdout) == {"id": made["id"], "ended": 0}
    assert admit("user", "unlock", "ada@example.org").output == "ada@example.org is open again.\n"
    assert json.loads(admit("user", "show", made["id"], "--json").stdout)["state"] == "open"


def test_purging(admit: Admit, folder: Path) -> None:
    """The purge erases who has closed their account long ago, and keeps who has done so lately."""
    from dataclasses import replace
    from datetime import UTC, datetime, timedelta

    made, lately = create(admit), create(admit, "grace@example.org")
    store = SqlStore(f"sqlite:///{folder}/admit.db")
    for one, days in ((made, 15), (lately, 13)):
        account = store.get_account(one["id"])
        assert account
        closed_at = datetime.now(UTC) - timedelta(days=days)
        assert store.replace_account(account, replace(account, closed_at=closed_at))
    store.close()
    result = admit("purge")
    assert result.exit_code == 0
    assert result.stdout == "Removed 0 rows, and erased 1 account.\n"
    assert [one["email"] for one in json.loads(admit("user", "list", "--json").stdout)] == ["grace@example.org"]


@pytest.mark.parametrize("command", ["show", "lock", "unlock"])
@pytest.mark.parametrize("name", ["nobody", "no\x00body", ""], ids=["unknown", "nul", "empty"])
def test_nobody(admit: Admit, command: str, name: str) -> None:
    """An account that is not there is said not to be."""
    result = admit("user", command, name)
    assert result.exit_code == 1
    assert "There is no account" in result.output


def test_a_name_that_looks_like_an_id(admit: Admit) -> None:
    """Whoever calls themselves by the id of another account is not mistaken for it."""
    ada = create(admit)
    result = admit("user", "create", "--username", ada["id"], "--password-stdin", typed=PASSWORD)
    assert result.exit_code == 0
    assert json.loads(admit("user", "show", ada["id"], "--json").stdout)["email"] == "ada@example.org"


def test_inviting(admit: Admit, folder: Path) -> None:
    """An invitation is a link to the address of the site, and without one there is none."""
    refused = admit("user", "invite")
    assert refused.exit_code == 1
    assert "Set ADMIT_PUBLIC_URL" in refused.output
    (folder / "admit.toml").write_text('public_url = "https://app.example"\n[registration]\nmode = "invitation"\n')
    link = admit("--config", "admit.toml", "user", "invite").output
    assert link.startswith("https://app.example/account/invitation/")
    assert "url" in json.loads(admit("--config", "admit.toml", "user", "invite", "--json").stdout)


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_another_database(admit: Admit, folder: Path) -> None:
    """Each command takes the database that is named before it, or in the environment."""
    assert admit("--db", "sqlite:///other.db", "db", "upgrade").output == "The tables are up to date.\n"
    assert (folder / "other.db").exists()
    assert not (folder / "admit.db").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--db", "mysql://x", "user", "list"], "There is no store for 'mysql'"),
        (["--db", "memory:", "--config", "nowhere.toml", "user", "list"], "nowhere.toml can't be read"),
        (["--db", "postgresql+psycopg://ada:hunter2@127.0.0.1:1/x", "user", "list"], "The store did not answer"),
        (["--db", "redis://127.0.0.1:1", "user", "list"], "keeps no accounts"),
    ],
    ids=["unknown", "file", "unreachable", "without accounts"],
)
def test_a_store_that_can_not_be_had(admit: Admit, words: list[str], sentence: str) -> None:
    """What is wrong is one sentence without a traceback, and no password is in it."""
    result = admit(*words)
    assert result.exit_code == 1
    assert sentence in result.output
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


def test_settings(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is listed with its value and where that comes from; secrets are masked."""
    monkeypatch.setenv("ADMIT_SECRET_KEY", "0123456789abcdef" * 2)
    rows = {row["key"]: row for row in json.loads(admit("--db", "sqlite:///x.db", "settings", "--json").stdout)}
    assert rows["ADMIT_DB"] | {"doc": ""} == {
        "key": "ADMIT_DB",
        "value": "sqlite:///x.db",
        "origin": "command line",
        "doc": "",
    }
    assert rows["ADMIT_SECRET_KEY"]["value"] == "***"
    assert rows["ADMIT_SESSION_IDLE"]["value"] == 86400
    assert rows["ADMIT_REGISTRATION_MODE"]["value"] == "open"
    output = admit("settings").output
    assert "ADMIT_PASSWORD_MIN_LENGTH" in output
    assert "0123456789abcdef" not in output


def test_a_misspelled_setting(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nobody reads ends every command."""
    monkeypatch.setenv("ADMIT_PORTT", "1")
    result = admit("user", "list")
    assert result.exit_code == 1
    assert "Did you mean ADMIT_PORT?" in result.output


def test_mails_are_not_needed_by_a_command(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command needs nobody who sends mails, and takes the one that is set."""
    assert admit("user", "list").exit_code == 0
    monkeypatch.setenv("ADMIT_MAIL_URL", "ftp://nowhere")
    assert "names no way to send mails" in admit("user", "list").output


def test_the_description(admit: Admit) -> None:
    """The description of the API is JSON, and names the actions."""
    described = json.loads(admit("openapi").stdout)
    assert described["openapi"].startswith("3.1")
    assert "/api/account/sign-in" in described["paths"]
