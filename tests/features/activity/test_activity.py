"""Activity: what happened is recorded, and shown to whom it is about and to nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit import tokens
from admit.chain import verify
from admit.erasure import erase_account
from admit.errors import ConfigurationError
from admit.events import AccountLocked, LoggedIn, SecretRotated
from admit.features.activity import Activity
from admit.features.activity.records import record_of
from admit.flask import LoginManager, roles_required
from admit.model import Client as Where
from admit.model import Credential, EndReason, Outcome
from admit.operations import close_account, lock_account
from admit.store import Stores
from admit.stores.memory import MemoryStore
from tests.features.conftest import PHRASE, Codes, Phrases, Site

if TYPE_CHECKING:
    from tests.features.conftest import Client

FIREFOX = "Firefox on Linux"


@pytest.fixture
def site() -> Site:
    """Return a site with two accounts."""
    site = Site(Activity(), Phrases())
    site.account()
    site.account("bob@example.org")
    return site


def entries(client: Client, path: str = "/api/account/activity") -> list[dict[str, Any]]:
    """Return what a client sees, as JSON whatever it is."""
    found: list[dict[str, Any]] = client.http.get(path).json["entries"]
    return found


def names(site: Site) -> list[str]:
    """Return the names of all records, the oldest first."""
    return [link.record.name for link in site.store.read_chain(after=0)]


def logged_in(site: Site, face: str = "json", identifier: str = "ada@example.org") -> Client:
    """Return a client that is logged in."""
    client = site.client(face)
    client.log_in(identifier)
    return client


def test_the_owner_sees_what_happened(site: Site, face: str) -> None:
    """A login is shown with its time, method, address and device, the latest first, in words on the page."""
    other = logged_in(site, face)
    site.pass_time(hours=1)
    here = logged_in(site, face)
    first, second = entries(here)
    assert first == {
        "at": "2026-01-01T01:00:00Z",
        "event": "logged_in",
        "outcome": "success",
        "method": "phrases",
        "reason": None,
        "by_owner": True,
        "address": "127.0.0.1",
        "device": FIREFOX,
        "is_this_session": True,
    }
    assert second == {**first, "at": "2026-01-01T00:00:00Z", "is_this_session": False}
    assert [one["is_this_session"] for one in entries(other)] == [False, True]
    if face == "page":
        page = here.get("/activity").text
        assert page.count("You signed in.") == 2
        assert page.count("This device") == 1
        assert page.count(FIREFOX) == 2
        assert "from 127.0.0.1" in page


def test_others_are_not_shown(site: Site, face: str) -> None:
    """Nobody sees what others did, nobody who is not logged in sees anything, and a made-up place shows no more."""
    ada, bob = logged_in(site, face), logged_in(site, face, "bob@example.org")
    for _ in range(3):
        bob.log_in("bob@example.org")
    assert [one["event"] for one in entries(ada)] == ["logged_in"]
    assert len(entries(ada, f"/api/account/activity/before/{10**17}")) == 1
    assert site.client(face).get("/activity").status_code == (303 if face == "page" else 401)


def test_it_is_paged(site: Site, face: str) -> None:
    """A list of fifty goes on where it ended, with nothing twice and nothing left out."""
    site.gate.settings = replace(site.gate.settings, max_per_user=None)  # the end of a session is an event, too
    for _ in range(120):
        site.gate.admit(site.store.find_account("ada@example.org").id, "phrases")
        site.pass_time(minutes=1)
    client = logged_in(site, face)
    times: list[str] = []
    path, pages = "/api/account/activity", 0
    while path:
        found = client.http.get(path).json
        times += [one["at"] for one in found["entries"]]
        pages += 1
        path = found["before"] and f"/api/account/activity/before/{found['before']}"
    assert pages == 3
    assert len(times) == len(set(times)) == 121
    assert times == sorted(times, reverse=True)
    if face == "page":
        page = client.get("/activity")
        assert "Show older" in page.text
        last = client.http.get("/account/activity/before/2").text
        assert "Show older" not in last
        assert last.count("You signed in.") == 1
        assert "Nothing is recorded." in client.http.get("/account/activity/before/1").text


@pytest.mark.parametrize("before", ["x", "-1", "1e9", "٣", "9" * 19, "%00", "1%20"])
def test_a_place_that_is_none(site: Site, face: str, before: str) -> None:
    """What is no place in a list is not found."""
    assert logged_in(site, face).get(f"/activity/before/{before}").status_code == 404


def test_each_ending_has_its_words(site: Site) -> None:
    """Why a session ended is said in the words of its owner."""
    account = site.store.find_account("ada@example.org")
    left = site.gate.admit(account.id, "phrases").session.id
    site.gate.revoke(left, reason=EndReason.LOGOUT)
    site.gate.revoke(site.gate.admit(account.id, "phrases").session.id, by="admin:7")
    site.gate.admit(account.id, "phrases", replacing=site.gate.admit(account.id, "phrases").session)
    again = logged_in(site, "page")
    site.gate.events.publish(AccountLocked(at=site.clock(), subject=account.id, by="admin:7"))
    page = again.get("/activity").text
    for words in (
        "You signed out.",
        "A device was signed out.",
        "A sign-in took the place of an older one on the same device.",
        "Your account was locked.",
    ):
        assert page.count(words) == 1
    assert "admin:7" not in page
    assert [one["by_owner"] for one in entries(again)][:3] == [False, True, True]


def test_words_of_what_nobody_has_words_for() -> None:
    """An event of a feature that is not here any more is shown by its name."""
    from admit.features.activity import ActivityView

    entry = ActivityView(
        at=Site().clock(),
        event="tea_was_made",
        outcome="success",
        method=None,
        reason=None,
        by_owner=False,
        address=None,
        device=None,
        is_this_session=False,
    )
    assert Activity().words(entry) == "Tea was made."


# -- what is recorded -------------------------------------------------------------------------------------------------


def test_failures_are_recorded(site: Site) -> None:
    """A login that is refused after the right proof says why, and whose it was."""
    account = site.store.find_account("ada@example.org")
    lock_account(site.gate, site.store, account.id, at=site.clock(), by="admin:7")
    assert site.client().log_in().status_code == 403
    locked, ended, failed = [link.record for link in site.store.read_chain(after=0)]
    assert (locked.name, locked.actor, locked.client) == ("account_locked", "admin:7", Where())
    assert (ended.name, ended.actor) == ("session_ended", "admission")
    assert (failed.name, failed.outcome, failed.reason) == ("login_failed", Outcome.FAILURE, "locked")
    assert (failed.subject, failed.actor, failed.client.address) == (account.id, None, "127.0.0.1")


def test_a_half_done_login_is_recorded() -> None:
    """The first of two steps is recorded as pending, with what would complete it."""
    site = Site(Activity(), Phrases(), Codes())
    account = site.account()
    site.store.add_credential(Credential("c", "codes", account.id, account.id, "1", site.clock()))
    site.client().log_in()
    [record] = [link.record for link in site.store.read_chain(after=0)]
    assert (record.name, record.outcome, record.details) == ("login_pending", Outcome.PENDING, {"needs": "codes"})


def test_refusals_are_recorded(site: Site) -> None:
    """Another site's request, a forbidden action and a missing role say what was asked for, and why not."""

    @site.app.get("/admin")
    @roles_required("admin")
    def admin() -> str:
        return ""

    client = logged_in(site)
    client.http.post("/api/account/phrase", headers={"Sec-Fetch-Site": "cross-site"})
    client.http.post("/account/phrase", headers={"Sec-Fetch-Site": "cross-site"})
    assert client.http.get("/admin").status_code == 403
    refused = [link.record for link in site.store.read_chain(after=0) if link.record.name == "refused"]
    assert [one.details["code"] for one in refused] == ["cross_site_request", "cross_site_request", "role_required"]
    assert [one.details["action"] for one in refused] == ["phrases.login", "admit.phrases_login_page", "admin"]
    assert [bool(one.subject) for one in refused] == [False, False, True]
    assert {one.client.address for one in refused} == {"127.0.0.1"}


