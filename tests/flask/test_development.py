"""What counts as development: by configuration, whatever a client or a proxy sends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.flask import LoginManager, UserMixin, login_user
from admit.flask.development import is_development, is_here, may_be_plain
from tests.attacks.site import all_features

if TYPE_CHECKING:
    from admit.mail import Message

User = type("User", (UserMixin,), {"id": "ada"})

ELSEWHERE = {"ADMIT_PUBLIC_URL": "https://app.example"}


def cookie_at(url: str = "http://127.0.0.1:8000", *, debug: bool = False, **config: Any) -> str:
    """Return the cookie of a login at this address, in an application of step 2."""
    app = Flask("site")
    app.debug = debug
    app.config.update(config)
    LoginManager(app, store="memory:").user_loader(lambda _: User())
    app.add_url_rule("/in", "in", lambda: str(login_user(User())))
    return app.test_client().get("/in", base_url=url).headers["Set-Cookie"]


@pytest.mark.parametrize(
    "config",
    [
        ELSEWHERE,
        {"ADMIT_PUBLIC_URL": "http://app.example"},
        {"ADMIT_PUBLIC_URL": "https://localhost"},
        {"SERVER_NAME": "127.0.0.1:8000", "PREFERRED_URL_SCHEME": "https"},
    ],
)
def test_a_site_that_is_elsewhere(config: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A site that says it is served elsewhere sets Secure cookies, however a request looks, and warns of plain http."""
    cookie = cookie_at(**config)
    assert cookie.startswith("__Host-admit=")
    assert "Secure" in cookie
    assert "Serve the application over https" in caplog.text


@pytest.mark.parametrize(
    ("config", "warns"),
    [
        ({}, True),
        ({"TESTING": True}, False),
        ({"ADMIT_PUBLIC_URL": "http://127.0.0.1:5000"}, False),
        ({"SERVER_NAME": "127.0.0.1:8000"}, False),
        ({**ELSEWHERE, "debug": True}, False),
        ({**ELSEWHERE, "TESTING": True}, False),
        ({"debug": True}, False),
    ],
)
def test_development(config: dict[str, Any], warns: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001 -- a parameter
    """A login on this machine works in debug, and where nobody says that the site is elsewhere, with a warning."""
    with caplog.at_level(logging.WARNING, "admit.flask"):
        assert cookie_at(**config).startswith("admit=")
    assert ("Set ADMIT_PUBLIC_URL" in caplog.text) is warns


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """An application that does not say where it is served is told so at the first login only."""
    app = Flask("site")
    LoginManager(app, store="memory:").user_loader(lambda _: User())
    app.add_url_rule("/in", "in", lambda: str(login_user(User())))
    for _ in range(3):
        app.test_client().get("/in")
    assert caplog.text.count("Set ADMIT_PUBLIC_URL") == 1


def test_debug_over_https_is_secure() -> None:
    """Debugging takes nothing from a login that comes by https, or from another machine."""
    for url in ("https://127.0.0.1:8000", "http://app.example"):
        assert cookie_at(url, debug=True).startswith("__Host-admit=")


def test_who_decides() -> None:
    """Debug and tests are development; an address is here only by plain http on this machine."""
    app = Flask("site")
    assert not is_development(app)
    app.debug = True
    assert is_development(app)
    assert [is_here(url) for url in ("http://[::1]:5000", "https://localhost", "http://app.example")] == [
        True,
        False,
        False,
    ]
    assert may_be_plain()


@pytest.mark.parametrize(
    ("config", "is_on"),
    [
        ({**ELSEWHERE}, False),
        ({"ADMIT_PUBLIC_URL": "http://127.0.0.1:5000"}, False),
        ({**ELSEWHERE, "ADMIT_API_DOCS": True}, True),
        ({**ELSEWHERE, "debug": True}, True),
        ({**ELSEWHERE, "TESTING": True}, True),
        ({**ELSEWHERE, "TESTING": True, "ADMIT_API_DOCS": False}, False),
    ],
)
def test_the_description_of_the_api(config: dict[str, Any], is_on: bool) -> None:  # noqa: FBT001 -- a parameter
    """The description and its page are there in debug and tests, and otherwise only if a setting says so."""
    app = Flask("site")
    app.debug = config.pop("debug", False)
    app.config.update(config)
    mails: list[Message] = []
    LoginManager(app, store="memory:", features=all_features(), mail=mails.append)
    for path in ("/api/openapi.json", "/api/docs", "/api/docs/own/docs.js"):
        with app.test_client().get(path) as answer:
            assert (answer.status_code == 200) is is_on
