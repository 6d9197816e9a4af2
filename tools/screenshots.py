"""Take the pictures of the pages for the documentation: each page, narrow and wide, light and dark."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.tour import FIREFOX, site, walk  # noqa: E402 -- the tests are beside the tools, and no package

__all__ = ["take"]

FOLDER = ROOT / "docs" / "images" / "pages"
WIDTHS = {"phone": (360, 640), "desk": (1280, 800)}


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium takes the pictures, and it is not on this machine. Install it and try again.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    take(chromium)


def take(chromium: str) -> None:
    """Walk through the site once for each kind of picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, (width, height) in WIDTHS.items():
            for scheme in ("light", "dark"):
                profile = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,  # type: ignore[arg-type] -- mypy takes the loop's variable for any text
                    user_agent=FIREFOX,
                    timezone_id="Europe/Berlin",
                )
                page = profile.new_page()
                with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as served:

                    def shoot(stop: str, kind: str = f"{name}-{scheme}") -> None:
                        page.screenshot(path=FOLDER / f"{stop}-{kind}.png", full_page=True)  # noqa: B023 -- called at once

                    walk(page, browser, served, shoot)
                profile.close()
        browser.close()


if __name__ == "__main__":
    main()
