"""An application whose own forms have tokens of Flask-WTF or Flask-SeaSurf: ours have none, and need none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Response, abort, request
from flask_seasurf import SeaSurf
from flask_wtf.csrf import CSRFError, CSRFProtect

from admit.feature import Context, Feature, Reply, action
from admit.features import everything
from admit.flask import LoginManager
from admit.flask.neighbours import Ours, mind_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

ORIGIN = "https://app.example.org"
PERSON = {"username": "ada", "password": "seven green umbrellas in the attic"}
#: As a browser sends the form of a page of this site.
OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
#: What pages of other sites make a browser send, with the cookies of this one.
FORGED: list[dict[str, str]] = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Origin": "https://evil.example"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Origin": "https://evil.app.example.org", "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://app.example.org.evil.example"},
    {"Origin": "https://evilapp.example.org"},
    {"Origin": "http://app.example.org"},
    {"Referer": "https://evil.example/"},
]


def site(**config: Any) -> Flask:
    """Return an application with a form of its own."""
    app = Flask("site")
    app.config.update(
        SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566",
        ADMIT_PUBLIC_URL=ORIGIN,
        ADMIT_REGISTRATION_IDENTIFIERS=("username",),
        **config,
    )
    app.add_url_rule("/order", "order", lambda: "ordered", methods=["POST"])
    return app


def add_accounts(app: Flask) -> None:
    """Give it accounts."""
    LoginManager(app, store="memory:", features=everything(), mail=[].append)


def add_wtf(app: Flask) -> None:
    """Give it Flask-WTF's protection, as its documentation says for factories."""
    CSRFProtect().init_app(app)


def add_wtf_at_once(app: Flask) -> None:
    """Give it Flask-WTF's protection by one line."""
    CSRFProtect(app)


def add_seasurf(app: Flask) -> None:
    """Give it Flask-SeaSurf's protection."""
    SeaSurf(app)


def send(app: Flask, path: str, headers: dict[str, str], **sent: Any) -> TestResponse:
    """Send something over https, as a browser with no cookies does."""
    return app.test_client().post(path, headers=headers, base_url=ORIGIN, **sent)


@pytest.fixture(params=[add_wtf, add_wtf_at_once, add_seasurf])
def add_protection(request: pytest.FixtureRequest) -> Callable[[Flask], None]:
    """Return what adds one of the extensions."""
    found: Callable[[Flask], None] = request.param
    return found


@pytest.fixture(params=["before", "after"])
def protected(request: pytest.FixtureRequest, add_protection: Callable[[Flask], None]) -> Flask:
    """Return an application with one of the extensions, set up before ours or after it."""
    app = site()
    steps = [add_protection, add_accounts]
    for step in steps if request.param == "before" else reversed(steps):
        step(app)
    return app


def test_u07_our_pages_and_our_api_need_no_token(protected: Flask) -> None:
    """Whichever extension is set up first: people sign up and sign in, by the page and by JSON."""
    assert send(protected, "/account/sign-up", OWN, data=PERSON).status_code == 200
    login = {"identifier": "ada", "password": PERSON["password"]}
    assert send(protected, "/account/sign-in", OWN, data=login).status_code == 303
    assert send(protected, "/api/account/sign-in", OWN, json=login).status_code == 200
    assert send(protected, "/api/account/sign-in", {}, json=login).status_code == 200


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # Flask-SeaSurf's, on later Pythons
def test_u07_forms_of_the_application_keep_their_protection(protected: Flask) -> None:
    """Only our views are exempt: a form of the application without a token is refused as before."""
    send(protected, "/account/sign-up", OWN, data=PERSON)
    assert send(protected, "/order", OWN | {"Referer": f"{ORIGIN}/"}).status_code in {400, 403}


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_u07_other_sites_are_refused_without_tokens(protected: Flask, headers: dict[str, str]) -> None:
    """What another site makes a browser send to our views is refused by our own check, on pages and in JSON."""
    for path, sent in (("/account/sign-up", {"data": PERSON}), ("/api/account/sign-up", {"json": PERSON})):
        answer = send(protected, path, headers, **sent)
        assert answer.status_code == 403, path
        assert "another site" in answer.text


def test_u07_two_applications_with_one_protection() -> None:
    """A protection of the module serves two applications, as factories have it: both are exempt, and only there."""
    csrf = CSRFProtect()
    for _ in range(2):
        app = site()
        add_accounts(app)
        csrf.init_app(app)
        assert send(app, "/account/sign-up", OWN, data=PERSON).status_code == 200
        assert send(app, "/order", OWN).status_code == 400


def test_u07_another_extension_under_the_same_name() -> None:
    """An extension that calls itself "csrf" and is another one is left alone, and so are bound methods of others."""
    app = site()
    app.extensions["csrf"] = object()
    app.before_request([].clear)
    mind_neighbours(app, Ours(frozenset(), {}, ()))
    assert send(app, "/order", OWN).status_code == 200


