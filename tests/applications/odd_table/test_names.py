"""Names that nobody can sign in by: findings() asks the question that a sign-in asks."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import bcrypt
import pytest

from tests.applications.odd_table.members import OLD, Members, sign_in

if TYPE_CHECKING:
    from pathlib import Path

TABLES: dict[str, list[tuple[str, str | None]]] = {
    "two cases": [("toto", None), ("Toto", None)],
    "two cases with an accent": [("Émile", None), ("émile", None)],
    "sharp s": [("Straße", None), ("STRASSE", None)],
    "two forms of one letter": [("Jose\u0301", None), ("Jos\u00e9", None)],
    "a blank at the end": [("toto ", None)],
    "full width": [("\uff54oto", None)],
    "an address of somebody else": [("victim", "victim@example.org"), ("victim@example.org", "eve@example.org")],
    "nothing wrong": [("ada", "ada@example.org"), ("Émile", "emile@example.org")],
}


@pytest.mark.parametrize("people", TABLES.values(), ids=TABLES)
def test_u14_whoever_cant_sign_in_is_found_before(tmp_path: Path, people: list[tuple[str, str | None]]) -> None:
    """There are findings, and the doctor has them, exactly where somebody can't sign in by one of their names."""
    with closing(Members(tmp_path)) as members:
        for number, (login, post) in enumerate(people):
            members.add(login, bcrypt.hashpw(f"{OLD} {number}".encode(), bcrypt.gensalt(4)), post=post)
        client = members.start(verified=True)
        typed = [(name, f"{OLD} {number}") for number, person in enumerate(people) for name in person if name]
        shut_out = [name for name, password in typed if sign_in(client, name, password) != 200]
        with members.app.app_context():
            found = list(members.accounts.findings())
        told = members.app.test_cli_runner().invoke(args=["admit", "doctor"]).output
        assert bool(found) == bool(shut_out)
        assert (" users: " in told) == bool(shut_out)
