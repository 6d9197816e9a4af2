"""Live takeover: cookies made by the released Flask-Login stay good on Admit, and Admit's on the released Flask-Login.

The session holds an identifier of the client. The released 0.6.3 and the unreleased main compute it in two ways; the
second is put into the released package here by its own hook.
"""

import hashlib
from collections.abc import Callable

import flask_login
import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

from admit.flask import decode_cookie, encode_cookie

Make = Callable[..., Flask]

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

REMEMBER = "remember_token"
LOGINS = {
    "text": ("/login/ada", "ada"),
    "number": ("/login-number/7", 7),
    "bar": ("/login/a|b|", "a|b|"),
    "not ascii": ("/login/\N{HIRAGANA LETTER A}\N{LATIN SMALL LETTER E WITH ACUTE}", "\u3042\xe9"),
}
AGENTS = ["Mozilla/5.0 (X11)", "it's", 'it\'s "quoted"', "back\\slash", "caf\xe9", "", None]
MODES = [None, "basic", "strong"]


def main_identifier() -> str:
    """Compute the identifier of the client as Flask-Login's main branch does."""
    client = f"{request.remote_addr}|{request.headers.get('User-Agent')}"
    return hashlib.sha512(client.encode()).hexdigest()


@pytest.fixture(params=["released", "main"])
def theirs(request: pytest.FixtureRequest, make_real: Make) -> Make:
    """Make sites that run the real package, with the identifier computed in either way."""

    def make(**config: object) -> Flask:
        app = make_real(**config)
        if request.param == "main":
            app.login_manager._session_identifier_generator = main_identifier
        return app

    return make


def carry(source: FlaskClient, app: Flask, *names: str) -> FlaskClient:
    """Take the cookies of these names from one client to a new client of another app."""
    target = app.test_client()
    for name in names:
        target.set_cookie(name, source.get_cookie(name).decoded_value)
    return target


def logged_in(app: Flask, path: str = "/login/ada?remember", **request: object) -> FlaskClient:
    """Log in on a new client."""
    client = app.test_client()
    assert client.get(path, **request).text == "True"
    return client


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("path", "subject"), LOGINS.values(), ids=LOGINS)
def test_their_session_is_taken_over(path: str, subject: object, mode: str | None, theirs: Make, make: Make) -> None:
    """A session made by Flask-Login is the same login on Admit: who, the type of the id, and fresh."""
    config = {"SESSION_PROTECTION": mode}
    client = carry(logged_in(theirs(**config), path), make(**config), "session")
    assert client.get("/me").json == {"id": subject, "fresh": True}
    assert client.get("/very-secret").status_code == 200


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("path", "subject"), LOGINS.values(), ids=LOGINS)
def test_their_remember_cookie_is_taken_over(
    path: str,
    subject: object,
    mode: str | None,
    theirs: Make,
    make: Make,
) -> None:
    """A remember cookie made by Flask-Login logs in on Admit, not fresh, on the first request and the next."""
    config = {"SESSION_PROTECTION": mode}
    client = carry(logged_in(theirs(**config), f"{path}?remember"), make(**config), REMEMBER)
    assert [client.get("/me").json for _ in range(3)] == [{"id": str(subject), "fresh": False}] * 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("path", "subject"), LOGINS.values(), ids=LOGINS)
def test_our_cookies_are_taken_back(path: str, subject: object, mode: str | None, make_real: Make, make: Make) -> None:
    """The session and the remember cookie made by Admit are good on the released Flask-Login, fresh as they were."""
    config = {"SESSION_PROTECTION": mode}
    released = make_real(**config)
    client = logged_in(make(**config), f"{path}?remember")
    assert carry(client, released, "session").get("/me").json == {"id": subject, "fresh": True}
    assert carry(client, released, REMEMBER).get("/me").json == {"id": str(subject), "fresh": False}


@pytest.mark.parametrize("mode", MODES)
def test_there_and_back(mode: str | None, theirs: Make, make: Make) -> None:
    """A session that Flask-Login made and Admit has served goes back to Flask-Login, fresh and under "strong" too."""
    config = {"SESSION_PROTECTION": mode}
    old = theirs(**config)
    client = carry(logged_in(old), make(**config), "session", REMEMBER)
    for path in ("/me", "/", "/very-secret"):
        assert client.get(path).headers.getlist("Set-Cookie") == []
    assert carry(client, old, "session").get("/me").json == {"id": "ada", "fresh": True}


@pytest.mark.parametrize("mode", ["basic", "strong"])
def test_a_session_that_we_restored_is_taken_back(mode: str, make_real: Make, make: Make) -> None:
    """A session that Admit restored from a remember cookie stays logged in on the released Flask-Login, not fresh."""
    config = {"SESSION_PROTECTION": mode}
    client = carry(logged_in(make(**config)), make(**config), REMEMBER)
    assert client.get("/me").json == {"id": "ada", "fresh": False}
    returned = carry(client, make_real(**config), "session")
    assert [returned.get("/me").json for _ in range(2)] == [{"id": "ada", "fresh": False}] * 2


