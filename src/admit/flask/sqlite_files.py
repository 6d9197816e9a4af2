"""Where the file of a relative URL of SQLite is: below the instance folder, as Flask-SQLAlchemy has it.

A Flask application and the command ``admit`` are given the same URL, and must mean the same file by it: whoever ends
sessions in another one is told that there were none.
"""

from __future__ import annotations

import re
from pathlib import Path

from admit.errors import ConfigurationError

__all__ = ["chosen", "file_of", "located"]

_URL = re.compile(r"(?P<scheme>sqlite(?:\+pysqlite)?:///(?:file:)?)(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL)


def located(folder: Path, url: str) -> str:
    """Return a URL with its relative path of SQLite below a folder, which is made; any other URL is as it was."""
    parts = _relative(url)
    if parts is None:
        return url
    folder.mkdir(parents=True, exist_ok=True)
    return _at(folder, parts)


def chosen(folder: Path, url: str, *, is_default: bool) -> str:
    """Return a URL of a command with its relative path of SQLite where the application in a folder has that file.

    Args:
        folder: The folder of the application, in which its instance folder is.
        url: The URL.
        is_default: Whether nobody has given it. The file is in the folder itself then, unless an application has it.

    Raises:
        ConfigurationError: There are two such files, and either may be meant.
    """
    parts, instance = _relative(url), folder / "instance"
    if parts is None:
        return url
    is_here, is_there = (folder / parts["path"]).exists(), (instance / parts["path"]).exists()
    if is_here and is_there:
        message = (
            f"There are two databases: {folder / parts['path']} and {instance / parts['path']}, which is the one of a "
            "Flask application. Name the one that you mean by its full path, as in sqlite:////srv/app.db."
        )
        raise ConfigurationError(message)
    return _at(folder, parts) if is_here or (is_default and not is_there) else located(instance, url)


def file_of(url: str) -> Path | None:
    """Return the file that a URL of SQLite names, or None for a database in memory and any other URL."""
    parts = _parts(url)
    return None if parts is None else Path.cwd() / parts["path"]


def _relative(url: str) -> re.Match[str] | None:
    parts = _parts(url)
    return None if parts is None or Path(parts["path"]).is_absolute() else parts


def _parts(url: str) -> re.Match[str] | None:
    parts = _URL.fullmatch(url)
    if parts is None or parts["path"] in {"", ":memory:"} or "mode=memory" in (parts["query"] or ""):
        return None
    return parts


def _at(folder: Path, parts: re.Match[str]) -> str:
    return f"{parts['scheme']}{folder / parts['path']}{parts['query'] or ''}"
