"""What the tests of adopting share: a Python that has the programs whose users are adopted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.serving import ROOT


@pytest.fixture(scope="session")
def old_python() -> str:
    """Return a Python that has the other programs, which need older packages than we have."""
    environment = [sys.executable, str(ROOT / "tools/environment.py"), "adopting"]
    subprocess.run(environment, check=True, cwd=ROOT)  # noqa: S603 -- our own words
    return str(ROOT / ".venv/adopting/bin/python")
