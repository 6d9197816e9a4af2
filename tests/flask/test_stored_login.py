"""Logins kept in a store, with all names of step 1 working over them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import flask_login
import pytest
from flask import Flask, Response, session

from admit.changing import change_account, outdated
from admit.errors import ConfigurationError, StoreError
from admit.events import Events, SessionStolen
from admit.flask import (
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_session,
    current_user,
    fresh_login_required,
    login_fresh,
    login_remembered,
    login_required,
    login_user,
    logout_user,
    user_loaded_from_cookie,
)
from admit.model import EndReason
from admit.settings import SessionSettings
from admit.stores.memory import MemoryStore
from admit.testing import Clock
from admit.testing.samples import a_credential, an_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"


class User(UserMixin):
    """A user with whatever id the application has."""

    def __init__(self, id: object) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


class Flaky(MemoryStore):
    """A store that can be down."""

    down = False

    def __getattribute__(self, name: str) -> Any:
        """Fail instead of answering while it is down."""
        if name.endswith(("_session", "_sessions")) and object.__getattribute__(self, "down"):
            message = "no route to host"
            raise StoreError(message)
        return object.__getattribute__(self, name)


class Site:
    """An application over a store in memory, with a clock that stands still."""

    def __init__(self, settings: SessionSettings | None = None, **config: Any) -> None:
        self.clock, self.store, self.events = Clock(), Flaky(), Events()
        self.app = Flask("site")
        self.app.config.update(TESTING=True, **config)
        self.login_manager: LoginManager[User] = LoginManager(
            self.app, store=self.store, settings=settings, events=self.events, clock=self.clock
        )
        self.login_manager.user_loader(User)
        self.app.add_url_rule("/secret", "secret", login_required(lambda: "secret"))
        self.app.add_url_rule("/fresh", "fresh", fresh_login_required(lambda: "fresh"))
        self.app.add_url_rule("/payout", "payout", fresh_login_required(within=timedelta(minutes=5))(lambda: "payout"))
        self.app.add_url_rule("/nothing", "nothing", lambda: "nothing")
        self._add_logins()

    def _add_logins(self) -> None:
        @self.app.get("/login/<name>")
        @self.app.get("/login/<name>/remember", defaults={"remember": True})
        def login(name: str, *, remember: bool = False) -> str:
            return str(login_user(User(name), remember=remember))

        @self.app.get("/logout")
        def logout() -> str:
            return str(logout_user())

        @self.app.get("/confirm")
        def confirm() -> str:
            confirm_login()
            return ""

        @self.app.get("/me")
        def me() -> dict[str, Any]:
            return {"id": current_user.get_id(), "fresh": login_fresh(), "remembered": login_remembered()}

    def client(self, **cookies: str) -> FlaskClient:
        """Return a browser."""
        client = self.app.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        return client

    def logged_in(self, path: str = "/login/ada") -> FlaskClient:
        """Return a browser that has logged in."""
        client = self.client()
        client.get(path, headers={"User-Agent": BROWSER})
        return client


def token(client: FlaskClient) -> str:
    """Return the token in the browser's jar."""
    cookie = client.get_cookie("admit")
    assert cookie is not None
    return cookie.value


def who(client: FlaskClient, **options: Any) -> Any:
    """Return whom the site takes the browser for."""
    response = client.get("/me", **options)
    assert response.json is not None
    return response.json["id"]


@pytest.fixture
def site() -> Site:
    """Return a site without a secret key, which a login in a store does not need."""
    return Site()


def test_in_and_out(site: Site) -> None:
    """Logging in, coming back and logging out work without a secret key."""
    client = site.logged_in()
    assert client.get("/me").json == {"id": "ada", "fresh": True, "remembered": False}
    client.get("/logout")
    assert client.get_cookie("admit") is None
    assert client.get("/me").json == {"id": None, "fresh": False, "remembered": False}


def test_a_copy_is_dead_after_logging_out(site: Site) -> None:
    """A copied cookie is worth nothing once its owner has logged out, nor is any other (attacks 5 and 7)."""
    client, elsewhere = site.logged_in(), site.logged_in()
    thief = site.client(admit=token(client))
    assert who(thief) == "ada"
    client.get("/logout")
    response = thief.get("/me")
    assert response.json == {"id": None, "fresh": False, "remembered": False}
    assert "admit=;" in response.headers["Set-Cookie"]
    assert who(elsewhere) == "ada"


