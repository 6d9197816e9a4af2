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
    page = (tmp_path / "html" / "features" / "registration.html").read_text()
    for made in ("ADMIT_REGISTRATION_MODE", "/api/account/sign-up", "AccountCreated", "admit/registration/taken.txt"):
        assert made in page
    assert "registration_closed" in (tmp_path / "html" / "settings.html").read_text()


@pytest.mark.docs
def test_a_feature_that_is_not_there_stops_the_build(tmp_path: Path) -> None:
    """A page about a feature that was removed is an error that names those that there are."""
    (tmp_path / "index.md").write_text("# Gone\n\n```{admit-feature} gone\n```\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", ROOT / "docs", tmp_path, tmp_path / "html"]
    built = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    assert built.returncode != 0
    assert "There is no feature 'gone'. The features are account, " in built.stderr
