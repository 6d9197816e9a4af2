"""Visiting a running server, and what is told of it."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from admit.errors import ConfigurationError
from admit.features.account import AccountPages
from admit.features.password import Password
from admit.features.registration import Registration
from admit.flask import LoginManager
from admit.flask.visit_checks import visit_findings
from admit.flask.visits import Place, SeenCookie, Unreachable, Visit, place_of, visit
from tests.flask.facts_of_tests import said, wrong
from tests.mail_server import certificate, silent_server, trusting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

HTTPS = {"strict-transport-security": "max-age=31536000"}
GOOD = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    **HTTPS,
}
REFUSED = {"content-type": "application/problem+json", "cache-control": "no-store"}
COOKIE = SeenCookie("__Host-admit", "x", {"secure": "", "httponly": "", "samesite": "Lax", "path": "/"})
SITE = "https://app.example"
PASSWORD = "seven green umbrellas in the attic"


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://app.example", Place("https", "app.example", None, "/")),
        ("http://[::1]:5000/a/b?c=d#e", Place("http", "::1", 5000, "/a/b")),
    ],
)
def test_a_place(url: str, place: Place) -> None:
    """An address says where to go; what comes behind its path is left out."""
    assert place_of(url) == place
    assert str(place).startswith(url[:12])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example",
        "ftp://app.example",
        "https://",
        "https://a:b@app.example",
        "https://app.example:x",
        "http://[",
        "http://a b/",
        "http://a/\r\nx",
        "http://\N{SNOWMAN}/",
    ],
)
def test_what_is_no_place(url: str) -> None:
    """What is no address of a web server is refused, and a password is not repeated."""
    with pytest.raises(ConfigurationError, match="Give one such as") as raised:
        place_of(url)
    assert "a:b" not in str(raised.value)


# -- visiting ---------------------------------------------------------------------------------------------------------


class Canned(BaseHTTPRequestHandler):
    """Answers what its class is told."""

    raw = b""

    def do_GET(self) -> None:
        """Answer."""
        self.wfile.write(self.raw)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def answering(raw: bytes) -> Iterator[Place]:
    """Serve one answer, as it is, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Canned,), {"raw": raw}))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Place("http", "127.0.0.1", server.server_port, "/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_comes_back() -> None:
    """Status, headers and cookies come back as they were sent, and no redirect is followed."""
    raw = (
        b"HTTP/1.0 302 Found\r\nLocation: https://elsewhere.example/\r\nX-A: one\r\nx-a: two\r\n"
        b"Set-Cookie: a=b; Secure; HttpOnly; Partitioned; SameSite=Lax\r\nSet-Cookie: c\r\n\r\n"
    )
    with answering(raw) as place:
        seen = visit(place)
    assert (seen.status, seen.headers["x-a"], seen.headers["location"]) == (
        302,
        "one, two",
        "https://elsewhere.example/",
    )
    assert [(one.name, one.value) for one in seen.cookies] == [("a", "b"), ("c", "")]
    assert seen.cookies[0].attributes == {"secure": "", "httponly": "", "partitioned": "", "samesite": "Lax"}
    assert not seen.is_page


def test_what_is_no_web_server() -> None:
    """Nobody, whoever speaks something else, and whoever says nothing are told apart from a server."""
    with pytest.raises(Unreachable, match=r"^http://127.0.0.1:1 .*: ConnectionRefusedError"):
        visit(Place("http", "127.0.0.1", 1, "/"))
    with answering(b"220 mail.example ESMTP\r\n") as place, pytest.raises(Unreachable, match="BadStatusLine"):
        visit(place)
    with silent_server() as port, pytest.raises(Unreachable, match="TimeoutError"):
        visit(Place("http", "127.0.0.1", port, "/"), timeout=0.1)


def test_a_certificate_that_nobody_has_signed(tmp_path: Path) -> None:
    """A certificate that this machine does not trust is told as such."""
    with served(tmp_path) as (place, _), pytest.raises(Unreachable, match=r"certificate of 127\.0\.0\.1 is not good"):
        visit(place)


# -- a site as it should be -------------------------------------------------------------------------------------------


@contextmanager
def served(folder: Path) -> Iterator[tuple[Place, Callable[..., Visit]]]:
    """Serve an application with accounts by https, and yield where, and what visits it and trusts it."""
    app = Flask("site")
    app.config.update(TESTING=True, ADMIT_PUBLIC_URL="https://127.0.0.1", SECRET_KEY="x" * 32)
    LoginManager(app, store="memory:", features=[AccountPages(), Password(), Registration(identifiers=("username",))])

    @app.after_request
    def demand_https(response: Any) -> Any:
        response.headers["Strict-Transport-Security"] = HTTPS["strict-transport-security"]
        return response

    ada = {"username": "ada", "password": PASSWORD}
    assert app.test_client().post("/api/account/sign-up", json=ada).status_code == 202
    pem = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Place("https", "127.0.0.1", server.server_port, "/"), partial(visit, context=trusting(pem))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_site_of_ours(tmp_path: Path) -> None:
    """Admit's own pages, API and cookies have nothing wrong as a browser sees them by https, signed in or not."""
    with served(tmp_path) as (place, fetch):
        found = list(visit_findings(str(place), fetch=fetch))
        assert [one.check for one in found if one.advice] == ["banner", "cookies"]  # of the server of development
        found = list(visit_findings(str(place), ("ada", PASSWORD), fetch=fetch))
        assert sorted(one.sentence for one in found if one.check == "cookies") == [
            f"The cookie __Host-admit{ending} is Secure, HttpOnly, SameSite, and for one host."
            for ending in ("", "-devices")
        ]
        found = list(visit_findings(str(place), ("ada", "wrong"), fetch=fetch))
        assert said(found)["sign_in"] == "warning"


# -- what may be wrong ------------------------------------------------------------------------------------------------


class Answers:
    """A site that answers what a test says, and is otherwise as it should be."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def __call__(self, place: Place, **sent: object) -> Visit:
        """Answer a visit."""
        if place.scheme == "http" and place.host == "app.example" and place.port == 80:
            if "plain" in self.changes:
                status, headers = self.changes["plain"]
                return Visit(place, status, headers)
            message = "nobody"
            raise Unreachable(message)
        kind = {"/": "front", "/account/sign-in": "page", "/api/account/": "api"}[place.path]
        status, headers = (401, REFUSED) if kind == "api" else (200, GOOD)
        given: Mapping[str, Any] = self.changes.get(kind, {})
        kept = {name: value for name, value in {**headers, **given.get("headers", {})}.items() if value is not None}
        return Visit(place, given.get("status", status), kept, given.get("cookies", ()))


def found_at(url: str = SITE, **changes: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a site, but for the note that a stranger gets no cookie."""
    found = wrong(visit_findings(url, fetch=Answers(**changes)))
    return [one for one in found if one != ("cookies", "note") or changes.get("page", {}).get("cookies")]


def test_nothing_is_wrong() -> None:
    """Of a site that is as it should be there is nothing to do."""
    assert found_at() == []
    assert found_at(plain=(301, {"location": "https://app.example/"})) == []


@pytest.mark.parametrize(
    ("header", "value", "found"),
    [
        ("strict-transport-security", None, ("hsts", "error")),
        ("strict-transport-security", "max-age=60", ("hsts", "error")),
        ("strict-transport-security", "includeSubDomains", ("hsts", "error")),
        ("x-content-type-options", None, ("nosniff", "warning")),
        ("content-security-policy", "default-src *; frame-ancestors 'none'", ("csp", "warning")),
        ("content-security-policy", "img-src 'self'; frame-ancestors 'none'", ("csp", "warning")),
        ("content-security-policy", "script-src 'unsafe-inline'; frame-ancestors 'none'", ("csp", "warning")),
        ("content-security-policy", "script-src 'self'", ("frames", "warning")),
        ("referrer-policy", "unsafe-url", ("referrer", "warning")),
        ("server", "nginx/1.2.3", ("banner", "note")),
        ("x-powered-by", "PHP/5.0", ("banner", "note")),
    ],
)
def test_headers(header: str, value: str | None, found: tuple[str, str]) -> None:
    """Each header that protects, and is missing or weak, is told."""
    assert found_at(front={"headers": {header: value}}) == [found]


def test_no_policy_at_all() -> None:
    """Without a policy scripts run from anywhere, and others may frame the page unless an older header says no."""
    assert found_at(front={"headers": {"content-security-policy": None}}) == [("csp", "warning"), ("frames", "warning")]
    older = {"content-security-policy": None, "x-frame-options": "DENY"}
    assert found_at(front={"headers": older}) == [("csp", "warning")]


def test_policies_that_are_fine() -> None:
    """A nonce makes 'unsafe-inline' void for browsers that know it; what is no page needs no policy."""
    for scripts in ("", " 'none'", " 'strict-dynamic' 'unsafe-inline'"):
        policy = f"script-src{scripts}; frame-ancestors 'self'"
        assert found_at(front={"headers": {"content-security-policy": policy}}) == []
    guarded = "script-src 'nonce-abc' 'unsafe-inline'; frame-ancestors 'self'"
    assert found_at(front={"headers": {"content-security-policy": guarded}}) == []
    plain = {"content-type": "text/plain", "content-security-policy": None, "referrer-policy": None}
    assert found_at(front={"headers": plain}) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"page": {"headers": {"cache-control": "public, max-age=60"}}}, ("cache", "error")),
        ({"page": {"status": 404}}, ("sign_in_page", "note")),
        ({"api": {"status": 404}}, ("api", "note")),
        ({"api": {"status": 200}}, ("api", "error")),
        ({"api": {"headers": {"content-type": "text/html"}}}, ("api", "warning")),
        ({"api": {"headers": {"cache-control": None}}}, ("api", "warning")),
        ({"plain": (200, {})}, ("redirect", "error")),
        ({"plain": (302, {"location": "http://app.example/x"})}, ("redirect", "error")),
    ],
)
def test_accounts_and_plain_http(changes: dict[str, Any], found: tuple[str, str]) -> None:
    """Pages that may be stored, an API that answers anybody, and plain http that stays plain are told."""
    assert found_at(**changes) == [found]


