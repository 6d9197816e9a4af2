"""Devices: seen in human words, and ended one by one or all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.events import SessionEnded
from admit.features.devices import Devices
from tests.features.conftest import Phrases, Site

if TYPE_CHECKING:
    from tests.features.conftest import Client


@pytest.fixture
def site() -> Site:
    """Return a site with two accounts."""
    site = Site(Devices(), Phrases())
    site.account()
    site.account("bob@example.org")
    return site


def devices(client: Client) -> list[dict[str, object]]:
    """Return the devices that a client sees, as JSON whatever it is."""
    found: list[dict[str, object]] = client.http.get("/api/account/devices").json["devices"]
    return found


def logged_in(site: Site, face: str, identifier: str = "ada@example.org") -> Client:
    """Return a client that is logged in, a minute after the one before."""
    client = site.client(face)
    site.pass_time(minutes=1)
    client.log_in(identifier)
    return client


def test_they_are_shown(site: Site, face: str) -> None:
    """The device at hand comes first, then the others, each with a name that people know."""
    other, here = logged_in(site, face), logged_in(site, face)
    found = devices(here)
    assert [one["is_this"] for one in found] == [True, False]
    assert found[0]["name"] == "Firefox on Linux"
    assert found[0]["address"] == "127.0.0.1"
    assert [one["is_this"] for one in devices(other)] == [True, False]
    if face == "page":
        page = here.get("/devices").text
        assert page.count("<h2>Firefox on Linux") == 2
        assert page.count("This device") == 1


def test_of_very_many_the_newest_are_shown(site: Site, face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on how many are shown, and the one at hand is always among them."""
    monkeypatch.setattr("admit.features.devices._MOST", 2)
    here, *_ = [logged_in(site, face) for _ in range(4)]
    assert [one["is_this"] for one in devices(here)] == [True, False, False]


def test_one_is_ended(site: Site, face: str) -> None:
    """Ending one device logs it out at its next request, and no other; the event says by whom."""
    other, here = logged_in(site, face), logged_in(site, face)
    answer = here.send(f"/devices/{devices(here)[1]['id']}", "DELETE")
    assert answer.status_code == (303 if face == "page" else 200)
    assert not other.is_in
    assert here.is_in
    ended = site.of(SessionEnded)[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.by == "owner"


def test_this_one_is_ended(site: Site, face: str) -> None:
    """Ending the device at hand logs out there."""
    here = logged_in(site, face)
    here.send(f"/devices/{devices(here)[0]['id']}", "DELETE")
    assert not here.is_in
    assert here.http.get_cookie("admit") is None


def test_all_others_are_ended(site: Site, face: str) -> None:
    """One action logs out everywhere else."""
    others, here = [logged_in(site, face), logged_in(site, face)], logged_in(site, face)
    answer = here.send("/devices", "DELETE")
    assert [other.is_in for other in others] == [False, False]
    assert here.is_in
    if face == "json":
        assert answer.json == {"ended": 2}


@pytest.mark.parametrize("whose", ["bob's", "nobody's", "nonsense"])
def test_somebody_elses_is_nobodys(site: Site, face: str, whose: str) -> None:
    """The id of somebody else's session is answered like one that never was, and nothing ends."""
    bob, here = logged_in(site, face, "bob@example.org"), logged_in(site, face)
    session_id = {"bob's": str(devices(bob)[0]["id"]), "nobody's": "A" * 22, "nonsense": "%00"}[whose]
    answer = here.send(f"/devices/{session_id}", "DELETE")
    assert answer.status_code == 404
    assert bob.is_in
    if face == "json":
        assert answer.json["code"] == "not_found"


def test_strangers_end_nothing(site: Site, face: str) -> None:
    """Whoever is not logged in ends nothing."""
    here = logged_in(site, face)
    answer = site.client(face).send(f"/devices/{devices(here)[0]['id']}", "DELETE")
    assert answer.status_code == (303 if face == "page" else 401)
    assert here.is_in


def test_what_is_held(site: Site) -> None:
    """An export has each login with its address, its device as that called itself, its times and its proofs."""
    logged_in(site, "json")
    logged_in(site, "json", "bob@example.org")
    account = site.store.find_account("ada@example.org")
    [session] = site.gate.sessions_of(account.id)
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
    assert Devices().export(ctx, account) == [
        {
            "id": session.id,
            "address": "127.0.0.1",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "expires_at": session.expires_at,
            "is_remembered": False,
            "authentications": [{"method": "phrases", "factors": ["know"], "at": session.created_at}],
        }
    ]
    site.gate.revoke_all(account.id)
    assert Devices().export(ctx, account) is None
