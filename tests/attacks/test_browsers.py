"""D8: attacks by other sites, in the victim's browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from admit.feature import Demand, Face
from tests.attacks.conftest import ADA
from tests.attacks.payloads import REDIRECTS
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, WRONG_PASSWORD

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

EVIL = "https://evil.example"
LOGIN = {"identifier": ADA, "password": PASSWORD}

#: What browsers, old and new, say of a request that another site has them send.
FOREIGN = (
    {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.app.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    {"Sec-Fetch-Site": "CROSS-SITE"},
    {"Sec-Fetch-Site": ""},
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://app.example.evil.example"},
    {"Origin": "https://evilapp.example"},
    {"Origin": "http://app.example"},
    {"Origin": "https://app.example:8443"},
    {"Origin": "https://blog.app.example"},
    {"Origin": f"{ORIGIN} {EVIL}"},
    {"Origin": f"{ORIGIN}/"},
    {"Referer": f"{EVIL}/page"},
    {"Referer": f"{EVIL}/{ORIGIN}"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
def test_106_107_109_110_login_csrf(site: Site, headers: dict[str, str]) -> None:
    """No other site, sandbox or sibling host can log a browser in, by a form of any kind or by JSON."""
    victim = site.browser()
    tries = [
        {"path": f"{API}/sign-in", "json": LOGIN},
        {"path": "/account/sign-in", "data": LOGIN},
        {"path": "/account/sign-in", "data": LOGIN, "content_type": "multipart/form-data"},
    ]
    for one in tries:
        answer = victim.send("POST", one.pop("path"), headers=headers, **one)
        assert answer.status_code == 403
        assert not answer.headers.getlist("Set-Cookie")
    plain = victim.send("POST", f"{API}/sign-in", data=b"{}", headers={**headers, "Content-Type": "text/plain"})
    assert plain.status_code in {403, 415}
    assert victim.cookie() is None


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
def test_108_cross_site_changes(site: Site, ada: Browser, headers: dict[str, str]) -> None:
    """No other site can log a browser out, change a password, end a device or use a link."""
    token = site.reset_token(ADA)
    for method, path, body in (
        ("POST", "/sign-out", {}),
        ("DELETE", "/devices", {}),
        ("DELETE", f"/devices/{ada.get(f'{API}/devices').json['devices'][0]['id']}", {}),
        ("POST", "/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}),
        ("POST", "/password/confirm", {"password": PASSWORD}),
        ("POST", "/password-reset/choose", {"token": token, "password": OTHER_PASSWORD}),
    ):
        assert ada.send(method, API + path, json=body, headers=headers).status_code == 403
        assert ada.send("POST", f"/account{path}", data=body, headers=headers).status_code == 403
    assert ada.me().status_code == 200
    assert site.browser().sign_in(ADA).status_code == 200


def test_108_logout_by_a_link(site: Site, ada: Browser) -> None:
    """An image or a link to the way out logs nobody out."""
    for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}):
        for path in (f"{API}/sign-out", "/account/sign-out"):
            assert ada.get(path, **headers).status_code in {200, 403, 405}
    assert ada.me().status_code == 200


def test_110_trusted_siblings(site: Site, ada: Browser) -> None:
    """Even a form whose token cookie a sibling has planted is judged by where it comes from."""
    ada.plant("csrf_token", "planted")
    headers = {"Sec-Fetch-Site": "same-site", "X-CSRF-Token": "planted", "X-Requested-With": "XMLHttpRequest"}
    assert ada.post("/sign-out", {}, **headers).status_code == 403


def lands(location: str) -> str:
    """Return the host that a browser ends up at, as WHATWG URL has it: blanks, backslashes and schemes included."""
    plain = re.sub("[\t\r\n]", "", location).strip("".join(map(chr, range(0x21)))).replace("\\", "/")
    found = re.match(r"(?:https?:)/*([^/?#]*)|//+([^/?#]*)", plain, re.IGNORECASE)
    if found is None:
        return "elsewhere" if re.match(r"[a-z][a-z0-9+.-]*:", plain, re.IGNORECASE) else "app.example"
    return (found[1] or found[2]).rpartition("@")[2]


@pytest.mark.parametrize("target", REDIRECTS, ids=range(len(REDIRECTS)))
def test_112_open_redirect(site: Site, target: str) -> None:
    """However a target is spelled, logging in, confirming and being refused lead nowhere but to this site."""
    browser = site.browser()
    form = {"data": {**LOGIN, "next": target}, "headers": OWN_PAGE}
    answers = [browser.send("POST", "/account/sign-in", **form)]
    query = {"query_string": {"next": target}, "headers": OWN_PAGE}
    answers.append(browser.send("POST", "/account/sign-in", data=LOGIN, **query))
    answers.append(browser.send("POST", "/account/password/confirm", data={"password": PASSWORD}, **query))
    answers.append(browser.send("GET", "/account/reauthenticate", **query))
    for answer in answers:
        assert answer.status_code == 303
        place = answer.headers["Location"]
        assert lands(place) == "app.example", place
        assert "evil" not in urlsplit(place).path
        assert not any("evil" in one for one in parse_qs(urlsplit(place).query).get("next", []))
    page = site.browser().send("GET", "/account/sign-in", query_string={"next": target})
    assert page.status_code == 200
    assert "evil" not in page.text


def test_112_the_referer_is_no_target(site: Site, thief: Browser) -> None:
    """Whoever is sent to log in comes back to the page that was asked for, or to none, wherever they came from."""
    referred = {"Referer": f"{EVIL}/page"}
    assert thief.get("/account/devices", **referred).headers["Location"] == "/account/sign-in?next=%2Faccount%2Fdevices"
    answer = thief.send("POST", "/account/devices", headers={**OWN_PAGE, **referred})
    assert answer.headers["Location"] == "/account/sign-in"


@pytest.mark.parametrize(
    "path",
    ["//evil.example/private", "/\\evil.example/private", "//evil.example/account/devices", "/account//evil.example"],
)
def test_112_paths_that_look_like_hosts(site: Site, thief: Browser, path: str) -> None:
    """A path that looks like another host is not what somebody is sent back to."""
    answer = thief.send("GET", "/", environ_overrides={"PATH_INFO": path})
    place = answer.headers.get("Location", "/")
    assert lands(place) == "app.example"
    back = parse_qs(urlsplit(place).query).get("next", ["/"])[0]
    form = {"data": {**LOGIN, "next": back}, "headers": OWN_PAGE}
    assert lands(thief.send("POST", "/account/sign-in", **form).headers["Location"]) == "app.example"


def every_answer(site: Site, browser: Browser) -> list[tuple[str, TestResponse]]:
    """Return the answers of all actions, asked for as pages and as JSON."""
    found = []
    for bound in site.accounts.actions():
        path = re.sub("<.*?>", "x", bound.action.path)
        if bound.name == "account.sign_out":
            continue
        if Face.JSON in bound.action.faces:
            answer = browser.send(bound.action.method, API + path, json={}, headers=OWN_PAGE)
            found.append((f"{bound.action.method} {API}{path}", answer))
        if Face.PAGE in bound.action.faces:
            for method in {"GET", "GET" if bound.action.method == "GET" else "POST"}:
                answer = browser.send(method, f"/account{path}", headers=OWN_PAGE)
                found.append((f"{method} /account{path}", answer))
        if bound.action.link:
            found.append((bound.action.link, browser.get("/account" + bound.action.link.replace("<token>", "x"))))
    return found


@pytest.mark.parametrize("who", ["ada", "thief"])
def test_113_114_117_118_119_headers(site: Site, request: pytest.FixtureRequest, who: str) -> None:
    """Every answer of ours forbids frames, storing, sniffing, inline code and reading by others, refusals included."""
    answers = every_answer(site, request.getfixturevalue(who))
    assert len(answers) > 25
    for place, answer in answers:
        if answer.status_code in {404, 405} and "text/html" in answer.content_type and "GET" in place:
            continue  # nothing of ours is there
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, place
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store", place
        assert "Cookie" in answer.headers["Vary"], place
        assert answer.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        if answer.data:
            kinds = {"application/json", "application/problem+json", "text/html; charset=utf-8"}
            assert answer.content_type in kinds, place


def test_114_pages_of_the_application_are_not_shared(site: Site, ada: Browser, thief: Browser) -> None:
    """A view that asks who is logged in varies by cookie, and an answer with a new token is not stored."""
    assert "Cookie" in ada.get("/private").headers["Vary"]
    assert "Cookie" in thief.get("/private").headers["Vary"]
    assert site.browser().sign_in(ADA).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("ending", ["x.css", "/x.css", ".css", "%2fx.css", ";x.css", "%00.css", "%23.css", "?x.css"])
def test_115_cache_deception(site: Site, ada: Browser, ending: str) -> None:
    """A personal address with the ending of a static file is nothing, or says that it is not to be stored."""
    for path in (f"{API}/", f"{API}/devices", "/account/", "/account/devices"):
        answer = ada.get(path + ending)
        if answer.status_code == 200:
            assert answer.headers["Cache-Control"] == "no-store"
        assert answer.status_code in {200, 404, 405}
        # What follows a slash may be the name of a device, which can't be asked for by GET.
        assert answer.status_code in {404, 405} or ending.startswith("?")


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "https://app.example.evil.example", "https://evilapp.example", "*", ORIGIN]
)
def test_116_cors(site: Site, ada: Browser, origin: str) -> None:
    """No origin, our own included, is told that it may read across origins."""
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answers = [ada.get(f"{API}/", Origin=origin), ada.send("OPTIONS", f"{API}/sign-in", headers=preflight)]
    for answer in answers:
        assert not any(name.lower().startswith("access-control") for name, _ in answer.headers)
    assert answers[1].status_code in {403, 404, 405}


SCRIPTS = (
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{7*7}}",
    "javascript:alert(1)",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_117_xss(site: Site, ada: Browser, thief: Browser, script: str) -> None:
    """What is typed into a form, an address or a header comes back escaped or not at all."""
    agent = {"HTTP_USER_AGENT": script}
    site.browser().send("POST", f"{API}/sign-in", json=LOGIN, headers=OWN_PAGE, environ_overrides=agent)
    pages = [ada.get("/account/devices"), thief.send("GET", "/account/sign-in", query_string={"next": script})]
    for bound in site.accounts.actions():
        if Face.PAGE in bound.action.faces and bound.action.input is not None:
            fields = dict.fromkeys(bound.action.input.__struct_fields__, script)
            browser = thief if bound.action.demands is Demand.NOTHING else ada
            pages.append(browser.send("POST", f"/account{bound.action.path}", data=fields, headers=OWN_PAGE))
            pages.append(browser.send("POST", f"/account{bound.action.path}", data={script: script}, headers=OWN_PAGE))
    assert len(pages) > 10
    for page in pages:
        assert page.status_code < 500
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert 'href="javascript:' not in page.text
        if script == "{{7*7}}":
            assert "49" not in re.sub("<[^>]*>", "", page.text)


def test_118_cross_site_leaks(site: Site, ada: Browser) -> None:
    """Whether somebody is logged in can't be told by another site's image, frame or fetch, which are all refused."""
    for mode, target in (
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("navigate", "object"),
    ):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": target}
        for path in (f"{API}/", f"{API}/devices", "/account/", "/account/devices", "/account/sign-in"):
            known, stranger = ada.get(path, **headers), site.browser().get(path, **headers)
            assert known.status_code == stranger.status_code == 403, path
            assert known.data == stranger.data


class Page(HTMLParser):
    """Collects what a page has of tags and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))


