"""What happens in one step is one line in front of people, and all of it stays in the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from admit.changing import outdated
from admit.features.activity import Activity
from admit.operations import lock_account, unlock_account
from admit.stores.memory import MemoryStore
from admit.stores.sql import SqlStore
from tests.features import conftest
from tests.features.conftest import ADA, PHRASE, Phrases, Site
from tests.steps import aside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.model import Account
    from tests.features.conftest import Client


@pytest.fixture(params=["memory", "sqlite"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """Return a site with an account, over a store that records apart from what it tells of, or together with it."""
    store: Any = MemoryStore() if request.param == "memory" else SqlStore(f"sqlite:///{tmp_path / 'site.db'}")
    store.upgrade() if request.param == "sqlite" else None
    monkeypatch.setattr(conftest, "MemoryStore", lambda: store)
    site = Site(Activity(), Phrases())
    site.account()
    yield site
    store.close()


def ada(site: Site) -> Account:
    """Return the account."""
    found = site.store.find_account(ADA.lower())
    assert found is not None
    return found


def said(client: Client) -> list[str]:
    """Return what a client sees, the latest first, as names of events; on the page there are as many lines."""
    found = client.http.get("/api/account/activity").json["entries"]
    assert client.http.get("/account/activity").text.count("<li>\n") >= len(found)
    return [one["event"] for one in found]


def recorded(site: Site) -> list[str]:
    """Return the names of all records, the latest first."""
    return [link.record.name for link in site.store.read_chain(after=0)][::-1]


def test_n08_a_refused_sign_in(site: Site) -> None:
    """A sign-in that a lock refuses is one line, which says that it failed."""
    before = site.client()
    before.log_in()
    lock_account(site.gate, site.store, ada(site).id, at=site.clock())
    site.pass_time(minutes=1)
    assert site.client().log_in().status_code == 403
    assert recorded(site)[:2] == ["login_failed", "session_ended"]
    unlock_account(site.gate, site.store, ada(site).id, at=site.clock())
    site.pass_time(minutes=1)
    here = site.client()
    here.log_in()
    lines = said(here)
    assert lines[:3] == ["logged_in", "account_unlocked", "login_failed"]
    assert sorted(lines[3:5]) == ["account_locked", "session_ended"]  # the lock has ended the session of before
    assert lines[5:] == ["logged_in"]
    page = here.http.get("/account/activity").text
    assert page.count("A sign-in failed.") == 1
    assert page.count("You signed in.") == 2


def test_n08_a_sign_in_that_a_change_outruns(site: Site) -> None:
    """So is one that was right when it began, and not any more when its session was there."""
    add = site.store.add_session

    def meanwhile(session: Any) -> None:
        add(session)
        aside(lambda: site.store.replace_account(ada(site), outdated(ada(site))))()

    site.store.add_session = meanwhile  # type: ignore[method-assign]
    assert site.client().log_in().status_code == 401
    site.store.add_session = add  # type: ignore[method-assign]
    here = site.client()
    site.pass_time(minutes=1)
    here.log_in()
    assert said(here) == ["logged_in", "login_failed"]


def test_n08_a_confirmation(site: Site) -> None:
    """Somebody who proves once more who they are sees that, and no sign-in on the same device."""
    here = site.client()
    here.log_in()
    site.pass_time(minutes=1)
    assert here.send("/phrase/confirm", identifier=ADA, phrase=PHRASE).status_code == 200
    assert said(here) == ["reauthenticated", "logged_in"]
    assert recorded(site) == ["reauthenticated", "session_ended", "logged_in"]


def test_n08_a_confirmation_that_is_refused(site: Site) -> None:
    """One that a change outruns is one line as well."""
    here = site.client()
    here.log_in()
    site.pass_time(minutes=1)
    swap = site.store.replace_session

    def meanwhile(*arguments: Any, **options: Any) -> bool:
        done = swap(*arguments, **options)
        aside(lambda: site.store.replace_account(ada(site), outdated(ada(site))))()
        return done

    site.store.replace_session = meanwhile  # type: ignore[method-assign]
    assert here.send("/phrase/confirm", identifier=ADA, phrase=PHRASE).status_code == 403
    site.store.replace_session = swap  # type: ignore[method-assign]
    again = site.client()
    site.pass_time(minutes=1)
    again.log_in()
    assert said(again) == ["logged_in", "login_failed", "logged_in"]


def test_n08_others_that_are_signed_out_are_shown(site: Site) -> None:
    """A device that is signed out by a sign-in that opens a closed account again keeps its line."""
    other = site.gate.admit(ada(site).id, "phrases").session
    site.gate.revoke(other.id, by="admission")
    here = site.client()
    here.log_in()
    assert said(here) == ["logged_in", "session_ended", "logged_in"]


def test_n08_pages_of_lines(site: Site) -> None:
    """Each line is on one page: those that are left out are on none, and no page is empty for them."""
    account = ada(site)
    for _ in range(60):
        lock_account(site.gate, site.store, account.id, at=site.clock())
        site.client().log_in()
        unlock_account(site.gate, site.store, account.id, at=site.clock())
        site.pass_time(hours=1)
    here = site.client()
    here.log_in()
    path, events = "/api/account/activity", list[str]()
    for size in (50, 50, 50, 31):
        page = here.http.get(path).json
        assert len(page["entries"]) == size
        events += [one["event"] for one in page["entries"]]
        path = f"/api/account/activity/before/{page['before']}"
    assert page["before"] is None
    assert events == ["logged_in", *["account_unlocked", "login_failed", "account_locked"] * 60]
