"""Which users of an application's own table can't sign in, or can't be mailed, and what to do about each.

The question is the one that a login asks: what key the stored name has, whether the table is asked for it in the
spelling that it holds, and whether anybody else has the same key. All names are looked at in one pass.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from admit import foreign_hashes
from admit import identifiers as names
from admit.mail import is_address
from admit.model import IdentifierKind
from admit.stores.sql_spellings import ascii_lower, spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from admit.stores.sql_model_values import Person

__all__ = ["MOST_TOLD", "Unreadable", "findings", "warn_of_crossed"]

#: How many user names that are addresses are logged.
MOST_TOLD = 20
#: What stands in a column for no password, such as Django's and Unix's marks.
_MARKS = ("!", "*")
_log = logging.getLogger(__name__)


def findings(people: Iterable[Person], kinds: Mapping[str, IdentifierKind]) -> Iterator[str]:
    """Tell of each user who can't sign in by one of their names, can't be mailed, or has a hash that is too costly.

    Args:
        people: All users.
        kinds: The attributes that name a user, and what kind of name each is.
    """
    comparison, unreadable = _Comparison(), Unreadable()
    for person in people:
        unreadable.count(person.id, person.password)
        for attribute, kind in kinds.items():
            if person.read[attribute]:
                yield from _of_name(person.id, attribute, kind, str(person.read[attribute]), comparison)
        objection = foreign_hashes.cost_objection(person.password)
        if objection is not None:
            yield f"password of {person.id}: {objection} Give this user another one, by PasswordReset() or by hand."
    yield from unreadable.told()


class Unreadable:
    """How many users have something for a password that is no hash which can be read, and who is the first."""

    def __init__(self) -> None:
        self._users, self._first = 0, ""

    def count(self, account_id: str, stored: str | None) -> None:
        """Look at what a user's column holds. Nothing at all, or a mark such as ``!``, is meant to be no password."""
        if not stored or stored.startswith(_MARKS):
            return
        if foreign_hashes.read(stored) is None and foreign_hashes.cost_objection(stored) is None:
            self._first = self._first or account_id
            self._users += 1

    def told(self) -> Iterator[str]:
        """Tell of them, in one sentence and what to do."""
        if self._users:
            others = f" and {self._users - 1} more have" if self._users > 1 else " has"
            yield (
                f"password: user {self._first}{others} a value that is no hash which can be read, so that no password "
                "is right. Check that password= names the column of the hashes, or let these users choose a new one "
                "by PasswordReset()."
            )


def warn_of_crossed(crossed: Iterable[tuple[str, str]]) -> None:
    """Log which user names are addresses, and not their owner's.

    Args:
        crossed: The id of each user, and the name.
    """
    for account_id, value in crossed:
        _log.warning(
            "The user name %r of user %s is an address. Whoever has that address is found by it instead. Give this "
            "user another name. ModelAccounts.findings() tells of all who can't sign in.",
            value,
            account_id,
        )


def _of_name(
    person_id: str, attribute: str, kind: IdentifierKind, value: str, comparison: _Comparison
) -> Iterator[str]:
    key = names.key_of(value)
    if kind is IdentifierKind.EMAIL and not is_address(value):
        yield f"{kind} of {person_id}: {value!r} is not one address that mail can go to. Correct it."
    if key is None or ascii_lower(value) not in spellings(key):
        yield f"{kind} of {person_id}: {value!r} can't be typed. Give this user another one."
    else:
        yield from comparison.of(person_id, attribute, kind, key)


class _Comparison:
    """Who has which name; told of each name once, it tells of those by which a login finds nobody, or another one."""

    def __init__(self) -> None:
        self._holders: dict[tuple[IdentifierKind, str], str] = {}
        self._told: set[tuple[IdentifierKind, str]] = set()

    def of(self, person_id: str, attribute: str, kind: IdentifierKind, key: str) -> Iterator[str]:
        """Compare a name with those before it."""
        holder = self._holders.setdefault((kind, key), person_id)
        if holder != person_id:
            if (kind, key) not in self._told:
                self._told.add((kind, key))
                yield f"{attribute}: several users are called {key!r}, but for its case. Rename all but one."
            return
        [other] = set(IdentifierKind) - {kind}
        namesake = self._holders.get((other, key), person_id)
        if namesake != person_id:
            first, second = (other, namesake), (kind, person_id)
            # An address is looked for among the addresses first.
            (wrong, loser), (_, winner) = (first, second) if names.kind_of(key) is kind else (second, first)
            yield (
                f"{wrong} of {loser}: {key!r} names user {winner} as well, who is found in their place. "
                "Give this user another one."
            )