def test_everyday_answers_are_not_recorded(site: Site, face: str) -> None:
    """That somebody is not logged in, or typed nonsense, fills no record."""
    client = site.client(face)
    client.get("/activity")
    client.send("/phrase", identifier="x")
    client.log_in(phrase="wrong")
    assert names(site) == []


def test_authenticated_requests_record_nothing(site: Site) -> None:
    """Whoever is logged in looks at pages without a record, also when their token is renewed."""
    client = logged_in(site)
    for _ in range(5):
        site.pass_time(hours=2)
        assert client.is_in
    assert site.of(SecretRotated)
    assert names(site) == ["logged_in"]


def test_what_strangers_cause_is_recorded_so_often(site: Site) -> None:
    """Refusals that cost a stranger nothing are recorded ten at once from one place, and then one a minute."""
    client = site.client()
    for _ in range(50):
        client.http.post("/api/account/phrase", headers={"Sec-Fetch-Site": "cross-site"})
    assert names(site) == ["refused"] * 10
    site.pass_time(minutes=1)
    for _ in range(5):
        client.http.post("/api/account/phrase", headers={"Sec-Fetch-Site": "cross-site"})
    assert names(site) == ["refused"] * 11
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    client.http.post("/api/account/phrase", headers={"Sec-Fetch-Site": "cross-site"}, environ_overrides=elsewhere)
    assert len(names(site)) == 12


