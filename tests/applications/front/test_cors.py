"""A front end on another origin, which the operator trusts: it uses the JSON API from a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_cors import CORS

from admit.errors import ConfigurationError
from admit.features import everything
from admit.flask import LoginManager, login_required

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

FRONT, API = "https://front.example.net", "https://api.example.org"
PERSON = {"username": "ada", "password": "seven green umbrellas in the attic"}
LOGIN = {"identifier": "ada", "password": PERSON["password"]}
#: Origins that an attacker has, or makes a browser send.
STRANGERS = [
    "https://evil.example",
    "null",
    "",
    "https://front.example.net.evil.example",
    "https://evil.front.example.net",
    "https://evilfront.example.net",
    "https://front.example.net:8443",
    "https://front.example.net/",
    "https://front.example.net, https://evil.example",
    "http://front.example.net",
    "HTTPS://FRONT.EXAMPLE.NET",
    "https://front.example.ne",
    "*",
]
LETTING_IN = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers")


def cors_first(app: Flask, **options: Any) -> Callable[[], None]:
    """Set up Flask-Cors before Admit; nothing is left to do afterwards."""
    CORS(app, **options)
    return lambda: None


def cors_last(app: Flask, **options: Any) -> Callable[[], None]:
    """Return what sets up Flask-Cors after Admit."""
    return lambda: cors_of(app, **options)


def cors_of(app: Flask, **options: Any) -> None:
    """Set up Flask-Cors."""
    CORS(app, **options)


def by_hand(app: Flask, **_options: Any) -> Callable[[], None]:
    """Add the headers as an answer on the web shows it."""

    @app.after_request
    def allow(response: Response) -> Response:
        response.headers.add("Access-Control-Allow-Origin", "*")
        response.headers.add("Access-Control-Allow-Headers", "Content-Type")
        return response

    return lambda: None


def nothing(_app: Flask, **_options: Any) -> Callable[[], None]:
    """Set up nothing else."""
    return lambda: None


def site(
    beside: Callable[..., Callable[[], None]] = nothing,
    options: dict[str, Any] | None = None,
    trusted: tuple[str, ...] = (FRONT,),
    **config: Any,
) -> FlaskClient:
    """Return a client of an API whose front is elsewhere."""
    app = Flask("site")
    app.config.update(
        SECRET_KEY="0f3b1c7e9a5d42688bd1f0c4e7a93d5566",
        ADMIT_PUBLIC_URL=API,
        ADMIT_REGISTRATION_IDENTIFIERS=("username",),
        ADMIT_TRUSTED_ORIGINS=trusted,
        ADMIT_COOKIE_SAMESITE="None",
        **config,
    )
    finish = beside(app, **({"origins": [FRONT], "supports_credentials": True} if options is None else options))
    LoginManager(app, store="memory:", features=everything(), mail=[].append)
    finish()

    @app.post("/orders")
    @login_required
    def orders() -> dict[str, str]:
        return {}

    return app.test_client()


BESIDE = pytest.mark.parametrize("beside", [nothing, cors_first, cors_last, by_hand])


def ask(client: FlaskClient, method: str, path: str, origin: str | None, **sent: Any) -> TestResponse:
    """Ask as a script on a page of an origin does, by a browser that says where it is from."""
    headers = sent.pop("headers", {})
    if origin is not None:
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", **headers}
    return client.open(path, method=method, base_url=API, headers=headers, **sent)


def preflight(client: FlaskClient, path: str, method: str, origin: str, headers: str = "content-type") -> TestResponse:
    """Ask as a browser does before it lets a script ask."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options(path, base_url=API, headers={"Origin": origin, **asked})


def vary(answer: TestResponse) -> set[str]:
    """Return on what an answer says that it depends."""
    return {one.lower() for one in answer.vary}


