"""Which passwords are good enough: long, and not among those that are tried first.

NIST SP 800-63B-4, section 3.1.1.2: a minimum length, a list of passwords that are too common, and no rules about which
characters there must be. Whoever is refused is told why. How easy a password is to guess is asked of zxcvbn, whose
lists (30,000 leaked passwords, words and names in the order of their frequency) come with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, cast, runtime_checkable
from unicodedata import normalize

from admit.errors import InvalidInput, Text
from admit.features.password.hashing import normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BreachCheck", "Strength", "check", "strength"]

# zxcvbn takes a time that grows with the square of the length, and more characters are only harder to guess.
_JUDGED = 72
# A word of one's own that is shorter is in too many passwords by chance.
_SHORTEST_WORD = 4
# What has to be there besides one's own words.
_LEAST_BESIDES = 4
# Below, a password falls in a moment to whoever has its hash.
_WEAKEST = 2


@runtime_checkable
class BreachCheck(Protocol):
    """Tells how often a password was seen in breaches.

    .. versionadded:: 0.2
    """

    def count(self, password: str) -> int:
        """Return how often the password was seen; zero when it was not, or when nobody can tell right now."""
        ...


class Strength(NamedTuple):
    """How hard a password is to guess: from 0 (at once) to 4 (not in a lifetime), and why it is not harder."""

    score: int
    warning: str | None = None


def check(password: str, *, minimum: int, words: Sequence[str] = (), breach_check: BreachCheck | None = None) -> None:
    """Refuse a password that is not good enough.

    Args:
        password: What somebody has chosen.
        minimum: How many code points it has at least, once it is in NFC.
        words: What is known of its owner and of this site, and so is tried first.
        breach_check: What knows breaches, if anything does.

    Raises:
        InvalidInput: It is not; the message of the field ``password`` says why.
    """
    text = normalized(password)
    if len(text) < minimum:
        _refuse(Text("At least {count} characters, please. A sentence is easy to remember.", count=minimum))
    if text.casefold() in _common():
        _refuse(Text("This is one of the most common passwords, which are tried first."))
    if _is_made_of(text, words):
        _refuse(Text("This is made of your own name or address, or of the name of this site."))
    found = strength(text, words)
    if found.score < _WEAKEST:
        _refuse(found.warning or Text("This is too easy to guess. Add another word or two."))
    if breach_check is not None and breach_check.count(text):
        _refuse(Text("This password is known from a breach of another site. Please choose one that nobody has."))


def strength(password: str, words: Iterable[str] = ()) -> Strength:
    """Tell how hard a password is to guess.

    Args:
        password: The password; its first 72 characters are judged.
        words: What is known of its owner, and so is no riddle.
    """
    if not password:
        return Strength(0)
    from zxcvbn import zxcvbn  # type: ignore[import-untyped] # it ships no types

    judged = cast("dict[str, Any]", zxcvbn(password[:_JUDGED], sorted(_parts(words))))
    warning: str = judged["feedback"]["warning"]
    return Strength(judged["score"], Text(warning) if warning else None)


def _refuse(reason: str) -> NoReturn:
    raise InvalidInput({"password": reason})


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped] # as above

    return frozenset(cast("dict[str, list[str]]", FREQUENCY_LISTS)["passwords"])


def _is_made_of(text: str, words: Iterable[str]) -> bool:
    """Tell whether next to nothing is left of a password without somebody's own words, digits and punctuation."""
    rest = _folded(text)
    own = _parts(words)
    found = [word for word in sorted(own, key=len, reverse=True) if word in rest]
    for word in found:
        rest = rest.replace(word, "")
    return bool(found) and len(re.sub(r"[\W\d_]+", "", rest)) < _LEAST_BESIDES


def _parts(words: Iterable[str]) -> set[str]:
    """Return the words, and what a mail address or a name is put together of."""
    whole = {_folded(word) for word in words}
    parts = {part for word in whole for part in (*word.split("@"), *re.split(r"[\W_]+", word))}
    return {word for word in whole | parts if len(word) >= _SHORTEST_WORD}


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold()