def browse_with(app: Flask, agent: str | None) -> Flask:
    """Make every request to the app come from this browser, or from one that does not say what it is."""
    inner = app.wsgi_app

    def wsgi_app(environ: dict, start_response: object) -> object:
        environ.pop("HTTP_USER_AGENT", None)
        return inner(environ | ({} if agent is None else {"HTTP_USER_AGENT": agent}), start_response)

    app.wsgi_app = wsgi_app
    return app


@pytest.mark.parametrize("agent", AGENTS)
def test_every_browser_is_taken_over(agent: str | None, theirs: Make, make: Make) -> None:
    """Under "strong" the identifier agrees for quotes, backslashes, accents, and a browser that says nothing."""
    old, new = (browse_with(each(SESSION_PROTECTION="strong"), agent) for each in (theirs, make))
    assert carry(logged_in(old), new, "session").get("/me").json == {"id": "ada", "fresh": True}


@pytest.mark.parametrize("agent", AGENTS)
def test_every_browser_is_taken_back(agent: str | None, make_real: Make, make: Make) -> None:
    """Under "strong" what Admit writes agrees with the released package, for the same browsers."""
    new, old = (browse_with(each(SESSION_PROTECTION="strong"), agent) for each in (make, make_real))
    assert carry(logged_in(new), old, "session").get("/me").json == {"id": "ada", "fresh": True}


MISMATCHES = {
    "browser": {"headers": {"User-Agent": "another"}},
    "address": {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}},
}


@pytest.mark.parametrize(("mode", "subject"), [("basic", "ada"), ("strong", None)])
@pytest.mark.parametrize("change", MISMATCHES.values(), ids=MISMATCHES)
def test_protection_is_taken_over(change: dict, mode: str, subject: str | None, theirs: Make, make: Make) -> None:
    """Two ways of computing the identifier are no way around it: another browser or address is a mismatch still."""
    client = carry(logged_in(theirs(SESSION_PROTECTION=mode)), make(SESSION_PROTECTION=mode), "session")
    assert client.get("/me", **change).json == {"id": subject, "fresh": False}


def put_behind_proxy(app: Flask) -> Flask:
    """Let the app believe the one proxy that is in front of it."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    return app


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8::7"])
def test_behind_a_proxy(address: str, theirs: Make, make: Make) -> None:
    """With Werkzeug's ProxyFix on both sides the client behind the proxy stays logged in, both ways, under "strong"."""
    old, new = (put_behind_proxy(each(SESSION_PROTECTION="strong")) for each in (theirs, make))
    forwarded = {"headers": {"X-Forwarded-For": address}}
    client = carry(logged_in(old, **forwarded), new, "session")
    assert client.get("/me", **forwarded).json == {"id": "ada", "fresh": True}
    assert carry(client, old, "session").get("/me", **forwarded).json == {"id": "ada", "fresh": True}


def test_behind_a_proxy_ours_are_taken_back(make_real: Make, make: Make) -> None:
    """With ProxyFix on both sides a session made by Admit is fresh on the released Flask-Login, under "strong"."""
    new, old = (put_behind_proxy(each(SESSION_PROTECTION="strong")) for each in (make, make_real))
    forwarded = {"headers": {"X-Forwarded-For": "198.51.100.7"}}
    client = carry(logged_in(new, **forwarded), old, "session")
    assert client.get("/me", **forwarded).json == {"id": "ada", "fresh": True}


@given(
    payload=st.text(),
    key=st.text(st.characters(max_codepoint=255), min_size=1) | st.binary(min_size=1),
)
def test_the_remember_cookie_is_the_same(payload: str, key: str | bytes, make_ours: Make) -> None:
    """For every id and every key that Flask-Login can use, both make the same cookie and read it alike."""
    app = make_ours(SECRET_KEY=key)
    with app.app_context():
        cookie = flask_login.encode_cookie(payload)
        assert encode_cookie(payload) == cookie
        assert decode_cookie(cookie) == flask_login.decode_cookie(cookie) == payload


def test_logout_is_taken_back(theirs: Make, make: Make) -> None:
    """Who logs out on Admit is nobody on Flask-Login either, with whatever cookies the browser then has."""
    old = theirs()
    client = carry(logged_in(old), make(), "session", REMEMBER)
    client.get("/logout")
    left = [name for name in ("session", REMEMBER) if client.get_cookie(name)]
    assert REMEMBER not in left
    assert carry(client, old, *left).get("/me").json["id"] is None
