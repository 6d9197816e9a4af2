"""Lint, formatting, types and what containers are made of; stops at the first that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["check"]

ROOT = Path(__file__).resolve().parent.parent

STEPS = {
    "lint": ["ruff", "check", "--quiet", "."],
    "formatting": ["ruff", "format", "--quiet", "--check", "."],
    "mypy": ["mypy", "--no-error-summary"],
    "pyright": ["pyright"],
    "public types": ["pyright", "--verifytypes", "admit", "--ignoreexternal"],
    "container": ["hadolint", "deploy/Containerfile"],
    "compose": ["check-jsonschema", "--quiet", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"],
}


def check() -> None:
    """Run every step in order."""
    # pyright asks the first Python on the path where packages are; its --pythonpath does not reach --verifytypes.
    programs = Path(sys.executable).parent
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    for name, command in STEPS.items():
        print(f"== {name}", flush=True)
        program = [str(programs / command[0]), *command[1:]]
        env = {**os.environ, "PATH": path}
        if subprocess.run(program, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, env=env).returncode:
            sys.exit(f"{name} failed. Its messages above say where.")


if __name__ == "__main__":
    check()
