"""Refusals as problem documents; that they have to be asked for is tested in test_defects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from admit import errors
from admit.flask import problems

Make = Callable[..., Flask]


def test_a_stale_login(make: Make) -> None:
    """A login that is not fresh gets a 403 whose code says so, and no challenge."""
    app = make(ADMIT_PROBLEM_JSON=True, SESSION_PROTECTION="basic")
    client = app.test_client()
    client.get("/login/ada", headers={"User-Agent": "one"})
    response = client.get("/very-secret", headers={"User-Agent": "two", "Accept": "application/json"})
    assert response.status_code == 403
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["code"] == "reauthentication_required"
    assert response.json["error"] == errors.ReauthenticationRequired.message
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json", True),
        ("application/problem+json, */*;q=0.1", True),
        ("text/html, application/json;q=0.9", False),
        ("*/*", True),
        ("", False),
    ],
)
def test_what_a_client_prefers(make: Make, accept: str, *, wanted: bool) -> None:
    """JSON goes to those who don't ask for a page, and to those who send it; not to those who say nothing."""
    app = make(ADMIT_PROBLEM_JSON=True)
    with app.test_request_context(headers={"Accept": accept}):
        assert problems.wanted() is wanted
    with app.test_request_context(json={}):
        assert problems.wanted()


def test_it_has_to_be_asked_for(make: Make) -> None:
    """Without the setting nobody gets a problem document."""
    with make().test_request_context(headers={"Accept": "application/json"}):
        assert not problems.wanted()


def test_every_error_makes_a_document(make: Make) -> None:
    """Every error of the client's makes a document with its code, and never the private reason."""
    made = [
        errors.InvalidCredentials("no such account"),
        errors.InvalidInput({"name": "is missing"}),
        errors.Throttled(30),
        errors.SessionRequired(code="session_idle"),
    ]
    with make().test_request_context():
        for error in made:
            response = problems.problem(error)
            assert response.status_code == error.status
            assert response.json is not None
            assert response.json["code"] == error.problem_code
            assert "no such account" not in response.get_data(as_text=True)
