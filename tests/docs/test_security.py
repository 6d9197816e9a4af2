"""What the page about security lists is what there is."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from admit.flask.settings import ALL_SETTINGS
from admit.server.settings import known_settings
from admit.settings import SessionSettings
from admit.stores.sql_tables import tables
from tests.asvs.test_code import hashes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def rows(title: str) -> list[list[str]]:
    """Return the cells of the rows of all tables below a title, without the heads."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    breaks = {n for n, row in enumerate(found) if set(row[0]) == {"-"}}
    return [row for n, row in enumerate(found) if n not in breaks and n + 1 not in breaks]


def keys(text: str) -> set[str]:
    """Return the settings that a text names in full."""
    return set(re.findall(r"`(ADMIT_[A-Z_]+)`", text))


def test_every_setting_that_is_named_is_there() -> None:
    """The page names no setting that there is not."""
    known = {row.key for kind in {*ALL_SETTINGS, *known_settings()} for row in kind.describe()}
    assert keys(PAGE) <= known
    assert len(keys(PAGE)) > 20


def test_every_algorithm_is_listed() -> None:
    """The inventory has each algorithm that the code computes, and no other."""
    listed = {word for row in rows("Keys and algorithms") for word in re.findall(r"[\w-]+", row[0])}
    computed = {name for found in hashes().values() for name in found}
    assert computed == {one for one in listed if re.fullmatch(r"sha\d+|scrypt|pbkdf2_hmac", one)}
    assert "argon2id" in listed


def test_every_secret_has_its_line() -> None:
    """Each setting that is a secret, or holds one, says who has it, how it is changed and what it would cost."""
    listed = {key for row in rows("Keys and algorithms") if len(row) == 4 for key in keys(row[0])}
    for key in ("ADMIT_SECRET_KEY", "ADMIT_MAIL_URL", "ADMIT_DB", "ADMIT_SESSIONS"):
        assert key in listed
    named = {row.key for kind in known_settings() for row in kind.describe()}
    assert {key for key in named if re.search(r"SECRET|SALT|_KEY$", key)} <= listed


def test_every_column_has_a_class() -> None:
    """Each column of each table is secret, personal or internal, and none is listed twice."""
    listed = {row[0]: [re.findall(r"\w+", cell) for cell in row[1:]] for row in rows("What is kept") if len(row) == 4}
    there = {name.removeprefix("t_"): [*map(str, it.c.keys())] for name, it in tables(None, "t_").tables.items()}
    del there["alembic_version"]
    assert {name: sorted(itertools.chain(*classes)) for name, classes in listed.items()} == {
        name: sorted(columns) for name, columns in there.items()
    }


def test_who_is_spoken_to_is_given_up() -> None:
    """Each other machine that is spoken to has its own limit of time."""
    for row in rows("Who is spoken to"):
        assert keys(row[2]) or "time" in row[2]


@pytest.mark.parametrize("name", ["idle", "absolute", "remembered_idle", "remembered_absolute"])
def test_ends_of_sessions_are_as_documented(name: str) -> None:
    """What the page says of the defaults of sessions is what they are."""
    [row] = [row for row in rows("How long a login lasts") if SessionSettings.key(name) in keys(row[2])]
    found = re.match(r"(\d+) days?\b", row[3])
    assert found
    assert int(found[1]) == getattr(SessionSettings(), name).days


def test_repair_times_are_stated() -> None:
    """How soon a vulnerability of a dependency is repaired is said for each severity."""
    text = (ROOT / "SECURITY.md").read_text()
    assert [*map(int, re.findall(r"\| (\d+) days \|", text))] == [2, 7, 30, 90]


def test_limits_are_in_the_documentation() -> None:
    """Each limit of the throttle is a setting, and the page about throttling is made of them."""
    page = (ROOT / "docs" / "features" / "throttling.md").read_text()
    assert "```{admit-settings} throttle" in page
    assert {"pair", "address", "account", "device"} <= set(re.findall(r"^\| (\w+) \|", page, re.MULTILINE))
