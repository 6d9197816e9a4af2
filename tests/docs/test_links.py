"""A link from one file of the project to another leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/features/*.md", "examples/*.md", "examples/*/*.md")
    for path in ROOT.glob(pattern)
)
#: What follows "](" up to the end or an anchor, unless it is an address or an anchor on the same page.
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    """Each relative link of a page, pictures included, names a file or folder of the project."""
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []
