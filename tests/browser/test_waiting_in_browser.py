"""Signing in where the queue of those who sign in has stood, in Chromium: with scripts it goes on by itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from admit.server.pages import accounts_of
from tests.browser.sites import ADA, PASSWORD, at, fill, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.sites import Site

pytestmark = pytest.mark.browser


@contextmanager
def crowded(served: Site) -> Iterator[None]:
    """Let others hash and wait until the block ends, as if for longer than the queue may stand."""
    feature: Any = accounts_of(served.app).features["password"]
    line = feature.hasher._pool._line.get()
    crowd = [f"somebody {number}" for number in range(feature.logins_at_once)]
    for one in crowd:
        line.enter(one, 0.0)
    line._empty_at = float("-inf")
    yield
    for one in crowd:
        line.leave(one)


def test_it_goes_on_by_itself(page: Page, tmp_path: Path) -> None:
    """Whoever is told to wait a moment is signed in by what they have typed, without doing anything."""
    with site(tmp_path) as served:
        served.add_member()
        page.goto(f"{served.url}/account/sign-in")
        with crowded(served):
            fill(page, identifier=ADA, password=PASSWORD)
            expect(page.get_by_role("status").filter(has_text="One moment")).to_be_visible()
            assert PASSWORD not in page.content()
            assert page.locator("#field-password").input_value() == PASSWORD
        at(page, f"Hello, {ADA}")
        assert "admit-wait" not in {one["name"] for one in page.context.cookies()}


def test_without_scripts(browser: Browser, tmp_path: Path) -> None:
    """Without scripts the form comes back with the name that was typed, and says to wait a moment."""
    profile = browser.new_context(java_script_enabled=False)
    with site(tmp_path) as served:
        served.add_member()
        page = profile.new_page()
        page.goto(f"{served.url}/account/sign-in")
        with crowded(served):
            fill(page, identifier=ADA, password=PASSWORD)
            expect(page.get_by_role("alert")).to_contain_text("One moment")
            assert page.locator("#field-identifier").input_value() == ADA
            assert PASSWORD not in page.content()
        fill(page, password=PASSWORD)
        at(page, f"Hello, {ADA}")
    profile.close()
