"""The page that somebody wanted to go to is not lost on the way in, and leads nobody to another site."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from admit.features import everything
from admit.flask import fresh_login_required, login_required
from admit.settings import SessionSettings
from tests.flask.page_site import ADA, PASSWORD, Site, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

CHECKOUT = "/checkout?item=7&size=a%20b"
KEPT = "admit-kept-next"

#: What an attacker writes in the place of a page of this site; a browser reads most of it as another host.
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "https://evil.example/",
    "http://localhost.evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "%2F%2Fevil.example",
    "checkout",
]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with every feature, and with a page to pay on."""
    site = Site(tmp_path, everything())
    site.app.add_url_rule("/checkout", "checkout", login_required(lambda: "checkout"))
    site.app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "payout"))
    return site


def hidden(page: TestResponse) -> dict[str, str]:
    """Return the next page that the form of a page sends along."""
    found = re.search(r'name="next" value="([^"]*)"', page.text)
    return {"next": unescape(found[1])} if found else {}


def links(page: TestResponse, part: str) -> list[str]:
    """Return the links of a page to another one of ours."""
    return [unescape(one) for one in re.findall(r'href="(/account/[^"]*)"', page.text) if part in one]


def fill(client: FlaskClient, address: str, target: str, **fields: str) -> TestResponse:
    """Open a form for somebody on the way to a page, and send it."""
    form = client.get(address, query_string={"next": target})
    return client.post(address, data={**fields, **hidden(form)})


def code(site: Site) -> str:
    """Return the code in the newest mail."""
    found = re.search(r"^(\d{4} \d{4})$", site.mails[-1].text, re.MULTILINE)
    assert found is not None
    return found[1]


def signed_in_from(client: FlaskClient, page: TestResponse) -> str | None:
    """Follow the link to the sign-in page, sign in there, and return where that leads."""
    form = client.get(links(page, "/sign-in")[0])
    return sign_in(client, **hidden(form)).location


@pytest.mark.parametrize("part", ["sign-up", "magic-link", "password-reset"])
def test_u17_links_between_our_pages(site: Site, part: str) -> None:
    """Every link from the sign-in page to another way in carries the page that was asked for."""
    client = site.client()
    page = client.get(CHECKOUT, follow_redirects=True)
    assert hidden(page) == {"next": CHECKOUT}
    [link] = links(page, part)
    assert hidden(client.get(link)) == {"next": CHECKOUT}


@pytest.mark.parametrize("way", ["link", "code"])
def test_u17_sign_up(site: Site, way: str) -> None:
    """Somebody who signs up on the way to a page gets there, by the link or by the code of the email."""
    client = site.client()
    sent = fill(client, "/account/sign-up", CHECKOUT, email=ADA, password=PASSWORD)
    assert "checkout" not in site.mails[-1].text
    if way == "link":
        site.follow(client)
        page = client.post("/account/verify")
    else:
        page = client.post("/account/verify/code", data={"code": code(site), **hidden(sent)})
    assert signed_in_from(client, page) == CHECKOUT


def test_u17_sign_up_and_another_email(site: Site) -> None:
    """Asking for the email again does not lose the page."""
    client = site.client()
    fill(client, "/account/sign-up", CHECKOUT, email=ADA, password=PASSWORD)
    client.post("/account/verify/request", data={"email": ADA})
    site.follow(client)
    assert signed_in_from(client, client.post("/account/verify")) == CHECKOUT


@pytest.mark.parametrize("way", ["link", "code"])
def test_u17_magic_link(site: Site, way: str) -> None:
    """Somebody who signs in by an email gets to the page, by the link or by the code."""
    site.member()
    client = site.client()
    sent = fill(client, "/account/magic-link", CHECKOUT, identifier=ADA)
    if way == "link":
        page = site.follow(client)
        assert hidden(page) == {"next": CHECKOUT}
        answer = client.post("/account/magic-link/use")
    else:
        answer = client.post("/account/magic-link/code", data={"code": code(site), **hidden(sent)})
    assert answer.location == CHECKOUT


def test_u17_reset(site: Site) -> None:
    """Somebody who had to choose a new password gets to the page after signing in with it."""
    site.member()
    client = site.client()
    fill(client, "/account/password-reset", CHECKOUT, identifier=ADA)
    site.follow(client)
    page = client.post("/account/password-reset/choose", data={"password": PASSWORD})
    assert signed_in_from(client, page) == CHECKOUT


