"""The documentation builds, and a warning is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.docs
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    """Sphinx builds every page, resolves every reference of ours, and warns about nothing."""
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-d", tmp_path / "trees"]
    built = subprocess.run(  # noqa: S603
        [*command, ROOT / "docs", tmp_path / "html"], check=False, capture_output=True, text=True
    )
    assert built.stderr == ""
    assert (tmp_path / "html" / "index.html").is_file()