def test_without_counters_all_is_recorded() -> None:
    """A store that counts nothing keeps no record back."""
    from admit.events import Events, Throttling

    events, store = Events(), MemoryStore()
    Activity().watch(events, Stores(store, events=store), lambda: None)
    for _ in range(20):
        events.publish(Throttling(at=Site().clock(), subject="", counter="pair", client=Where()))
    assert store.get_ends().head_number == 20


def test_what_is_left_out() -> None:
    """Events that the operator leaves out are not recorded, and neither are addresses."""
    site = Site(Activity(leave_out=("session_ended",), addresses=False), Phrases())
    site.account()
    client = logged_in(site)
    site.gate.revoke_all(site.store.find_account("ada@example.org").id)
    assert not client.is_in
    site.gate.events.publish(SecretRotated(at=site.clock(), subject="ada", session_id="x"))
    records = [link.record for link in site.store.read_chain(after=0)]
    assert {one.name for one in records} == {"logged_in", "secret_rotated"}
    assert {one.client for one in records} == {Where()}


def test_settings_come_from_the_configuration() -> None:
    """Retention and what is left out are settings like any other, and nonsense is refused."""
    site = Site(Activity(), ADMIT_ACTIVITY_RETENTION=86400, ADMIT_ACTIVITY_LEAVE_OUT=["logged_in"])
    [feature] = site.manager.keeper.accounts.features.values()
    assert (feature.retention, feature.leave_out) == (timedelta(days=1), ("logged_in",))
    with pytest.raises(ConfigurationError, match=r"'loged_in'\. The events are account_closed, "):
        Activity(leave_out=("loged_in",))
    with pytest.raises(ConfigurationError, match="more than zero"):
        Activity(retention=timedelta())


def test_retention(site: Site) -> None:
    """The purge removes what is older than the policy, and the chain holds; without a policy nothing is removed."""
    stores = site.manager.keeper.accounts.stores
    logged_in(site)
    site.pass_time(days=300)
    logged_in(site)
    assert Activity().purge(stores, now=site.clock(), batch=9) == 0
    site.pass_time(days=100)
    assert Activity(retention=None).purge(stores, now=site.clock(), batch=9) == 0
    assert Activity().purge(stores, now=site.clock(), batch=9) == 1
    assert verify(site.store).holds
    assert site.store.get_ends().base_number == 1


def test_a_store_without_events_is_refused() -> None:
    """Who has no store for records is told at once, and what to do."""
    store = MemoryStore()
    with pytest.raises(ConfigurationError, match=r"no store that keeps events\. Give one over SQL"):
        Activity().watch(None, Stores(store), lambda: None)


def test_two_applications_record_once() -> None:
    """A login manager that serves two applications records each event once."""
    store = MemoryStore()
    manager = LoginManager(store=store, features=[Activity()], mail=print)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.config.update(TESTING=True, ADMIT_PUBLIC_URL="https://app.example")
        manager.init_app(app)
    with apps[1].app_context():
        manager.sessions.gate.admit("ada", "password")
    assert store.get_ends().head_number == 1


# -- attacks ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_recorded(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Neither records nor log lines hold a password, a token or the id of a session."""
    caplog.set_level("INFO", "admit.events")
    client = logged_in(site)
    token = client.http.get_cookie("admit").value
    site.gate.reauthenticate(site.gate.resume(token).session, "phrases")
    logged_in(site).log_in(phrase="wrong")
    kept = f"{list(site.store.read_chain(after=0))}{caplog.text}"
    session_id, secret = token.split(".")
    assert tokens.short_hash(session_id) in kept
    for one in (session_id, secret, PHRASE):
        assert one not in kept


LINES = ["\n", "\r\n", "\x00", "\x1b[2J", "\u2028", "\u2029", "\x85", "\x7f", "\u202e", '"}', "%s%n", "\ud800"]


@pytest.mark.parametrize("evil", LINES, ids=ascii)
def test_nobody_forges_a_line(caplog: pytest.LogCaptureFixture, evil: str) -> None:
    """Whatever a client or a feature puts into an event stays in one line of printable ASCII, as JSON."""
    import json

    from admit.features.activity.records import line_of

    caplog.set_level("INFO", "admit.events")
    site = Site(Activity())
    forged = f'x{evil}{{"event": "logged_in", "subject": "root"}}'
    event = LoggedIn(
        at=site.clock(), subject=forged, session_id=forged, method=forged, client=Where(f"192{evil}", forged)
    )
    site.gate.events.publish(event)
    [line] = [one.getMessage() for one in caplog.records if one.name == "admit.events"]
    assert line == line_of(site.store.list_events()[0].record)
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert told["subject"] == forged
    assert told["event"] == "logged_in"
    assert evil not in told["method"] or evil.isprintable()
    assert told["time"].endswith("Z")


def test_what_features_tell_is_bounded() -> None:
    """What an event holds besides is kept as text of bounded length, its ids only as hashes."""
    from dataclasses import dataclass

    from admit.events import Event

    @dataclass(frozen=True, slots=True, kw_only=True)
    class TeaWasMade(Event):
        guests: frozenset[str]
        pot_id: str
        note: str
        milk: str | None = None

    event = TeaWasMade(at=Site().clock(), subject="", guests=frozenset("ba"), pot_id="7", note="x\n" * 500)
    record = record_of(event, None)
    assert record.name == "tea_was_made"
    assert record.details["guests"] == "a, b"
    assert record.details["pot_id"] == tokens.short_hash("7")
    assert record.details["note"] == "x\\n" * 100
    assert "milk" not in record.details
    assert record.actor is None


def test_levels(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """What failed is a warning, and what was done is not."""
    caplog.set_level("INFO", "admit.events")
    logged_in(site)
    site.client().http.post("/api/account/phrase", headers={"Sec-Fetch-Site": "cross-site"})
    assert [one.levelname for one in caplog.records if one.name == "admit.events"] == ["INFO", "WARNING"]


# -- taking it away, and forgetting it ---------------------------------------------------------------------------------


def test_what_is_held(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export has all that is recorded about the owner, page by page, and does not name who else did something."""
    monkeypatch.setattr("admit.features.activity._AT_ONCE", 2)
    for _ in range(3):
        logged_in(site)
    logged_in(site, identifier="bob@example.org")
    account = site.store.find_account("ada@example.org")
    lock_account(site.gate, site.store, account.id, at=site.clock(), by="admin:7")
    with site.app.test_request_context():
        ctx = site.manager.keeper.accounts.context()
    held = Activity().export(ctx, account)
    assert [one["event"] for one in held] == ["account_locked", *["session_ended"] * 3, *["logged_in"] * 3]
    assert held[-1] == {
        "at": site.clock(),
        "event": "logged_in",
        "outcome": "success",
        "method": "phrases",
        "reason": None,
        "by_owner": True,
        "address": "127.0.0.1",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        "details": {},
    }
    assert not held[0]["by_owner"]
    assert "admin:7" not in repr(held)
    assert Activity().export(ctx, site.account("new@example.org")) is None


def test_it_is_erased_with_the_account(site: Site) -> None:
    """When an account is erased nothing personal is left in the records about it, and the chain still holds."""
    account = site.store.find_account("ada@example.org")
    logged_in(site)
    logged_in(site, identifier="bob@example.org")
    close_account(site.gate, site.store, account.id, at=site.clock(), by="owner")
    stores = site.manager.keeper.accounts.stores
    assert erase_account(site.gate, stores, [Activity()], site.store.get_account(account.id), at=site.clock())
    links = list(site.store.read_chain(after=0))
    erased = [link.record.name for link in links if link.is_erased]
    assert erased == ["logged_in", "session_ended", "account_closed", "account_erased"]
    assert account.id not in repr(links)
    assert verify(site.store).holds
    assert site.store.list_events(subject=account.id) == []


@pytest.mark.parametrize(("retention", "severity"), [(timedelta(days=365), "ok"), (None, "warning")])
def test_records_that_are_kept_for_ever(retention: timedelta | None, severity: str) -> None:
    """The doctor tells of records that nobody removes."""
    [found] = Activity(retention=retention).examine({})
    assert (found.check, str(found.severity)) == ("retention", severity)