def test_pages_below_a_path() -> None:
    """What is looked at is below the path of the address."""
    seen: list[str] = []

    def fetch(place: Place, **sent: object) -> Visit:
        seen.append(place.path)
        return Visit(place, 404, {})

    assert said(visit_findings("https://app.example:8443/app/", fetch=fetch)) == {
        "https": "ok",
        "sign_in_page": "note",
        "api": "note",
        "cookies": "note",
    }
    assert seen == ["/app/", "/app/account/sign-in", "/app/api/account/"]


@pytest.mark.parametrize(
    ("attribute", "name", "found"),
    [
        ("secure", "__Host-admit", ("cookies", "error")),
        ("httponly", "__Host-admit", ("cookies", "warning")),
        ("samesite", "__Host-admit", ("cookies", "warning")),
        ("path", "session", ("cookies", "note")),
    ],
)
def test_cookies(attribute: str, name: str, found: tuple[str, str]) -> None:
    """A cookie that lacks an attribute or the prefix is told."""
    has = {key: value for key, value in COOKIE.attributes.items() if key != attribute}
    assert found_at(page={"cookies": (COOKIE._replace(name=name, attributes=has),)}) == [found]


def test_a_cookie_for_a_whole_domain() -> None:
    """A cookie that every host of a domain gets is told."""
    wide = COOKIE._replace(attributes={**COOKIE.attributes, "domain": "example.org"})
    assert found_at(page={"cookies": (wide,)}) == [("cookies", "warning")]