def test_u17_reauthentication(site: Site) -> None:
    """Somebody who has to confirm who they are goes on to the page, also over a refused password."""
    client = site.member()
    site.clock.advance(SessionSettings().fresh_within * 2)
    page = client.get("/payout", follow_redirects=True)
    assert hidden(page) == {"next": "/payout"}
    [forgotten] = links(page, "password-reset")
    assert hidden(client.get(forgotten)) == {"next": "/payout"}
    page = client.post("/account/password/confirm", data={"password": "wrong", **hidden(page)})
    answer = client.post("/account/password/confirm", data={"password": PASSWORD, **hidden(page)})
    assert answer.location == "/payout"


def test_u17_a_next_in_the_session_of_flask(tmp_path: Path) -> None:
    """Our sign-in page gets the page also where the application keeps `next` of its own login pages in the session."""
    site = Site(tmp_path, everything(), USE_SESSION_FOR_NEXT=True, SECRET_KEY="of the tests")
    site.app.add_url_rule("/checkout", "checkout", login_required(lambda: "checkout"))
    assert hidden(site.client().get(CHECKOUT, follow_redirects=True)) == {"next": CHECKOUT}


def test_u17_only_the_browser_that_asked(site: Site) -> None:
    """In another browser the link leads home: what one browser wanted is not in the email."""
    fill(site.client(), "/account/sign-up", CHECKOUT, email=ADA, password=PASSWORD)
    other = site.client()
    assert hidden(site.follow(other)) == {}
    page = other.post("/account/verify")
    assert "checkout" not in page.text
    assert site.client().get("/account/sign-in").text.count("checkout") == 0


def test_u17_not_for_the_next_person(site: Site) -> None:
    """A sign-in, a sign-out and the next request for an email remove it, and no other page has it."""
    client = site.member()
    fill(client, "/account/password-reset", CHECKOUT, identifier=ADA)
    assert client.get_cookie(KEPT) is not None
    assert hidden(client.get("/account/sign-in")) == {}
    client.post("/account/sign-out")
    assert client.get_cookie(KEPT) is None
    fill(client, "/account/magic-link", CHECKOUT, identifier=ADA)
    sign_in(client)
    assert client.get_cookie(KEPT) is None
    fill(client, "/account/magic-link", CHECKOUT, identifier=ADA)
    client.post("/account/magic-link", data={"identifier": ADA})
    assert client.get_cookie(KEPT) is None


@pytest.mark.parametrize("target", ELSEWHERE)
def test_u17_another_site(site: Site, target: str) -> None:
    """A link to our page with another site in it leads home by every way in, and leaves nothing in the browser."""
    client = site.client()
    form = client.get("/account/sign-up", query_string={"next": target})
    assert hidden(form) == {}
    assert all("next=" not in link for link in links(form, ""))
    client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD, "next": target})
    assert client.get_cookie(KEPT) is None
    site.follow(client)
    page = client.post("/account/verify", query_string={"next": target}, data={"next": target})
    assert signed_in_from(client, page) == "/account/"


@pytest.mark.parametrize("target", ELSEWHERE)
@pytest.mark.parametrize("spelled", [str, lambda text: quote(text, safe="")])
def test_u17_a_planted_cookie(site: Site, target: str, spelled: type[str]) -> None:
    """A sibling host that plants the cookie leads nobody to another site."""
    site.member()
    client = site.client()
    client.post("/account/magic-link", data={"identifier": ADA})
    client.set_cookie(KEPT, spelled(target))
    page = site.follow(client)
    assert hidden(page) == {}
    assert client.post("/account/magic-link/use").location == "/account/"


def test_u17_the_link_of_an_email_with_a_page(site: Site) -> None:
    """An attacker who adds a page to the link of an email leads nobody there."""
    client = site.client()
    client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    found = re.search(r"http://[^/]+(/account/verify/\S+)", site.mails[-1].text)
    assert found is not None
    answer = client.get(found[1], query_string={"next": "/account/close"})
    assert answer.location == "/account/verify"


def test_u17_a_page_that_no_cookie_holds(site: Site) -> None:
    """An address that is longer than a cookie is not kept, and nothing fails."""
    client = site.client()
    answer = fill(client, "/account/sign-up", "/" + "a" * 3500, email=ADA, password=PASSWORD)
    assert answer.status_code == 200
    assert client.get_cookie(KEPT) is None
