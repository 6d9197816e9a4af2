"""Flask-Login's own released tests, fetched by their hash and run against Admit in an interpreter of their own."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent
PIN = HERE / "suite.txt"
ARCHIVE = "Flask-Login-0.6.3.tar.gz"
SUITE = "Flask-Login-0.6.3/tests/test_login.py"
TESTS_RELEASED = 114
DIFFERENCES_ALLOWED = 5
SECONDS = 300


def is_pinned(archive: Path) -> bool:
    """Say whether the archive is there and is, byte for byte, the one that was pinned."""
    return archive.exists() and hashlib.sha256(archive.read_bytes()).hexdigest() in PIN.read_text()


def fetch(folder: Path) -> Path:
    """Fetch the source archive; the installer refuses one whose hash is not the pinned one."""
    what = ["--require-hashes", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    where = ["--requirement", str(PIN), "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *what, *where], check=True, timeout=SECONDS)  # noqa: S603 our own words
    return folder / ARCHIVE


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the released test file, unpacked from the archive that is kept between runs."""
    kept = pytestconfig.cache.mkdir("flask_login_suite") / ARCHIVE
    if not is_pinned(kept):
        fetch(tmp_path_factory.mktemp("fetched")).replace(kept)
    file = tmp_path_factory.mktemp("suite") / "test_login.py"
    with tarfile.open(kept) as archive:
        file.write_bytes(archive.extractfile(SUITE).read())
    return file


def run(suite: Path, *plugins: str) -> dict[str, str]:
    """Run the suite in a fresh interpreter: each test's name, and how it failed (empty where it passed)."""
    report = suite.with_name(f"report{len(plugins)}.xml")
    warnings = ["-W", "error", "-W", "ignore:datetime.datetime.utcnow:DeprecationWarning"]
    options = ["-p", "no:cacheprovider", "--rootdir", str(suite.parent), "-c", os.devnull, f"--junitxml={report}"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", *options, *warnings, *plugins, suite.name]
    subprocess.run(command, cwd=suite.parent, env=environment, check=False, timeout=SECONDS)  # noqa: S603 our own words
    return {name_of(case): failure_of(case) for case in ET.parse(report).iter("testcase")}  # noqa: S314 our own file


def name_of(case: ET.Element) -> str:
    """Name a test as the list of differences does: its class and its function."""
    return f"{case.attrib['classname'].rpartition('.')[2]}.{case.attrib['name']}"


def failure_of(case: ET.Element) -> str:
    """Give the text of a test's failure, error or skip; a test that passed has none."""
    return "\n".join(f"{child.tag}: {child.text}" for child in case if child.tag in {"failure", "error", "skipped"})


def test_the_released_package_passes_its_own_suite(suite: Path) -> None:
    """The harness is sound: on the package that the suite was written for, all 114 tests pass."""
    outcomes = run(suite)
    assert len(outcomes) == TESTS_RELEASED
    assert [name for name, failure in outcomes.items() if failure] == []


def test_admit_passes_all_but_the_published_differences(suite: Path) -> None:
    """Under the alias all 114 tests run, and exactly the published differences fail, each as it is expected to."""
    differences = tomllib.loads((HERE / "differences.toml").read_text())
    outcomes = run(suite, "-p", "stand_in")
    failures = {name: failure for name, failure in outcomes.items() if failure}
    assert len(outcomes) == TESTS_RELEASED
    assert sorted(failures) == sorted(differences)
    assert [name for name, failure in failures.items() if differences[name]["shows"] not in failure] == []


def test_the_differences_are_few_and_each_has_its_reason() -> None:
    """At most five tests of the suite may differ, and each says why in a sentence or two."""
    differences = tomllib.loads((HERE / "differences.toml").read_text())
    assert 0 < len(differences) <= DIFFERENCES_ALLOWED
    assert all(difference["reason"].strip().endswith(".") for difference in differences.values())
