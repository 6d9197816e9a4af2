"""Attacks that need a real server, real sockets and real parallelism: two processes over one database."""

from __future__ import annotations

import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from tests.attacks.conftest import ADA
from tests.attacks.served import FEATURES
from tests.attacks.site import API, OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD, make_site
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.site import Site

BOB = "bob@people.example"
_PATIENCE = 10


class Served(NamedTuple):
    """Two processes that serve a site, and a third one: this."""

    site: Site
    ports: tuple[int, int]

    def post(self, number: int, path: str, body: dict[str, object], **headers: str) -> httpx.Response:
        """Send JSON to one of the two."""
        url = f"http://127.0.0.1:{self.ports[number % 2]}{API}{path}"
        return httpx.post(url, json=body, headers={"Sec-Fetch-Site": "same-origin", **headers}, timeout=60)

    def at_once(self, path: str, bodies: list[dict[str, object]]) -> list[httpx.Response]:
        """Send all at the same moment, by turns to both."""
        with ThreadPoolExecutor(len(bodies)) as threads:
            return list(threads.map(lambda one: self.post(one[0], path, one[1]), enumerate(bodies)))

    def get(self, path: str = f"{API}/", **headers: str) -> httpx.Response:
        """Ask the first one."""
        return httpx.get(f"http://127.0.0.1:{self.ports[0]}{path}", headers=headers, timeout=_PATIENCE)

    def raw(self, data: bytes, *, more: bool = False) -> bytes:
        """Send bytes, and return what comes back until the server closes or says enough."""
        with socket.create_connection(("127.0.0.1", self.ports[0]), _PATIENCE) as connection:
            connection.sendall(data)
            if not more:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return the site, served by two processes."""
    url = f"sqlite:///{tmp_path_factory.mktemp('wire')}/site.db"
    site = make_site(url, FEATURES)
    site.member(ADA)
    ports = free_port(), free_port()
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    with ExitStack() as stack:
        for port in ports:
            settings = os.environ | {"PORT": str(port), "DATABASE": url, "PYTHONPATH": paths}
            stack.enter_context(running([sys.executable, "-m", "tests.attacks.served"], port, settings))
        stack.callback(site.close)
        yield Served(site, ports)


def test_038_reset_token_double_use(served: Served) -> None:
    """Of eight uses of one link in two processes at the same moment exactly one succeeds."""
    token = served.site.reset_token(ADA)
    passwords = [f"{OTHER_PASSWORD} number {number}" for number in range(8)]
    answers = served.at_once("/password-reset/choose", [{"token": token, "password": one} for one in passwords])
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    # On a machine that is busy with something else some are told that it is.
    codes = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert codes <= {"invalid_challenge", "overloaded"}
    winner = passwords[statuses.index(200)]
    assert served.post(0, "/sign-in", {"identifier": ADA, "password": winner}).status_code == 200


def test_072_sign_ups_at_once(served: Served) -> None:
    """Of eight sign-ups with one address in two processes all are answered alike, and none is an account yet."""
    before = served.site.accounts.store.count_accounts()
    answers = served.at_once("/sign-up", [{"email": BOB, "password": PASSWORD}] * 8)
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b'{"next":"check_mail"}')}
    assert served.site.accounts.store.count_accounts() == before


def test_086_a_race_of_tries(served: Served) -> None:
    """Of fifty tries in two processes at the same moment no more than the limit are looked at."""
    name = "nobody@people.example"
    answers = served.at_once("/sign-in", [{"identifier": name, "password": f"{WRONG_PASSWORD} {n}"} for n in range(50)])
    statuses = [answer.status_code for answer in answers]
    # On a machine that is busy with something else some are told that it is, and that was no try.
    assert statuses.count(401) <= 10 <= statuses.count(401) + statuses.count(503)
    assert set(statuses) - {503} == {401, 429}


HEAD = b"POST /api/account/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BODY = b'{"identifier":"a","password":"b"}'
LENGTHS = (
    b"Content-Length: -1\r\n",
    b"Content-Length: +33\r\n",
    b"Content-Length: 0x21\r\n",
    b"Content-Length: 33, 33\r\n",
    b"Content-Length: 33\r\nContent-Length: 34\r\n",
    b"Content-Length: \r\n",
    b"Content-Length: x\r\n",
    b"Content-Length: 1e1\r\n",
    b"Content-Length: 9" + b"9" * 30 + b"\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 500\r\n",
    b"Content-Length: 33\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Expect: 100-continue\r\nContent-Length: 33\r\n",
    b"Expect: 200-ok\r\nContent-Length: 33\r\n",
)


@pytest.mark.parametrize("lie", LENGTHS, ids=range(len(LENGTHS)))
def test_097_lies_about_the_length(served: Served, lie: bytes) -> None:
    """A length that is wrong, twice or two-faced is refused or the end of the connection: no hang, no 500, no login."""
    answer = served.raw(HEAD + lie + b"\r\n" + BODY)
    status = answer.split(b"\r\n", 1)[0]
    assert not answer or status.split()[1] in {b"400", b"401", b"413", b"415", b"417", b"501", b"100"}, status
    assert served.get().status_code == 401


def test_097_a_chunked_body_is_bounded(served: Served) -> None:
    """A body whose length nobody has said is read as far as any other."""
    big = b"4e20\r\n" + b" " * 20_000 + b"\r\n0\r\n\r\n"
    answer = served.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + big, more=True)
    assert answer.split()[1] == b"413"
    small = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    answer = served.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + small, more=True)
    assert answer.split()[1] == b"401"


def test_097_slow_bodies(served: Served) -> None:
    """Forty clients that send a body byte by byte, or none, keep nobody else waiting."""
    with ExitStack() as stack:
        for number in range(40):
            connection = socket.create_connection(("127.0.0.1", served.ports[0]), _PATIENCE)
            stack.enter_context(connection)
            connection.sendall(HEAD + b"Content-Length: 16000\r\n\r\n" + b"{" * (number % 3))
        assert served.get().status_code == 401
        assert served.post(0, "/sign-in", {"identifier": "x", "password": "y"}).status_code == 401


FORM = b"POST /account/sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: "
RAW = (
    b"TRACE /api/account/ HTTP/1.1\r\nHost: a\r\nX-Secret: echo-me\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\nCookie: x\r\n y=z\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\nCookie: a=\x00\x01\xff\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a b/c?d#e\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a:99999999\r\n\r\n",
    b"GET http://evil.example/api/account/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET //evil.example/private HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /account/%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /account/verify/%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /account/verify/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /account/sign-in?next=%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /account/sign-in?next=%ff%00&next=&&=&%=% HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/account/ HTTP/1.1\r\nHost: a\r\nAccept-Language: ../../etc/passwd;q=x\r\n\r\n",
    b"GET /account/sign-in HTTP/1.1\r\nHost: a\r\nAccept-Language: " + b"de;q=0.1," * 500 + b"\r\n\r\n",
    b"GET /account/ HTTP/1.1\r\nHost: a\r\nOrigin: \xff\r\nReferer: \xff\r\nSec-Fetch-Site: \xff\r\n\r\n",
    FORM + b"multipart/form-data\r\nContent-Length: 2\r\n\r\nab",
    FORM + b"multipart/form-data; boundary=\r\nContent-Length: 2\r\n\r\nab",
    FORM + b"multipart/form-data; boundary=x\r\nContent-Length: 4\r\n\r\n--x\r",
    FORM + b"application/x-www-form-urlencoded; charset=nope\r\nContent-Length: 3\r\n\r\na=b",
)


@pytest.mark.parametrize("data", RAW, ids=range(len(RAW)))
def test_100_102_malformed_requests(served: Served, data: bytes) -> None:
    """No malformed line, header, host, path or form is echoed, injects a header, or is a fault of the server."""
    answer = served.raw(data)
    head = answer.split(b"\r\n\r\n", 1)[0]
    assert answer.startswith(b"HTTP/1.")
    assert int(head.split()[1]) < 500 or head.split()[1] == b"501", head
    assert b"echo-me" not in answer
    assert b"\r\nX-Evil" not in head
    assert b"evil.example" not in head.replace(b"%2Fevil.example", b"").replace(b"2F%2Fevil", b"")


def test_019_cookie_bombs(served: Served) -> None:
    """Cookies of 64 KB are no login and no fault of the server."""
    bomb = "; ".join(f"admit-{number}={'x' * 1000}" for number in range(64))
    assert served.get(Cookie=bomb).status_code in {400, 401, 431}
    assert served.get(Cookie="admit=" + "x" * 60_000).status_code in {400, 401, 431}


def test_125_no_banner(served: Served) -> None:
    """The served site names no program and no version."""
    answer = served.get()
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers
