"""Login URLs; what is safe to redirect to is tested in test_next."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import flask_login
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from admit.flask import login_url, make_next_param
from admit.flask.redirects import asked_url, safe_next

URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "http://a.example", "https://a.example", "http://b.example:8000"]),
    st.sampled_from(["/", "/login", "/a/b"]),
    st.sampled_from(["", "?q=1", "?q=a%26b&r=%C3%A9", "?next=old"]),
)


@pytest.fixture
def app() -> Flask:
    """Return an application with a login page."""
    app = Flask("site")
    app.add_url_rule("/login", "login", lambda: "")
    return app


@given(URLS, URLS)
def test_next_is_flask_logins(login: str, current: str) -> None:
    """The page to return to is shortened exactly when Flask-Login shortens it."""
    assert make_next_param(login, current) == flask_login.make_next_param(login, current)


@given(login=URLS, current=URLS)
def test_the_login_url_says_where_to_return(login: str, current: str) -> None:
    """The login URL keeps its own query and says once, under any name, where to return to."""
    with Flask("site").app_context():
        parts = urlsplit(login_url(login, current, next_field="back"))
    assert parts._replace(query="") == urlsplit(login)._replace(query="")
    query = parse_qs(parts.query, strict_parsing=True)
    assert query.pop("back") == [make_next_param(login, current)]
    assert query == parse_qs(urlsplit(login).query)


def test_an_old_next_is_replaced(app: Flask) -> None:
    """A next that is in the login URL already gives way, and an endpoint's name becomes its URL."""
    with app.test_request_context():
        assert login_url("/login?next=/old", "/new") == "/login?next=%2Fnew"
        assert login_url("login", "/new") == "/login?next=%2Fnew"
        assert login_url("login") == "/login"


def test_a_forced_host(app: Flask) -> None:
    """FORCE_HOST_FOR_REDIRECTS puts the host of the application's choice into the login URL."""
    app.config["FORCE_HOST_FOR_REDIRECTS"] = "good.example"
    with app.test_request_context():
        assert login_url("/login", "/page") == "//good.example/login?next=%2Fpage"


def test_without_an_application() -> None:
    """A login URL that is a path needs no application context."""
    assert login_url("/login") == "/login"
    assert login_url("/login", "/page") == "/login?next=%2Fpage"


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({}, "/page?q=1"),
        ({"SERVER_NAME": "good.example"}, "http://good.example/page?q=1"),
        ({"TRUSTED_HOSTS": ["evil.example"]}, "http://evil.example/page?q=1"),
    ],
)
def test_only_hosts_that_are_vouched_for(app: Flask, config: dict[str, object], asked: str) -> None:
    """The URL that was asked for has the Host header's host only where the application trusts it."""
    app.config.update(config)
    with app.test_request_context("/page?q=1", headers={"Host": "evil.example"}):
        assert asked_url() == asked


def test_an_empty_host_vouches_for_nothing(app: Flask) -> None:
    """Without a host no absolute URL is our own: "http:///evil.example" is another site to a browser."""
    with app.test_request_context("/", environ_overrides={"HTTP_HOST": "", "SERVER_NAME": "", "SERVER_PORT": ""}):
        assert safe_next("http:///evil.example") is None
        assert safe_next("/page") == "/page"
