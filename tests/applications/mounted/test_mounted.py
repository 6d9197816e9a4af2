"""An application below a path: everything that it hands out leads to below that path, behind real servers too."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client
from werkzeug.wrappers import Response

from admit.flask.openapi import describe
from tests.applications.mounted.shop import HOST, create_app
from tests.conftest import program
from tests.mail_server import certificate
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.flask import LoginManager

ADA = {"email": "ada@example.org", "password": "seven green umbrellas in the attic"}
LOGIN = {"identifier": ADA["email"], "password": ADA["password"]}
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


class Visitor(NamedTuple):
    """Somebody who visits the application, and the file with the mails that it sends."""

    client: httpx.Client
    mails: Path

    def mail(self) -> dict[str, str]:
        """Return the last mail."""
        found: dict[str, str] = json.loads(self.mails.read_text().splitlines()[-1])
        return found


@contextmanager
def behind_nginx(folder: Path, location: str, environment: dict[str, str]) -> Iterator[Visitor]:
    """Run the application by gunicorn, with nginx in front that has it below /shop, and yield a visitor."""
    port, upstream, pem, mails = free_port(), free_port(), certificate(folder), folder / "mails"
    places = " ".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    said = "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;"
    location = location.replace("UPSTREAM", f"http://127.0.0.1:{upstream}")
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr crit; events {{}} http {{ access_log off; {places} "
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; "
        f"{said} proxy_set_header X-Forwarded-Proto $scheme; {location} }} }}"
    )
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{upstream}", "--log-level", "warning"]
    served = [*gunicorn, "--threads", "4", "tests.applications.mounted.shop:create_app()"]
    told = os.environ | {"SHOP_MAILS": str(mails)} | environment
    nginx = program("nginx", "usr/sbin")
    with (
        running(served, upstream, told, ROOT),
        running([nginx, "-c", str(file)], port, {}),
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, timeout=60) as client,  # noqa: S501
    ):
        client.headers["Host"] = HOST.removeprefix("https://")
        yield Visitor(client, mails)


@pytest.fixture(
    params=["dispatcher", *(pytest.param(one, marks=pytest.mark.deployed) for one in ("script name", "prefix"))]
)
def visitor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    """Return a visitor of the application below /shop: by a WSGI server that has several, by gunicorn behind nginx."""
    match request.param:
        case "dispatcher":
            monkeypatch.setenv("SHOP_MAILS", str(tmp_path / "mails"))
            several = DispatcherMiddleware(Flask("nothing").wsgi_app, {"/shop": create_app().wsgi_app})
            with httpx.Client(transport=httpx.WSGITransport(app=several), base_url=HOST) as client:
                yield Visitor(client, tmp_path / "mails")
        case "script name":
            location = "location /shop/ { proxy_pass UPSTREAM; }"
            with behind_nginx(tmp_path, location, {"SCRIPT_NAME": "/shop"}) as found:
                yield found
        case _:
            # A client that sends a prefix of its own is not heard: nginx puts its own in that place.
            said = "proxy_set_header X-Forwarded-Prefix /shop; proxy_set_header Host $host;"
            said += "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;"
            location = f"location /shop/ {{ {said} proxy_pass UPSTREAM/; }}"
            with behind_nginx(tmp_path, location, {"SHOP_PREFIXED": "1"}) as found:
                yield found


def test_u05_a_visit_never_leaves_the_path(visitor: Visitor) -> None:
    """From a guard through sign-up, mail, sign-in and sign-out, no path that is handed out is outside of /shop."""
    client = visitor.client
    sent_on = client.get("/shop/orders", headers=BROWSER)
    assert (sent_on.status_code, sent_on.headers["Location"]) == (302, "/shop/account/sign-in?next=%2Fshop%2Forders")
    page = client.get(sent_on.headers["Location"], headers=BROWSER)
    assert page.status_code == 200
    found = re.findall(r'(?:href|action|src|data-[\w-]+)="(/[^"]*)"', page.text)
    assert found
    assert [path for path in found if not path.startswith("/shop/")] == []
    for path in {path for path in found if "static" in path}:
        assert client.get(path).status_code == 200, path

    client.post("/shop/account/sign-up", data=ADA, headers=BROWSER)
    mail = visitor.mail()
    links = re.findall(r"https://[^\s\"'<>]+", mail["text"] + mail["html"])
    assert [link for link in links if not f"{link}/".startswith(f"{HOST}/shop/")] == []
    link = next(link for link in links if "/account/" in link).removeprefix(HOST)
    to_page = client.get(link, headers=BROWSER | {"Sec-Fetch-Site": "none"})
    assert to_page.headers["Location"] == "/shop/account/verify"
    assert client.get(to_page.headers["Location"], headers=BROWSER).status_code == 200
    client.post("/shop/account/verify", headers=BROWSER)

    signed_in = client.post("/shop/account/sign-in", data={**LOGIN, "next": "/shop/orders"}, headers=BROWSER)
    assert signed_in.headers["Location"] == "/shop/orders"
    assert client.get("/shop/orders", headers=BROWSER).text == "orders"
    assert client.post("/shop/account/sign-in", data=LOGIN, headers=BROWSER).headers["Location"] == "/shop/account/"
    cookies = client.post("/shop/account/sign-in", data=LOGIN, headers=BROWSER).headers.get_list("Set-Cookie")
    # Browsers take a cookie with this prefix for the whole host only.
    assert any(one.startswith("__Host-admit=") for one in cookies)
    assert all("Path=/;" in f"{one};" and "Secure" in one for one in cookies)
    well_known = client.get("/shop/.well-known/change-password", headers=BROWSER)
    assert well_known.headers["Location"] == "/shop/account/password"
    client.post("/shop/account/sign-out", headers=BROWSER)
    assert client.get("/shop/orders", headers=BROWSER).status_code == 302


def test_u05_the_api_says_where_it_is(visitor: Visitor) -> None:
    """Problem documents and the description of the API name paths that are there."""
    client = visitor.client
    for path in ("/shop/api/account/", "/shop/orders"):
        problem = client.get(path, headers={"Accept": "application/json"})
        assert problem.status_code == 401
        assert problem.json()["methods"]
        for method in problem.json()["methods"]:
            assert method["path"].startswith("/shop/api/account/")
            assert client.request(method["method"], method["path"], json={}).status_code == 422
    described = client.get("/shop/api/openapi.json").json()
    assert [one["url"] for one in described["servers"]] == ["/shop"]
    assert client.get(f"/shop{next(iter(described['paths']))}").status_code != 404


# -- in more ways than servers have ------------------------------------------------------------------------------------


@pytest.fixture
def below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what makes a client of the application below a path."""
    monkeypatch.setenv("SHOP_MAILS", str(tmp_path / "mails"))

    def make(root: str, **config: Any) -> Client:
        served = create_app(**config).wsgi_app

        def mounted(environ: dict[str, Any], start_response: Any) -> Any:
            return served(environ | {"SCRIPT_NAME": root}, start_response)

        return Client(mounted, Response)

    return make


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("", ""),
        ("/", ""),
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("/a/b", "/a/b"),
        ("shop", "/shop"),
        ("/caf\u00c3\u00a9", "/caf%C3%A9"),
        ("/my shop", "/my%20shop"),
        # What a client may send where a proxy hands it on and ProxyFix believes it.
        ("//evil.example", "/evil.example"),
        ("https://evil.example", "/https://evil.example"),
        ("@evil.example", "/@evil.example"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("\\\\evil.example", "/%5C%5Cevil.example"),
        ("/\t/evil.example", "/%09/evil.example"),
        ("?evil", "/%3Fevil"),
        ("#evil", "/%23evil"),
    ],
)
def test_u05_whatever_the_root_is_it_is_a_path(below: Any, root: str, said: str) -> None:
    """The path that the application is mounted at never becomes another host, and is encoded as a path."""
    client = below(root)
    guarded = client.get("/orders", base_url=HOST, headers=BROWSER)
    assert guarded.headers["Location"].startswith(f"{said}/account/sign-in")
    ours = client.get("/account/devices", base_url=HOST, headers=BROWSER)
    assert ours.headers["Location"].startswith(f"{said}/account/sign-in")
    problem = client.get("/api/account/", base_url=HOST).json
    assert problem["methods"][0]["path"].startswith(f"{said}/api/account/")
    assert client.get("/api/openapi.json", base_url=HOST).json["servers"] == [{"url": said or "/"}]


