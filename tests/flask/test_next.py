"""`next` leads nowhere but home: `safe_next`, judged by a browser's URL parser (WHATWG), and the redirect to the login.

Attack 112 and the redirect corpus R1. What a browser makes of a target is asked of Ada, never of `urlsplit`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import parse_qs, urlsplit

import pytest
from ada_url import URL
from flask import Flask, redirect, request, session
from hypothesis import given, settings
from hypothesis import strategies as st

from admit.flask import safe_next

Make = Callable[..., Flask]
Promise = Callable[[], AbstractContextManager[None]]

EVIL = "evil.example"
HOMES = ["http://localhost", "https://localhost", "https://localhost:8443"]

# A tilde stands for the attacker's host.
CORPUS = [
    *("https://~", "http://~/", "HTTPS://~", "hTTps:///~", "https:~", "https:/~", "https:\\\\~", "http:~", "http:/~"),
    *("//~", "///~", "////~", "//~/%2f..", "/\\~", "\\/~", "\\\\~", "\\\\\\~", "/\\/~", "\\/\\/~", "/\\\\~"),
    *("/\t/~", "\t//~", " //~", "\n//~", "/\r\n/~", "\0//~", "\x1f//~", "\x0b//~", "/\0/~", "\\\t\\~", "/\t\\~"),
    *("//localhost@~", "https://localhost@~/", "https://localhost:80@~/", "//localhost:80@~", "//~\\@localhost"),
    *("https://localhost.~", "http://localhost~", "http://localhost.~/"),
    *("https://~\\@localhost", "http://localhost\\@~"),
    *("https://~#@localhost/", "https://~?@localhost", "//~#@localhost", "http://0/\\@~", "/..//~", "/.//~", "//~:80"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)//", "java\nscript:alert(1)", "\x01javascript:alert(1)", "vbscript:x"),
    *("data:text/html,<script>", "file:///etc/passwd", "blob:http://localhost/x", "ftp://localhost/", "mailto:a@~"),
    *("//evil\u3002example", "//evil\uff0eexample", "//evil\uff61example", "//\uff45vil.example", "//%65vil.example"),
    *("\uff0f\uff0f~", "/\uff0f~", "/\u2044~", "/\uff3c~", "//local\u00adhost.~", "//\u200blocalhost", "http:/\\~"),
    *("//[::ffff:7f00:1]@~", "//[::1]", "//127.0.0.1", "//2130706433", "//localhost."),
    *("//localhost:1", "//", "///", ":"),
    *("/%0d%0aLocation:%20//~", "/\r\nLocation: //~", "%2f%2f~", "%5c%5c~", "/%2f~", "/%5c~", "/%09/~", "%09//~"),
    *("/" + "\\" * 10_000 + "~", "/" * 10_000 + "~", " " * 10_000 + "//~", "/" + "a" * 10_000, "h\nttp://~"),
    *("\ud800", "/\ud800", "//\ud800", "//xn--vl-bja.example"),
]

PIECES = st.sampled_from(
    [
        *("/", "\\", "//", ":", "@", "?", "#", "%", ".", "..", "&", "=", ";", "[", "]", "|", "-", "~", "a", "0"),
        *("\t", "\n", "\r", "\0", "\x0b", "\x1f", "\x7f", "\x85", " ", "\xa0", "\u2028", "\ufeff", "\u200b", "\ud800"),
        *("http:", "https:", "HTTP:", "javascript:", "data:", "file:", "blob:", "ftp:", "wss:", "http", "https"),
        *("localhost", "LOCALHOST", "localhost:8443", "localhost.", EVIL, "user:pass", "127.0.0.1", "[::1]", ":80"),
        *("%2f", "%5c", "%09", "%0d%0a", "%00", "%2e", "%252f", "%40", "%3a", "page", "next=", "xn--", "%ud83d"),
        *("\u3002", "\uff0e", "\uff0f", "\uff3c", "\u2044", "\u2215"),
        *("\u29f8", "\uff1a", "\uff20", "\uff45vil", "\xad"),
    ],
)
PREFIXES = st.sampled_from(["", "/", *HOMES])
TARGETS = st.builds("{}{}".format, PREFIXES, st.lists(PIECES, max_size=8).map("".join) | st.text())

app = Flask("site")


def stays(target: str, home: str) -> bool:
    """Say whether a browser that is at home stays there when it is sent to this target, and can read it at all."""
    try:
        return URL(target, f"{home}/login").origin == home
    except ValueError:
        return False


def assert_home(target: str, home: str) -> None:
    """Hold `safe_next` to its word: the target itself or nothing, and home by every step to the browser."""
    with app.test_request_context("/login", base_url=home):
        answer = safe_next(target)
        response = redirect(answer or "/")
        location = response.get_wsgi_headers(request.environ)["Location"]
    assert answer in {target, None}
    assert answer is None or stays(answer, home)
    assert stays(location, home)


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("target", [target.replace("~", EVIL) for target in CORPUS], ids=range(len(CORPUS)))
def test_attack_112_corpus(target: str, home: str) -> None:
    """No known spelling of another host gets through."""
    assert_home(target, home)


@pytest.mark.parametrize("home", HOMES)
@settings(max_examples=300)
@given(target=TARGETS)
def test_attack_112_property(target: str, home: str) -> None:
    """Whatever the target, if it is returned then a browser stays on this origin."""
    assert_home(target, home)


@pytest.mark.parametrize("home", HOMES)
@given(path=st.text(st.sampled_from("abc/-_.~%25:@!$&'()*+,;=")), query=st.text(st.sampled_from("ab=&/?%3")))
def test_pages_of_ours_are_kept(path: str, query: str, home: str) -> None:
    """A path with a query, alone or behind this very origin, is returned as it is."""
    page = f"/{path.lstrip('/')}?{query}"
    with app.test_request_context("/login", base_url=home):
        assert safe_next(page) == page
        assert safe_next(home + page) == home + page


@pytest.mark.parametrize("target", ["", None])
def test_no_target_is_none(target: str | None) -> None:
    """Without a target there is nowhere to go."""
    with app.test_request_context("/login"):
        assert safe_next(target) is None


@pytest.mark.parametrize("target", ["http://localhost/x", "https://localhost:8443/x"])
def test_another_scheme_or_port_is_another_origin(target: str) -> None:
    """From https://localhost neither plain http nor another port is home."""
    with app.test_request_context("/login", base_url="https://localhost"):
        assert safe_next(target) is None


