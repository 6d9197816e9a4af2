"""Believing what proxies say, and nothing that a client has put before it."""

from __future__ import annotations

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.attacks.site import API, PASSWORD, WRONG_PASSWORD, make_site

ADA = "ada@people.example"


@pytest.mark.parametrize(
    "sent",
    ["", '"', '", "', "x" * 200_000, "9.9.9.9, ", ", " * 5000, '"' * 2000, "2001:db8::1, "],
    ids=["nothing", "quote", "quotes", "long", "list", "commas", "many-quotes", "address"],
)
@pytest.mark.parametrize("proxies", [1, 2])
def test_a_client_hides_no_proxy(sent: str, proxies: int) -> None:
    """The address is the one that the proxies have written, whatever the client wrote before it."""
    site = make_site("memory:", ADMIT_PROXIES=proxies)
    seen: list[str | None] = []
    site.app.before_request(lambda: seen.append(__import__("flask").request.remote_addr))
    written = ", ".join(["192.0.2.7", "10.0.0.1"][:proxies])
    site.browser().get("/account/sign-in", **{"X-Forwarded-For": f"{sent},{written}" if sent else written})
    assert seen == ["192.0.2.7"]


def test_too_few_entries_count_for_nothing() -> None:
    """Where a proxy is missing, the connection's own address counts."""
    site = make_site("memory:", ADMIT_PROXIES=2)
    seen: list[str | None] = []
    site.app.before_request(lambda: seen.append(__import__("flask").request.remote_addr))
    site.browser("198.51.100.1").get("/account/sign-in", **{"X-Forwarded-For": "192.0.2.7"})
    assert seen == ["198.51.100.1"]


WRITTEN = {
    "203.0.113.7:51234": "203.0.113.7",
    "[2001:db8::7]:443": "2001:db8::7",
    "[2001:db8::7]": "2001:db8::7",
    "2001:db8::7": "2001:db8::7",
    "fe80::7%eth0": "fe80::7%eth0",
    "[fe80::7%eth0]:80": "fe80::7%eth0",
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("by", ["ours", "werkzeug's"])
def test_u09_ports_and_brackets_are_no_part_of_an_address(written: str, by: str) -> None:
    """The address of a session is that of the person, whoever reads it from a proxy's header."""
    site = make_site("memory:", ADMIT_PROXIES=1 if by == "ours" else 0)
    if by != "ours":
        site.app.wsgi_app = ProxyFix(site.app.wsgi_app)
    site.member(ADA)
    browser = site.browser()
    signed_in = browser.send(
        "POST", f"{API}/sign-in", json={"identifier": ADA, "password": PASSWORD}, headers={"X-Forwarded-For": written}
    )
    assert signed_in.status_code == 200
    devices = browser.get(f"{API}/devices").json["devices"]
    assert [one["address"] for one in devices] == [WRITTEN[written]]


@pytest.mark.parametrize("address", ["", "unix:", "localhost", "<local>"])
def test_u09_behind_a_unix_socket_nobody_holds_off_others(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where no address can be read the log says so once, and one account's failures are not another's."""
    site = make_site("memory:", ADMIT_THROTTLE_ADDRESS_BURST=1, ADMIT_THROTTLE_ACCOUNT_BURST=3)
    site.member(ADA)
    browser = site.browser(address)
    failed = [browser.sign_in(f"nobody{number}@people.example").status_code for number in range(8)]
    assert failed == [401] * 8
    assert browser.sign_in(ADA).status_code == 200
    guesses = [site.browser(address).sign_in(ADA, WRONG_PASSWORD).status_code for _ in range(5)]
    assert guesses == [401, 401, 401, 429, 429]
    told = [line.getMessage() for line in caplog.records if "can't be read" in line.getMessage()]
    assert len(told) == 1
    assert "ADMIT_PROXIES" in told[0]
    assert repr(address) in told[0]
