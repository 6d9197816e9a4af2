"""Extensions that ask who is signed in by hooks of their own: Flask-Limiter, Flask-Caching and Flask-Session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cachelib.simple import SimpleCache
from flask import Flask, request, session
from flask_caching import Cache
from flask_limiter import Limiter
from flask_session import Session

from admit.features.account import AccountPages
from admit.features.password import Password
from admit.flask import LoginManager, UserMixin, current_user, login_required, login_user, logout_user

if TYPE_CHECKING:
    from flask.testing import FlaskClient

STEPS: dict[int, dict[str, Any]] = {
    1: {},
    2: {"store": "memory:"},
    3: {"store": "memory:", "features": [AccountPages(), Password()]},
}


class User(UserMixin):
    """A user who is called by the name."""

    def __init__(self, name: str) -> None:
        self.id = name


def who() -> str:
    """Return who is asking, as keys of limits and of caches."""
    return current_user.get_id() or "nobody"


@pytest.fixture(params=STEPS)
def app(request: pytest.FixtureRequest) -> Flask:
    """Return an application with the three extensions, at each step."""
    app = Flask("site")
    app.config.update(
        TESTING=True,
        SECRET_KEY="5b0c8a7e1f" * 6,
        CACHE_TYPE="SimpleCache",
        SESSION_TYPE="cachelib",
        SESSION_CACHELIB=SimpleCache(),
        RATELIMIT_STORAGE_URI="memory://",
    )
    Session(app)
    cache, limiter = Cache(app), Limiter(who, app=app)
    LoginManager(app, **STEPS[request.param]).user_loader(User)
    app.add_url_rule("/in", "in", log_in)
    app.add_url_rule("/out", "out", log_out)
    app.add_url_rule("/page", "page", login_required(cache.cached(make_cache_key=who)(page)))
    app.add_url_rule("/few", "few", limiter.limit("2 per hour")(who))
    return app


def log_in() -> str:
    """Sign in whoever is named."""
    login_user(User(request.args["name"]))
    session["basket"] = request.args["name"]
    return ""


def log_out() -> str:
    """Sign out."""
    logout_user()
    return ""


def page() -> str:
    """Say who asks, and what is in the session."""
    return f"{who()} {session.get('basket')}"


def signed_in(app: Flask, name: str) -> FlaskClient:
    """Return the client of somebody who has signed in."""
    client = app.test_client()
    client.get("/in", query_string={"name": name})
    return client


def test_a_cache_by_user_keeps_people_apart(app: Flask) -> None:
    """A page that is cached by user is each one's own, and nobody's after signing out; the session is the server's."""
    ada, bob = signed_in(app, "ada"), signed_in(app, "bob")
    for _ in range(2):
        assert (ada.get("/page").text, bob.get("/page").text) == ("ada ada", "bob bob")
    ada.get("/out")
    assert ada.get("/page").status_code in {302, 401}
    assert bob.get("/page").text == "bob bob"


def test_a_limit_by_user_counts_each_alone(app: Flask) -> None:
    """A limit whose key is the user counts those who are signed in apart, and all others together."""
    ada, guest = signed_in(app, "ada"), app.test_client()
    assert [ada.get("/few").status_code for _ in range(3)] == [200, 200, 429]
    assert [guest.get("/few").status_code for _ in range(3)] == [200, 200, 429]
    assert signed_in(app, "bob").get("/few").text == "bob"


def test_u07_a_limit_of_the_application_counts_on_our_pages() -> None:
    """Flask-Limiter's limit for the whole application holds on our pages and our API, and its answer stays a 429."""
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY="5b0c8a7e1f" * 6, RATELIMIT_STORAGE_URI="memory://")
    Limiter(who, app=app, default_limits=["2 per hour"])
    LoginManager(app, **STEPS[3])
    client = app.test_client()
    assert [client.get("/account/sign-in").status_code for _ in range(3)] == [200, 200, 429]
    answers = [client.post("/api/account/sign-in", json={"identifier": "ada", "password": "x" * 20}) for _ in range(3)]
    assert [one.status_code for one in answers] == [401, 401, 429]
    assert "2 per 1 hour" in answers[-1].text
