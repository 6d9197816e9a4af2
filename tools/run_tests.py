"""What ``make test`` does: system packages, checks, then the tests on every Python that is here.

The Python that runs this has coverage, and the arguments; the others run beside it, one after the other, since a run
takes one core for most of its time. What they say comes after it, and the output ends with a closing line of pytest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import environment
import pythons
import system
from check import check

ROOT = Path(__file__).resolve().parent.parent

#: The programs that tests drive, and the packages of Debian that bring them.
PROGRAMS = {
    "chromium": ["chromium", "fonts-liberation"],
    "npm": ["nodejs", "npm"],
    "redis-server": ["redis-server"],
    "postgres": ["postgresql"],
    "nginx": ["nginx"],
}
#: The marks of tests that take long and say the same on every Python.
ONCE = ("browser", "docs", "asvs", "removal", "adopting", "deployed")
#: Where Debian keeps programs that are not on the path.
ELSEWHERE = "usr/lib/postgresql/*/bin"


def main() -> None:
    """Run everything; the exit code is that of the first thing that fails."""
    missing = install_programs()
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    with ThreadPoolExecutor(max_workers=1) as beside:
        making = beside.submit(environments_of, [version for version in pythons.SUPPORTED if version != here])
        check()
    others = making.result()
    # Where something can't run, some lines are not reached, and that is no news.
    coverage = ["--cov", *(["--cov-fail-under=0"] if missing else [])]
    with ThreadPoolExecutor(max_workers=1) as beside:
        runs = {version: beside.submit(quiet_pytest, inside) for version, inside in others.items()}
        print(f"== tests on Python {here}; on others beside it: {', '.join(runs) or 'none'}", flush=True)
        here_failed = pytest(sys.executable, *coverage, *sys.argv[1:])
        if here_failed:
            print(f"== failed on Python {here}: see above", flush=True)
        for version, run in runs.items():
            print(f"== Python {version}, without those that run once ({', '.join(ONCE)}), said\n", flush=True)
            print(run.result().stdout, flush=True)
    for run in runs.values():
        stop_if_failed(run.result().returncode)
    stop_if_failed(here_failed)


def install_programs() -> list[str]:
    """Install what tests need; return the programs that are missing all the same."""
    missing = [name for name in PROGRAMS if not is_there(name)]
    if missing:
        system.install(*(package for name in missing for package in PROGRAMS[name]))
        missing = [name for name in missing if not is_there(name)]
    if missing:
        print(f"== not on this machine: {', '.join(missing)}; the tests that need them can't run", flush=True)
    return missing


def is_there(program: str) -> bool:
    """Tell whether a program is on the path, or where Debian puts those that are not."""
    return bool(shutil.which(program)) or any(Path("/").glob(f"{ELSEWHERE}/{program}"))


def environments_of(versions: list[str]) -> dict[str, Path]:
    """Return the environments for those of these Pythons that are here, and say which are not."""
    found = {version: pythons.find(version) for version in versions}
    for version in [version for version, python in found.items() if python is None]:
        print(f"== Python {version} is not on this machine: nothing ran on it", flush=True)
    return {version: environment.make(f"dev-{version}", "dev", python) for version, python in found.items() if python}


def quiet_pytest(inside: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests with another Python, and keep what they say, so that two don't talk at once."""
    command = [str(inside), "-m", "pytest", "--quiet", "--no-header", "-m", f"not {' and not '.join(ONCE)}"]
    return subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def pytest(python: str, *arguments: str) -> int:
    """Run pytest with this Python; return its exit code."""
    command = [python, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode


def stop_if_failed(code: int) -> None:
    """End with the exit code of what failed."""
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
