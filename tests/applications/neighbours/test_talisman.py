"""An application whose headers Flask-Talisman sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask_talisman import Talisman

from admit.features import everything
from admit.flask import LoginManager
from admit.flask.answers import HEADERS

if TYPE_CHECKING:
    from flask import Response

HOST = "https://app.example.org"
WEAK = {"default-src": ["'self'", "*"], "script-src": ["'unsafe-inline'", "https://cdn.example"]}
PAGES = ["/account/sign-in", "/account/devices", "/account/static/admit.css", "/api/account/", "/api/openapi.json"]


def site(first: str) -> Flask:
    """Return an application with both, the one that is named set up first."""
    app = Flask("site")
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566", ADMIT_PUBLIC_URL=HOST, ADMIT_API_DOCS=True)
    if first == "talisman":
        Talisman(app, content_security_policy=WEAK, referrer_policy="unsafe-url")
    LoginManager(app, store="memory:", features=everything(), mail=[].append)
    if first == "admit":
        Talisman(app, content_security_policy=WEAK, referrer_policy="unsafe-url")
    app.add_url_rule("/", "home", lambda: "home")
    return app


@pytest.mark.parametrize("first", ["talisman", "admit"])
def test_u22_our_headers_win_on_our_pages(first: str) -> None:
    """On our pages the policy is ours, whichever extension is set up first; what we don't set is Flask-Talisman's."""
    client = site(first).test_client()
    for path in PAGES * 2:
        with client.get(path, base_url=HOST) as answer:
            pass
        for name in set(HEADERS) - {"Cache-Control"}:
            assert answer.headers.getlist(name) == [HEADERS[name]], (path, name)
        assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize("first", ["talisman", "admit"])
def test_u22_pages_of_the_application_have_their_own_policy(first: str) -> None:
    """What Flask-Talisman was told about the application's own pages holds there."""
    answer = site(first).test_client().get("/", base_url=HOST)
    assert "https://cdn.example" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "unsafe-url"


def test_u22_a_link_keeps_its_stricter_policy() -> None:
    """The answer to a link of a mail, whose address has a token, still sends no referrer at all."""
    answer = site("admit").test_client().get("/account/password-reset/" + "x" * 60, base_url=HOST)
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("first", ["talisman", "admit"])
def test_u22_the_application_itself_may_change_our_pages(first: str) -> None:
    """A layout of the application that needs another policy sets it by after_request, beside Flask-Talisman too."""
    app = site(first)

    @app.after_request
    def allow(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self' https://fonts.example"
        return response

    found = app.test_client().get("/account/sign-in", base_url=HOST).headers["Content-Security-Policy"]
    assert found == "default-src 'self' https://fonts.example"
