"""Scripts of a page whose session has ended: they are told so in what they can read, and people get the page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.features import everything
from admit.flask import LoginManager, UserMixin, fresh_login_required, login_required, login_user, roles_required
from admit.testing import Clock

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

HOST = "https://app.example.org"
FETCH = {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
ANYTHING = {"Accept": "*/*"}
NAVIGATES = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}

#: What does not navigate, as libraries send it, with and without what browsers add.
SCRIPTS = {
    "axios": {"Accept": "application/json, text/plain, */*", **FETCH},
    "axios in an old browser": {"Accept": "application/json, text/plain, */*"},
    "fetch": {**ANYTHING, **FETCH},
    "fetch with mode same-origin": {**ANYTHING, **FETCH, "Sec-Fetch-Mode": "same-origin"},
    "fetch that says nothing": FETCH,
    "jquery": {"Accept": "application/json, text/javascript, */*; q=0.01", "X-Requested-With": "XMLHttpRequest"},
    "jquery without a type": {**ANYTHING, "X-Requested-With": "XMLHttpRequest"},
    "only says that it is a script": {"X-Requested-With": "XMLHttpRequest"},
    "asks for json": {"Accept": "application/json"},
    "asks for problems": {"Accept": "application/problem+json", **FETCH},
    "sends json": {"Content-Type": "application/json"},
    "curl, requests, httpx": ANYTHING,
    "image": {"Accept": "image/avif,image/webp,image/*,*/*;q=0.8", **FETCH, "Sec-Fetch-Mode": "no-cors"},
    "event source": {"Accept": "text/event-stream", **FETCH},
    "takes either": {"Accept": "text/html, application/json"},
}
#: What shows a page to a person.
PEOPLE = {
    "browser": {**HTML, **NAVIGATES},
    "browser of 2019": HTML,
    "browser that takes anything": {**ANYTHING, **NAVIGATES},
    "frame": {**HTML, **NAVIGATES, "Sec-Fetch-Dest": "iframe"},
    "script that puts a page in the place of this one": {"Accept": "text/html, application/xhtml+xml", **FETCH},
    "script that loads a part of a page": {"Accept": "text/html, */*; q=0.01", "X-Requested-With": "XMLHttpRequest"},
    "a test client, which says nothing": {},
}


class Person(UserMixin):
    """A user who has a role."""

    roles = ("writer",)

    def __init__(self, id: str) -> None:  # noqa: A002 -- what the mixin reads
        self.id = id


def site(step: int, *, debug: bool = False, **config: Any) -> tuple[FlaskClient, Clock]:
    """Return a client of an application with guards, at one of the three steps."""
    app, clock = Flask("site"), Clock()
    app.debug = debug
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566", ADMIT_PROBLEM_JSON=True, **config)
    options: dict[str, Any] = {1: {}, 2: {"store": "memory:"}, 3: {"store": "memory:", "features": everything()}}[step]
    if step == 3:
        app.config["ADMIT_PUBLIC_URL"] = HOST
        options["mail"] = [].append
    manager: LoginManager[Any] = LoginManager(app, clock=clock, **options)
    if step < 3:
        app.add_url_rule("/login", "login", lambda: "the login page")
        manager.login_view = manager.refresh_view = "login"
    manager.user_loader(Person)
    app.add_url_rule("/in", "in", lambda: str(login_user(Person("ada"), fresh=step > 1)))
    app.add_url_rule("/basket", "basket", login_required(lambda: "basket"))
    app.add_url_rule("/payout", "payout", fresh_login_required(lambda: "paid"))
    app.add_url_rule("/edit", "edit", roles_required("editor")(lambda: "edited"))
    return app.test_client(), clock


def get(client: FlaskClient, path: str, headers: dict[str, str]) -> TestResponse:
    """Ask for a view."""
    return client.get(path, headers=headers, base_url=HOST)


def is_problem(answer: TestResponse, status: int, code: str) -> bool:
    """Tell whether an answer is this problem."""
    json = answer.get_json(force=True) if answer.mimetype == "application/problem+json" else {}
    return (answer.status_code, answer.location, json.get("code")) == (status, None, code)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_u19_scripts_get_a_problem_and_people_the_page(step: int, debug: bool) -> None:  # noqa: FBT001
    """Whoever does not navigate is refused in what a script reads; whoever does is sent to the page."""
    client, _ = site(step, debug=debug)
    for name, headers in SCRIPTS.items():
        assert is_problem(get(client, "/basket", headers), 401, "session_required"), name
    for name, headers in PEOPLE.items():
        assert get(client, "/basket", headers).status_code == 302, name


@pytest.mark.parametrize("step", [1, 2, 3])
def test_u19_other_guards_tell_scripts_too(step: int) -> None:
    """A login that is not fresh, and a role that is missing, are told to scripts and people each in their way."""
    client, clock = site(step)
    get(client, "/in", {})
    clock.advance(timedelta(hours=1))
    for name, headers in SCRIPTS.items():
        assert is_problem(get(client, "/payout", headers), 403, "reauthentication_required"), name
        assert is_problem(get(client, "/edit", headers), 403, "role_required"), name
    for name, headers in PEOPLE.items():
        assert get(client, "/payout", headers).status_code == 302, name
        assert get(client, "/edit", headers).mimetype == "text/html", name


def test_u19_without_the_setting_nothing_changes() -> None:
    """Where problem documents are off, as they are after a move from Flask-Login, everybody is sent to the page."""
    app = Flask("site")
    app.config.update(SECRET_KEY="of the tests")
    manager: LoginManager[Any] = LoginManager(app)
    manager.login_view = "/login"
    manager.user_loader(Person)
    app.add_url_rule("/basket", "basket", login_required(lambda: "basket"))
    for name, headers in {**SCRIPTS, **PEOPLE}.items():
        assert get(app.test_client(), "/basket", headers).status_code == 302, name


def test_u19_a_callback_of_the_application_comes_first() -> None:
    """An unauthorized_handler answers scripts as well."""
    client, _ = site(3)
    client.application.login_manager.unauthorized_handler(lambda: ("nobody", 418))  # type: ignore[attr-defined]
    assert get(client, "/basket", SCRIPTS["fetch"]).status_code == 418
