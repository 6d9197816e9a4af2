"""Taking away what is held of one, closing the account and coming back, in Chromium."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.sites import ADA, PASSWORD, at, fill, site

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_leaving(page: Page, tmp_path: Path) -> None:
    """All that is held comes as a file, a closed account is out at once, and signing in within the grace opens it."""
    with site(tmp_path) as served:
        served.add_member()
        page.goto(f"{served.url}/account/sign-in")
        fill(page, identifier=ADA, password=PASSWORD)
        at(page, f"Hello, {ADA}")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download all that we hold").click()
        taken = json.loads(download.value.path().read_text())
        assert download.value.suggested_filename.startswith("account-")
        assert taken["account"]["identifiers"][0]["value"] == ADA
        assert set(taken["held"]) >= {"account", "activity", "devices", "password"}
        page.get_by_role("link", name="Close your account").click()
        at(page, "Close your account")
        fill(page)
        at(page, "Your account is closed")
        page.goto(f"{served.url}/account/")
        at(page, "Sign in")
        fill(page, identifier=ADA, password=PASSWORD)
        at(page, f"Hello, {ADA}")
