"""D10, its audit rows: attacks on the record of what happened."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from admit.chain import Flaw, verify
from admit.stores.sql import SqlStore
from tests.attacks.conftest import ADA
from tests.attacks.site import API, PASSWORD, WRONG_PASSWORD, make_site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.site import Browser, Site
    from tests.services.postgres import PostgresServer

BOB = "bob@people.example"


def records(site: Site) -> list[Any]:
    """Return what was recorded, the oldest first."""
    return [link.record for link in site.accounts.stores.events.read_chain(after=0)]


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("UPDATE admit_events SET outcome = 'success' WHERE outcome = 'failure'", Flaw.EDITED),
        ("UPDATE admit_events SET personal = replace(personal, '198.51.100.66', '192.0.2.1')", Flaw.EDITED),
        ("DELETE FROM admit_events WHERE outcome = 'failure'", Flaw.REMOVED),
        ("DELETE FROM admit_events WHERE number > 2", Flaw.REMOVED),
        ("UPDATE admit_events SET number = -number; UPDATE admit_events SET number = number + 5", None),
    ],
    ids=["what came of it", "where it came from", "the failures", "the latest", "the order"],
)
def test_153_traces_removed_by_hand(
    site: Site, thief: Browser, tmp_path: Path, statement: str, flaw: Flaw | None
) -> None:
    """A thief with a shell on the database who edits, removes or re-orders what tells of them is found out."""
    thief.sign_in(ADA, WRONG_PASSWORD)
    thief.sign_in(ADA, PASSWORD)
    assert verify(site.accounts.stores.events).holds
    connection = sqlite3.connect(tmp_path / "site.db")
    connection.executescript(statement)
    connection.commit()
    connection.close()
    verdict = verify(site.accounts.stores.events)
    assert not verdict.holds
    assert flaw in {None, verdict.flaw}


def test_153_a_database_that_lets_nobody_edit(postgres_server: PostgresServer, postgres_schema: str) -> None:
    """A site whose role may only add records works, and can't edit or remove one, whoever takes it over."""
    owner = SqlStore(postgres_server.url, schema=postgres_schema)
    owner.create()
    owner.close()
    role = f"app_{postgres_schema}"
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {postgres_schema} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {postgres_schema} TO {role}",
        f"REVOKE UPDATE, DELETE ON {postgres_schema}.admit_events FROM {role}",
    ):
        postgres_server.ask(statement)
    url = postgres_server.url.replace("tests@", f"{role}@")
    site = make_site(SqlStore(url, schema=postgres_schema, connect_timeout=30, command_timeout=30))
    try:
        site.member(ADA)
        site.signed_in(ADA).post("/sign-out")
        assert [one.name for one in records(site)][-2:] == ["logged_in", "session_ended"]
        assert verify(site.accounts.stores.events).holds
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in ("UPDATE {}.admit_events SET reason = 'x'", "DELETE FROM {}.admit_events"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.format(postgres_schema))
    finally:
        site.close()
        postgres_server.ask(f"DROP OWNED BY {role}")
        postgres_server.ask(f"DROP ROLE {role}")


def test_153_a_flood_of_records(site: Site, thief: Browser) -> None:
    """Hundreds of tries that cost a stranger nothing leave a few records, and those of others are found beside them."""
    before = len(records(site))
    for number in range(300):
        thief.send("POST", f"{API}/sign-in", json={}, headers={"Sec-Fetch-Site": "cross-site"})
        thief.post("/verify", {"token": f"junk{number}"})
        if number < 40:
            thief.sign_in(ADA, WRONG_PASSWORD)
    site.signed_in(ADA)
    left = records(site)[before:]
    assert len(left) < 40
    assert left[-1].name == "logged_in"
    assert {one.name for one in left} == {"refused", "login_failed", "throttling", "logged_in"}


def test_153_poisoned_records(site: Site, thief: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a client sends, each record is one log line of JSON in printable ASCII, and a page shows it as text."""
    caplog.set_level(logging.INFO, "admit.events")
    evil = 'x"}\n{"event": "logged_in"}\r\u2028\x1b[31m<script>alert(1)</script>'
    agent = {"HTTP_USER_AGENT": evil.encode().decode("latin-1")}
    for name in (evil, ADA):
        body = {"identifier": name, "password": WRONG_PASSWORD}
        headers = {"Sec-Fetch-Site": "same-origin"}
        thief.send("POST", f"{API}/sign-in", json=body, headers=headers, environ_overrides=agent)
    lines = [one.getMessage() for one in caplog.records if one.name == "admit.events"]
    assert len(lines) == 2
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["event"] == "login_failed"
    page = site.signed_in(ADA).get("/account/activity").text
    assert "A sign-in failed." in page
    assert "<script>alert" not in page


def test_155_the_activity_of_others(site: Site, ada: Browser) -> None:
    """Nobody sees what is recorded of others, whatever place in the list they ask for."""
    site.member(BOB)
    bob = site.signed_in(BOB, at="203.0.113.99")
    mine = [one["address"] for one in bob.get(f"{API}/activity").json["entries"]]
    assert "203.0.113.99" in mine
    for path in ("/activity", "/activity/before/999999", "/activity?subject=x", "/activity/before/5"):
        assert "203.0.113.99" not in ada.get(API + path).text
