"""Attacks on the head of a request, on what carries a token, and on what only developers should see."""

from __future__ import annotations

import re
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from admit.feature import Face
from admit.features import everything
from admit.flask import headers
from admit.flask.cookies import DEVICES, PENDING, KeptCookie
from admit.flask.headers import BOUNDS
from admit.mail import Message
from admit.server import create_app
from tests.attacks.conftest import ADA
from tests.attacks.payloads import SHAPED
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, SESSION
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.attacks.site import Browser, Site

#: What waitress lets through.
LIMIT = 256 * 1024

#: What looks like a token of ours, in a header or a body.
TOKEN = re.compile(r"[\w-]{22}\.[\w-]{43,}")

CARRIER = {"Admit-Carrier": "bearer"}


# -- 160: what is read has a bound ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["en-", "de;q=0.1,", "\xa0", '"'])
def test_160_long_headers_are_read_up_to_a_bound(site: Site, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every header as long as a server lets through is answered, and nothing behind its bound is looked at."""
    seen: list[int] = []

    def noting(parse: Callable[..., Any]) -> Callable[..., Any]:
        def parsed(value: str | None, *rest: Any) -> Any:
            seen.append(len(value or ""))
            return parse(value, *rest)

        return parsed

    for name in ("parse_accept_header", "parse_options_header", "parse_cookie"):
        monkeypatch.setattr(headers, name, noting(getattr(headers, name)))
    value = (shape * LIMIT)[:LIMIT]
    for name in BOUNDS:
        if name not in {"Host", "Path", "Query", "Remote-Addr", "Content-Type"}:
            for path in ("/account/sign-in", "/private", f"{API}/", "/account/static/admit.css"):
                answer = site.browser().get(path, **{"Sec-Fetch-Site": "same-origin", name: value})
                assert answer.status_code < 500, (name, path)
    assert max(seen) <= max(bound.longest for bound in BOUNDS.values())


def test_160_what_is_cut_opens_nothing(site: Site) -> None:
    """A header beyond its bound is refused as a wrong one is, where a missing one would be let in."""
    body = {"identifier": ADA, "password": PASSWORD}
    for name, value in (("Origin", ORIGIN), ("Sec-Fetch-Site", "cross-site"), ("Referer", "https://evil.example/")):
        padded = value + "x" * LIMIT
        answer = site.browser().send("POST", f"{API}/sign-in", json=body, headers={name: padded})
        assert answer.status_code == 403, name
    long = site.signed_in(ADA).get(f"{API}/", Cookie=f"{SESSION}={SHAPED}{'x' * LIMIT}")
    assert long.status_code == 401
    assert "Set-Cookie" not in long.headers


# -- 161: blanks in front of a cookie's name --------------------------------------------------------------------------

NAMES = (SESSION, *(f"{SESSION}-{one.ending}" for one in (DEVICES, PENDING, KeptCookie("kept-link"))))


@pytest.fixture(scope="module")
def app_request() -> Callable[[str], Any]:
    """Return what makes a request with a Cookie header."""
    return lambda sent: Flask("site").request_class({"HTTP_COOKIE": sent})


@pytest.mark.parametrize("name", [*NAMES, "remember_token", "__Host-remember"])
@pytest.mark.parametrize("place", ["before", "in", "after"])
def test_161_no_other_byte_makes_it_our_cookie(app_request: Callable[[str], Any], name: str, place: str) -> None:
    """Of all bytes around the name of a cookie, only a space, a tab and a semicolon before it count as nothing."""
    forms = {
        "before": [f"a=1; {{}}{name}=planted", f"{{}}{name}=planted", f"a=1;{{}} {name}=planted"],
        "in": [f"{name[:4]}{{}}{name[4:]}=planted"],
        "after": [f"{name}{{}}=planted"],
    }
    for number in set(range(256)) - ({ord("=")} if place == "after" else set()):
        for form in forms[place]:
            request = app_request(form.format(chr(number)))
            is_ours = place == "before" and chr(number) in " \t;"
            assert headers.cookie_values(request, name) == ["planted"] * is_ours, (number, form)
            read = headers.plain_cookie(request, name)
            assert (read == "planted") is is_ours, (number, form)


def test_161_a_planted_cookie_beside_ours(site: Site, ada: Browser, thief: Browser) -> None:
    """A sibling's cookie that looks like ours neither takes the place of the session nor ends it."""
    mine, planted = ada.cookie(), site.signed_in(ADA).cookie()
    for blank in "\xa0\x85\x0b\x0c\x1c\x1d\x1e\x1f":
        assert thief.get(f"{API}/", Cookie=f"{blank}{SESSION}={planted}").status_code == 401
        for header in (f"{blank}{SESSION}=x; {SESSION}={mine}", f"{SESSION}={mine};{blank}{SESSION}={planted}"):
            answer = thief.get(f"{API}/", Cookie=header)
            assert answer.status_code == 200
            assert "Set-Cookie" not in answer.headers
        thief.post("/sign-out", None, Cookie=f"{blank}{SESSION}={planted}")
    assert ada.me().status_code == 200
    assert thief.get(f"{API}/", Cookie=f"{SESSION}={planted}").status_code == 200


PROGRAM = """
import os, sys
from flask import Flask
from admit.flask import LoginManager, UserMixin, current_user, login_user
class User(UserMixin):
    id = "ada"
app = Flask("site")
app.config.update(SECRET_KEY="s" * 40, REMEMBER_COOKIE_NAME="__Host-remember")
LoginManager(app, store="memory:").user_loader(lambda _: User())
app.add_url_rule("/in", "in", lambda: str(login_user(User())))
app.add_url_rule("/me", "me", lambda: str(current_user.get_id()))
if __name__ == "__main__":
    from waitress import serve
    serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=1)
"""


@pytest.fixture(params=["waitress", "gunicorn"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """Run a small site in one process of a server, and return its port."""
    (tmp_path / "planted.py").write_text(PROGRAM)
    port = free_port()
    commands = {
        "waitress": [sys.executable, str(tmp_path / "planted.py")],
        "gunicorn": [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "2", "planted:app"],
    }
    environment = {"PORT": str(port), "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    with running(commands[request.param], port, environment, tmp_path, tmp_path / "log"):
        yield port


def ask(port: int, path: str, cookie: bytes = b"") -> bytes:
    """Send one request as bytes, and return the answer."""
    line = b"Cookie: " + cookie + b"\r\n" if cookie else b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET %s HTTP/1.0\r\nHost: app.example\r\n%s\r\n" % (path.encode(), line))
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_161_through_servers(server: int) -> None:
    """Neither server turns another byte around the name of a cookie into one that counts as nothing."""
    found = re.search(rb"__Host-admit=([\w.-]+)", ask(server, "/in"))
    assert found
    token = found[1]
    assert ask(server, "/me", b"__Host-admit=" + token).endswith(b"ada")
    for number in set(range(256)) - set(b"\r\n"):
        sign = bytes([number])
        before = [ask(server, "/me", start + sign + b"__Host-admit=" + token) for start in (b"", b"a=1; ")]
        assert [answer.endswith(b"ada") for answer in before] == [sign in b" \t;"] * 2, number
        for name in (b"__Host%s-admit=", b"__Host-admit%s="):
            assert not ask(server, "/me", name % sign + token).endswith(b"ada"), (name, number)


# -- 163: what carries a session --------------------------------------------------------------------------------------


def tokens_in(answer: TestResponse) -> list[str]:
    """Return what a script on the page could take from an answer."""
    shown = [f"{name}: {value}" for name, value in answer.headers if name != "Set-Cookie"]
    ours = ("Admit-Token", "Admit-Pending")
    return [line for line in (*shown, answer.text) if TOKEN.search(line) or line.startswith(ours)]


BODIES: dict[str, Any] = {
    "password.login": {"identifier": ADA, "password": PASSWORD},
    "password.confirm": {"password": PASSWORD},
    "password.change": {"old_password": PASSWORD, "password": OTHER_PASSWORD},
    "registration.sign_up": {"email": "new@people.example", "password": PASSWORD},
    "mail_change.ask": {"email": "next@people.example"},
}


def test_163_no_action_hands_out_the_session_of_a_cookie(new_site: Callable[..., Site]) -> None:
    """Whatever a script asks for beside a session in a cookie, no header and no body of an answer has a token in it."""
    site = new_site(everything())
    site.member(ADA)
    for bound in site.accounts.actions():
        if Face.JSON not in bound.action.faces:
            continue
        browser = site.signed_in(ADA)
        path = bound.action.path.replace("<token>", SHAPED).replace("<session_id>", "x").replace("<before>", "0")
        body = None if bound.action.method == "GET" else BODIES.get(bound.name, {"identifier": ADA, "email": ADA})
        answer = browser.post(path, body, bound.action.method, **CARRIER)
        assert tokens_in(answer) == [], bound.name
        if bound.name == "password.change":
            assert answer.status_code == 200
            assert browser.post("/password", {"old_password": OTHER_PASSWORD, "password": PASSWORD}).status_code == 200


def test_163_a_rotated_session_stays_in_its_cookie(site: Site, ada: Browser) -> None:
    """A session that is due for a new secret gets it in the cookie, although a script asks for a header."""
    before = ada.cookie()
    site.clock.advance(timedelta(hours=2))
    answer = ada.get(f"{API}/", **OWN_PAGE, **CARRIER)
    assert answer.status_code == 200
    assert tokens_in(answer) == []
    assert ada.cookie() != before


@pytest.mark.parametrize("name", ["sign-in", "password/confirm"])
def test_163_a_sign_in_beside_a_session_is_answered_by_the_cookie(site: Site, ada: Browser, name: str) -> None:
    """Who proves a password beside a session in a cookie gets the new session in the cookie too."""
    before = ada.cookie()
    body = {"identifier": ADA, "password": PASSWORD} if name == "sign-in" else {"password": PASSWORD}
    answer = ada.post(f"/{name}", body, **CARRIER)
    assert answer.status_code == 200
    assert tokens_in(answer) == []
    assert ada.cookie() not in {None, before}
    assert ada.me().status_code == 200


def test_163_a_bearer_stays_a_bearer(site: Site) -> None:
    """A session that began with a header is answered by a header, asked for or not, and never by a cookie."""
    client = site.browser()
    begun = client.sign_in(ADA, **CARRIER)
    token = begun.headers["Admit-Token"]
    for asked in ({}, CARRIER):
        shown = {"Authorization": f"Bearer {token}"}
        answer = client.post("/password/confirm", {"password": PASSWORD}, **shown, **asked)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        token = answer.headers["Admit-Token"]


def test_163_what_a_browser_keeps_is_no_bearers(site: Site, ada: Browser) -> None:
    """A mailed code that belongs to a browser's cookie signs nobody in who asks for a header."""
    ada.post("/sign-out")
    ada.post("/magic-link", {"identifier": ADA})
    code = re.findall(r"\d{4} \d{4}", site.mails_to(ADA)[-1].text)[-1]
    answer = ada.post("/magic-link/code", {"code": code}, **CARRIER)
    assert answer.status_code != 200
    assert tokens_in(answer) == []
    assert ada.post("/magic-link/code", {"code": code}).status_code == 200


# -- 172: a proxy that looks like this machine ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "[::1]", "app.localhost"])
def test_172_a_bare_proxy_is_no_development(site: Site, host: str, caplog: pytest.LogCaptureFixture) -> None:
    """Behind a proxy that says nothing of itself, a site on https gets Secure cookies, and a warning."""
    browser = site.browser("127.0.0.1")
    body = {"identifier": ADA, "password": PASSWORD}
    answer = browser.send("POST", f"{API}/sign-in", json=body, base_url=f"http://{host}")
    lines = answer.headers.getlist("Set-Cookie")
    assert any(line.startswith(f"{SESSION}=") for line in lines)
    assert all("Secure" in line and line.startswith("__Host-") for line in lines)
    assert "Serve the application over https" in caplog.text


# -- 177: the outbox of development -----------------------------------------------------------------------------------


def served(folder: Path, **settings: Any) -> tuple[Flask, str]:
    """Return the ready-made application in development, and what it prints as the address of its outbox."""
    given = {"ADMIT_DB": f"sqlite:///{folder}/app.db", "ADMIT_DEV": True} | settings
    app = create_app(given)
    printed: str = app.extensions["admit_outbox"]
    app.login_manager.keeper.accounts.mailing.sender.send(Message("ada@people.example", "Hello", "https://secret"))  # type: ignore[attr-defined]
    return app, printed


@pytest.mark.parametrize(
    "settings", [{"ADMIT_PUBLIC_URL": "https://tunnel.example"}, {"ADMIT_PROXIES": 1}], ids=["tunnel", "proxy"]
)
@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost"])
def test_177_the_outbox_of_a_tunnel_takes_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], host: str
) -> None:
    """Where others reach a site in development, nobody reads its mails without the key on the terminal."""
    monkeypatch.chdir(tmp_path)
    app, printed = served(tmp_path, **settings)
    base, _, key = printed.partition("?key=")
    assert len(key) >= 32
    client = app.test_client()
    for query in ("", "?key=", "?key=x", f"?key={key[:-1]}", f"?key={key}x", "?key=%C3%A9"):
        answer = client.get(f"/account/outbox{query}", headers={"Host": host})
        assert answer.status_code == 404, query
        assert "https://secret" not in answer.text
    assert key not in client.get("/", headers={"Host": host}).text
    assert "outbox" not in client.get("/", headers={"Host": host}).text
    shown = client.get(f"/account/outbox?key={key}", headers={"Host": host})
    assert "https://secret" in shown.text
    assert base.endswith("/account/outbox")
    app.login_manager.keeper.gate.store.close()  # type: ignore[attr-defined]


def test_177_another_server_prints_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under any WSGI server the address with the key is on the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADMIT_DEV", "true")
    monkeypatch.setenv("ADMIT_PUBLIC_URL", "https://tunnel.example")
    app = create_app()
    assert "https://tunnel.example/account/outbox?key=" in capsys.readouterr().err
    app.login_manager.keeper.gate.store.close()  # type: ignore[attr-defined]


def test_160_no_long_address_is_sent_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plain http is sent on to https, an address that is longer than any page's is refused."""
    monkeypatch.chdir(tmp_path)
    app, _ = served(tmp_path, ADMIT_PUBLIC_URL=ORIGIN, ADMIT_PROXIES=1)
    for query, status in (("x", 308), ("x" * 9000, 400)):
        answer = app.test_client().get(f"/?{query}", base_url="http://app.example")
        assert answer.status_code == status
    app.login_manager.keeper.gate.store.close()  # type: ignore[attr-defined]


# -- 180: the description of the API ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json", "/api/docs/swagger-ui.css"])
def test_180_the_description_is_for_development(new_site: Callable[..., Site], path: str) -> None:
    """In production nobody is told what there is to attack, unless a setting says so."""
    assert new_site().browser().get(path).status_code == 404
    assert new_site(ADMIT_API_DOCS=True).browser().get("/api/openapi.json").status_code == 200
