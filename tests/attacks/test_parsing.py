"""D7: attacks on what reads requests."""

from __future__ import annotations

import gzip
import json
import logging
from typing import TYPE_CHECKING

import pytest

from tests.attacks.conftest import ADA
from tests.attacks.payloads import AUTHORIZATIONS, BROKEN_JSON, PATHS, SHAPED
from tests.attacks.site import API, OWN_PAGE, PASSWORD, SESSION, WRONG_PASSWORD

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

GOOD = json.dumps({"identifier": ADA, "password": PASSWORD}).encode()


def raw(browser: Browser, data: bytes, kind: str | None = "application/json", **headers: str) -> TestResponse:
    """Send bytes to the login."""
    sent = {**OWN_PAGE, **headers} | ({} if kind is None else {"Content-Type": kind})
    return browser.send("POST", f"{API}/sign-in", data=data, headers=sent)


@pytest.mark.parametrize("body", BROKEN_JSON, ids=range(len(BROKEN_JSON)))
def test_091_broken_json(site: Site, thief: Browser, body: bytes) -> None:
    """What is not quite JSON is refused as unreadable."""
    assert raw(thief, body).status_code == 400


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', '{"identifier":['])
def test_092_deep_nesting(site: Site, thief: Browser, opening: str) -> None:
    """Nesting beyond 32 levels is refused, however deep it is."""
    assert raw(thief, (opening * 33).encode()).status_code == 400
    assert raw(thief, (opening * 100_000).encode()).status_code == 413
    depth = 16_000 // len(opening)
    assert raw(thief, (opening * depth).encode()).status_code == 400


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "9" * 6000, "-" + "9" * 6000, "1e99999", "1" + "0" * 4299]
)
def test_093_numbers_that_are_none(site: Site, thief: Browser, value: str) -> None:
    """Numbers that JSON does not have, or that take long to read, are refused."""
    answer = raw(thief, b'{"identifier": "a", "password": ' + value.encode() + b"}")
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "body",
    [
        b'{"identifier": "a", "identifier": "b", "password": "c"}',
        b'{"identifier": "a", "password": "b", "password": "b"}',
        b'{"identifier": "a", "ident\\u0069fier": "b", "password": "c"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"identifier": "a", "password": "b", "remember": false, "remember": true}',
    ],
)
def test_094_a_key_twice(site: Site, thief: Browser, body: bytes) -> None:
    """A key that is there twice is refused with its name: two readers would take two values."""
    answer = raw(thief, body)
    assert answer.status_code == 400
    assert answer.json["fields"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig", "cp037"])
def test_095_other_encodings(site: Site, thief: Browser, encoding: str) -> None:
    """JSON in another encoding than UTF-8, or with a mark before it, is refused, declared or not."""
    text = GOOD.decode().replace(ADA, "ad\u00e4@people.example")
    assert raw(thief, text.encode(encoding, "replace")).status_code in {400, 401}
    declared = raw(thief, text.encode(encoding, "replace"), f"application/json; charset={encoding}")
    assert declared.status_code == 415


@pytest.mark.parametrize("data", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82"])
def test_095_invalid_utf_8(site: Site, thief: Browser, data: bytes) -> None:
    """Bytes that are no UTF-8 are refused, overlong forms and surrogates included."""
    assert raw(thief, b'{"identifier": "' + data + b'", "password": "b"}').status_code == 400


def test_096_large_bodies(site: Site, thief: Browser) -> None:
    """Large bodies, very many keys and compressed bombs are refused without being read or unpacked."""
    assert raw(thief, b'{"identifier": "' + b"x" * 5_000_000 + b'"}').status_code == 413
    many = json.dumps({f"k{number}": number for number in range(100_000)}).encode()
    assert raw(thief, many).status_code == 413
    for coding in ("gzip", "deflate", "br", "gzip, gzip", "GZIP", "x-gzip"):
        bomb = gzip.compress(b" " * 10_000_000)
        assert raw(thief, bomb, **{"Content-Encoding": coding}).status_code == 415
    files = {f"f{number}": "x" for number in range(2000)}
    answer = thief.send("POST", "/account/sign-in", data=files, headers=OWN_PAGE, content_type="multipart/form-data")
    assert answer.status_code == 413


CONTENT_TYPES = (
    None,
    "text/plain",
    "text/plain; application/json",
    "text/json",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
    "application/jsonp",
    "application/json-patch+json",
    "application/vnd.api+json",
    "application/octet-stream",
    "application/xml",
    "application/x-json",
    "application/ json",
    "*/*",
)


@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_098_json_under_another_name(site: Site, thief: Browser, kind: str | None) -> None:
    """JSON under any other type than its own is refused: forms of other sites can send those."""
    assert raw(thief, GOOD, kind).status_code == 415
    assert raw(thief, GOOD).status_code == 200


def test_099_forms(site: Site, thief: Browser) -> None:
    """A form with a field twice, a file or an unknown field is refused, and only the body counts."""
    page = "/account/sign-in"

    def sent(data: object, query: str = "", **headers: str) -> int:
        kind = {"Content-Type": "application/x-www-form-urlencoded", **OWN_PAGE, **headers}
        return thief.send("POST", page + query, data=data, headers=kind).status_code

    form = f"identifier={ADA}&password={PASSWORD}"
    assert sent(f"{form}&identifier=b") == 400
    assert sent(f"{form}&password={PASSWORD}") == 400
    assert sent(f"{form}&identifier[]=b") == 422
    assert sent(f"{form}&is_admin=1") == 422
    assert sent("", f"?{form}") == 422
    assert sent(f"password={PASSWORD}", f"?identifier={ADA}") == 422
    assert thief.cookie() is None
    assert sent(form) == 303


@pytest.mark.parametrize(
    "method",
    ["TRACE", "TRACK", "PUT", "PATCH", "DEBUG", "CONNECT", "PROPFIND", "LOCK", "DELETE", "GET", "get", "FOO", "\u0100"],
)
def test_100_methods(site: Site, ada: Browser, method: str) -> None:
    """Odd methods are refused, echo nothing, and are not turned into others by headers or fields."""
    headers = {
        "X-Secret": "echo me",
        "X-HTTP-Method-Override": "POST",
        "X-HTTP-Method": "POST",
        "X-Method-Override": "POST",
    }
    answer = ada.send(method, f"{API}/sign-out?_method=POST", json={"_method": "POST"}, headers={**OWN_PAGE, **headers})
    assert answer.status_code in {404, 405, 501}
    assert "echo me" not in answer.text
    assert ada.me().status_code == 200


def test_100_credentials_in_the_address(site: Site, thief: Browser) -> None:
    """Credentials in a query are not looked at."""
    query = f"?identifier={ADA}&password={PASSWORD}"
    assert thief.post(f"/sign-in{query}", {}).status_code == 422
    assert thief.get(f"{API}/sign-in{query}").status_code == 405
    answer = thief.get(f"/account/sign-in{query}")
    assert answer.status_code == 200
    assert PASSWORD not in answer.text
    assert thief.cookie() is None


@pytest.mark.parametrize("path", PATHS)
def test_101_spellings_of_a_path(site: Site, thief: Browser, path: str) -> None:
    """No spelling of a protected path leads a stranger to what it protects."""
    for _ in range(4):
        answer = thief.send("GET", "/", environ_overrides={"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path})
        assert "private" not in (answer.json or {}) if answer.is_json else True
        assert answer.status_code != 200
        if answer.status_code not in {301, 302, 303, 307, 308}:
            return
        path = answer.headers["Location"].removeprefix("https://app.example")
        if path.startswith("/account/sign-in"):
            return
    pytest.fail("it redirects for ever")


def test_101_spellings_of_our_own_paths(site: Site, ada: Browser) -> None:
    """Paths of ours in another spelling are nothing of ours: no other case, suffix or slash."""
    for path in ("/API/account/", "/api//account/", "/api/account/x.css", "/api/account/devices/", "/api/account/;x"):
        assert ada.get(path).status_code in {404, 405, 308}
    assert ada.get("/account/devices.css").status_code == 404


BREAKS = (
    "\r\nSet-Cookie: evil=1",
    "\nX-Evil: 1",
    "\r\n\r\n<script>",
    "\u2028X-Evil: 1",
    "%0d%0aX-Evil: 1",
    "\x85X-Evil: 1",
    "\0",
)


@pytest.mark.parametrize("sign", BREAKS, ids=range(len(BREAKS)))
def test_102_header_injection(site: Site, thief: Browser, sign: str) -> None:
    """Line breaks in names, tokens, addresses and where to go next end up in no header."""
    thief.plant(f"{SESSION}-devices", "a~b")
    answers = [
        thief.post("/sign-in", {"identifier": f"a{sign}", "password": WRONG_PASSWORD}),
        thief.post("/password-reset", {"identifier": f"a@people.example{sign}"}),
        thief.send("GET", f"/account/verify/a{sign}"),
        thief.send("GET", "/account/sign-in", query_string={"next": f"/x{sign}"}),
        thief.send("GET", "/private", query_string={"x": sign}),
        thief.send(
            "GET", "/", environ_overrides={"PATH_INFO": f"/account/password-reset/x{sign}".encode().decode("latin-1")}
        ),
        thief.send(
            "POST",
            "/account/sign-in",
            data={"identifier": ADA, "password": PASSWORD, "next": f"/x{sign}"},
            headers=OWN_PAGE,
        ),
    ]
    for answer in answers:
        assert answer.status_code < 500
        assert "X-Evil" not in answer.headers
        assert not any(
            "evil=" in line.partition(";")[0].partition("=")[0] for line in answer.headers.getlist("Set-Cookie")
        )
        for _, value in answer.headers:
            assert not {"\r", "\n", "\0"} & set(value)


def test_102_links_set_only_tokens(site: Site, thief: Browser) -> None:
    """A link with something else than a token gives the browser nothing to keep."""
    for junk in ("x" * 5000, "x", "a b", "a;b=c", "\u2028"):
        answer = thief.send("GET", f"/account/password-reset/{junk}")
        assert not any(len(line) > 300 for line in answer.headers.getlist("Set-Cookie"))


def test_103_log_forging(site: Site, thief: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """What a client sends makes no second line in a log and controls no terminal."""
    caplog.set_level(logging.DEBUG)
    forged = "x\nINFO admin logged in\r\u2028\u2029\x85\x1b[31m\x1b]0;title\x07\u202e"
    thief.sign_in(forged, forged)
    thief.post("/password-reset", {"identifier": forged})
    thief.post("/sign-up", {"email": forged, forged: forged, "password": forged})
    agent = {"HTTP_USER_AGENT": "agent \x1b[31m \u2028".encode().decode("latin-1")}
    thief.send("GET", f"{API}/", environ_overrides=agent)
    body = {"identifier": ADA, "password": PASSWORD}
    thief.send(
        "POST",
        f"{API}/sign-in",
        json=body,
        base_url="http://app.example",
        headers={"Sec-Fetch-Site": "same-origin"},
        environ_overrides={**agent, "HTTP_HOST": "app.example\x1b[31mforged"},
    )
    lines = [record.getMessage() for record in caplog.records]
    lines += [repr(event.client) for event in site.events if hasattr(event, "client")]
    for line in lines:
        assert all(sign.isprintable() for sign in line), line


@pytest.mark.parametrize("value", AUTHORIZATIONS, ids=range(len(AUTHORIZATIONS)))
def test_104_authorization_headers(site: Site, thief: Browser, value: str) -> None:
    """Junk in the Authorization header is nobody's login and never a fault of the server."""
    environ = {"HTTP_AUTHORIZATION": value}
    assert thief.send("GET", f"{API}/", environ_overrides=environ).status_code == 401
    assert thief.send("GET", "/private", environ_overrides=environ).status_code in {302, 401}
    headers = {"Admit-Pending": value.replace("\x00", ""), **OWN_PAGE}
    body = {"identifier": "nobody", "password": PASSWORD}
    assert thief.send("POST", f"{API}/sign-in", json=body, headers=headers).status_code == 401


def test_105_no_stack_traces(site: Site, ada: Browser) -> None:
    """An error of the application tells the client nothing of it."""
    answer = ada.get("/broken")
    assert answer.status_code == 500
    for secret in ("Traceback", "lighthouse", "RuntimeError", "site.py", "werkzeug"):
        assert secret not in answer.text


def test_105_nothing_breaks_the_server(site: Site, thief: Browser) -> None:
    """No path of ours answers 5xx to any method with any of these bodies."""
    paths = {str(rule) for rule in site.app.url_map.iter_rules() if "admit" in rule.endpoint}
    assert len(paths) > 20
    for path in paths:
        for junk in ("x", SHAPED, "%00", "\u202e"):
            place = path.replace("<session_id>", junk).replace("<token>", junk).replace("<path:filename>", junk)
            for method in ("GET", "POST", "DELETE", "HEAD"):
                for data, kind in (
                    (b"", ""),
                    (b"{}", "application/json"),
                    (b"a=b", "application/x-www-form-urlencoded"),
                ):
                    answer = thief.send(method, place, data=data, headers={**OWN_PAGE, "Content-Type": kind})
                    assert answer.status_code < 500, (method, place)
