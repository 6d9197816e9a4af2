"""Take the pictures of the pages for the documentation: each page, narrow and wide, light and dark."""

from __future__ import annotations

import base64
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.sites import FIREFOX, site  # noqa: E402 -- the tests are beside the tools, and no package
from tests.browser.tour import walk  # noqa: E402 -- as above

__all__ = ["take"]

if TYPE_CHECKING:
    from typing import Literal

    from playwright.sync_api import Page

FOLDER = ROOT / "docs" / "images" / "pages"
WIDTHS = {"phone": (360, 640), "desk": (1280, 720)}
#: Where the rest of a long list is more of the same, nobody wants to scroll through its picture.
TALLEST = 1200
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

#: Reduces a picture to its 64 most frequent colours, each other one to the nearest of those: a palette takes a quarter
#: of the bytes, and nobody sees the difference. A browser does it faster than Python.
REDUCE = """async (encoded) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + encoded)).blob());
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const pixels = new Uint32Array(canvas.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const one of pixels) counts.set(one, (counts.get(one) ?? 0) + 1);
  const palette = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 64);
  const parts = (one) => [one & 255, (one >> 8) & 255, (one >> 16) & 255];
  const distance = (a, b) => a.reduce((sum, part, i) => sum + (part - b[i]) ** 2, 0);
  const colours = palette.map(parts);
  const places = new Map(palette.map((one, place) => [one, place]));
  const nearest = (one) => {
    const distances = colours.map((colour) => distance(colour, parts(one)));
    return distances.indexOf(Math.min(...distances));
  };
  for (const one of counts.keys()) if (!places.has(one)) places.set(one, nearest(one));
  let rows = "";
  for (let i = 0; i < pixels.length; i++) rows += String.fromCharCode(places.get(pixels[i]));
  return { width, height, palette: colours.flat(), rows: btoa(rows) };
}"""


def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium takes the pictures, and it is not on this machine. Install it and try again.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    take(chromium)


def take(chromium: str) -> None:
    """Walk through the site once, and take every kind of picture at each stop."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder, site(Path(folder)) as served:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        profile = browser.new_context(
            reduced_motion="reduce", user_agent=FIREFOX, locale="en-GB", timezone_id="Europe/Berlin"
        )
        page, workshop = profile.new_page(), browser.new_page()
        walk(page, browser, served, lambda stop: _shoot(page, workshop, stop))
        browser.close()


def _shoot(page: Page, workshop: Page, stop: str) -> None:
    for kind, (width, height) in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate("scrollTo(0, 0)")
            tall = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
            picture = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": tall})
            (FOLDER / f"{stop}-{kind}-{scheme}.png").write_bytes(_reduced(workshop, picture))


def _reduced(workshop: Page, picture: bytes) -> bytes:
    """Return the picture with a palette of at most 64 colours."""
    found = workshop.evaluate(REDUCE, base64.b64encode(picture).decode())
    width, height, rows = found["width"], found["height"], base64.b64decode(found["rows"])
    # Each row has its filter before it: none.
    lines = b"".join(b"\0" + rows[start : start + width] for start in range(0, len(rows), width))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(found["palette"])),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    """Return a part of a PNG, with its length and checksum (PNG, 5.3)."""
    kind, content = chunk
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


if __name__ == "__main__":
    main()
