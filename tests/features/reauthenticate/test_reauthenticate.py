"""Proving it once more: what would do, and back to where one was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from admit import tokens
from admit.feature import Context, Demand, Feature, Reply, Signed, action
from admit.features.reauthenticate import Reauthenticate
from admit.flask import fresh_login_required
from admit.model import Credential
from tests.features.conftest import ADA, PHRASE, Phrases, Site


class Nothing(msgspec.Struct):
    """No input at all."""


class Badge(Feature):
    """Another way to prove it."""

    name = "badge"
    proves = "show"

    @action("POST", "/badge", title="Show the badge", page="phrases/login", demands=Demand.SESSION)
    def show(self, ctx: Context, form: Nothing) -> Reply[Signed]:
        """Take any badge."""
        return ctx.confirm(ctx.demand_account().id, self.name, frozenset())


@pytest.fixture
def site() -> Site:
    """Return a site with a view that wants a fresh login."""
    site = Site(Reauthenticate(), Phrases(), Badge())
    site.account()
    site.app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "paid"))
    return site


def stale(site: Site, face: str) -> Any:
    """Return a client whose login is an hour old."""
    client = site.client(face)
    client.log_in()
    site.pass_time(hours=1)
    return client


def test_the_page_and_back(site: Site) -> None:
    """A browser is led to the one way there is, and after the proof it is back where it was."""
    client = stale(site, "page")
    refused = client.http.get("/payout")
    assert refused.status_code == 302
    assert refused.location == "/account/reauthenticate?next=%2Fpayout"
    led = client.http.get(refused.location)
    assert led.location == "/account/phrase/confirm?next=%2Fpayout"
    done = client.http.post(led.location, data={"identifier": ADA, "phrase": PHRASE, "next": "/payout"})
    assert done.location == "/payout"
    assert client.http.get("/payout").text == "paid"


def test_the_problem_document(site: Site) -> None:
    """A client of the JSON API is told what would do, and how."""
    client = stale(site, "json")
    refused = client.http.get("/payout", headers={"Accept": "application/json"})
    assert refused.status_code == 403
    assert refused.json["code"] == "reauthentication_required"
    assert {"name": "phrases", "method": "POST", "path": "/api/account/phrase/confirm"} in refused.json["methods"]
    assert client.send("/phrase/confirm", identifier=ADA, phrase=PHRASE).status_code == 200
    assert client.http.get("/payout").text == "paid"


def test_only_ways_that_are_open(site: Site, face: str) -> None:
    """Only what the account has enrolled is offered; with several ways there is a choice."""
    client = stale(site, face)
    if face == "json":
        assert client.get("/reauthenticate").json == {"ways": [{"name": "phrases", "action": "phrases.confirm"}]}
    [account] = site.store.list_accounts()
    site.store.add_credential(Credential(tokens.new_id(), "badge", account.id, account.id, "", site.clock()))
    answer = client.get("/reauthenticate")
    assert answer.status_code == 200
    if face == "json":
        assert [way["name"] for way in answer.json["ways"]] == ["phrases", "badge"]
    else:
        assert "/account/badge" in answer.text


def test_the_proof_of_somebody_else(site: Site, face: str) -> None:
    """Bob's right phrase does not make ada's login fresh."""
    site.account("bob@example.org")
    client = stale(site, face)
    assert client.send("/phrase/confirm", identifier="bob@example.org", phrase=PHRASE).status_code == 403
    assert client.http.get("/payout").status_code != 200


def test_the_session_is_another_one_afterwards(site: Site, face: str) -> None:
    """The proof gives the session a new token, and the one before is dead."""
    client, thief = stale(site, face), site.client(face)
    thief.http.set_cookie("admit", client.http.get_cookie("admit").value)
    client.send("/phrase/confirm", identifier=ADA, phrase=PHRASE)
    assert client.is_in
    assert not thief.is_in


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_back_to_this_site_only(site: Site, target: str) -> None:
    """A target on another site is not gone to."""
    client = stale(site, "page")
    done = client.http.post("/account/phrase/confirm", data={"identifier": ADA, "phrase": PHRASE, "next": target})
    assert done.status_code == 303
    assert done.location == "/account/"
