"""The commands and the servers of an application that is not ready for production, as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the application in it."""
    shutil.copy(HERE / "app.py", tmp_path)
    return tmp_path


def run(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of this Python's until it ends."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLASK_", "ADMIT_", "GUNICORN_"))}
    command = [str(PROGRAMS / words[0]), *words[1:]]
    return subprocess.run(  # noqa: S603 -- our own words
        command, cwd=folder, env=kept, input=typed, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["routes"], "home"),
        (["db", "init"], "Generating"),
        (["shell"], "production"),
    ],
    ids=["routes", "db", "shell"],
)
def test_n02_commands_run_without_a_public_url(folder: Path, words: list[str], said: str) -> None:
    """Flask's commands, those of extensions and our own do what they do; none of them serves."""
    ran = run(folder, "flask", *words, typed="print('pro' + 'duction')\n")
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout
    assert "Traceback" not in ran.stderr


def test_n02_the_doctor_says_what_is_missing(folder: Path) -> None:
    """The doctor looks at such an application as at any other, and names each setting."""
    ran = run(folder, "flask", "admit", "doctor")
    assert ran.returncode == 1
    for word in ("SECRET_KEY is known", "Set ADMIT_PUBLIC_URL", "Set ADMIT_MAIL_URL"):
        assert word in ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["flask", "run", "--port", "0"],
        ["gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "app:app"],
        ["gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "--preload", "app:app"],
        ["waitress-serve", "--listen", "127.0.0.1:0", "app:app"],
        ["uwsgi", "--http-socket", "127.0.0.1:0", "--need-app", "--module", "app:app"],
    ],
    ids=["flask run", "gunicorn", "preload", "waitress", "uwsgi"],
)
def test_n02_servers_refuse_in_a_sentence(folder: Path, words: list[str]) -> None:
    """Each server ends at start, with a sentence that names what to set, and the way to develop without it."""
    ran = run(folder, *words)
    assert ran.returncode != 0
    [sentence] = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
    assert 'or run "flask --debug" during development' in sentence
    assert '"flask admit doctor" lists what else is missing' in sentence
    assert "Traceback" not in ran.stderr
