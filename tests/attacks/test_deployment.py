"""D9: attacks through proxies, hosts and the way that a site is served."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.attacks.conftest import ADA
from tests.attacks.site import API, ORIGIN, OTHER_PASSWORD, OWN_PAGE, PASSWORD, SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.site import Browser, Site


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example"},
        {"X-Forwarded-Prefix": "//evil.example"},
        {"X-Original-Url": "//evil.example/"},
        {"X-Forwarded-Host": "evil.example", "Host": "evil.example", "X-Forwarded-Port": "1"},
    ],
    ids=range(6),
)
def test_121_hosts(site: Site, headers: dict[str, str]) -> None:
    """A foreign host in a request is in no redirect, cookie or page."""
    for path in (
        "/private",
        "/account/devices",
        "/account/",
        "/account/sign-in",
        f"{API}/",
        "/.well-known/change-password",
    ):
        answer = site.browser().get(path, **headers)
        assert "evil.example" not in str(answer.headers), path
        assert "evil.example" not in answer.text, path
    form = {"identifier": ADA, "password": PASSWORD}
    answer = site.browser().send(
        "POST", "/account/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin", **headers}
    )
    assert "evil.example" not in str(answer.headers)


def test_121_trusted_hosts(new_site: Callable[..., Site]) -> None:
    """A host that the configuration does not list is refused everywhere, in logins and resets as well."""
    site = new_site(TRUSTED_HOSTS=["app.example"])
    site.member(ADA)
    site.mails.clear()
    browser = site.browser()
    foreign = {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}
    for path, body in (
        ("/sign-in", {"identifier": ADA, "password": PASSWORD}),
        ("/password-reset", {"identifier": ADA}),
    ):
        assert browser.send("POST", API + path, json=body, headers=foreign).status_code == 400
    assert browser.get("/account/sign-in", Host="evil.example").status_code == 400
    assert not site.mails
    assert browser.sign_in(ADA).status_code == 200


IDENTITIES = (
    "X-User",
    "X-User-Id",
    "X-Forwarded-User",
    "X-Remote-User",
    "Remote-User",
    "X-Authenticated-User",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Goog-Authenticated-User-Email",
    "X-Ms-Client-Principal-Name",
    "X-Admit-User",
    "Admit-Token",
    "Admit-Subject",
    "X-Original-User",
)


@pytest.mark.parametrize("header", IDENTITIES)
def test_122_identity_headers(site: Site, thief: Browser, header: str) -> None:
    """A header that says who somebody is makes them nobody."""
    for value in (site.account(ADA).id, ADA, f"accounts.google.com:{ADA}"):
        assert thief.get(f"{API}/", **{header: value}).status_code == 401
        assert thief.get("/private", Accept="application/json", **{header: value}).status_code == 401
    environ = {"REMOTE_USER": ADA, "AUTH_TYPE": "Basic", "HTTP_REMOTE_USER": ADA}
    assert thief.send("GET", f"{API}/", environ_overrides=environ).status_code == 401


@pytest.mark.parametrize("proxies", [0, 1])
def test_123_forwarded_proto(new_site: Callable[..., Site], proxies: int) -> None:
    """No header makes a cookie less than Secure, or takes its prefix."""
    site = new_site(ADMIT_PROXIES=proxies)
    site.member(ADA)
    for headers in (
        {"X-Forwarded-Proto": "http"},
        {"X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "proto=http"},
        {"X-Forwarded-Ssl": "off", "Front-End-Https": "off"},
        {"X-Forwarded-Proto": "https, http"},
    ):
        answer = site.browser().sign_in(ADA, **{**headers, "Origin": ORIGIN})
        assert answer.status_code == 200
        for line in answer.headers.getlist("Set-Cookie"):
            assert line.startswith("__Host-")
            assert "Secure" in line.split("; ")


def test_123_plain_http(site: Site) -> None:
    """Over plain http to any host but this machine the cookie is Secure, so that a browser drops it."""
    for host in ("app.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.evil.example", "0x7f.1.evil"):
        body = {"identifier": ADA, "password": PASSWORD}
        answer = site.browser().send(
            "POST", f"{API}/sign-in", json=body, base_url=f"http://{host}", headers={"Sec-Fetch-Site": "same-origin"}
        )
        lines = answer.headers.getlist("Set-Cookie")
        assert lines
        assert all("; Secure" in line and line.startswith("__Host-") for line in lines), host


def test_124_no_secret_in_an_address_of_ours(site: Site, ada: Browser) -> None:
    """No redirect, and no link on a page, holds a session token; only mails hold links with tokens."""
    secret = (ada.cookie() or "").partition(".")[2]
    for path in ("/account/", "/account/devices", "/account/password", "/account/reauthenticate"):
        answer = ada.get(path)
        assert secret not in answer.text + str(answer.headers)


def test_125_126_nothing_is_told_of_the_server(site: Site, ada: Browser) -> None:
    """No answer names a version of anything, or holds a hash, a seed or a path of this machine."""
    answers = [
        ada.get(path) for path in (f"{API}/", f"{API}/devices", "/account/", "/account/devices", "/nothing", "/broken")
    ]
    answers.append(ada.post("/password", {"old_password": PASSWORD, "password": OTHER_PASSWORD}))
    account = site.account(ADA)
    [session] = site.login_manager.keeper.gate.sessions_of(account.id)  # type: ignore[union-attr]
    hashes = [session.secret_hash.hex(), session.seed.hex(), session.nonce.hex() or "no nonce"]
    hashes += [one.secret for one in site.accounts.credentials.list_credentials(account.id)]
    for answer in answers:
        told = answer.text + str(answer.headers)
        for word in ("Werkzeug/", "Flask/", "Python/", "argon2", "sqlite", "site-packages", *hashes):
            assert word not in told, word
        assert not {"Server", "X-Powered-By"} & set(answer.headers.keys())


FORKING = """
import os, sys
from admit import tokens
tokens.new_id()
for child in range(8):
    if os.fork() == 0:
        made = [f"{tokens.new_id()} {tokens.new_secret()}" for _ in range(2000)]
        sys.stdout.write("\\n".join(made) + "\\n")
        sys.stdout.flush()
        os._exit(0)
for child in range(8):
    os.wait()
"""


def test_128_forks(tmp_path: object) -> None:
    """Processes that were forked from one make different tokens."""
    told = subprocess.run([sys.executable, "-c", FORKING], check=True, capture_output=True, text=True).stdout  # noqa: S603
    words = told.split()
    assert len(words) == len(set(words)) == 8 * 2000 * 2


def test_121_the_cookie_of_a_planted_host(site: Site) -> None:
    """A login under a foreign host gives the browser nothing that this site takes from another host."""
    answer = site.browser().send(
        "POST",
        f"{API}/sign-in",
        json={"identifier": ADA, "password": PASSWORD},
        headers={**OWN_PAGE, "Host": "evil.example"},
    )
    assert all("Domain" not in line for line in answer.headers.getlist("Set-Cookie"))
    assert (
        SESSION in {line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")}
        or answer.status_code == 403
    )
