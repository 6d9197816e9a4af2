"""Two cookies of one name in a browser, and cookies of other applications: a jar that keeps them as browsers do."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.flask import LoginManager, UserMixin, current_user, login_user, logout_user
from admit.flask.cookies import DEVICES, PENDING
from admit.flask.visits import _cookie
from admit.gate import Gate
from admit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from admit.flask.cookies import KeptCookie
    from admit.flask.visits import SeenCookie

HOST = "app.site.example"
PREFIXES = ("", "__Host-", "__Secure-")


class User(UserMixin):
    """A user who is whoever was named."""

    def __init__(self, name: str) -> None:
        self.id = name


class Jar:
    """Keeps cookies by name, domain and partition, and sends all that match a host, the oldest first."""

    def __init__(self, app: Flask, url: str = f"https://{HOST}") -> None:
        self.app, self.url = app, url
        self.held: dict[tuple[str, str | None, bool], str] = {}

    def send(self, path: str, method: str = "GET", **options: Any) -> TestResponse:
        """Send a request with the cookies, and keep those of the response."""
        header = "; ".join(f"{name}={value}" for (name, _, _), value in self.held.items())
        headers = {"Sec-Fetch-Site": "same-origin"} | ({"Cookie": header} if header else {})
        client = self.app.test_client(use_cookies=False)
        answer = client.open(path, method=method, base_url=self.url, headers=headers, **options)
        for line in answer.headers.getlist("Set-Cookie"):
            self._keep(_cookie(line))
        return answer

    def who(self) -> str | None:
        """Return whose login this browser has."""
        found: str | None = self.send("/me").json["id"]
        return found

    def names(self) -> list[str]:
        """Return the names of the cookies that are kept, several of one name included."""
        return [name for name, _, _ in self.held]

    def _keep(self, cookie: SeenCookie) -> None:
        place = (cookie.name, cookie.attributes.get("domain"), "partitioned" in cookie.attributes)
        if cookie.attributes.get("max-age") == "0":
            self.held.pop(place, None)
        else:
            self.held[place] = cookie.value


def make(store: MemoryStore, **config: Any) -> Flask:
    """Make an application that logs in whoever the path names."""
    app = Flask("site")
    app.config.update(config)
    LoginManager(app, store=store).user_loader(User)
    app.add_url_rule("/in/<name>", "in", lambda name: str(login_user(User(name))))
    app.add_url_rule("/out", "out", lambda: str(logout_user()))
    app.add_url_rule("/me", "me", lambda: {"id": current_user.get_id()})
    return app


@pytest.fixture
def store() -> MemoryStore:
    """Give a store that outlives the application."""
    return MemoryStore()


BEFORE_AND_AFTER = [
    ({}, {"ADMIT_COOKIE_PARTITIONED": True}),
    ({"ADMIT_COOKIE_PARTITIONED": True}, {}),
    ({"ADMIT_COOKIE_DOMAIN": "site.example"}, {"ADMIT_COOKIE_DOMAIN": HOST}),
    ({"ADMIT_COOKIE_DOMAIN": HOST}, {"ADMIT_COOKIE_DOMAIN": "site.example"}),
    (
        {"ADMIT_COOKIE_DOMAIN": "site.example"},
        {"ADMIT_COOKIE_DOMAIN": "site.example", "ADMIT_COOKIE_PARTITIONED": True},
    ),
    ({"ADMIT_COOKIE_DOMAIN": "site.example"}, {}),
    ({}, {"ADMIT_COOKIE_DOMAIN": "site.example"}),
]


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER)
def test_u02_people_get_in_again_after_a_setting_of_the_cookie_was_changed(
    store: MemoryStore, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """After the cookie was moved people sign in at most once more, and stay in."""
    jar = Jar(make(store, **before))
    jar.send("/in/ada")
    jar.app = make(store, **after)
    jar.send("/in/ada")
    if jar.who() is None:
        jar.send("/in/ada")
    assert [jar.who(), jar.who()] == ["ada", "ada"]
    assert len(jar.names()) == len(set(jar.names()))


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER[:5])
def test_u02_both_cookies_are_cleared_and_the_log_tells(
    store: MemoryStore, before: dict[str, Any], after: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Two session cookies count as none and are both deleted, and the log says once what the reason may be."""
    jar = Jar(make(store, **before))
    jar.send("/in/ada")
    old = dict(jar.held)
    jar.app = make(store, **after)
    jar.held = {}
    jar.send("/in/ada")
    jar.held = old | jar.held
    assert len(jar.held) == 2
    with caplog.at_level(logging.WARNING, "admit.flask"):
        assert jar.who() is None
        assert jar.held == {}
        jar.held = old | {(next(iter(old))[0], "site.example", True): "planted"}
        assert jar.who() is None
    assert [line.getMessage().count("ADMIT_COOKIE_PARTITIONED") for line in caplog.records] == [1]


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER[:5])
def test_u02_signing_in_with_two_cookies_leaves_the_new_one(
    store: MemoryStore, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """A login deletes both old cookies, so that the next request has the new one only."""
    jar = Jar(make(store, **before))
    jar.send("/in/mallory")
    old = dict(jar.held)
    jar.app = make(store, **after)
    jar.held = {}
    jar.send("/in/mallory")
    jar.held = old | jar.held
    jar.send("/in/ada")
    assert len(jar.held) == 1
    assert jar.who() == "ada"


def test_u02_turning_partitioned_on_signs_nobody_out(store: MemoryStore) -> None:
    """The first rotation after ADMIT_COOKIE_PARTITIONED was turned on takes the cookie along."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    app = make(store)
    app.login_manager.keeper.gate = Gate(store, clock=lambda: now)
    jar = Jar(app)
    jar.send("/in/ada")
    jar.app = make(store, ADMIT_COOKIE_PARTITIONED=True)
    jar.app.login_manager.keeper.gate = Gate(store, clock=lambda: now)
    now += timedelta(hours=2)
    assert [jar.who(), jar.who()] == ["ada", "ada"]
    assert list(jar.held) == [("__Host-admit", None, True)]


@pytest.mark.parametrize("planted_first", [True, False])
def test_u02_a_second_cookie_never_chooses_the_session(store: MemoryStore, planted_first: bool) -> None:  # noqa: FBT001 -- a parameter
    """A second cookie of a sibling host counts neither in this request nor in the next one (attack 9)."""
    app = make(store, ADMIT_COOKIE_DOMAIN="site.example")
    ada, mallory = Jar(app), Jar(app)
    ada.send("/in/ada")
    mallory.send("/in/mallory")
    planted = {("__Secure-admit", HOST, False): next(iter(mallory.held.values()))}
    ada.held = planted | ada.held if planted_first else ada.held | planted
    assert [ada.who(), ada.who()] == [None, None]
    assert mallory.who() == "mallory"


@pytest.mark.parametrize("kind", [DEVICES, PENDING])
def test_u02_the_other_cookies_are_cleared_too(store: MemoryStore, kind: KeptCookie) -> None:
    """A mark of a device, or a half-done login, of which the browser has two is read again once it is set anew."""
    app = make(store, ADMIT_COOKIE_PARTITIONED=True)
    cookie = app.login_manager.keeper.cookie
    app.add_url_rule("/keep", "keep", lambda: str(kind.put_later(cookie, "new")))
    app.add_url_rule("/kept", "kept", lambda: str(kind.read(cookie)))
    jar, name = Jar(app), f"__Host-admit-{kind.ending}"
    jar.held = {(name, None, False): "old", (name, None, True): "older"}
    assert jar.send("/kept").text == "None"
    jar.send("/keep")
    assert jar.send("/kept").text == "new"
    assert list(jar.held) == [(name, None, True)]


@pytest.mark.parametrize("domain", [None, HOST])
@pytest.mark.parametrize(
    "host",
    ["a" * 70 + ".example", "x..example", "192.0.2.1", "[::1]", "b\xfccher.example", "a;b", "a." * 120 + "example"],
)
def test_u02_no_host_breaks_the_clearing(store: MemoryStore, host: str, domain: str | None) -> None:
    """Whatever a client calls the host, two cookies are answered as a stranger's request."""
    client = make(store, ADMIT_COOKIE_DOMAIN=domain).test_client(use_cookies=False)
    answer = client.get(
        "/me",
        headers={"Host": host, "Cookie": "; ".join(f"{prefix}admit={value}" for prefix in PREFIXES for value in "ab")},
    )
    assert answer.status_code == client.get("/me", headers={"Host": host}).status_code < 500
    assert len(answer.headers.getlist("Set-Cookie")) <= 16


@pytest.mark.parametrize("value", [None, "theirs", "a.b", "x" * 79])
def test_u22_a_visit_leaves_the_cookie_of_another_application_alone(store: MemoryStore, value: str | None) -> None:
    """Two applications on one host share a name: a visit to one does not end the login at the other."""
    first, second = make(store), make(MemoryStore())
    jar = Jar(first)
    jar.send("/in/ada")
    if value is not None:
        jar.held = dict.fromkeys(jar.held, value)
    held = dict(jar.held)
    jar.app = second
    answer = jar.send("/me")
    assert answer.json == {"id": None}
    assert "Set-Cookie" not in answer.headers
    jar.app = first
    assert jar.held == held
    assert jar.who() == ("ada" if value is None else None)


def test_u22_a_cookie_of_a_login_that_has_ended_here_is_cleared(store: MemoryStore) -> None:
    """A cookie of our own that opens nothing any more is deleted, so that no request asks the store for it again."""
    jar = Jar(make(store))
    jar.send("/in/ada")
    jar.app.login_manager.sessions.revoke_all("ada")
    assert jar.who() is None
    assert jar.held == {}
