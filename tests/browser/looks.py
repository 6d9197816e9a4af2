"""What is looked for on each page: by axe, at every width and in every scheme of colours, and in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import ConsoleMessage, Page

NARROWEST = 320
_HEIGHT = 700

#: WCAG 2.2, levels A and AA, and what else axe holds for good practice.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: Those that ask what colour something has. All others find the same in light and in dark.
_COLOURS = ["color-contrast", "link-in-text-block"]
_VIEWS: list[tuple[Any, int, list[str]]] = [
    ("light", 1280, _RULES),
    ("light", 360, _COLOURS),
    ("dark", 360, _RULES),
    ("dark", 1280, _COLOURS),
]
_RUN = """async (rules) => {
  const { violations } = await axe.run({ runOnly: rules, resultTypes: ["violations"] });
  return violations.map((one) => `${one.id} ${one.nodes[0].html}`);
}"""


def complaints(page: Page) -> list[str]:
    """Return what the page complains of from now on: scripts that fail, what its policy forbids, what is not there."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A refusal is a page with a status of its own, which Chromium notes as well.
        if message.type in {"error", "warning"} and not message.location["url"].startswith(page.url):
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def looking(page: Page) -> tuple[Callable[[str], None], list[str]]:
    """Return what looks at a page at each stop of a tour, and the list of what is wrong, which it fills.

    Nothing may move on the page: in the course of a change of colours, a contrast is that of neither.
    """
    wrong = list[str]()

    def look(stop: str) -> None:
        page.evaluate(AXE_SCRIPT)
        for scheme, width, rules in _VIEWS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": _HEIGHT})
            wrong.extend(f"{stop}, {width} {scheme}: {one}" for one in page.evaluate(_RUN, rules))
            wrong.extend(too_wide(page, stop, width))
        page.set_viewport_size({"width": NARROWEST, "height": _HEIGHT})
        wrong.extend(too_wide(page, stop, NARROWEST))

    return look, wrong


def too_wide(page: Page, stop: str, width: int) -> list[str]:
    """Return that a page has to be scrolled sideways, if it has."""
    return [f"{stop}: wider than {width}"] if page.evaluate("document.documentElement.scrollWidth") > width else []