HINTS = {
    "/account/sign-in": {"identifier": "username", "password": "current-password"},
    "/account/sign-up": {"email": "email", "password": "new-password"},
    "/account/password": {"old_password": "current-password", "password": "new-password"},
    "/account/password/confirm": {"password": "current-password"},
}


@pytest.mark.parametrize("path", HINTS)
def test_120_forms_for_password_managers(site: Site, ada: Browser, thief: Browser, path: str) -> None:
    """Forms send to this site by POST, say what each field is for, and hold no inline code or foreign address."""
    answer = (ada if "password" in path else thief).get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    fields = {one.get("name"): one for tag, one in page.tags if tag == "input"}
    for name, hint in HINTS[path].items():
        # An address that names an account may be called either.
        hints = {hint, "username"} if hint == "email" else {hint}
        assert hints & set((fields[name]["autocomplete"] or "").split())
        if "password" in name:
            assert fields[name]["type"] == "password"
            assert not fields[name].get("value")
    for tag, one in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in one), (tag, one)
        for name in ("src", "href", "action", "formaction"):
            assert lands(one.get(name) or "/") == "app.example", one
        if tag == "form" and fields:
            assert one.get("method", "").lower() in {"post", "get"}
        assert tag != "script" or one.get("src")


def test_120_a_password_is_not_shown_again(site: Site, thief: Browser) -> None:
    """A form that was wrong comes back without the password."""
    answer = thief.send("POST", "/account/sign-in", data={**LOGIN, "password": WRONG_PASSWORD}, headers=OWN_PAGE)
    assert answer.status_code == 401
    assert ADA in answer.text
    assert WRONG_PASSWORD not in answer.text