HOSTS = [
    EVIL,
    f"{EVIL}:80",
    f"localhost@{EVIL}",
    f"localhost.{EVIL}",
    f"{EVIL}/x",
    f"localhost {EVIL}",
    "evil%2eexample",
]
LOGIN_VIEWS = ["login_page", "/login", "http://localhost/login", "//localhost/login", "https://auth.example/login?x=1"]


def make_guarded(make: Make, login_view: str, **config: object) -> Flask:
    """Make a site that guards every path and has its login and its reauthentication in one place."""
    guarded = make(**config)
    guarded.login_manager.login_view = guarded.login_manager.refresh_view = login_view
    guarded.add_url_rule("/login", "login_page", lambda: str(session.get("next")))
    guarded.register_error_handler(404, lambda _: guarded.login_manager.unauthorized())
    guarded.add_url_rule("/stale", "stale", guarded.login_manager.needs_refresh)
    return guarded


@pytest.mark.parametrize("path", ["/secret?x=1", "/stale"])
@pytest.mark.parametrize("login_view", LOGIN_VIEWS)
@pytest.mark.parametrize("host", HOSTS)
def test_row_12_host_header_is_not_in_the_redirect(host: str, login_view: str, path: str, make: Make) -> None:
    """Whoever writes the Host header, the redirect to the login neither goes nor leads back there (attack 121)."""
    client = make_guarded(make, login_view).test_client()
    response = client.get(path, headers={"Host": host})
    assert response.status_code in {302, 400}
    assert "evil" not in response.headers.get("Location", "")


@pytest.mark.defect
@pytest.mark.parametrize("login_view", ["http://localhost/login", "https://auth.example/login"])
def test_row_12_host_header_is_not_in_next(login_view: str, make: Make, promise: Promise) -> None:
    """With a login view on a host of its own, `next` does not name the host that the client made up."""
    client = make_guarded(make, login_view).test_client()
    location = client.get("/secret", headers={"Host": EVIL}).location
    assert location.startswith(login_view)
    with promise():
        assert EVIL not in location


@pytest.mark.parametrize("login_view", ["login_page", "https://auth.example/login"])
def test_row_12_host_header_is_not_in_the_session(login_view: str, make: Make) -> None:
    """Nor does the session keep a made-up host, with USE_SESSION_FOR_NEXT."""
    client = make_guarded(make, login_view, USE_SESSION_FOR_NEXT=True).test_client()
    with client:
        client.get("/secret?x=1", headers={"Host": EVIL})
        assert session["next"] == "/secret?x=1"


def test_an_origin_that_the_app_vouches_for_is_kept(make: Make) -> None:
    """With a login on another host, `next` is absolute where the app itself has said what its host is."""
    config = {"SERVER_NAME": "app.example", "PREFERRED_URL_SCHEME": "https"}
    client = make_guarded(make, "https://auth.example/login", **config).test_client()
    location = client.get("/secret?x=1", base_url="https://app.example").location
    assert parse_qs(urlsplit(location).query) == {"next": ["https://app.example/secret?x=1"]}


def next_of(guarded: Flask, path: str) -> str:
    """Ask for a path, as its bytes arrive, and give the `next` of the redirect to the login."""
    response = guarded.test_client().get("/", environ_overrides={"PATH_INFO": path.encode().decode("latin-1")})
    return parse_qs(urlsplit(response.location).query).get("next", ["/"])[0]


@pytest.mark.defect
@pytest.mark.parametrize("path", ["/\\evil.example/x", "/\\\\evil.example", "\\/evil.example"])
def test_row_12_the_path_itself_is_no_way_out(path: str, make: Make, promise: Promise) -> None:
    """A link to a path that a browser reads as another host does not come back as a `next` that leads there."""
    guarded = make_guarded(make, "login_page")
    with promise():
        assert stays(next_of(guarded, path), "http://localhost")


@given(path=st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(lambda path: path.isprintable()))
def test_no_path_is_a_way_out(path: str, make_ours: Make) -> None:
    """Whatever path is asked for, the `next` of the redirect to the login stays here, and `safe_next` agrees."""
    target = next_of(make_guarded(make_ours, "login_page"), f"/{path}")
    assert stays(target, "http://localhost")
    with app.test_request_context("/login"):
        assert safe_next(target) == target
