"""Users of an adopted table who can't sign in are named before: the question is the one that a login asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import String
from sqlalchemy.orm import mapped_column

from admit import identifiers as names
from tests.stores.conftest import HASH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stores.conftest import Place

COSTLY = f"scrypt:1048576:8:1$salt${'0' * 128}"
PEOPLE: dict[str, list[tuple[str | None, str | None]]] = {
    "nothing": [("ada", "ada@example.org"), ("\u00c9mile", "emile@example.org"), (None, None), ("", "")],
    "case": [("toto", None), ("Toto", None), ("TOTO", None)],
    "case of an accent": [("\u00c9mile", None), ("\u00e9mile", None)],
    "a sharp s": [("Stra\u00dfe", None), ("STRASSE", None)],
    "two forms of a letter": [("Jose\u0301", None), ("Jos\u00e9", None)],
    "a blank": [("toto ", None)],
    "full width": [("\uff54oto", None)],
    "many letters in odd cases": [("\u00c4\u00f6\u00c4\u00f6\u00c4\u00f6\u00c4", None)],
    "what nobody sees": [("to\u200bto", None)],
    "an address as a name": [("ada@example.org", None)],
    "one's own": [("Ada@example.org", "ada@EXAMPLE.org")],
    "another one's, later": [("victim", "victim@example.org"), ("victim@example.org", "eve@example.org")],
    "another one's, before": [("victim@example.org", "eve@example.org"), ("victim", "Victim@example.org")],
    "another one's name": [("root", "ada@example.org"), ("eve", "root")],
    "addresses": [("a", "J\u00fcrgen@example.org"), ("b", "j\u00fcrgen@example.org")],
}
FINE = {"nothing", "an address as a name", "one's own"}


@pytest.mark.parametrize("what", PEOPLE)
def test_who_cant_sign_in_is_told(open_place: Callable[..., Place], what: str) -> None:
    """A name by which its owner is not found is told of, with the id, and no other one is."""
    place = open_place(login=mapped_column("LOGIN", String(80)), address=mapped_column(String(200)))
    store = place.store()
    shut_out: set[str] = set()
    ids = [place.add(login=login, address=address) for login, address in PEOPLE[what]]
    for account_id, row in zip(ids, PEOPLE[what], strict=True):
        for typed in filter(None, row):
            found = store.find_account(names.key_of(typed) or "")
            if found is None or found.id != account_id:
                shut_out.add(account_id)
    told = list(store.findings())
    assert bool(shut_out) == bool(told) == (what not in FINE), told
    assert all(one.endswith((" another one.", "Rename all but one.", "Correct it.")) for one in told)
    assert len(told) == len(set(told))


def test_a_hash_that_costs_too_much_is_told(place: Place) -> None:
    """Whose hash is not computed is told of, without the hash."""
    store = place.store()
    place.add(login="ada", secret=HASH)
    place.add(login="grace", secret="!")
    place.add(login="eve", secret=COSTLY)
    [told] = store.findings()
    assert told.startswith("password of 3: This hash (scrypt of Werkzeug, n=1048576, r=8, p=1) costs more than is")
    assert "000" not in told
    without = place.store(password=None)
    assert list(without.findings()) == []


def test_names_that_are_addresses_are_logged_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Before the first name is looked for it is logged who is called by what may be another one's address."""
    store = place.store()
    place.add(login="ada@example.org", address="ADA@example.org")
    place.add(login="victim@example.org", address="eve@example.org")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            store.find_account("nobody")
    [record] = caplog.records
    assert record.getMessage().startswith("The user name 'victim@example.org' of user 2 is an address.")
    caplog.clear()
    names_alone = place.store(identifiers={"login": "username"})
    assert names_alone.find_account("victim@example.org")
    assert not caplog.records


@pytest.mark.parametrize(("key", "are_used_again"), [("int", True), ("str", False), ("made uuid", False)])
def test_u04_only_numbers_are_used_again(
    open_place: Callable[..., Place],
    key: str,
    are_used_again: bool,  # noqa: FBT001 -- a value of a table
) -> None:
    """SQLite gives the number of a deleted row to the next one; a key that the application makes is its own affair."""
    assert open_place(key).store().uses_keys_again() is are_used_again
