"""The minimal example over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ADA = {"name": "ada", "password": "correct horse"}


@pytest.fixture
def visitor(minimal_url: str) -> Iterator[httpx.Client]:
    """Return a client of the minimal example with a cookie jar of its own."""
    with httpx.Client(base_url=minimal_url) as client:
        yield client


def test_to_the_login_page_and_back(visitor: httpx.Client) -> None:
    """Who asks for a private page is sent to the login page, and from there to the page."""
    refused = visitor.get("/private")
    assert refused.headers["Location"] == "/login?next=%2Fprivate"
    page = visitor.get(refused.headers["Location"])
    assert "Please log in to access this page." in page.text
    entered = visitor.post(refused.headers["Location"], data=ADA)
    assert entered.headers["Location"] == "/private"
    assert "Only ada sees this" in visitor.get("/private").text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_next_stays_here(visitor: httpx.Client, target: str) -> None:
    """A target on another host is forgotten (attack 112)."""
    assert visitor.post("/login", params={"next": target}, data=ADA).headers["Location"] == "/"


@pytest.mark.parametrize(
    "data", [{}, {"name": "ada"}, {"name": "ada", "password": "wrong"}, {"name": "x", "password": ""}]
)
def test_wrong_credentials(visitor: httpx.Client, data: dict[str, str]) -> None:
    """Whatever is wrong with the credentials, the form says the same."""
    response = visitor.post("/login", data=data)
    assert response.status_code == 401
    assert "Invalid name or password" in response.text


def test_a_remembered_login_is_not_fresh(visitor: httpx.Client) -> None:
    """A remembered user gets in, but has to enter the password once more for a fresh page."""
    visitor.post("/login", data={**ADA, "remember": "on"})
    assert visitor.get("/payout").status_code == 200
    visitor.cookies.delete("session")
    assert visitor.get("/private").status_code == 200
    stale = visitor.get("/payout")
    assert stale.headers["Location"] == "/login?next=%2Fpayout"
    again = visitor.post(stale.headers["Location"], data=ADA)
    assert again.headers["Location"] == "/payout"
    assert visitor.get("/payout").status_code == 200


def test_signing_out(visitor: httpx.Client) -> None:
    """After signing out neither cookie brings the user back in this browser."""
    visitor.post("/login", data={**ADA, "remember": "on"})
    visitor.post("/logout")
    assert visitor.get("/private").status_code == 302


def test_other_sites_can_not_send_the_form(visitor: httpx.Client) -> None:
    """A form sent by another site is refused, by either header that browsers send."""
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert visitor.post("/login", data=ADA, headers=headers).status_code == 403
