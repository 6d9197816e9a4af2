"""When a request began is noted before anything else runs, and nothing more than that."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from admit.flask import LoginManager, UserMixin, current_user, login_user, logout_user
from admit.flask.beginning import beginning_of, is_served
from admit.stores.memory import MemoryStore
from admit.testing import Clock

if TYPE_CHECKING:
    import pytest
    from flask.testing import FlaskClient


class Site:
    """An application whose views take as long as a test says."""

    def __init__(self) -> None:
        self.clock, self.store = Clock(datetime(2026, 1, 1, tzinfo=UTC)), MemoryStore()
        self.app = Flask("site")
        self.manager = LoginManager(self.app, store=self.store, clock=self.clock)
        self.manager.user_loader(self._person)

        @self.app.get("/who")
        def who() -> str:
            return str(current_user.get_id())

        @self.app.get("/in")
        def log_in() -> str:
            login_user(self._person("ada"))
            return ""

        @self.app.get("/out")
        def log_out() -> str:
            logout_user()
            return ""

    @staticmethod
    def _person(name: str) -> Any:
        person = UserMixin()
        person.id = name  # type: ignore[attr-defined] # what the mixin reads
        return person

    def outdated(self) -> tuple[FlaskClient, FlaskClient]:
        """Return a browser whose secret was replaced five minutes ago, and another one that has its successor."""
        old, new = self.app.test_client(), self.app.test_client()
        old.get("/in")
        cookie = old.get_cookie("admit")
        assert cookie is not None
        new.set_cookie("admit", cookie.value)
        self.clock.advance(timedelta(hours=1))
        assert [new.get("/who").text for _ in range(2)] == ["ada", "ada"]
        self.clock.advance(timedelta(minutes=5))
        return old, new


def test_a_view_that_asks_late_is_served() -> None:
    """A view that asks who the user is long after its request began gets the right answer."""
    site = Site()

    @site.app.get("/late")
    def late() -> str:
        other = site.app.test_client()
        other.set_cookie("admit", request.cookies["admit"])
        site.clock.advance(timedelta(hours=1))
        assert [other.get("/who").text for _ in range(2)] == ["ada", "ada"]
        site.clock.advance(timedelta(minutes=10))
        return str(current_user.get_id())

    client = site.app.test_client()
    client.get("/in")
    assert client.get("/late").text == "ada"
    assert client.get("/who").text == "ada"


def test_nothing_but_the_time_is_noted() -> None:
    """A view that never asks who the user is costs no question to the store; outside of a server nothing is noted."""
    site = Site()
    noted: list[datetime | None] = []

    @site.app.get("/nothing")
    def nothing() -> str:
        noted.append(beginning_of(request, site.clock))
        return ""

    site.store.get_session = None  # type: ignore[assignment,method-assign] # nobody is to call it
    client = site.app.test_client()
    client.set_cookie("admit", "A" * 22 + "." + "B" * 56)
    assert client.get("/nothing").status_code == 200
    assert noted == [site.clock()]
    with site.app.test_request_context():
        assert beginning_of(request, site.clock) is None


def test_an_outdated_client_is_nobody_and_keeps_its_cookie() -> None:
    """Who has only the secret before the present one is nobody; the cookie stays, as it may be a newer one by now."""
    site = Site()
    old, new = site.outdated()
    answer = old.get("/who")
    assert answer.text == "None"
    assert "Set-Cookie" not in answer.headers
    assert new.get("/who").text == "ada"


def test_an_outdated_client_that_signs_in_replaces_its_session() -> None:
    """If a thief was the first to rotate, the owner's sign-in ends the thief's session."""
    site = Site()
    owner, thief = site.outdated()
    owner.get("/in")
    assert owner.get("/who").text == "ada"
    assert thief.get("/who").text == "None"
    assert len(site.store.list_sessions("ada")) == 1


def test_an_outdated_client_that_signs_out_ends_its_session() -> None:
    """Signing out with the secret before the present one ends the session, whoever has the present one."""
    site = Site()
    owner, thief = site.outdated()
    owner.get("/out")
    assert owner.get_cookie("admit") is None
    assert thief.get("/who").text == "None"
    assert site.store.list_sessions("ada") == []


def test_who_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that a server answers is served, but for those in the master of uWSGI, which is yet to fork."""
    site = Site()
    served: list[bool] = []

    @site.app.get("/served")
    def serve() -> str:
        served.append(is_served())
        return ""

    assert not is_served()
    with site.app.test_request_context():
        assert not is_served()
    site.app.test_client().get("/served")
    for worker in (0, 1):
        uwsgi = SimpleNamespace(worker_id=lambda worker=worker: worker)
        monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)  # type: ignore[arg-type] # what is asked of it
        site.app.test_client().get("/served")
    assert served == [True, False, True]
