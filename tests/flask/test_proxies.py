"""Believing what proxies say, and nothing that a client has put before it."""

from __future__ import annotations

import pytest

from tests.attacks.site import make_site


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
