"""The client that openapi-python-client makes of the description passes a type checker and drives a login."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parent / "python" / "drive.py"


def run(*command: str | Path, **environment: str) -> None:
    """Run a program, which has to succeed."""
    words = [sys.executable, *map(str, command)]
    ran = subprocess.run(  # noqa: S603 -- our own words
        words, env=os.environ | environment, check=False, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def generated(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the client in it."""
    folder = tmp_path_factory.mktemp("client")
    # What it runs afterwards to make the code pretty is not what this is about.
    (folder / "config.yml").write_text("post_hooks: []\n")
    options = ["--path", document, "--meta", "none", "--config", folder / "config.yml", "--fail-on-warning"]
    run("-m", "openapi_python_client", "generate", *options, "--output-path", folder / "admit_client")
    return folder


def test_it_passes_a_type_checker(generated: Path) -> None:
    """The client and what uses it have no error of types."""
    options = ["--strict", "--config-file=", f"--cache-dir={generated / 'cache'}"]
    run("-m", "mypy", *options, DRIVER, generated / "admit_client", MYPYPATH=str(generated))


def test_it_drives_a_login(generated: Path, server: str) -> None:
    """Over a real connection it signs up, confirms the address, signs in, looks around and signs out."""
    run(DRIVER, server, PYTHONPATH=str(generated))