@BESIDE
@pytest.mark.parametrize(
    ("path", "method"),
    [("/sign-in", "POST"), ("/sign-up", "POST"), ("/sign-out", "POST"), ("/", "GET"), ("/devices/x", "DELETE")],
)
def test_u06_a_trusted_origin_gets_its_preflight_answered(beside: Any, path: str, method: str) -> None:
    """A browser that asks for a trusted origin is told that it may send what it asks, each header once."""
    answer = preflight(site(beside), f"/api/account{path}", method, FRONT, "content-type,x-requested-with,sentry-trace")
    assert answer.status_code == 200
    for name, value in {
        "Access-Control-Allow-Origin": FRONT,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Headers": "content-type,x-requested-with,sentry-trace",
        "Access-Control-Max-Age": "600",
    }.items():
        assert answer.headers.getlist(name) == [value]
    (allowed,) = answer.headers.getlist("Access-Control-Allow-Methods")
    assert method in {one.strip() for one in allowed.split(",")}
    assert {"origin", "access-control-request-headers", "access-control-request-method"} <= vary(answer)


@BESIDE
@pytest.mark.parametrize("options", [None, {"origins": "*", "supports_credentials": True}, {}], ids=str)
def test_u06_no_other_origin_gets_its_preflight_answered(beside: Any, options: dict[str, Any] | None) -> None:
    """An origin that is not exactly a trusted one is let in by nothing, even where an extension is set up for all."""
    client = site(beside, options)
    for origin in STRANGERS:
        answer = preflight(client, "/api/account/sign-in", "POST", origin)
        assert answer.status_code == 403
        assert [name for name in answer.headers.keys() if name.startswith("Access-Control")] == []  # noqa: SIM118
        assert "origin" in vary(answer)


@BESIDE
def test_u06_a_front_signs_in_and_out(beside: Any) -> None:
    """All answers to a trusted origin can be read by its scripts, the refusals too."""
    client = site(beside)
    for method, path, sent, status in (
        ("POST", "/sign-up", {"json": PERSON}, 202),
        ("POST", "/sign-in", {"json": LOGIN | {"password": "wrong"}}, 401),
        ("POST", "/sign-in", {"json": {}}, 422),
        ("POST", "/sign-in", {"data": "{"}, 415),
        ("POST", "/sign-in", {"json": LOGIN}, 200),
        ("GET", "/", {}, 200),
        ("DELETE", "/devices/unknown", {}, 404),
        ("POST", "/sign-out", {}, 204),
        ("GET", "/", {}, 401),
    ):
        answer = ask(client, method, f"/api/account{path}", FRONT, **sent)
        assert answer.status_code == status, path
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [FRONT]
        assert answer.headers.getlist("Access-Control-Allow-Credentials") == ["true"]
        (exposed,) = answer.headers.getlist("Access-Control-Expose-Headers")
        assert {"Admit-Token", "Admit-Pending", "Retry-After"} <= set(exposed.split(", "))
        assert "origin" in vary(answer)


def test_u06_a_front_without_cookies_reads_its_token() -> None:
    """A script that carries its token itself finds it in a header that it may read."""
    client = site()
    ask(client, "POST", "/api/account/sign-up", FRONT, json=PERSON)
    answer = ask(client, "POST", "/api/account/sign-in", FRONT, json=LOGIN, headers={"Admit-Carrier": "bearer"})
    assert answer.headers["Admit-Token"]
    bearer = {"Authorization": f"Bearer {answer.headers['Admit-Token']}"}
    assert ask(client, "GET", "/api/account/", FRONT, headers=bearer).status_code == 200
    assert "Admit-Token" in answer.headers["Access-Control-Expose-Headers"]


def test_u06_what_others_expose_stays_exposed() -> None:
    """What an extension exposes besides is exposed as well, and nothing is named twice."""
    client = site(cors_last, {"origins": [FRONT], "expose_headers": ["X-Total", "Retry-After"]})
    exposed = ask(client, "GET", "/api/account/", FRONT).headers["Access-Control-Expose-Headers"].split(", ")
    assert "X-Total" in exposed
    assert exposed.count("Retry-After") == 1


