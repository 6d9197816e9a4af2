"""The shortest way from `pip install` to a login, in the README: it is as short as it says, and it works as written."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from tests.serving import free_port, running

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_LINES = 12


def blocks() -> list[tuple[str, str]]:
    """Return the language and the text of each block of the section."""
    section = (ROOT / "README.md").read_text().partition("## Twelve lines\n")[2].partition("\n## ")[0]
    return BLOCK.findall(section)


def test_it_has_twelve_lines() -> None:
    """From the installation to the start of the server there are at most twelve lines, none of them long."""
    lines = [line for _, text in blocks() for line in text.splitlines()]
    assert lines[0].startswith("$ pip install")
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) < 80


def test_it_works_as_written(tmp_path: Path) -> None:
    """Started as it says, it lets somebody sign up and in by its pages, and its view knows who that is."""
    [_, (_, program), (_, start)] = blocks()
    (tmp_path / "app.py").write_text(program)
    port, jar = free_port(), CookieJar()
    # Without the child process that watches for changes, which would be left over.
    words = [*shlex.split(start.removeprefix("$ ")), "--no-reload", "--port", str(port)]
    with running([sys.executable, "-m", *words], port, dict(os.environ), tmp_path):
        browser, site = build_opener(HTTPCookieProcessor(jar)), f"http://127.0.0.1:{port}"
        password = "seven green umbrellas in the attic"

        def send(path: str, **fields: str) -> str:
            return browser.open(site + path, urlencode(fields).encode()).read().decode()

        send("/account/sign-up", username="ada", password=password)
        seen = send("/account/sign-in", identifier="ada", password=password, next="/me")
        assert json.loads(seen)["username"] == "ada"
        assert json.load(browser.open(f"{site}/me"))["username"] == "ada"
