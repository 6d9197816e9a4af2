"""Where the file of a relative URL of SQLite is: in an application's instance folder, as Flask-SQLAlchemy has it.

A Flask application and the command ``admit`` are given the same URL, and must mean the same file by it: an operator who
ends sessions in another one reads that there were none. The command has no instance folder and makes its file where it
runs. So whoever comes second takes the file that has Admit's tables in it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from admit.errors import ConfigurationError

__all__ = ["chosen", "file_of", "located"]

_URL = re.compile(r"(?P<scheme>sqlite(?:\+pysqlite)?:///(?:file:)?)(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL)
_OURS = r"SELECT 1 FROM sqlite_master WHERE name LIKE 'admit\_%' ESCAPE '\' LIMIT 1"


def located(instance: Path, url: str) -> str:
    """Return a URL as an application means it: its relative path of SQLite is made absolute, other URLs stay.

    Args:
        instance: The instance folder, which is made. The folder above it is where the command ``admit`` runs.
        url: The URL.
    """
    parts = _relative(url)
    if parts is None:
        return url
    instance.mkdir(parents=True, exist_ok=True)
    is_of_the_command = _is_ours(instance.parent / parts["path"]) and not _is_ours(instance / parts["path"])
    return _at(instance.parent if is_of_the_command else instance, parts)


def chosen(folder: Path, url: str) -> str:
    """Return a URL as the command ``admit`` means it: its relative path of SQLite is made absolute.

    Args:
        folder: Where it runs. The instance folder of an application is in it.
        url: The URL.

    Raises:
        ConfigurationError: There are two such files, and either may be meant.
    """
    parts = _relative(url)
    if parts is None:
        return url
    here, there = folder / parts["path"], folder / "instance" / parts["path"]
    if _is_ours(here) and _is_ours(there):
        message = (
            f"There are two databases: {here}, and {there}, which is the one of a Flask application. "
            "Name the one that you mean by its full path, as in sqlite:////srv/app.db."
        )
        raise ConfigurationError(message)
    return _at(folder / "instance" if _is_ours(there) or (there.exists() and not here.exists()) else folder, parts)


def file_of(url: str) -> Path | None:
    """Return the file that a URL of SQLite names, or None for a database in memory and any other URL."""
    parts = _parts(url)
    return None if parts is None else Path.cwd() / parts["path"]


def _is_ours(file: Path) -> bool:
    """Tell whether a file is a database with Admit's tables; one that can't be read just now is taken for one."""
    if not file.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(_OURS).fetchone() is not None
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False


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