@BESIDE
@pytest.mark.parametrize(
    "said", [{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, {}], ids=["a new browser", "an old one"]
)
def test_u06_no_other_origin_reads_or_changes_anything(beside: Any, said: dict[str, str]) -> None:
    """A page of an origin that is not trusted is refused with the person's cookies, and can't read why."""
    client = site(beside, {"origins": "*", "supports_credentials": True})
    assert ask(client, "POST", "/api/account/sign-up", None, json=PERSON).status_code == 202
    assert ask(client, "POST", "/api/account/sign-in", None, json=LOGIN).status_code == 200
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/api/account/", {}),
        ("GET", "/api/account/devices", {}),
        ("POST", "/api/account/export", {}),
        ("POST", "/api/account/sign-out", {}),
        ("POST", "/api/account/sign-out", {"data": "{}", "content_type": "text/plain"}),
        ("POST", "/account/sign-out", {"data": {}}),
        ("DELETE", "/api/account/devices", {}),
    ]
    for origin in STRANGERS:
        for method, path, sent in attempts:
            headers = {"Origin": origin, **said}
            answer = client.open(path, method=method, base_url=API, headers=headers, **sent)
            assert answer.status_code == 403, (path, origin)
            assert not set(LETTING_IN) & set(answer.headers.keys())
    assert client.get("/api/account/", base_url=API).status_code == 200


def test_u06_nobody_is_trusted_by_default() -> None:
    """Without the setting no origin is let in."""
    client = site(trusted=())
    answer = preflight(client, "/api/account/sign-in", "POST", FRONT)
    assert answer.status_code == 405
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert ask(client, "POST", "/api/account/sign-in", FRONT, json=LOGIN).status_code == 403


def test_u06_a_request_of_no_page_gets_no_headers() -> None:
    """Whoever sends no origin, such as a program, is told nothing of origins, but for caches."""
    answer = ask(site(cors_first, {}), "GET", "/api/account/", None)
    assert not set(LETTING_IN) & set(answer.headers.keys())
    assert "origin" in vary(answer)


def test_u06_pages_are_not_for_other_origins() -> None:
    """The pages themselves can't be read by scripts of a trusted origin: the JSON API is for these."""
    answer = ask(site(), "GET", "/account/sign-in", FRONT)
    assert not set(LETTING_IN) & set(answer.headers.keys())


@pytest.mark.parametrize("asked", ["", "a b", "x\tz", "ä", "x" * 1025, ",", "a,,b"])
def test_u06_what_is_no_list_of_headers_is_not_allowed(asked: str) -> None:
    """What a client asks for is repeated only if it is a list of names of headers, and not too long."""
    headers = {"Origin": FRONT, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    environ = {"HTTP_ACCESS_CONTROL_REQUEST_HEADERS": asked.encode().decode("latin1")}
    answer = site().options("/api/account/sign-in", base_url=API, headers=headers, environ_overrides=environ)
    assert answer.status_code == 200
    assert "Access-Control-Allow-Headers" not in answer.headers


def test_u06_views_of_the_application_are_its_own_business() -> None:
    """Which origins may use the application's own views says the application, and Flask-Cors for it."""
    client = site(cors_first)
    answer = ask(client, "POST", "/orders", FRONT)
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT
    assert "Access-Control-Allow-Origin" not in ask(site(), "POST", "/orders", FRONT).headers


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.example.net",
        "https://front.example.net/",
        "https://front.example.net:443",
        "http://front.example.net:80",
        "https://Front.example.net",
        "https://b\u00fccher.example",
        "front.example.net",
        "https://user@front.example.net",
        "https://front.example.net https://other.example",
        "https://front.example.net\n",
        "https://-front.example.net",
        "",
    ],
)
def test_u06_an_origin_that_no_browser_sends_is_refused_at_start(origin: str) -> None:
    """A spelling that would never be met, or a pattern for many, is refused with what to write."""
    with pytest.raises(ConfigurationError, match="ADMIT_TRUSTED_ORIGINS"):
        site(trusted=(FRONT, origin))


@pytest.mark.parametrize(
    "origin", ["http://localhost:5173", "https://[::1]:8443", "https://xn--bcher-kva.example", "http://127.0.0.1:3000"]
)
def test_u06_origins_of_development_and_of_other_letters(origin: str) -> None:
    """A front on another port of this machine, or with a name in other letters, is trusted as browsers write it."""
    answer = preflight(site(trusted=(origin,)), "/api/account/sign-in", "POST", origin)
    assert answer.headers["Access-Control-Allow-Origin"] == origin
