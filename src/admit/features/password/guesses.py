"""How many guesses a password takes, and whether it is one of those that everybody tries first.

The lists are zxcvbn's (MIT): 30,000 passwords from leaks, and words and names of English, in one copy with what
estimates by them. Importing it takes tens of milliseconds, so it is loaded when the first password is chosen.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.errors import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Strength", "estimated", "is_listed"]

#: Code points that are looked at, from each end. The time grows with the square of it, and more.
_SPAN = 72
#: In how many ways signs may be read as letters. zxcvbn tries all, which takes seconds for a text of many signs.
_READINGS = 4
# A sign that stands for no letter, instead of one too many that does.
_NO_LETTER = "\u00a4"

_WARNINGS = {
    "dictionary": Text("Common words, names and passwords are easy to guess, with digits added too."),
    "repeat": Text("Repeats are easy to guess."),
    "sequence": Text("Sequences such as abc or 6543 are easy to guess."),
    "spatial": Text("Rows of keys are easy to guess."),
    "date": Text("Dates are easy to guess."),
    "regex": Text("Years are easy to guess."),
}
_WEAK = Text("This is easy to guess. A few words that have nothing to do with each other are better.")


class Strength(NamedTuple):
    """How hard a password is to guess: from 0, at once, to 4, very; and why it is no harder, unless it is."""

    score: int
    warning: Text | None


def estimated(password: str, words: Iterable[str] = ()) -> Strength:
    """Return how hard a password is to guess for somebody who knows these words about its owner.

    Args:
        password: Of any length; what is between its first and last 72 code points counts for nothing.
        words: In lower case.
    """
    lists = {**_lists(), "user_inputs": {word: rank for rank, word in enumerate(words, 1)}}
    spans = dict.fromkeys((password[:_SPAN], password[-_SPAN:]))
    return max((_estimated(_readable(span), lists) for span in spans), key=lambda found: found.score)


def is_listed(text: str) -> bool:
    """Tell whether a text, in lower case, is a common password, word or name."""
    return any(text in words for words in _lists().values())


def _estimated(text: str, lists: Mapping[str, Mapping[str, int]]) -> Strength:
    # Not zxcvbn.zxcvbn, which notes the words in a global that other threads read.
    found = _part("scoring").most_guessable_match_sequence(text, _part("matching").omnimatch(text, lists))
    score: int = _part("time_estimates").guesses_to_score(found["guesses"])
    if score > 2:  # noqa: PLR2004 -- zxcvbn's own bound for a warning
        return Strength(score, None)
    longest: dict[str, Any] = max(found["sequence"], key=lambda match: len(match["token"]), default={"pattern": ""})
    return Strength(score, _WARNINGS.get(longest["pattern"], _WEAK))


def _readable(text: str) -> str:
    """Return the text with few enough signs that may stand for letters; digits stay, for the sake of dates."""
    table: dict[str, list[str]] = _part("matching").L33T_TABLE
    signs = {sign for group in table.values() for sign in group if not sign.isdigit()}
    for sign in reversed([one for one in dict.fromkeys(text) if one in signs]):
        if prod(sum(one in text for one in group) or 1 for group in table.values()) <= _READINGS:
            break
        text = text.replace(sign, _NO_LETTER)
    return text


def _lists() -> dict[str, dict[str, int]]:
    lists: dict[str, dict[str, int]] = _part("matching").RANKED_DICTIONARIES
    return lists


@cache
def _part(name: str) -> Any:
    # By its name: zxcvbn says nothing of its types, so whatever comes out of it is typed here.
    return import_module(f"zxcvbn.{name}")
