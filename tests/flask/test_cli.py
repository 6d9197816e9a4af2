"""``flask admit …``, as an operator types it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.errors import StoreError
from admit.features.account import AccountPages
from admit.flask import LoginManager
from admit.model import Client
from admit.stores.memory import MemoryStore
from admit.testing import Clock, a_session

if TYPE_CHECKING:
    from click.testing import Result

    from admit.gate import Gate

FIREFOX = Client("192.0.2.7", "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0")


class Site:
    """An application over a store in memory, and its command line."""

    def __init__(self, store: MemoryStore) -> None:
        self.clock = Clock()
        self.app = Flask("site")
        self.login_manager: LoginManager = LoginManager(self.app, store=store, clock=self.clock)
        self.gate: Gate = self.login_manager.sessions.gate

    def run(self, *arguments: str) -> Result:
        """Run ``flask admit`` with these arguments."""
        return self.app.test_cli_runner().invoke(args=["admit", *arguments])


@pytest.fixture
def site() -> Site:
    """Return a site without sessions."""
    return Site(MemoryStore())


def test_help_says_what_there_is(site: Site) -> None:
    """The help lists every command with a sentence."""
    for command in (["--help"], ["sessions", "--help"], ["db", "--help"]):
        result = site.run(*command)
        assert result.exit_code == 0
        assert result.output.count(".") >= 1
    assert "Say why the session with this ID ended." in site.run("sessions", "--help").output


def test_list(site: Site) -> None:
    """A user's sessions are listed with device, address and kind; the latest first."""
    assert site.run("sessions", "list", "ada").output == "ada has no session.\n"
    first = site.gate.admit("ada", "password", client=FIREFOX, remember=True).session
    site.clock.advance(timedelta(minutes=1))
    second = site.gate.admit("ada", "password").session
    lines = site.run("sessions", "list", "ada").output.splitlines()
    assert lines == [
        f"{second.id}  2026-01-01 00:01:00 UTC  Unknown device      unknown address  this browser only",
        f"{first.id}  2026-01-01 00:00:00 UTC  Firefox on Windows  192.0.2.7        remembered",
    ]


def test_revoke_and_why(site: Site) -> None:
    """A session is ended by its id, all of a user's by the user, and each says afterwards who did it."""
    one, two, three = (site.gate.admit("ada", "password").session for _ in range(3))
    assert site.run("sessions", "revoke", one.id).output == "Ended 1 session.\n"
    assert site.run("sessions", "revoke", "--user", "ada", "--by", "admin:7").output == "Ended 2 sessions.\n"
    assert site.run("sessions", "why", one.id).output == (
        f"{one.id} ended at 2026-01-01 00:00:00 UTC: revoked by operator.\n"
    )
    assert "revoked by admin:7" in site.run("sessions", "why", two.id).output
    again = site.run("sessions", "revoke", three.id, "unknown")
    assert again.exit_code == 1
    assert "2 sessions had ended before, or never were" in again.output
    site.gate.admit("ada", "password")
    both = site.run("sessions", "revoke", "unknown", "--user", "ada")
    assert both.exit_code == 1
    assert "Ended 1 session." in both.output
    assert "1 session had ended before, or never was" in both.output


@pytest.mark.parametrize("session_id", ["-tjjrit7I15WTSs-ovMqDg", "--help567890123456789h", "-hhhhhhhhhhhhhhhhhhhhh"])
def test_an_id_that_looks_like_an_option(site: Site, session_id: str) -> None:
    """A session whose id begins with a dash is ended and explained like any other, among options and after a dash."""
    for words in ([session_id, "--by", "admin:7"], ["--by", "admin:7", session_id], ["--", session_id]):
        session = a_session(id=session_id, ends_at=site.clock() + timedelta(days=1), seen_at=site.clock())
        site.gate.store.add_session(session)
        assert site.run("sessions", "revoke", *words).output == "Ended 1 session.\n"
    assert f"{session_id} ended at" in site.run("sessions", "why", session_id).output
    assert '"reason": "revoked"' in site.run("sessions", "why", session_id, "--json").output


def test_why_without_somebody(site: Site) -> None:
    """A session that timed out was ended by nobody, and an unknown one is no failure of the program."""
    session = site.gate.admit("ada", "password").session
    unknown = site.run("sessions", "why", session.id)
    assert unknown.exit_code == 1
    assert "Nothing is known of" in unknown.output
    site.clock.advance(session.idle)
    assert site.run("sessions", "why", session.id).output.endswith(": idle.\n")


def test_revoke_needs_to_know_what(site: Site) -> None:
    """Without an id and a user there is nothing to end, and the message says what to name."""
    result = site.run("sessions", "revoke")
    assert result.exit_code == 2
    assert "Name session IDs, or a user by --user" in result.output


def test_purge(site: Site) -> None:
    """What is over goes, batch by batch, and the count is told."""
    sessions = [site.gate.admit("ada", "password").session for _ in range(5)]
    site.clock.advance(sessions[0].idle + timedelta(seconds=1))
    assert "Removed 5 rows." in site.run("sessions", "purge", "--batch", "2").output
    assert "Removed 0 rows." in site.run("sessions", "purge").output
    assert site.run("sessions", "purge", "--batch", "0").exit_code == 2


def test_upgrade_where_there_are_no_tables(site: Site) -> None:
    """A store without tables has nothing to upgrade."""
    assert site.run("db", "upgrade").output == "This store has no tables.\n"


class Tables(MemoryStore):
    """A store with tables, which may be out of reach."""

    reachable = True

    def upgrade(self) -> None:
        """Make the tables."""
        if not self.reachable:
            message = "connection refused"
            raise StoreError(message)


def test_upgrade() -> None:
    """The tables are made, and a store that does not answer is a message, not a traceback."""
    store = Tables()
    site = Site(store)
    assert site.run("db", "upgrade").output == "The tables are up to date.\n"
    store.reachable = False
    failed = site.run("db", "upgrade")
    assert failed.exit_code == 1
    assert "The store did not answer: connection refused. Check that it runs" in failed.output


def test_upgrade_of_two_stores() -> None:
    """Of a pair the tables of accounts are made too."""
    made: list[str] = []

    class Noting(MemoryStore):
        def upgrade(self) -> None:
            made.append("tables")

    app = Flask("site")
    app.config.update(TESTING=True, ADMIT_PUBLIC_URL="https://app.example")
    LoginManager(app, store=(Noting(), MemoryStore()), features=[AccountPages()])
    result = app.test_cli_runner().invoke(args=["admit", "db", "upgrade"])
    assert result.output == "The tables are up to date.\n"
    assert made == ["tables"]


@pytest.mark.parametrize("words", [["list"], ["list", "--subject", "ada"], ["verify"], ["erase", "ada", "--yes"]])
def test_events_where_there_are_none(site: Site, words: list[str]) -> None:
    """An application without features has no records, and is told what it takes to have some."""
    result = site.run("events", *words)
    assert result.exit_code == 1
    assert "Nothing is recorded here. Give LoginManager the feature Activity()" in result.output


def test_settings_are_listed(site: Site) -> None:
    """Every setting is shown with its key, what it takes, its default and its sentence."""
    output: Any = site.run("settings").output
    assert "ADMIT_SESSION_IDLE" in output
    assert "How long a session lives without being used" in output
    assert "1 day, 0:00:00" in output
