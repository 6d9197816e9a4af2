"""Cross-site requests: only this very origin changes anything."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from admit.errors import CrossSiteRequest
from admit.flask.cross_site import refuse_cross_site

HOST = "https://app.example"


def passes(method: str, *trusted: str, **headers: str) -> bool:
    """Tell whether a request with these headers passes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(EnvironBuilder(method=method, base_url=HOST, headers=named).get_environ())
    try:
        refuse_cross_site(request, trusted)  # type: ignore[arg-type]
    except CrossSiteRequest:
        return False
    return True


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),  # no browser's: it has no cookies of anybody
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, False),
        ({"Sec_Fetch_Site": "anything else"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Authorization": "Bearer x"}, False),
        ({"Origin": HOST}, True),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://app.example.evil"}, False),
        ({"Origin": "https://sub.app.example"}, False),
        ({"Origin": "http://app.example"}, False),
        ({"Origin": ""}, False),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, True),  # the browser's own word counts first
        ({"Sec_Fetch_Site": "cross-site", "Origin": HOST}, False),
    ],
)
def test_what_changes_something(method: str, headers: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    """An unsafe method passes from this origin or from no browser, and from nowhere else."""
    assert passes(method, **headers) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}, True),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}, False),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}, False),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, False),
        # A browser that does not say where a request is from says so at least for a script of another origin.
        ({"Origin": HOST}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://app.example.evil"}, False),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, True),
    ],
)
def test_what_only_looks(headers: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    """A link from elsewhere may be followed; a frame, an image or a fetch from elsewhere gets nothing."""
    assert passes("GET", **headers) is expected


def test_origins_that_are_trusted() -> None:
    """Another origin passes when a setting lists it, exactly."""
    assert passes("POST", "https://shop.example", Origin="https://shop.example", Sec_Fetch_Site="same-site")
    assert not passes("POST", "https://shop.example", Origin="https://shop.example.evil", Sec_Fetch_Site="cross-site")
    assert passes("GET", "https://shop.example", Origin="https://shop.example")
    assert not passes("GET", "https://shop.example", Origin="http://shop.example")
