"""The cookie that carries a session token: its name and its attributes."""

from __future__ import annotations

import logging
from inspect import signature
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie

from admit.errors import ConfigurationError
from admit.flask import LoginManager, UserMixin, login_user, logout_user, settings
from admit.flask.session_cookie import _is_development

User = type("User", (UserMixin,), {"id": "ada"})


def cookies(url: str, path: str = "/in", headers: dict[str, str] | None = None, **config: Any) -> str:
    """Return the Set-Cookie header of a login or a logout at this address."""
    app = Flask("site")
    app.config.update(config)
    LoginManager(app, store="memory:").user_loader(lambda _: User())

    @app.get("/in")
    def enter() -> str:
        login_user(User())
        return ""

    @app.get("/out")
    def leave() -> str:
        logout_user()
        return ""

    response = app.test_client().get(path, base_url=url, headers=headers)
    return response.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/in", "/out"])
def test_over_https(path: str) -> None:
    """The cookie has the strictest name and attributes, set and cleared alike (attacks 8 to 12)."""
    name, *attributes = cookies("https://site.example", path).split("; ")
    assert name.startswith("__Host-admit=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "app.localhost"])
def test_development(host: str) -> None:
    """Over plain http on this machine the cookie is not Secure, so that development works."""
    name, *attributes = cookies(f"http://{host}").split("; ")
    assert name.startswith("admit=")
    assert "Secure" not in attributes
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_on_this_machine_is_no_development(header: str) -> None:
    """A request that a proxy passed on came from elsewhere, whatever host it says."""
    assert cookies("http://localhost:8000", headers={header: "192.0.2.1"}).startswith("__Host-admit=")


def test_plain_http_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    """Over plain http anywhere else the cookie is Secure all the same, and the log says what to do."""
    with caplog.at_level(logging.WARNING, "admit.flask"):
        assert cookies("http://site.example").startswith("__Host-admit=")
    assert "add werkzeug's ProxyFix" in caplog.text


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_no_host_of_a_client_makes_it_development(host: str) -> None:
    """Whatever a client sends as its host, only a loopback one is development (and nothing fails)."""
    request = Flask("site").request_class({"wsgi.url_scheme": "http", "HTTP_HOST": host, "SERVER_NAME": "x"})
    loopback = "localhost" in host or host.startswith("127.") or "::1" in host
    assert loopback or not _is_development(request)


def test_without_a_host_the_servers_name_counts() -> None:
    """A request without a Host header is judged by the server's own name."""
    request_class = Flask("site").request_class
    for name, expected in (("127.0.0.1", True), ("site.example", False)):
        assert _is_development(request_class({"wsgi.url_scheme": "http", "SERVER_NAME": name})) is expected


def test_settings() -> None:
    """Name, domain and SameSite are settings; a domain rules out the prefix __Host-."""
    line = cookies(
        "https://app.site.example",
        ADMIT_COOKIE_NAME="mine",
        ADMIT_COOKIE_DOMAIN="site.example",
        ADMIT_COOKIE_SAMESITE="Strict",
    )
    assert line.startswith("__Secure-mine=")
    assert {"Domain=site.example", "SameSite=Strict", "Secure"} <= set(line.split("; "))
    assert "Partitioned" not in line


def test_u12_partitioned_is_a_setting_of_werkzeug_3_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitioned is a setting from Werkzeug 3.1 on; with an older one, it is refused when the application starts."""
    if "partitioned" in signature(dump_cookie).parameters:
        line = cookies("https://app.site.example", ADMIT_COOKIE_PARTITIONED=True)
        assert "Partitioned" in line.split("; ")
    monkeypatch.setattr(settings, "dump_cookie", lambda key, value: "")
    with pytest.raises(ConfigurationError, match=r"ADMIT_COOKIE_PARTITIONED is on.*Install Werkzeug 3\.1"):
        cookies("https://app.site.example", ADMIT_COOKIE_PARTITIONED=True)


@pytest.mark.parametrize(
    ("config", "hint"),
    [
        ({"ADMIT_COOKIE_SAMESITE": "lax"}, 'Choose "Lax", "Strict" or "None"'),
        ({"ADMIT_COOKIE_DOMAIM": "x"}, "Did you mean ADMIT_COOKIE_DOMAIN?"),
        ({"ADMIT_SESSION_IDLE": "1 day"}, "a timedelta, or seconds"),
    ],
)
def test_wrong_settings_are_told_at_the_start(config: dict[str, Any], hint: str) -> None:
    """A setting that can't be, or isn't one, is an error when the application is set up."""
    app = Flask("site")
    app.config.update(config)
    with pytest.raises(ConfigurationError) as caught:
        LoginManager(app, store="memory:")
    assert hint in str(caught.value)