def test_u05_one_process_at_several_paths(below: Any) -> None:
    """The description that is kept for one path is not handed out at another."""
    served = create_app().wsgi_app
    client = Client(DispatcherMiddleware(served, {f"/at{number}": served for number in range(12)}), Response)
    for _ in range(2):
        for root in ("", *(f"/at{number}" for number in range(12))):
            described = client.get(f"{root}/api/openapi.json", base_url=HOST).json
            assert described["servers"] == [{"url": root or "/"}]


def test_u05_a_freshness_guard_and_prefixes_of_ones_own(below: Any) -> None:
    """The page to confirm at is below the path as well, wherever the settings put our pages."""
    client = below(
        "/shop",
        ADMIT_PREFIX="/me",
        ADMIT_API_PREFIX="/v1/me",
        ADMIT_REGISTRATION_IDENTIFIERS=("username",),
        ADMIT_SESSION_FRESH_WITHIN=timedelta(microseconds=1),
    )
    assert client.get("/orders", base_url=HOST, headers=BROWSER).headers["Location"].startswith("/shop/me/sign-in?")
    problem = client.get("/v1/me/", base_url=HOST).json
    assert "/shop/v1/me/sign-in" in [method["path"] for method in problem["methods"]]
    person = {"username": "ada", "password": ADA["password"]}
    assert client.post("/v1/me/sign-up", base_url=HOST, json=person).status_code == 202
    login = {"identifier": "ada", "password": ADA["password"]}
    assert client.post("/v1/me/sign-in", base_url=HOST, json=login).status_code == 200
    stale = client.get("/payout", base_url=HOST, headers=BROWSER).headers["Location"]
    assert stale == "/shop/me/reauthenticate?next=%2Fshop%2Fpayout"
    problem = client.get("/payout", base_url=HOST, headers={"Accept": "application/json"}).json
    assert problem["code"] == "reauthentication_required"
    assert problem["methods"][0]["path"] == "/shop/v1/me/password/confirm"


def test_u05_what_the_application_chooses_is_left_as_it_is(below: Any) -> None:
    """A login page that is given as a path stays that path, as in Flask-Login, and an endpoint is mounted by Flask."""
    for view, said in (("/elsewhere/login", "/elsewhere/login"), ("enter", "/shop/enter")):
        app = create_app()
        manager: LoginManager[Any] = app.login_manager  # type: ignore[attr-defined]
        manager.login_view, manager.login_message = view, None
        app.add_url_rule("/enter", "enter", lambda: "")
        client = Client(DispatcherMiddleware(Flask("nothing").wsgi_app, {"/shop": app.wsgi_app}), Response)
        location = client.get("/shop/orders", base_url=HOST, headers=BROWSER).headers["Location"]
        assert location.partition("?")[0] == said


def test_u05_where_nobody_asks_the_description_has_the_public_address(below: Any) -> None:
    """What `admit openapi` prints has the whole address, because there is no request that says where it came from."""
    app = create_app()
    described = describe(app.login_manager.keeper.accounts)  # type: ignore[attr-defined]
    assert described["servers"] == [{"url": f"{HOST}/shop"}]
