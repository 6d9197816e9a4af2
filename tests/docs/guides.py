"""A guide of the documentation, followed as a reader does: its changes are made, and its commands typed."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Self

from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Guide:
    """A page that changes an application step by step.

    Args:
        page: The page, below the documentation.
        program: The application that it is about.
        folder: Where the reader has it.
        python: What the reader runs it with.
    """

    def __init__(self, page: str, program: Path, folder: Path, python: str = sys.executable) -> None:
        self._text = (ROOT / "docs" / page).read_text()
        self.python = python
        self.folder = folder
        self.app = folder / "app.py"
        self.app.write_text(program.read_text())
        self.environment = os.environ | {"SECRET_KEY": secrets.token_hex(32), "PYTHONWARNINGS": "ignore"}

    def copied(self, folder: Path) -> Self:
        """Return the same with a copy of all that is in the reader's folder, in another one."""
        other = copy(self)
        other.folder, other.app = folder, folder / "app.py"
        shutil.copytree(self.folder, folder)
        return other

    def blocks(self, section: str, language: str) -> list[str]:
        """Return the blocks in a language below a heading, up to the next one."""
        _, found, rest = self._text.partition(f"\n## {section}\n")
        assert found, f"there is no {section!r}"
        return [text for name, text in BLOCK.findall(rest.partition("\n## ")[0]) if name == language]

    def change(self, section: str, *, back: bool = False) -> int:
        """Make the change that a section shows, or take it back, and return how many lines are new."""
        [diff] = self.blocks(section, "diff")
        command = ["git", "apply", *(["--reverse"] if back else []), "-"]
        # A folder without a repository above it, in which git would look for the file.
        environment = self.environment | {"GIT_CEILING_DIRECTORIES": str(self.folder.parent)}
        subprocess.run(command, input=diff, text=True, check=True, cwd=self.folder, env=environment)  # noqa: S603
        return len(re.findall(r"^\+(?!\+\+ )", diff, re.MULTILINE))

    def type(self, section: str) -> str:
        """Run the commands of a section, but those that install and serve, and return what they print."""
        lines = [line for block in self.blocks(section, "console") for line in block.splitlines()]
        typed = [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]
        return "".join(self.run("-m", *words) for words in typed if words[0] != "pip" and words[:2] != ["flask", "run"])

    def run(self, *words: str) -> str:
        """Run the reader's Python with these words, and return what it prints."""
        command = [self.python, *words]
        ran = subprocess.run(  # noqa: S603 -- our own page's words
            command, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the application, as `flask run` does, and yield its address."""
        port = free_port()
        command = [self.python, "-m", "flask", "run", "--no-reload", "--port", str(port)]
        with running(command, port, self.environment, self.folder):
            yield f"http://127.0.0.1:{port}"