# -- refusals of others ------------------------------------------------------------------------------------------------


def refused(app: Flask, path: str) -> TestResponse:
    """Send a sign-up that something else than Admit refuses."""
    sent = {"json": PERSON} if path.startswith("/api/") else {"data": PERSON}
    return send(app, path, OWN, **sent)


def test_u07_a_refusal_of_another_extension_keeps_its_message(caplog: pytest.LogCaptureFixture) -> None:
    """Where an application has every request checked, its refusal says what was missing, and so does the log."""
    app = site(WTF_CSRF_CHECK_DEFAULT=False)
    csrf = CSRFProtect(app)
    add_accounts(app)
    app.before_request(csrf.protect)
    with caplog.at_level(logging.INFO, "admit.flask"):
        page, problem = refused(app, "/account/sign-up"), refused(app, "/api/account/sign-up")
    assert page.status_code == problem.status_code == 400
    assert "The CSRF token is missing." in page.text
    assert problem.mimetype == "application/problem+json"
    assert problem.json["detail"] == problem.json["error"] == "The CSRF token is missing."
    assert (problem.json["title"], problem.json["code"]) == ("Bad Request", "bad_request")
    assert "not by Admit" in caplog.text
    assert "The CSRF token is missing." in caplog.text


def test_u07_an_error_handler_of_the_application_comes_first() -> None:
    """An application that answers the refusals of its extension itself does so for our views as well."""
    app = site(WTF_CSRF_CHECK_DEFAULT=False)
    csrf = CSRFProtect(app)
    add_accounts(app)
    app.before_request(csrf.protect)
    app.register_error_handler(CSRFError, lambda error: (f"ours: {error.description}", 400))
    assert refused(app, "/account/sign-up").text == "ours: The CSRF token is missing."


@pytest.mark.parametrize("path", ["/account/sign-up", "/api/account/sign-up"])
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "Only from the office."),
        (401, "Only with a client certificate."),
        (429, "Ten a minute."),
        (503, "Closed until nine."),
        (451, None),
        (403, None),
    ],
)
def test_u07_whatever_the_application_refuses_is_passed_on(path: str, status: int, text: str | None) -> None:
    """A check of the application before each request keeps its status and its words, and is no outage of ours."""
    app = site()
    add_accounts(app)

    @app.before_request
    def refuse() -> None:
        abort(status, *filter(None, [text]))

    answer = refused(app, path)
    assert answer.status_code == status
    assert (text or "") in answer.text
    assert "Please try again in a moment" not in answer.text


@pytest.mark.parametrize("path", ["/account/sign-up", "/api/account/sign-up"])
def test_u07_headers_and_answers_of_a_refusal_are_passed_on(path: str) -> None:
    """A refusal keeps its Retry-After, and one that is an answer already is that answer."""
    app = site()
    add_accounts(app)

    @app.before_request
    def refuse() -> None:
        if "answered" in request.args:
            abort(Response("as it is", 418))
        if "refused" in request.args:
            abort(400, response=Response("as it was", 400))
        abort(429, retry_after=17)

    limited = refused(app, path)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "17")
    assert (limited.mimetype == "application/problem+json") is path.startswith("/api/")
    answered = send(app, f"{path}?answered", OWN, data=PERSON)
    assert (answered.status_code, answered.text) == (418, "as it is")
    answered = send(app, f"{path}?refused", OWN, data=PERSON)
    assert (answered.status_code, answered.text) == (400, "as it was")


class Sundays(Feature):
    """A feature of the application that refuses by itself."""

    name = "sundays"

    @action("POST", "/open", title="Open", errors=[])
    def open(self, ctx: Context) -> Reply[None]:
        """Refuse on Sundays."""
        abort(409, "Not on a Sunday.")


@pytest.mark.parametrize("path", ["/account/open", "/api/account/open"])
def test_u07_what_an_action_refuses_by_itself_is_passed_on(path: str) -> None:
    """What code of the application refuses inside of an action keeps its status and its words."""
    app = Flask("site")
    app.config.update(SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566")
    LoginManager(app, store="memory:", features=[Sundays()])
    answer = send(app, path, OWN)
    assert (answer.status_code, "Not on a Sunday." in answer.text) == (409, True)


def test_u07_the_description_of_the_api_passes_refusals_on() -> None:
    """A check of the application refuses the description of the API in its own words, too."""
    app = site(ADMIT_API_DOCS=True)
    add_accounts(app)

    @app.before_request
    def refuse() -> None:
        abort(403, "Only from the office.")

    answer = app.test_client().get("/api/openapi.json", base_url=ORIGIN)
    assert (answer.status_code, "Only from the office." in answer.text) == (403, True)
