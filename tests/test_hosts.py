"""Names that programs would make links of."""

from __future__ import annotations

import pytest

from admit.hosts import is_like_host


@pytest.mark.parametrize(
    "name",
    [
        "claim-now.www.evil.example",
        *("evil.com", "EVIL.COM", "evil.com-prizes", "evil.com_x", "a.evil.online.win", "bit.ly", "first.last.io"),
        *("www.evil", "www2.evil", "ftp.evil", "go-www.evil", "\u0438\u043c\u044f.\u0440\u0444", "evil.localhost"),
    ],
)
def test_links(name: str) -> None:
    """Whatever ends, or has a part that ends, as the name of a host does, or begins as one does."""
    assert is_like_host(name)


@pytest.mark.parametrize(
    "name", ["first.last", "Grace.Hopper", "mary.ann.smith", "grace", "grace_hopper", "wwwgrace", "com-grace", "a-b_c"]
)
def test_names(name: str) -> None:
    """Names of people stay names."""
    assert not is_like_host(name)