def test_nothing_is_asked_that_is_not_needed(site: Site) -> None:
    """A view that never asks who the user is costs no look-up, no cookie and no Vary."""
    client = site.logged_in()
    site.store.down = True
    response = client.get("/nothing")
    assert response.status_code == 200
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("config", [{}, {"SECRET_KEY": "key"}])
def test_what_asks_varies_by_cookie(config: dict[str, Any]) -> None:
    """A response that depends on who asks says so to caches, with or without a secret key."""
    client = Site(**config).logged_in()
    assert "Cookie" in client.get("/me").vary
    assert client.get("/login/ada").headers["Cache-Control"] == "no-store"


def test_what_varies_already_varies_by_cookie_too(site: Site) -> None:
    """A response that says itself what it varies by says both."""

    @site.app.get("/language")
    def language() -> Response:
        return Response(str(current_user.get_id()), headers={"Vary": "Accept-Language"})

    assert set(site.logged_in().get("/language").vary) == {"Accept-Language", "Cookie"}


def test_a_planted_session_ends_at_login(site: Site) -> None:
    """A cookie that somebody planted is not the one that is logged in afterwards (attacks 1 to 4, 25)."""
    planter = site.logged_in("/login/mallory")
    victim = site.client(admit=token(planter))
    victim.get("/login/ada")
    assert who(victim) == "ada"
    assert token(victim) != token(planter)
    assert who(planter) is None


def test_remembering_is_the_same_row_with_other_times(site: Site) -> None:
    """A remembered login has a cookie with a date and lasts; another ends with the browser, and sooner."""
    remembered, browser = site.logged_in("/login/ada/remember"), site.logged_in()
    cookie = remembered.get_cookie("admit")
    assert cookie is not None
    assert cookie.expires == (site.clock() + timedelta(days=180))
    plain = browser.get_cookie("admit")
    assert plain is not None
    assert plain.expires is None
    site.clock.advance(timedelta(days=29))
    assert remembered.get("/me").json == {"id": "ada", "fresh": False, "remembered": True}
    assert who(browser) is None


def test_duration_keeps_its_meaning(site: Site) -> None:
    """login_user(remember=True, duration=…) makes a session that lives that long."""

    @site.app.get("/fortnight")
    def fortnight() -> str:
        login_user(User("ada"), remember=True, duration=timedelta(days=14))
        return ""

    client = site.client()
    client.get("/fortnight")
    site.clock.advance(timedelta(days=14) - timedelta(seconds=1))
    assert who(client) == "ada"
    site.clock.advance(timedelta(seconds=1))
    client.set_cookie("admit", token(client))
    assert who(client) is None


def test_the_configured_duration_keeps_its_meaning() -> None:
    """REMEMBER_COOKIE_DURATION says how long a remembered session lives, where it is set."""
    site = Site(REMEMBER_COOKIE_DURATION=timedelta(days=2))
    client = site.logged_in("/login/ada/remember")
    site.clock.advance(timedelta(days=2) - timedelta(seconds=1))
    assert who(client) == "ada"
    site.clock.advance(timedelta(seconds=1))
    assert who(client) is None


def test_a_late_request_does_not_delete_the_new_cookie(site: Site) -> None:
    """A request that was on its way with the old cookie while the login was replaced leaves the new one alone."""
    client = site.logged_in()
    old = token(client)
    client.get("/confirm")
    late = site.client(admit=old).get("/me")
    assert late.json == {"id": None, "fresh": False, "remembered": False}
    assert "Set-Cookie" not in late.headers


def test_what_a_client_calls_itself_is_text_only(site: Site) -> None:
    """Control characters in a user agent don't reach the terminal of whoever lists sessions (attack 103)."""
    client = site.client()
    client.get("/login/ada", headers={"User-Agent": "a\x1b[31mb" + "c" * 600})
    [session_] = site.login_manager.sessions.of("ada")
    assert session_.user_agent == "a[31mb" + "c" * 505


def test_use_is_noted_after_the_response(site: Site) -> None:
    """A request in use moves the idle end of the session, once its response is on its way."""
    client = site.logged_in()
    site.clock.advance(timedelta(minutes=2))
    response = client.get("/me")
    [session_] = site.login_manager.sessions.of("ada")
    assert session_.seen_at < site.clock()
    response.close()
    [session_] = site.login_manager.sessions.of("ada")
    assert session_.seen_at == site.clock()


