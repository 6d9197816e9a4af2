"""Removing the folder of a feature, or of all but one: the rest passes, but for its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import admit

ROOT = Path(__file__).parent.parent.parent
SOURCE = Path(admit.__file__).parent
FOLDERS = sorted(path.parent.name for path in SOURCE.glob("features/*/__init__.py"))

#: Tests of the parts of a feature, which no other could miss.
PARTS = ("test_adopted", "test_hashing", "test_pool", "test_policy", "test_breaches", "test_examining")

pytestmark = pytest.mark.removal


@pytest.mark.parametrize("gone", FOLDERS)
def test_a_site_works_without_it(gone: str, tmp_path: Path) -> None:
    """In a copy without one feature's folder, accounts work with all others, and its own tests name it."""
    copy_of_the_package(tmp_path, without=[gone])
    ran = run_tests(tmp_path, "tests/features/test_everything.py", "tests/flask/test_accounts.py")
    assert ran.returncode == 0, ran.stdout
    own = run_tests(tmp_path, f"tests/features/{gone}")
    assert f"admit.features.{gone}" in own.stdout
    assert own.returncode != 0


@pytest.mark.parametrize("alone", FOLDERS)
def test_it_passes_without_all_others(alone: str, tmp_path: Path) -> None:
    """In a copy that has no other feature's folder, a feature passes its tests: it misses none of them, nor any two."""
    copy_of_the_package(tmp_path, without=[name for name in FOLDERS if name != alone])
    ran = run_tests(tmp_path, f"tests/features/{alone}")
    assert ran.returncode == 0, ran.stdout


def copy_of_the_package(folder: Path, *, without: list[str]) -> None:
    """Copy the package, but for the folders of some features."""
    shutil.copytree(SOURCE, folder / "admit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in without:
        shutil.rmtree(folder / "admit/features" / name)


def run_tests(source: Path, *what: str) -> subprocess.CompletedProcess[str]:
    """Run tests on a copy of the package."""
    # How hashes are made is no matter of features, and takes as long as all the rest.
    options = ["-q", "-x", "-p", "no:cacheprovider", *(f"--ignore=tests/features/password/{name}.py" for name in PARTS)]
    return subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, "-m", "pytest", *options, *what],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=False,
        capture_output=True,
        text=True,
    )
