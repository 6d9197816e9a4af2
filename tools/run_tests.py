"""What ``make test`` does: system packages, checks, then the tests on every Python that is here.

The Python that runs this, the oldest of them, runs everything, with coverage: what takes long and says the same on
every Python in runs of its own, beside the rest. The others run what may differ, and so does a run on the lowest
versions that pyproject.toml allows. Two runs go at a time, since a run takes one core for most of its time. The output
ends with a closing line of pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

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
#: The marks of tests that take long and say the same on every Python, in the lots that are run apart.
ONCE = (("adopting", "browser"), ("asvs", "deployed", "docs", "removal"))
#: Tests that say the same without a mark: of source texts, of whole sites, and of programs of others. What Python
#: itself parses (bodies, headers, cookies, addresses) is attacked on each.
SAME = (
    *("architecture/test_*.py", "attacks/test_*.py", "bench/test_*.py", "clients/test_*.py", "examples/test_*.py"),
    *(
        "flask/*_fuzz.py",
        "flask/test_half_done.py",
        "flask/test_slow_requests.py",
        "stores/test_*f[aou]*.py",
    ),
)
PARSED = {"test_parsing.py", "test_wire.py"}
#: What the Pythons between the oldest and the newest leave to those two.
OUTER = ("features/*/test_*.py", "flask/test_*.py", "fuzz/test_*.py", "server/test_*.py", "stores/test_*.py")
#: What may differ with the versions of what we build on: forms, cookies, templates, types of input, tables and drivers.
LOWEST = (
    *("architecture/test_versions.py", "test_device_names.py", "test_foreign_hashes.py"),
    *("features/password/test_password.py", "features/registration/test_registration.py"),
    *("flask/test_bodies.py", "flask/test_cli.py", "flask/test_metrics.py", "flask/test_pages.py"),
    *("flask/test_session_cookie.py", "flask/test_stored_login.py", "flask/test_unready.py", "server/test_cli.py"),
    *("stores/test_open_store.py", "stores/test_redis.py", "stores/test_sql.py", "stores/test_sql_model.py"),
    "stores/test_urls.py",
)
#: Not those that race or try much at random: they are about our code.
NOT_LOWEST = " and ".join(
    f"not {word}" for word in ("processes", "threads", "what_memory_does", "kill", "child", "every")
)
#: How many runs there are at a time.
LANES = 2
#: Where Debian keeps programs that are not on the path.
ELSEWHERE = "usr/lib/postgresql/*/bin"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


class Run(NamedTuple):
    """A run of pytest: what it is called, the Python, the arguments, and the file that coverage is kept in, if any."""

    name: str
    python: Path
    arguments: list[str]
    counts: str | None = None

    def result(self, *, aloud: bool = False) -> subprocess.CompletedProcess[str]:
        """Run it, and keep what it says unless it is to say it aloud: two must not talk at once."""
        count = ["--cov", "--cov-report=", "--cov-fail-under=0"] if self.counts else []
        manner = [] if aloud else ["--quiet", "--no-header"]
        return subprocess.run(
            [str(self.python), "-m", "pytest", *manner, *count, *self.arguments],
            cwd=ROOT,
            env={**os.environ, **({"COVERAGE_FILE": f".coverage.{self.counts}"} if self.counts else {})},
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=None if aloud else subprocess.PIPE,
            stderr=None if aloud else subprocess.STDOUT,
            text=True,
        )


def main() -> None:
    """Run everything; the exit code is that of the first thing that fails."""
    missing = install_programs()
    with ThreadPoolExecutor(max_workers=1) as beside:
        making = beside.submit(environments_of, [version for version in pythons.SUPPORTED if version != HERE])
        making_lowest = beside.submit(environment.make, "lowest", "lowest", sys.executable)
        check()
    others, lowest = making.result(), making_lowest.result()
    first, *rest = planned(others, lowest)
    coverage("erase")
    print(f"== tests on Python {HERE}; on others beside it: {', '.join(others) or 'none'}", flush=True)
    with ThreadPoolExecutor(max_workers=LANES) as lanes:
        loud, *quiet = [lanes.submit(first.result, aloud=True), *(lanes.submit(run.result) for run in rest)]
    if loud.result().returncode:
        print(f"== failed in {first.name}: see above", flush=True)
    *earlier, last = [(run, done.result()) for run, done in zip(rest, quiet, strict=True)]
    for run, done in earlier:
        told(run, done)
    # Where something can't run, some lines are not reached, and that is no news.
    uncovered = coverage("combine") or coverage("report", *(["--fail-under=0"] if missing else []))
    told(*last)
    for code in (loud.result().returncode, *(done.returncode for _, done in (*earlier, last)), uncovered):
        if code:
            sys.exit(code)


def planned(others: dict[str, Path], lowest: Path) -> list[Run]:
    """Return the runs, those that take longest first.

    Args:
        others: The environments of the other Pythons.
        lowest: That of this Python with the lowest versions that pyproject.toml allows.
    """
    apart = " and ".join(f"not {mark}" for lot in ONCE for mark in lot)
    here = Path(sys.executable)
    lots = [Run(f"Python {HERE}, {' and '.join(lot)}", here, ["-m", " or ".join(lot)], lot[0]) for lot in ONCE]
    runs = [
        Run(f"Python {version}", python, ["-m", apart, *left_out(SAME if version == max(others) else SAME + OUTER)])
        for version, python in sorted(others.items(), reverse=True)
    ]
    oldest = Run("the lowest versions", lowest, [*(f"tests/{name}" for name in LOWEST), "-k", NOT_LOWEST])
    return [Run(f"Python {HERE}", here, ["-m", apart, *sys.argv[1:]], "core"), *runs[:1], *lots, *runs[1:], oldest]


def left_out(patterns: tuple[str, ...]) -> list[str]:
    """Return the options that leave the files out which have such names."""
    tests = ROOT / "tests"
    found = sorted(path for pattern in patterns for path in tests.glob(pattern) if path.name not in PARSED)
    return [f"--ignore={path.relative_to(ROOT)}" for path in found]


def told(run: Run, done: subprocess.CompletedProcess[str]) -> None:
    """Say what a run has said."""
    print(f"== {run.name} said\n\n{done.stdout}", flush=True)


def coverage(*words: str) -> int:
    """Run coverage; return its exit code."""
    return subprocess.run([sys.executable, "-m", "coverage", *words], cwd=ROOT, check=False).returncode


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


if __name__ == "__main__":
    main()