def test_a_note_that_is_lost_harms_nobody(site: Site) -> None:
    """A store that fails after the response has been made changes nothing about it."""
    client = site.logged_in()
    site.clock.advance(timedelta(minutes=2))
    response = client.get("/me")
    site.store.down = True
    response.close()
    site.store.down = False
    assert who(client) == "ada"


def test_fresh_by_the_clock(site: Site) -> None:
    """A login is fresh for twenty minutes, or as long as the view says; confirming makes it so again."""
    client = site.logged_in()
    assert client.get("/payout").text == "payout"
    site.clock.advance(timedelta(minutes=6))
    assert client.get("/payout").status_code == 401
    assert client.get("/fresh").text == "fresh"
    site.clock.advance(timedelta(minutes=15))
    assert client.get("/fresh").status_code == 401
    before = token(client)
    client.get("/confirm")
    assert token(client) != before
    assert client.get("/payout").text == "payout"
    assert who(site.client(admit=before)) is None
    [proof] = site.login_manager.sessions.of("ada")[0].authentications
    assert (proof.method, proof.at) == ("login", site.clock())


def test_confirming_nothing(site: Site) -> None:
    """Confirming makes no login of a request that has none, and brings none back that has ended."""

    @site.app.get("/late")
    def late() -> str:
        assert current_user.is_authenticated
        site.login_manager.sessions.revoke_all("ada")
        confirm_login()
        return ""

    assert site.client().get("/confirm").status_code == 200
    client = site.logged_in()
    response = client.get("/late")
    assert "admit=;" in response.headers["Set-Cookie"]
    assert who(client) is None


def test_a_new_secret_in_mid_life(site: Site) -> None:
    """Each hour the browser gets a new token; one that was superseded by two, used again, ends the session."""
    client = site.logged_in()
    old = token(client)
    heard: list[SessionStolen] = []
    site.events.subscribe(SessionStolen, heard.append)
    for _ in range(2):
        before = token(client)
        site.clock.advance(timedelta(hours=1))
        assert who(client) == "ada"
        assert token(client) != before
        assert who(client) == "ada"
        site.clock.advance(timedelta(minutes=3))
        assert who(site.client(admit=before)) is None
        assert who(client) == "ada"
    assert heard == []
    assert who(site.client(admit=old)) is None
    assert who(client) is None
    assert [event.subject for event in heard] == ["ada"]


@pytest.mark.parametrize("user_id", [7, "7", 2**63, "ädä|x", "", UUID(int=7)], ids=repr)
def test_ids_of_any_type(site: Site, user_id: object) -> None:
    """Whatever type a user's id has, revoking by the user, the id or its text ends the sessions."""
    sessions = site.login_manager.sessions
    for whom in (User(user_id), user_id, str(user_id)):
        with site.app.test_request_context():
            login_user(User(user_id))
            login_user(User(user_id))
        assert sessions.count(whom) == 1
        assert sessions.revoke_all(whom) == 1
        assert sessions.of(whom) == []


def test_devices(site: Site) -> None:
    """A user sees every login with its device, and ends any of them; it is out at its next request."""
    here, there = site.logged_in(), site.logged_in("/login/ada/remember")
    latest, first = site.login_manager.sessions.of(User("ada"))
    assert {latest.remembered, first.remembered} == {True, False}
    assert (first.device, first.address, first.user_agent) == ("Firefox on Windows", "127.0.0.1", BROWSER)
    assert (first.subject, first.created_at) == ("ada", site.clock())
    assert first.expires_at > first.seen_at
    remembered = latest if latest.remembered else first
    assert remembered.revoke(by="ada")
    assert not remembered.revoke()
    assert who(there) is None
    assert who(here) == "ada"
    ending = site.login_manager.sessions.why(remembered.id)
    assert ending is not None
    assert (ending.reason, ending.by) == (EndReason.REVOKED, "ada")
    assert not site.login_manager.sessions.revoke("unknown")


def test_current_session(site: Site) -> None:
    """current_session is the session of this request, and false where there is none."""

    @site.app.get("/elsewhere")
    def elsewhere() -> dict[str, Any]:
        if not current_session:
            return {"ended": None}
        ended = site.login_manager.sessions.revoke_all(current_user, keep=current_session)
        return {"ended": ended, "id": current_session.id}

    client, other = site.logged_in(), site.logged_in()
    assert client.get("/elsewhere").json == {"ended": 1, "id": token(client).split(".")[0]}
    assert who(other) is None
    assert site.client().get("/elsewhere").json == {"ended": None}


