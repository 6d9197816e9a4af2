"""What may be a password: long enough, and not among what anybody would try first. Nothing else is asked of it.

No rules about kinds of characters and no expiry: they make passwords worse. Sources: NIST SP 800-63B-4, sections
3.1.1.2 and appendix A; OWASP, Authentication Cheat Sheet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from admit.errors import InvalidInput, Text
from admit.features.password.guesses import Strength, estimated, is_listed
from admit.features.password.hashing import normalized
from admit.identifiers import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Strength", "check", "strength"]

#: A shorter word is in many passwords by chance.
_SHORTEST_WORD = 4
#: A password needs so many letters beside the account's own words.
_OWN_LETTERS = 6
#: What is added to a common word counts as nothing if it is digits, no longer than the word, or of so few characters.
_VARIETY = 4
#: Of each of the account's own words: a site may let people choose long ones.
_LONGEST_WORD = 100
_WEAK = 1

_SIGNS = str.maketrans("@4830!1$57", "aabeoiisst")
_NO_LETTERS = re.compile(r"[\W\d_]+")


def check(password: str, *, minimum: int, words: Iterable[str] = ()) -> None:
    """Refuse what is no good as a new password.

    Args:
        password: What the client sent. Blanks and all of Unicode are welcome.
        minimum: How many code points it has at least, in NFC: 15 alone, 8 beside a second factor.
        words: What the account and the site are called: names, the mail address, the host.

    Raises:
        InvalidInput: It is too short or too long, can't be typed, is common, rests on one of the words, or is easy to
            guess; its field ``password`` says which.

    .. versionadded:: 0.2
    """
    text = normalized(password)
    if len(text) < minimum:
        _refuse(Text("At least {count} characters, please. A few words in a row make a good password.", count=minimum))
    known = _known(words)
    folded = canonical(text)
    if _is_own(folded, known):
        _refuse(Text("This rests on a name of yours or of this site, which is what others would try first."))
    if any(_is_common(one) for one in (folded, folded.translate(_SIGNS))):
        _refuse(Text("This is a common password or word, which is what others would try first."))
    found = estimated(text, known)
    if found.score <= _WEAK and found.warning:
        _refuse(found.warning)


def strength(password: str, words: Iterable[str] = ()) -> Strength:
    """Return how hard a password is to guess, to show while it is chosen.

    Args:
        password: What was typed so far.
        words: As for :func:`check`.

    Raises:
        InvalidInput: It can't be a password.

    .. versionadded:: 0.2
    """
    return estimated(normalized(password), _known(words))


def _refuse(reason: Text) -> None:
    raise InvalidInput({"password": reason})


def _known(words: Iterable[str]) -> list[str]:
    """Return the words and their parts, without what is between the parts; the longest first."""
    folded = [canonical(word[:_LONGEST_WORD]) for word in words]
    parts = {part for word in folded for part in (_letters_and_digits(word), *re.split(r"[\W_]+", word))}
    return sorted(parts - {""}, key=lambda part: (-len(part), part))


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _is_own(folded: str, known: list[str]) -> bool:
    readings = (_letters_and_digits(folded), _letters_and_digits(folded.translate(_SIGNS)))
    return any(_repeated(text) in known or _rests_on(text, known) for text in readings)


def _rests_on(text: str, known: list[str]) -> bool:
    rest = text
    for word in known:
        if len(word) >= _SHORTEST_WORD:
            # The place is kept, so that no word comes about by taking another out.
            rest = rest.replace(word, " ")
    return rest != text and len(_NO_LETTERS.sub("", rest)) < _OWN_LETTERS


def _is_common(folded: str) -> bool:
    core = _NO_LETTERS.sub(" ", folded).strip()
    added = folded.replace(core, "", 1)
    listed = [folded, _repeated(_letters_and_digits(folded))]
    adds_nothing = added.isdigit() or len(added) <= len(core) or len(set(added)) <= _VARIETY
    if adds_nothing and len(core) >= _SHORTEST_WORD:
        listed.append(_repeated(core.replace(" ", "")))
    return any(is_listed(text) for text in listed)


def _repeated(text: str) -> str:
    """Return the shortest text of which this one is a repetition: ``abc`` of ``abcabc``."""
    return text[: (text + text).find(text, 1)]
