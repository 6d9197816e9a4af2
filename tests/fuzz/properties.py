"""What holds whatever a client sends. One function for each: Hypothesis tries it in the tests, atheris for longer.

An attacker sends what no form would. Whoever changes a parser is told by these, not by somebody's log.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ada_url import URL
from flask import Flask, redirect

from admit import tokens
from admit.errors import InvalidInput
from admit.flask import safe_next
from admit.identifiers import canonical, email, key_of, username
from tests.attacks.payloads import AUTHORIZATIONS, BROKEN_JSON, COOKIE_HEADERS, JUNK, REDIRECTS, SHAPED
from tests.attacks.site import API, OWN_PAGE, SESSION, Browser, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.site import Site

__all__ = ["KINDS", "PLACES", "TARGETS", "Target"]

ADA = "ada@people.example"
#: In a cookie it stands for the id of a session that is alive: half of what would open it.
ALIVE = "{alive}"

_LONGEST = 320
PLACES = (
    f"{API}/sign-in",
    f"{API}/sign-up",
    f"{API}/password-reset",
    f"{API}/password-reset/choose",
    f"{API}/verify",
    f"{API}/magic-link",
    f"{API}/magic-link/use",
    f"{API}/password/strength",
    "/account/sign-in",
    "/account/sign-up",
    "/account/password-reset",
    "/account/magic-link/code",
)
KINDS = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-8",
    "text/plain",
    "",
)


class Target(NamedTuple):
    """A property, how bytes become what it is about, and where to begin."""

    holds: Callable[[Any], None]
    read: Callable[[bytes], Any]
    seeds: list[bytes]
    words: list[str]


# -- texts ------------------------------------------------------------------------------------------------------------


def a_token_has_one_spelling(text: str) -> None:
    """Whatever the text, it is a token in its one spelling or none; and a secret is judged without an error."""
    for parse in (tokens.parse, tokens.parse_challenge):
        found = parse(text)
        assert found is None or str(found) == text
        assert found is None or found.secret not in repr(found)
        if found is not None:
            assert not tokens.matches(found.secret, b"\0" * 32)
            assert tokens.matches(found.secret, tokens.hash_secret(found.secret))
    session = tokens.parse(text)
    if session is not None:
        seed = b"\0" * 16
        # Nobody makes the mark of a session whose seed they do not have.
        assert not tokens.bears_mark(session.secret, tokens.new_seed())
        assert tokens.bears_mark(tokens.successor(session.secret, seed, b"\1" * 16), seed)


@cache
def _next_site() -> Flask:
    return Flask("site")


def a_target_stays_here(target: str) -> None:
    """Where a browser is sent on to is this site as a browser reads it, or it is not sent on."""
    for home in ("http://localhost", "https://localhost:8443"):
        with _next_site().test_request_context("/login", base_url=home) as context:
            answer = safe_next(target)
            location = redirect(answer or "/").get_wsgi_headers(context.request.environ)["Location"]
        assert answer in {target, None}
        for place in filter(None, (answer, location)):
            assert URL(place, f"{home}/login").origin == home
        assert "\r" not in location
        assert "\n" not in location


def a_name_is_found_again(text: str) -> None:
    """Whatever is typed has a short key or none; and what is accepted as a name is found by it, and is one of one."""
    folded = canonical(text)
    assert canonical(folded) == folded
    key = key_of(text)
    assert key is None or (key_of(key) == key and 0 < len(key) <= _LONGEST)
    assert key is None or not any(unicodedata.category(one) in {"Cc", "Cf", "Cs"} for one in key)
    for make in (email, username):
        try:
            made = make(text)
        except InvalidInput:
            continue
        assert key_of(text) == key_of(made.value) == made.key
        assert make(made.key).key == made.key
        assert made.key.count("@") == (make is email)


# -- a whole site -----------------------------------------------------------------------------------------------------


@cache
def _site() -> tuple[Site, Browser]:
    """Return a site with one member, who is signed in, and that browser; an error is raised instead of answered."""
    site = make_site("memory:", ADMIT_THROTTLE_REQUESTS_PER_HOUR=1_000_000_000, ADMIT_THROTTLE_MAILS_PER_HOUR=1)
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    site.member(ADA)
    return site, site.signed_in(ADA)


def a_body_is_answered(sent: tuple[str, str, bytes]) -> None:
    """Any bytes of any type, sent to anything, are answered: no fault of the server, no login, and a reason."""
    place, kind, raw = sent
    site, _ = _site()
    headers = {**OWN_PAGE, **({"Content-Type": kind} if kind else {})}
    answer = Browser(site.app, "203.0.113.9").send("POST", place, data=raw, headers=headers)
    assert answer.status_code < 500, answer.text
    assert SESSION not in {header.partition("=")[0] for header in answer.headers.getlist("Set-Cookie")}
    if place.startswith(API) and answer.status_code >= 400:
        assert json.loads(answer.data)["code"]
    site.mails.clear()
    site.events.clear()


def a_cookie_is_nobody(header: str) -> None:
    """Any Cookie header, even with the id of a living session in it, is nobody's login and no fault of the server."""
    site, ada = _site()
    token = ada.cookie()
    assert token
    header = header.replace(ALIVE, token.partition(".")[0])
    for path in (f"{API}/", "/private"):
        answer = Browser(site.app).send("GET", path, headers={"Cookie": header, "Accept": "application/json"})
        # A view of the application sends people to log in.
        assert answer.status_code in {401, 302}, answer.text
        assert ADA not in answer.text
    site.events.clear()
    assert ada.me().status_code == 200


