"""What all tests share: a program that is missing is said aloud, and in CI it is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

IN_CI = bool(os.environ.get("CI"))
COULD_NOT_RUN = "could not run:"

pytest_plugins = ["tests.services.postgres", "tests.services.redis"]

# In CI, Hypothesis has a profile of its own: the same examples each time. Anywhere a machine may be slow.
if not IN_CI:
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


def program(name: str, *folders: str) -> str:
    """Return the path of a program that tests need, or give the test up.

    Outside of CI the test is reported as one that could not run; in CI it fails.

    Args:
        name: The program.
        folders: Where else to look than on the path; patterns below the root are fine.
    """
    found = shutil.which(name)
    places = [str(place) for folder in folders for place in Path("/").glob(f"{folder.lstrip('/')}/{name}")]
    if not found and not places:
        could_not_run(f"{name} is not on this machine")
    return found or max(places)


def could_not_run(reason: str) -> NoReturn:
    """Give a test up, since what it needs is not here; in CI it fails."""
    message = f"{COULD_NOT_RUN} {reason}"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the system's Chromium."""
    return program("chromium")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say at the end, in red, what could not run."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    missing = {reason.partition(COULD_NOT_RUN)[2].strip(" ')") for reason in reasons if COULD_NOT_RUN in reason}
    if missing:
        terminalreporter.section("SOME TESTS COULD NOT RUN", red=True, bold=True)
        terminalreporter.write_line(f"{'; '.join(sorted(missing))}. Install it and run them again.")
