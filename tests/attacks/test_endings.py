"""Everything that somebody can hold of an account, against everything that is done with accounts.

The table "What ends what" of docs/security.md is tried cell by cell, over HTTP and SQLite, so that it can't lie.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from admit.features import everything
from tests.attacks.endings import CHANGES, HELD, Street, unlock

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
WORDS = {"lives", "ends", "asks", "-"}
#: What only an account has whose address nobody has confirmed.
OPEN_ROW, OPEN_COLUMN = "confirmation link", "email confirmed elsewhere"
#: What has nothing to do with whether an address is confirmed, and takes a site that demands it.
STRICT = "waiting sign-up"


def table() -> dict[str, dict[str, str]]:
    """Return the word of each cell of the page, by row and column."""
    section = PAGE.read_text().partition("## What ends what")[2].partition("\n## ")[0]
    lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


TABLE = table()
NOT_YET = "not built yet"
CELLS = [
    (held, change, word)
    for held, row in TABLE.items()
    for change, word in row.items()
    if word != "-" and NOT_YET not in held
]


class Streets(NamedTuple):
    """A site where addresses have to be confirmed, and one where they need not be."""

    strict: Street
    open: Street


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streets]:
    """Return both sites, each over its own database."""
    folder = tmp_path_factory.mktemp("endings")
    found = Streets(
        Street(f"sqlite:///{folder}/strict.db", is_strict=True), Street(f"sqlite:///{folder}/open.db", is_strict=False)
    )
    yield found
    for street in found:
        street.close()


def test_the_page_has_every_cell() -> None:
    """The page has a row for all that is held, a column for all that is done, and one of the words in each cell."""
    built = [held for held in TABLE if NOT_YET not in held]
    assert built == list(HELD)
    assert all(list(row) == list(CHANGES) for row in TABLE.values())
    assert {word for row in TABLE.values() for word in row.values()} == WORDS


def test_what_is_not_built_yet_is_not_there() -> None:
    """What the page says is not built yet is none of the features, so that its row has to be filled once it is."""
    announced = {re.sub(r" \(.*", "", held) for held in TABLE if NOT_YET in held}
    assert announced == {"passkey", "TOTP", "recovery codes", "API token", "connected account", "trusted browser"}
    named = " ".join(type(one).name for one in everything())
    for word in ("passkey", "totp", "recovery", "token", "connect", "oauth", "trust"):
        assert word not in named


@pytest.mark.parametrize(("held", "change", "word"), CELLS)
def test_021_036_040_what_ends_what(streets: Streets, held: str, change: str, word: str) -> None:
    """What somebody held before a change does after it what the page says: it lives, it ends, or something is asked."""
    is_open = held == OPEN_ROW or (change == OPEN_COLUMN and held != STRICT)
    person = (streets.open if is_open else streets.strict).person(verified=not is_open)
    if change == "change of email undone":
        person.back = person.move(f"first-{person.target}")
        person.here = person.let_in()
    attempt = HELD[held](person)
    done = CHANGES[change](person)()
    assert done is None or isinstance(done, int) or done.status_code in {200, 204}, done.text
    found = standing(attempt())
    if change == "locked" and found == "ends":
        unlock(person)()
        found = "asks" if standing(attempt()) == "lives" else "ends"
    assert found == word
    # Where it is a link, its page says the same as its button.
    assert not person.page or (person.page == 200) == (word != "ends")


def standing(answer: Any) -> str:
    """Return the word for an answer to somebody who tries what they hold."""
    status = answer if isinstance(answer, int) else answer.status_code
    if status in {200, 202}:
        return "lives"
    assert status in {401, 403, 410}, status
    return "ends"