def test_without_a_store() -> None:
    """Asking for sessions where there is no store says what to do."""
    app = Flask("site")
    login_manager: LoginManager = LoginManager(app)
    with pytest.raises(ConfigurationError, match=r'store="sqlite:///app\.db"'):
        _ = login_manager.sessions
    with app.test_request_context(), pytest.raises(ConfigurationError):
        _ = current_session.id


def test_bearer(site: Site) -> None:
    """A native client sends its token in a header, gets no cookie, and a new token in a header."""

    @site.app.post("/token")
    def issue() -> dict[str, str]:
        return {"token": site.login_manager.sessions.issue(User("ada"), remember=True)}

    response = site.client().post("/token")
    assert "Set-Cookie" not in response.headers
    assert response.json is not None
    headers = {"Authorization": f"Bearer {response.json['token']}"}
    assert who(site.client(), headers=headers) == "ada"
    site.clock.advance(timedelta(hours=1))
    later = site.client().get("/me", headers=headers)
    assert "Set-Cookie" not in later.headers
    assert later.headers["Admit-Token"] != response.json["token"]
    assert later.headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {later.headers['Admit-Token']}"}
    assert who(site.client(), headers=headers) == "ada"
    out = site.client().get("/logout", headers=headers)
    assert "Set-Cookie" not in out.headers
    assert who(site.client(), headers=headers) is None


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "bearer", "Bearer  ", ""])
def test_authorization_that_is_not_ours(site: Site, scheme: str) -> None:
    """An Authorization header that holds no token of ours is the application's business (attack 104)."""
    client = site.logged_in()
    for credentials in ("", "x", "a.b", "\x7f" * 3, "é", "x" * 5000):
        assert who(client, headers={"Authorization": f"{scheme} {credentials}"}) == "ada"


def test_the_header_decides_where_both_are_sent(site: Site) -> None:
    """A request with a bearer token is judged by it alone, even if the cookie is good (attack 149)."""
    client, other = site.logged_in(), site.logged_in("/login/grace")
    bearer = {"Authorization": f"Bearer {token(other)}"}
    assert who(client, headers=bearer) == "grace"
    other.get("/logout")
    assert who(client, headers=bearer) is None
    assert who(client) == "ada"


def test_junk_in_the_cookie(site: Site) -> None:
    """Whatever the cookie holds, nobody is logged in and nothing fails (attacks 16 to 19)."""
    good = token(site.logged_in())
    for junk in (
        "",
        "x",
        good[:-1],
        good + "x",
        good * 2,
        "é" * 40,
        '"',
        "\\",
        "%00",
        "A" * 4000,
        good.replace(".", ""),
    ):
        assert who(site.client(admit=junk)) is None


def test_two_cookies_of_one_name(site: Site) -> None:
    """Where a sibling host has planted a second cookie of our name, neither counts (attack 9)."""
    good, planted = token(site.logged_in()), token(site.logged_in("/login/mallory"))
    client = site.app.test_client(use_cookies=False)
    assert who(client, headers={"Cookie": f"admit={good}; admit={planted}"}) is None
    assert who(client, headers={"Cookie": f"admit={good}; admit={good}"}) == "ada"


def test_a_store_that_is_down() -> None:
    """With a token, asking gets 503 and keeps the cookie; without one nothing happens; back again, all is well."""
    site = Site(SECRET_KEY="key")
    client = site.logged_in()
    site.store.down = True
    for path in ("/me", "/secret", "/logout", "/login/ada"):
        response = client.get(path)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "2"
        assert "Set-Cookie" not in response.headers
    anonymous = site.client()
    assert who(anonymous) is None
    assert anonymous.get("/nothing").status_code == 200
    assert anonymous.get("/login/ada").status_code == 503
    site.store.down = False
    assert who(client) == "ada"