def _text(raw: bytes) -> str:
    # What is no UTF-8 becomes half a surrogate pair, which clients can send in JSON as well.
    return raw.decode("utf-8", "surrogateescape")


def _header(raw: bytes) -> str:
    """Return what a server can read as one header: any bytes but ends of lines and NUL."""
    return raw.translate(None, b"\r\n\0").decode("latin-1").strip()


def _sent(raw: bytes) -> tuple[str, str, bytes]:
    """Take a place and a type off the front of the bytes."""
    place, kind = (raw[:2] + b"\0\0")[:2]
    return PLACES[place % len(PLACES)], KINDS[kind % len(KINDS)], raw[2:]


_BODIES = [
    *(one if isinstance(one, bytes) else one.encode(errors="surrogatepass") for one in BROKEN_JSON),
    b'{"identifier": "ada@people.example", "password": "wrong horses chew batteries"}',
    b'{"email": "bob@people.example", "password": "quiet rivers carry lanterns"}',
    b"identifier=ada%40people.example&password=wrong+horses&remember=true",
    b'--x\r\nContent-Disposition: form-data; name="identifier"\r\n\r\nada\r\n--x--',
]

TARGETS = {
    "tokens": Target(
        a_token_has_one_spelling,
        _text,
        [one.encode(errors="surrogatepass") for one in (*JUNK, SHAPED, "A" * 22 + "." + "B" * 43)],
        [SHAPED, ".", "=", "A" * 22],
    ),
    "next": Target(
        a_target_stays_here,
        _text,
        [one.encode(errors="surrogatepass") for one in (*REDIRECTS, "/", "/page?a=b", "http://localhost/x")],
        ["http:", "https:", "//", "\\\\", "localhost", "localhost:8443", "evil.example", "javascript:", "%2f", "@"],
    ),
    "identifiers": Target(
        a_name_is_found_again,
        _text,
        [
            b"ada@people.example",
            "\u00e4da@str\u00e4sse.example".encode(),
            b"Ada",
            "\u212bda".encode(),
            b"a@xn--bcher-kva.example",
        ],
        ["@", ".example", "xn--", "\u0130", "\u00df", "\ufb01", "\u200d", "\u0345", "\u1fb3"],
    ),
    "bodies": Target(
        a_body_is_answered,
        _sent,
        [bytes([place, kind]) + body for place in (0, 1, 8) for kind in range(3) for body in _BODIES],
        [
            '"identifier"',
            '"password"',
            '"email"',
            '"remember"',
            "null",
            "\\\\ud800",
            "identifier=",
            "%00",
            "--x\\x0d\\x0a",
        ],
    ),
    "cookies": Target(
        a_cookie_is_nobody,
        _header,
        [
            *(one.encode("latin-1", "replace") for one in (*COOKIE_HEADERS, *AUTHORIZATIONS)),
            f"{SESSION}={ALIVE}.{'B' * 56}".encode(),
            f"remember_token=1|{'0' * 128}; session=eyJ9; {SESSION}-pending={ALIVE}.{'B' * 43}".encode(),
        ],
        [f"{SESSION}=", ALIVE, f"{SESSION}-pending=", f"{SESSION}-devices=", "remember_token=", "session=", "; "],
    ),
}
