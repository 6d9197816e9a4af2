"""The commands that README and documentation tell a reader to type exist."""

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/features/*.md"), *ROOT.glob("examples/*/*.md")]
)
CONSOLE = re.compile(r"^```console\n((?:.*\n)*?)```$", re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Return the words of each line that begins with a prompt."""
    lines = [line for block in CONSOLE.findall(page.read_text()) for line in block.splitlines()]
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


def check_make(target: str) -> None:
    """Refuse a target that the Makefile does not have."""
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def check_pip(*words: str) -> None:
    """Refuse an installation of anything but this project with extras that it has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name, extras = re.fullmatch(r"([a-z]+)(?:\[(.*)\])?", words[-1]).groups()
    assert (words[0], name) == ("install", project["name"])
    assert set((extras or "").split(",")) - {""} <= set(project["optional-dependencies"])


def check_flask(*words: str) -> None:
    """Refuse a command that `flask admit` does not have, or arguments that it or `flask run` does not take."""
    from flask.cli import run_command

    from admit.flask.cli import admit_commands

    if words[0] == "run":
        # Not parsed: Flask's options change the environment as they are read.
        assert set(words[1:]) <= {name for option in run_command.params for name in option.opts}
        return
    assert words[0] == "admit"
    command, rest = admit_commands, list(words[1:])
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    parse(command, rest)


def check_admit(*words: str) -> None:
    """Refuse a command that `admit` does not have, or arguments that it does not take."""
    from admit.server.cli import main

    command, rest = main, list(words)
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    parse(command, rest)


def parse(command: click.Command, words: list[str]) -> None:
    """Let a command read its arguments, and not ask whether it is meant."""
    sure = [name for option in command.params for name in option.opts if name == "--yes"]
    command.make_context(command.name, [*sure, *words])


def check_pybabel(*words: str) -> None:
    """Refuse a command that Babel does not have."""
    from babel.messages.frontend import CommandLineInterface

    assert words[0] in CommandLineInterface.commands


CHECKS: dict[str, Callable[..., None]] = {
    "admit": check_admit,
    "flask": check_flask,
    "make": check_make,
    "pip": check_pip,
    "pybabel": check_pybabel,
}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    """Each command after a prompt is a target, an extra or a subcommand that is there."""
    for name, *words in commands(page):
        CHECKS[name](*words)


@pytest.mark.parametrize("page", [page for page in PAGES if "coming-from" in page.name], ids=lambda page: page.name)
def test_the_settings_of_a_guide_exist(page: Path) -> None:
    """Each setting that a guide names is one."""
    from admit.features import everything
    from admit.flask.settings import ALL_SETTINGS

    there = {row.key for settings in (*ALL_SETTINGS, *everything()) for row in settings.describe()}
    assert set(re.findall(r"\bADMIT_[A-Z_]+", page.read_text())) <= there


@pytest.mark.parametrize(
    "words",
    [
        ["make", "tset"],
        ["pip", "install", "admit[flsk]"],
        ["flask", "admit", "sesions"],
        ["flask", "run", "--debgu"],
        ["admit", "urn"],
    ],
)
def test_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    """A misspelled target, extra or subcommand is refused."""
    name, *rest = words
    with pytest.raises((AssertionError, KeyError)):
        CHECKS[name](*rest)
