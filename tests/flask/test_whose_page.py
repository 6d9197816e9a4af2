"""The page of a link is about the account that the link is for, whoever is signed in where it is opened."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from admit.features import everything
from tests.flask.page_site import ADA, PASSWORD, Site, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

BOB = "bob@example.org"
NEW = "nine blue kettles on the porch"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with every feature, in which Ada has an account."""
    site = Site(tmp_path, everything())
    site.member()
    return site


@pytest.fixture
def bob(site: Site) -> FlaskClient:
    """Return a browser in which Bob is signed in."""
    client = site.client()
    client.post("/account/sign-up", data={"email": BOB, "password": PASSWORD})
    site.follow(client)
    client.post("/account/verify")
    sign_in(client, identifier=BOB)
    return client


def shown(page: TestResponse) -> str:
    """Return the text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def is_about_ada(page: TestResponse) -> bool:
    """Tell whether a page names Ada, and neither Bob's menu nor his name at its head."""
    head = page.text.partition("<main")[0]
    return ADA in shown(page) and BOB not in head and "admit-tabs" not in head


def is_bob(client: FlaskClient) -> bool:
    """Tell whether Bob is still signed in."""
    return BOB in client.get("/account/").text


def test_u18_reset(site: Site, bob: FlaskClient) -> None:
    """Ada's reset in Bob's browser names Ada, ends her sessions and tells Bob that he is still signed in."""
    site.client().post("/account/password-reset", data={"identifier": ADA})
    page = site.follow(bob)
    assert is_about_ada(page)
    assert f"You are signed in as {BOB} in this browser. That does not change." in shown(page)
    assert f'value="{ADA}" autocomplete="username"' in page.text
    refused = bob.post("/account/password-reset/choose", data={"password": "short"})
    assert is_about_ada(refused)
    done = bob.post("/account/password-reset/choose", data={"password": NEW})
    assert is_about_ada(done)
    assert f"{ADA} is signed out on all devices." in shown(done)
    assert "You are signed out" not in shown(done)
    assert is_bob(bob)


def test_u18_own_reset(site: Site) -> None:
    """Ada's reset in her own browser signs her out, and the page that says so has no name at its head."""
    client = site.client()
    sign_in(client)
    client.post("/account/password-reset", data={"identifier": ADA})
    assert ADA in site.follow(client).text.partition("<main")[0]
    done = client.post("/account/password-reset/choose", data={"password": NEW})
    assert "You are signed out everywhere." in shown(done)
    assert "admit-leave" not in done.text
    assert client.get("/account/").location is not None


@pytest.mark.parametrize("is_own", [True, False])
def test_u18_confirmation(site: Site, bob: FlaskClient, *, is_own: bool) -> None:
    """A confirmation in a browser where Bob is signed in names the address, and leaves Bob signed in."""
    carol = "carol@example.org"
    asking = bob if is_own else site.client()
    asking.post("/account/sign-up", data={"email": carol, "password": PASSWORD})
    page = site.follow(bob)
    assert f"Account: {carol}" in shown(page)
    assert BOB not in page.text.partition("<main")[0]
    done = bob.post("/account/verify")
    assert f"Account: {carol}" in shown(done)
    assert BOB not in done.text.partition("<main")[0]
    assert is_bob(bob)


def test_u18_it_was_not_me(site: Site, bob: FlaskClient) -> None:
    """Ada's notice of a new device in Bob's browser is about her, and signs her out only."""
    site.clock.advance(timedelta(days=2))
    sign_in(bob, identifier=BOB)
    sign_in(site.client())
    page = site.follow(bob)
    assert is_about_ada(page)
    done = bob.post("/account/new-device")
    assert is_about_ada(done)
    assert is_bob(bob)


def test_u18_changes_of_addresses(site: Site, bob: FlaskClient) -> None:
    """Bob can't confirm the new address of Ada, is told why, and her way back is about her old address."""
    ada = site.client()
    sign_in(ada)
    ada.post("/account/mail-change", data={"email": "new@example.org"})
    page = site.follow(bob)
    assert BOB not in shown(page)
    assert "You are signed in to another account in this browser." in shown(page)
    assert site.follow(ada).status_code == 200
    ada.post("/account/mail-change/confirm")
    assert is_about_ada(site.follow(bob))
    assert is_about_ada(bob.post("/account/mail-change/undo"))
    assert is_bob(bob)


def test_u18_magic_link(site: Site, bob: FlaskClient) -> None:
    """A sign-in by mail as Ada says whom Bob's browser signs in, and Bob is out only when he presses the button."""
    site.client().post("/account/magic-link", data={"identifier": ADA})
    elsewhere = site.follow(bob)
    assert is_about_ada(elsewhere)
    assert "This link does not work here" in shown(elsewhere)
    bob.post("/account/magic-link", data={"identifier": ADA})
    page = site.follow(bob)
    assert is_about_ada(page)
    assert f"Press the button to sign in as {ADA} instead." in shown(page)
    assert is_bob(bob)
    bob.post("/account/magic-link/use")
    assert ADA in bob.get("/account/").text
