"""The pictures of the pages: all are shown, and they stay small."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images" / "pages"
MOST_BYTES = 4_000_000


def test_every_picture_is_shown() -> None:
    """The documentation shows every page of which there are pictures, and no other."""
    blocks = re.findall(r"```{admit-pages}\n(.*?)```", (ROOT / "docs" / "pages.md").read_text(), re.DOTALL)
    shown = [name for block in blocks for name in block.split()]
    kinds = [f"{kind}-{scheme}" for kind in ("desk", "phone") for scheme in ("light", "dark")]
    assert sorted(f"{name}-{kind}.png" for name in shown for kind in kinds) == sorted(
        path.name for path in PICTURES.iterdir()
    )


def test_pictures_are_small() -> None:
    """A clone does not take long because of pictures."""
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < MOST_BYTES
