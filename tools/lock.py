"""Pin what ``requirements/*.in`` name, with hashes and without addresses: the newest versions, and once the lowest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
COMPILE = [
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--upgrade"),
    # One version of each package for all Pythons, where there is one.
    *("--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    "--generate-hashes",
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"),
]


def main() -> None:
    """Write a ``.txt`` beside each ``.in``, the same version of a package in both."""
    # pip refuses a lock with hashes without the extras that are asked for, unless a package is named without as well.
    dev = _lock("dev", "--no-strip-extras")
    for name in ("run", "fuzz"):
        _lock(name, "--no-strip-extras", "--constraint", str(dev))
    # What is in the container, and what makes the wheel for it; the same versions as the tests have.
    extras = ("--extra", "server", "--extra", "postgres", "--extra", "redis", "pyproject.toml")
    _lock("deploy", "--strip-extras", "--constraint", str(dev), *extras)
    _lock("build", "--strip-extras", "--constraint", str(dev))
    # The lowest versions that are allowed, of all that is.
    lowest = ("--resolution", "lowest-direct", "--all-extras", "pyproject.toml")
    _lock("lowest", "--no-strip-extras", *lowest)
    # Programs of others, which need older versions of some packages than we have.
    _lock("adopting", "--strip-extras")


def _lock(name: str, *options: str) -> Path:
    lock = REQUIREMENTS / f"{name}.txt"
    source = str(REQUIREMENTS / f"{name}.in")
    command = [*COMPILE, source, *options, "--output-file", str(lock)]
    subprocess.run(command, cwd=REQUIREMENTS.parent, check=True, stdin=subprocess.DEVNULL)
    return lock


if __name__ == "__main__":
    main()
