"""The account: shown to its owner, and logged out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from admit.feature import Feature
from admit.features.account import AccountExported, AccountPages
from tests.features.conftest import Phrases, Site

if TYPE_CHECKING:
    from admit.feature import Context
    from admit.model import Account


@pytest.fixture
def site() -> Site:
    """Return a site with an account."""
    site = Site(AccountPages(), Phrases())
    site.account(roles=frozenset({"editor", "admin"}))
    return site


def test_the_owner_sees_it(site: Site) -> None:
    """Its owner sees what the account is, without anything secret."""
    client = site.client()
    client.log_in()
    shown = client.get("/").json
    assert shown["email"] == "Ada@example.org"
    assert shown["is_verified"] is True
    assert shown["roles"] == ["admin", "editor"]
    assert shown["username"] is None
    assert set(shown) == {"id", "username", "email", "is_verified", "roles", "created_at"}


def test_the_page(site: Site) -> None:
    """Its page names it, and is kept by nobody."""
    client = site.client("page")
    client.log_in()
    page = client.get("/")
    assert "Ada@example.org" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]


def test_strangers_see_nothing(site: Site, face: str) -> None:
    """Whoever is not logged in is told how to, or led there and back."""
    answer = site.client(face).get("/")
    if face == "page":
        assert answer.status_code == 303
        assert answer.location == "/account/phrase?next=%2Faccount%2F"
    else:
        assert answer.status_code == 401
        assert answer.json["methods"] == [{"name": "phrases", "method": "POST", "path": "/api/account/phrase"}]


def test_logging_out(site: Site, face: str) -> None:
    """Logging out ends the session in the store, and a copy of the cookie with it."""
    client, thief = site.client(face), site.client(face)
    client.log_in()
    thief.http.set_cookie("admit", client.http.get_cookie("admit").value)
    assert thief.is_in
    answer = client.send("/sign-out")
    assert answer.status_code == (200 if face == "page" else 204)
    assert client.http.get_cookie("admit") is None
    assert not client.is_in
    assert not thief.is_in


def test_logging_out_twice(site: Site, face: str) -> None:
    """Whoever is out already gets the same answer."""
    answer = site.client(face).send("/sign-out")
    assert answer.status_code == (200 if face == "page" else 204)


@pytest.mark.parametrize("site_header", ["cross-site", "same-site"])
def test_another_site_logs_nobody_out(site: Site, face: str, site_header: str) -> None:
    """A page of another site can't log somebody out."""
    client = site.client(face)
    client.log_in()
    client.http.environ_base["HTTP_SEC_FETCH_SITE"] = site_header
    assert client.send("/sign-out").status_code == 403
    del client.http.environ_base["HTTP_SEC_FETCH_SITE"]
    assert client.is_in


def test_why_it_ended(site: Site) -> None:
    """Whose session was ended elsewhere is told so in the code."""
    client = site.client()
    client.log_in()
    [session] = site.gate.sessions_of(site.store.list_accounts()[0].id)
    site.gate.revoke(session.id, by="admin")
    assert client.get("/").json["code"] == "session_revoked"


# -- taking all of it away ---------------------------------------------------------------------------------------------


class Diary(Feature):
    """Holds something of everybody but Bob."""

    name = "diary"

    def export(self, ctx: Context, account: Account) -> Any:
        """Return a line."""
        del ctx
        return None if account.label.startswith("bob") else [f"Dear {account.label}"]


def test_all_that_is_held_is_a_file(face: str) -> None:
    """The owner gets one file of JSON with the account and what each feature holds, and it is told that they did."""
    site = Site(AccountPages(), Phrases(), Diary())
    account = site.account(roles=frozenset({"editor"}))
    client = site.client(face)
    client.log_in()
    answer = client.send("/export")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=account-{site.clock():%Y-%m-%d}.json"
    assert answer.headers["Cache-Control"] == "no-store"
    now = site.clock().isoformat().replace("+00:00", "Z")
    assert answer.json == {
        "site": "app.example",
        "exported_at": now,
        "account": {
            "id": account.id,
            "identifiers": [{"kind": "email", "value": "Ada@example.org", "verified_at": now}],
            "roles": ["editor"],
            "created_at": now,
        },
        "held": {
            "account": {"known_devices": [{"known_since": now}]},
            "phrases": [{"created_at": now, "used_at": None}],
            "diary": ["Dear Ada@example.org"],
        },
    }
    assert site.of(AccountExported) == [AccountExported(at=site.clock(), subject=account.id)]


def test_there_is_no_secret_in_it(site: Site) -> None:
    """Neither what logs in, nor its hash, nor what opens a session or is known by a device, is in the file."""
    account = site.account("bob@example.org")
    client = site.client()
    client.log_in("bob@example.org")
    text = client.send("/export").text
    kept = site.store.list_credentials(account.id)
    assert len(kept) == 2
    assert not any(one.secret in text or one.id in text for one in kept)
    [session] = site.store.list_sessions(account.id)
    assert session.secret_hash.hex() not in text
    assert not any(cookie.value in text for cookie in client.http._cookies.values() if cookie.value)


def test_it_takes_a_fresh_login(site: Site, face: str) -> None:
    """Whoever sits at a session that was left open, or at none, gets nothing."""
    client = site.client(face)
    assert client.send("/export").status_code in {303, 401}
    client.log_in()
    site.pass_time(hours=2)
    answer = client.send("/export")
    assert answer.status_code == 403
    assert "Content-Disposition" not in answer.headers
    assert site.of(AccountExported) == []


def test_it_is_made_so_often(site: Site, face: str) -> None:
    """A script that asks for the file again and again gets it a few times, and then has to wait."""
    client = site.client(face)
    client.log_in()
    assert [client.send("/export").status_code for _ in range(6)] == [200] * 5 + [429]
    site.pass_time(minutes=10)
    assert client.send("/export").status_code == 200


def test_the_page_offers_it(site: Site) -> None:
    """The page of the account has the button, and offers to close it only where that can be done."""
    client = site.client("page")
    client.log_in()
    page = client.get("/").text
    assert 'action="/account/export"' in page
    assert "/account/close" not in page
