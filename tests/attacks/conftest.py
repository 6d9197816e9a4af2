"""What the attacks share: a fresh site for each, and a person on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.attacks.site import make_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.site import Browser, Site

ADA = "ada@people.example"


@pytest.fixture
def new_site(tmp_path: Path) -> Callable[..., Site]:
    """Return what makes a site over SQLite; one test may make one."""
    return partial(make_site, f"sqlite:///{tmp_path}/site.db")


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """Return a site on which Ada has a confirmed account."""
    found = new_site()
    found.member(ADA)
    return found


@pytest.fixture
def ada(site: Site) -> Browser:
    """Return Ada's browser, logged in."""
    return site.signed_in(ADA)


@pytest.fixture
def thief(site: Site) -> Browser:
    """Return a browser somewhere else that has never been here."""
    return site.browser("198.51.100.66")
