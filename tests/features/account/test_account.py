"""The account: shown to its owner, and logged out."""

from __future__ import annotations

import pytest

from admit.features.account import AccountPages
from tests.features.conftest import Phrases, Site


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
