"""A sign-in on a new device is one line of the activity, where both features are."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from admit.features import everything
from tests.flask.page_site import Site, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient


def lines(client: FlaskClient) -> list[str]:
    """Return what the page says, the latest first."""
    return re.findall(r"<h2>([^<]+?) *<", client.get("/account/activity").text)


def test_n08_a_new_device(tmp_path: Path) -> None:
    """It says that a new device signed in, and not once more that somebody signed in; a known one says that."""
    site = Site(tmp_path, everything())
    site.member()
    site.clock.advance(timedelta(days=2))
    client = site.client()
    sign_in(client)
    assert lines(client)[:2] == ["A new device signed in.", "You signed in."]
    assert len(lines(client)) == 4
    client.post("/account/sign-out")
    sign_in(client)
    assert lines(client)[:3] == ["You signed in.", "You signed out.", "A new device signed in."]