def test_an_error_page_that_asks_while_the_store_is_down(site: Site) -> None:
    """A page for errors may ask who the user is: nobody, for the rest of this request."""

    @site.app.errorhandler(503)
    def sorry(_error: Exception) -> tuple[str, int]:
        return f"Sorry, {current_user.get_id()}", 503

    client = site.logged_in()
    site.store.down = True
    response = client.get("/me")
    assert (response.status_code, response.text) == (503, "Sorry, None")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda site: site.login_manager.sessions.revoke_all("ada"), "session_revoked"),
        (lambda site: site.clock.advance(timedelta(days=2)), "session_idle"),
        (lambda site: site.logged_in().get("/logout"), "session_cap"),
    ],
    ids=["revoked", "idle", "cap"],
)
def test_why_was_i_logged_out(end: Callable[[Site], object], code: str) -> None:
    """The problem document of a refusal says why the session that the client shows has ended."""
    site = Site(SessionSettings(max_per_user=1), ADMIT_PROBLEM_JSON=True)
    client = site.logged_in()
    end(site)
    response = client.get("/secret", headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert response.json is not None
    assert response.json["code"] == code
    nobody = site.client().get("/secret", headers={"Accept": "application/json"})
    assert nobody.json is not None
    assert nobody.json["code"] == "session_required"


def test_clearing_the_site(site: Site) -> None:
    """Logging out has the browser drop everything of the site where the setting says so."""
    assert "Clear-Site-Data" not in site.logged_in().get("/logout").headers
    cleared = Site(ADMIT_COOKIE_CLEAR_SITE_DATA=True).logged_in().get("/logout")
    assert cleared.headers["Clear-Site-Data"] == '"cookies", "storage"'


def flask_login_cookie(key: str, user_id: str) -> str:
    """Return the remember cookie that Flask-Login makes."""
    made: str = flask_login.encode_cookie(user_id, key=key)
    return made


def test_flask_logins_remember_cookie_is_exchanged_once() -> None:
    """A remember cookie of Flask-Login becomes a session that is not fresh, and is cleared."""
    site = Site(SECRET_KEY="key")
    heard: list[str] = []

    def hear(_app: Flask, user: User) -> None:
        heard.append(str(user.id))

    client = site.client(remember_token=flask_login_cookie("key", "ada"))
    with user_loaded_from_cookie.connected_to(hear):
        assert client.get("/me").json == {"id": "ada", "fresh": False, "remembered": True}
    assert heard == ["ada"]
    assert client.get_cookie("remember_token") is None
    assert client.get("/me").json == {"id": "ada", "fresh": False, "remembered": True}
    [session_] = site.login_manager.sessions.of("ada")
    assert session_.revoke()
    assert who(client) is None


@pytest.mark.parametrize(
    "config", [{"ADMIT_COOKIE_EXCHANGE_REMEMBER_COOKIE": False}, {"SECRET_KEY": "other"}, {"SECRET_KEY": None}]
)
def test_remember_cookies_that_are_not_exchanged(config: dict[str, Any]) -> None:
    """A forged remember cookie, or any where that is switched off, is nothing."""
    site = Site(**{"SECRET_KEY": "key"} | config)
    assert who(site.client(remember_token=flask_login_cookie("key", "ada"))) is None


def test_no_script_gets_a_token_for_a_remember_cookie() -> None:
    """Beside a bearer token, also one that opens nothing any more, a remember cookie is not exchanged (attack 163)."""
    site = Site(SECRET_KEY="key")
    ended = site.logged_in("/login/grace")
    headers = {"Authorization": f"Bearer {token(ended)}"}
    ended.get("/logout")
    answer = site.client(remember_token=flask_login_cookie("key", "ada")).get("/me", headers=headers)
    assert answer.json == {"id": None, "fresh": False, "remembered": False}
    assert "Admit-Token" not in answer.headers
    assert site.login_manager.sessions.count() == 0


def test_a_remember_cookie_of_somebody_who_is_gone() -> None:
    """A valid remember cookie of a user whom the loader does not find makes no session."""
    site = Site(SECRET_KEY="key")
    site.login_manager.user_loader(lambda _: None)
    assert who(site.client(remember_token=flask_login_cookie("key", "ada"))) is None
    assert site.login_manager.sessions.count() == 0


def test_a_remember_cookie_of_before_logins_were_ended() -> None:
    """A remember cookie lets nobody in once the logins of its account were ended, and is asked once."""
    site = Site(SECRET_KEY="key")
    account = site.store.add_account(an_account("ada"))
    other = site.store.add_account(an_account("grace"))
    change_account(site.store, account.id, outdated, site.login_manager.sessions.gate.events.telling())
    client = site.client(remember_token=flask_login_cookie("key", account.id))
    assert who(client) is None
    assert client.get_cookie("remember_token") is None
    assert site.login_manager.sessions.of(account.id) == []
    assert who(site.client(remember_token=flask_login_cookie("key", other.id))) == other.id


@pytest.mark.parametrize("state", ["locked_at", "closed_at"])
def test_a_remember_cookie_of_an_account_that_may_not_be_used(state: str) -> None:
    """A remember cookie lets nobody in whose account is locked or closed, opens nothing, and is asked once."""
    site = Site(SECRET_KEY="key")
    site.login_manager.sessions.gate.admission.grace = timedelta(days=14)
    account = site.store.add_account(an_account("ada", **{state: site.clock()}))
    client = site.client(remember_token=flask_login_cookie("key", account.id))
    assert who(client) is None
    assert client.get_cookie("remember_token") is None
    assert site.store.get_account(account.id) == account
    assert site.login_manager.sessions.count() == 0


def test_a_remember_cookie_is_no_second_factor() -> None:
    """Whoever has a second factor is not logged in by a remember cookie alone, not for one request either."""
    site = Site(SECRET_KEY="key")
    gate = site.login_manager.sessions.gate
    gate._second_factors = frozenset({"code"})
    site.store.add_credential(a_credential(kind="code", subject="ada"))
    client = site.client(remember_token=flask_login_cookie("key", "ada"))
    assert who(client) is None
    assert client.get_cookie("remember_token") is None


def test_login_user_of_a_locked_account() -> None:
    """Where there are accounts, logging in somebody whose account is locked is not done, as of one not active."""
    site = Site()
    account = site.store.add_account(an_account("ada", locked_at=site.clock()))
    with site.app.test_request_context():
        assert not login_user(User(account.id))
        assert not current_user.is_authenticated


def test_logging_out_gives_the_remember_cookie_up() -> None:
    """Logging out clears Flask-Login's remember cookie too, and it brings nobody back in the same request."""
    site = Site(SECRET_KEY="key")

    @site.app.get("/out-and-look")
    def out_and_look() -> str:
        logout_user()
        return str(current_user.is_authenticated)

    client = site.logged_in()
    client.set_cookie("remember_token", flask_login_cookie("key", "ada"))

    assert client.get("/out-and-look").text == "False"
    assert client.get_cookie("remember_token") is None
    assert who(client) is None


def test_without_a_user_loader(site: Site) -> None:
    """A session whose user only the request_loader could find is nobody's."""
    client = site.logged_in()
    site.login_manager._user_callback = None
    site.login_manager.request_loader(lambda _request: None)
    assert who(client) is None


def test_the_lazy_session() -> None:
    """With the setting, Flask's own session is opened only when something reads it."""
    site = Site(SECRET_KEY="key", ADMIT_LAZY_SESSION=True)

    @site.app.get("/count")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    client = site.logged_in()
    assert [client.get("/count").text for _ in range(2)] == ["1", "2"]
    response = client.get("/me")
    assert response.json == {"id": "ada", "fresh": True, "remembered": False}
    assert "Cookie" in response.vary


def test_the_test_client(site: Site) -> None:
    """A FlaskLoginClient is its user over a store as well, as fresh as it says."""
    site.app.test_client_class = FlaskLoginClient
    for fresh in (True, False):
        client = site.app.test_client(user=User("ada"), fresh_login=fresh)
        assert client.get("/me").json == {"id": "ada", "fresh": fresh, "remembered": False}


def test_a_second_application_shares_the_store(site: Site) -> None:
    """One login manager for two applications keeps the logins of both in its one store."""
    other = Flask("other")
    site.login_manager.init_app(other)
    other.add_url_rule("/me", "me", lambda: str(current_user.get_id()))
    client = other.test_client()
    client.set_cookie("admit", token(site.logged_in()))
    assert client.get("/me").text == "ada"


def test_responses_made_elsewhere_are_left_alone(site: Site) -> None:
    """A view's own response keeps its headers and gets what the login adds."""

    @site.app.get("/own")
    def own() -> Response:
        login_user(User("ada"))
        return Response("own", headers={"X-Own": "1"})

    response = site.client().get("/own")
    assert response.headers["X-Own"] == "1"
    assert "admit=" in response.headers["Set-Cookie"]
