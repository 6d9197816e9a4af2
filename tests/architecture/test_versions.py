"""What pyproject.toml declares is true: each extra is used, and each lower bound is tested."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
DECLARED = sorted({one for extra in EXTRAS.values() for one in extra if not one.startswith("admit[")})
_REQUIREMENT = re.compile(r"(?P<name>[a-z0-9-]+)>=(?P<version>[0-9.]+)")
_LOCKED = re.compile(r"^(?P<name>[a-z0-9-]+)(?:\[\w+\])?==(?P<version>[^ ;]+)", re.MULTILINE)
LOCKED = dict(_LOCKED.findall((ROOT / "requirements/lowest.txt").read_text()))
#: Those whose module is called otherwise than what is installed.
MODULES = {
    "argon2-cffi": "argon2",
    "email-validator": "email_validator",
    "flask-swagger-ui": "flask_swagger_ui",
    "libpass": "passlib",
    "opentelemetry-api": "opentelemetry",
    "prometheus-client": "prometheus_client",
    "ua-parser": "ua_parser",
}
#: Those that nobody imports, with who needs them.
UNSEEN = {"hiredis": "redis-py uses it if it is there", "psycopg": "SQLAlchemy imports it by the URL"}


def imported() -> set[str]:
    """Return the packages that the source imports, or names as a text where it asks whether one is there."""
    found: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_0-9]+(\.[a-z_]*)*", str(node.value)):
                found.add(str(node.value).partition(".")[0])
    return found


IMPORTED = imported()


@pytest.mark.parametrize("requirement", DECLARED)
def test_n10_what_an_extra_installs_is_imported(requirement: str) -> None:
    """Nothing is installed that no module of the package needs."""
    name = _REQUIREMENT.fullmatch(requirement)["name"]
    assert name in UNSEEN or MODULES.get(name, name) in IMPORTED


@pytest.mark.parametrize("extra", EXTRAS)
def test_n10_extras_are_made_of_extras(extra: str) -> None:
    """An extra that includes others names some that there are."""
    included = [
        one for whole in EXTRAS[extra] for one in re.findall(r"[a-z]+", whole[6:]) if whole.startswith("admit[")
    ]
    assert set(included) <= set(EXTRAS)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda one: str(one.relative_to(ROOT))
)
def test_n10_pages_name_extras_that_there_are(page: Path) -> None:
    """Whatever a page tells people to install is there."""
    named = [one for extras in re.findall(r"admit\[([a-z,]+)\]", page.read_text()) for one in extras.split(",")]
    assert set(named) <= set(EXTRAS)


@pytest.mark.parametrize("requirement", DECLARED)
def test_u12_the_lowest_version_is_tested(requirement: str) -> None:
    """Each requirement has a lower bound, and one run of the tests has exactly that version."""
    name, version = _REQUIREMENT.fullmatch(requirement).groups()
    assert re.fullmatch(rf"{re.escape(version)}(\.0|\.post\d+)*", LOCKED[name])


def test_u12_the_lock_names_no_address() -> None:
    """The lock is the same wherever packages come from."""
    assert "://" not in (ROOT / "requirements/lowest.txt").read_text()