def test_plain_http_on_this_machine_and_elsewhere() -> None:
    """Plain http is an error, but on this machine, where a cookie need not be Secure either."""
    bare = COOKIE._replace(name="admit", attributes={"httponly": "", "samesite": "Lax"})
    page = {"cookies": (bare,)}
    for host in ("127.0.0.1:5000", "localhost:5000", "app.localhost"):
        assert found_at(f"http://{host}", page=page) == [("https", "note"), ("cookies", "note")]
    assert found_at("http://app.example:8000", page=page)[0] == ("https", "error")


def test_no_password_goes_over_plain_http() -> None:
    """Whoever listens in between gets no password: nobody is signed in by plain http, but on this machine."""
    sent: list[object] = []

    def fetch(place: Place, **words: object) -> Visit:
        sent.append(words.get("body"))
        return Visit(place, 404, {})

    found = said(visit_findings("http://app.example", ("ada", PASSWORD), fetch=fetch))
    assert found["sign_in"] == "error"
    assert sent == [None, None, None]
    found = said(visit_findings("http://127.0.0.1:5000", ("ada", PASSWORD), fetch=fetch))
    assert found["sign_in"] == "warning"
    assert sent[-1] == {"identifier": "ada", "password": PASSWORD}


def test_a_front_page_that_leads_elsewhere() -> None:
    """A redirect runs no script and shows no page, so that only what counts for it is asked."""
    bare = dict.fromkeys(("content-security-policy", "x-content-type-options", "referrer-policy"))
    assert found_at(front={"status": 302, "headers": bare}) == []
    assert found_at(front={"status": 302, "headers": {"strict-transport-security": None}}) == [("hsts", "error")]


def test_a_server_that_is_away() -> None:
    """A server that can't be visited is the one finding."""

    def fetch(place: Place, **sent: object) -> Visit:
        message = "nobody is there"
        raise Unreachable(message)

    [found] = visit_findings(SITE, fetch=fetch)
    assert (found.check, str(found.severity)) == ("reachable", "error")
    assert "nobody is there" in found.sentence
