"""The examples in the system's own Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.serving import ROOT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

#: Nothing leaves this machine, and nothing is asked of the person who isn't there.
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Start Chromium, for the tests of one file: while it runs, no other event loop may."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser profile of its own, as narrow as a phone."""
    profile = browser.new_context(viewport={"width": 320, "height": 640})
    profile.set_default_timeout(15_000)
    yield profile
    profile.close()


@pytest.fixture
def page(profile: BrowserContext) -> Iterator[Page]:
    """Return a page whose scripts must not fail."""
    page = profile.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    assert failures == []


@pytest.fixture(scope="module")
def recipe_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the recipe and return its address."""
    with serving(ROOT / "examples/recipe/app.py", RECIPE_INSTANCE=str(tmp_path_factory.mktemp("instance"))) as url:
        yield url


@pytest.fixture(scope="module")
def minimal_url() -> Iterator[str]:
    """Serve the minimal example and return its address."""
    with serving(ROOT / "examples/minimal/app.py") as url:
        yield url
