"""Make a virtual environment from a hashed lock, or reuse the one that is there.

    python3 tools/environment.py run|dev|fuzz

Standard library only: on a fresh machine this runs before anything is installed. uv fills it, which takes seconds where
pip takes minutes, and pip where uv can't: uv does not read all of what a machine may have told pip.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pythons
import system

__all__ = ["make"]

ROOT = Path(__file__).resolve().parent.parent

#: How a lock pins uv: its version, and the hashes on the lines that it goes on with.
PIN_OF_UV = re.compile(r"^uv==(?:.*\\\n)*.*\n", re.MULTILINE)
#: What pip is told and uv has to be, by the variable that tells it.
TOLD = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}


def main() -> None:
    """Make the environment that the command line names."""
    kind = sys.argv[1]
    make(kind, kind, pythons.one_that_will_do())


def make(name: str, lock_name: str, python: str) -> Path:
    """Make ``.venv/<name>`` with ``python`` and return its Python; do nothing else if it is up to date."""
    folder, lock = ROOT / ".venv" / name, ROOT / "requirements" / f"{lock_name}.txt"
    wanted = _fingerprint(f"{lock.read_text()}{_project()}", python)
    if _is_made(folder, wanted):
        return _python_of(folder)
    print(f"== making .venv/{name} from {lock.name}, which may take a minute", flush=True)
    if not _filled_by_uv(folder, lock, python):
        _create(folder, python)
        _run(_pip(folder, "--require-hashes", "--requirement", str(lock)))
        _run(_pip(folder, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)))
    return _stamp(folder, wanted)


def _filled_by_uv(folder: Path, lock: Path, python: str) -> bool:
    inside = _python_of(_uv(python))
    told = _told_to_pip(inside) | os.environ
    install = [str(inside.with_name("uv")), "pip", "install", "--quiet", "--python", str(_python_of(folder))]
    for command in (
        [python, "-m", "venv", "--clear", "--without-pip", str(folder)],
        # As pip does: trusting whom the machine trusts, and compiling now, so that no first run is unlike the second.
        [*install, "--system-certs", "--compile-bytecode", "--require-hashes", "--requirement", str(lock)],
        [*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        done = _done(command, told)
        if done.returncode:
            print(f"{done.stderr}== uv can't, for the reason above: trying pip", flush=True)
            return False
    return True


def _uv(python: str) -> Path:
    """Return the environment that has uv alone, of the version that is locked, made by pip."""
    folder, lock = ROOT / ".venv" / "uv", ROOT / "requirements" / "dev.txt"
    pin = PIN_OF_UV.findall(lock.read_text())[0]
    wanted = _fingerprint(pin, "")  # by whichever Python: it is a program of its own
    if not _is_made(folder, wanted):
        _create(folder, python)
        pinned = folder / "uv.txt"
        pinned.write_text(pin)
        _run(_pip(folder, "--require-hashes", "--requirement", str(pinned)))
        _stamp(folder, wanted)
    return folder


def _told_to_pip(inside: Path) -> dict[str, str]:
    # One "section.name='value'" on a line, sorted, so that what the environment says comes first. It goes before files.
    said = _done([str(inside), "-m", "pip", "config", "list"]).stdout
    found = reversed(re.findall(r"\.([a-z-]+)='(.*)'$", said, re.MULTILINE))
    return {TOLD[name]: value for name, value in found if name in TOLD}


def _create(folder: Path, python: str) -> None:
    # Debian keeps the part of venv that brings pip in a package of its own.
    if _done([python, "-c", "import ensurepip"]).returncode:
        ask = "import sys; print('python%d.%d-venv' % sys.version_info[:2])"
        package = _done([python, "-c", ask]).stdout.strip()
        if not system.install(package):
            sys.exit(f"{python} can't make environments. Install the package {package} and try again.")
    _run([python, "-m", "venv", "--clear", str(folder)])


def _pip(folder: Path, *words: str) -> list[str]:
    return [str(_python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]


def _python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def _is_made(folder: Path, wanted: str) -> bool:
    stamp = folder / "stamp"
    return stamp.is_file() and stamp.read_text() == wanted


def _stamp(folder: Path, wanted: str) -> Path:
    (folder / "stamp").write_text(wanted)  # last, so that an environment that was left half-made is made again
    return _python_of(folder)


def _fingerprint(text: str, python: str) -> str:
    return hashlib.sha256(f"{text}{python}{ROOT}".encode()).hexdigest()


def _project() -> str:
    # The settings of tools come after [tool.ruff] and are read when the tools run.
    return (ROOT / "pyproject.toml").read_text().partition("\n[tool.ruff]")[0]


def _run(command: list[str]) -> None:
    done = _done(command)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{' '.join(command)} failed. Its message above says why.")


def _done(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )


if __name__ == "__main__":
    main()
