"""The Pythons of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["SUPPORTED", "find", "one_that_will_do"]

SUPPORTED = ("3.11", "3.12", "3.13")


def find(version: str) -> str | None:
    """Return a Python of this version that runs: from the path, or from where pyenv keeps them."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}", path=folder) for folder in os.get_exec_path()]
    candidates += map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}")))
    return next((python for python in candidates if python and _runs(python)), None)


def one_that_will_do() -> str:
    """Return the Python that runs this if it is new enough, or the first one that is."""
    if sys.version_info >= (3, 11):  # noqa: UP036 -- an older one may run this, to find a newer one
        return sys.executable
    for version in SUPPORTED:
        found = find(version)
        if found:
            return found
    sys.exit(f"Python {sys.version.split()[0]} is too old for Admit. Install Python 3.11 or newer and try again.")


def _runs(python: str) -> bool:
    # A shim may be there without the Python behind it.
    command = [python, "-c", "import venv"]
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
