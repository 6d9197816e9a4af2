"""Make a virtual environment from a hashed lock, or reuse the one that is there.

    python3 tools/environment.py run|dev|fuzz

Standard library only: on a fresh machine this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pythons
import system

__all__ = ["make"]

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the environment that the command line names."""
    kind = sys.argv[1]
    make(kind, kind, pythons.one_that_will_do())


def make(name: str, lock_name: str, python: str) -> Path:
    """Make ``.venv/<name>`` with ``python`` and return its Python; do nothing else if it is up to date."""
    folder, lock = ROOT / ".venv" / name, ROOT / "requirements" / f"{lock_name}.txt"
    inside, stamp, wanted = folder / "bin" / "python", folder / "stamp", _fingerprint(lock, python)
    if stamp.is_file() and stamp.read_text() == wanted:
        return inside
    print(f"== making .venv/{name} from {lock.name}, which may take a minute or two", flush=True)
    _create(folder, python)
    install = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "--require-hashes", "--requirement", str(lock)])
    _run([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    stamp.write_text(wanted)  # last, so that an environment that was left half-made is made again
    return inside


def _create(folder: Path, python: str) -> None:
    # Debian keeps the part of venv that brings pip in a package of its own.
    has_pip = subprocess.run([python, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0
    if not has_pip:
        ask = "import sys; print('python%d.%d-venv' % sys.version_info[:2])"
        package = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
        if not system.install(package):
            sys.exit(f"{python} can't make environments. Install the package {package} and try again.")
    _run([python, "-m", "venv", "--clear", str(folder)])


def _fingerprint(lock: Path, python: str) -> str:
    # The settings of tools come after [tool.ruff] and are read when the tools run.
    project = (ROOT / "pyproject.toml").read_text().partition("\n[tool.ruff]")[0]
    return hashlib.sha256(f"{lock.read_text()}{project}{python}{ROOT}".encode()).hexdigest()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{' '.join(command)} failed. Its message above says why.")


if __name__ == "__main__":
    main()
