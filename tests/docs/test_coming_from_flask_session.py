"""The way from Flask-Session, walked to its end and back by a shop that has logins and baskets in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.docs.guides import Guide
from tests.serving import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.docs

ADA = {"username": "ada", "password": "correct horse battery staple"}
OUT = "Step 2: the login moves out"


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    """Return the guide, and the shop in a folder of the reader's."""
    return Guide("coming-from-flask-session.md", ROOT / "examples/basket/app.py", tmp_path)


@pytest.fixture
def remembered() -> Iterator[httpx.Client]:
    """Return a browser that asks to be remembered."""
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture
def other() -> Iterator[httpx.Client]:
    """Return a browser that does not."""
    with httpx.Client(timeout=30) as client:
        yield client


def seen(client: httpx.Client, site: str) -> tuple[str | None, list[str]]:
    """Return who the shop says is there, and the basket."""
    found: Any = client.get(f"{site}/basket").json()
    return found["user"], found["basket"]


def test_every_step_and_the_way_back(guide: Guide, remembered: httpx.Client, other: httpx.Client) -> None:
    """The login moves out and can be ended, the basket stays, both ways are open, and in the end nothing is left."""
    with guide.served() as site:
        for client, remember in ((remembered, True), (other, False)):
            assert client.post(f"{site}/login", json={**ADA, "remember": remember}).status_code == 201
            client.post(f"{site}/basket/tea")
    assert guide.change("Step 1: one import") == 1
    with guide.served() as site:
        assert seen(remembered, site) == seen(other, site) == ("ada", ["tea"])

    assert guide.change(OUT) == 1
    with guide.served() as site:
        assert seen(remembered, site) == ("ada", ["tea"])
        assert seen(other, site) == (None, ["tea"])
        said = guide.type(OUT)
        assert "The tables are up to date." in said
        assert "Ended 1 session." in said
        assert seen(remembered, site) == (None, ["tea"])
        assert other.post(f"{site}/login", json=ADA).status_code == 201

    guide.change(OUT, back=True)
    with guide.served() as site:
        assert seen(remembered, site) == seen(other, site) == ("ada", ["tea"])

    guide.change(OUT)
    assert guide.change("Step 3: letting it go") == 0
    assert "flask_session" not in guide.app.read_text()
    with guide.served() as site:
        assert seen(other, site) == ("ada", [])
        assert seen(remembered, site) == (None, [])
