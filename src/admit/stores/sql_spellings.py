"""The spellings of a name that a table of the application's may hold, as far as a database can be asked for them.

A database folds letters by rules of its own: SQLite's ``lower()`` knows ASCII, PostgreSQL's what its locale knows. So
it is asked for each spelling that is likely, and what it finds is compared by our rule afterwards.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from unicodedata import normalize

__all__ = ["ascii_lower", "spellings"]

#: Of so many letters beyond ASCII each is tried in both cases; of more, all at once or the first of each word.
_MOST_LETTERS = 5
_SIGMA, _LAST_SIGMA = "\u03c3", "\u03c2"


def spellings(key: str) -> list[str]:
    """Return what ``lower()`` may make of a name with this canonical key.

    Args:
        key: The canonical form of the name (:func:`admit.identifiers.key_of`).
    """
    found: dict[str, None] = {}
    for text in _unfolded(key):
        for cased in _cases(text):
            found |= dict.fromkeys(normalize(form, cased) for form in ("NFC", "NFD"))
    return [one for one in found if "\0" not in one and one.isprintable()]


def _unfolded(key: str) -> list[str]:
    """Return the key, and what folds to it: a domain as people write it, a sharp s, a sigma at the end."""
    local, at, domain = key.rpartition("@")
    texts = [key, f"{local}{at}{_readable(domain)}"]
    texts += [one.replace("ss", "ß") for one in texts]
    return list(dict.fromkeys([*texts, *(f"{one[:-1]}{_LAST_SIGMA}" for one in texts if one.endswith(_SIGMA))]))


def _readable(domain: str) -> str:
    labels = domain.split(".")
    with suppress(UnicodeError):
        return ".".join(one[4:].encode().decode("punycode") if one.startswith("xn--") else one for one in labels)
    return domain


def _cases(text: str) -> list[str]:
    places = [number for number, one in enumerate(text) if not one.isascii() and len(one.upper()) == 1 != one.isupper()]
    if len(places) > _MOST_LETTERS:
        return [text, ascii_lower(text.upper()), ascii_lower(text.title())]
    found: list[str] = []
    for upper in product((False, True), repeat=len(places)):
        letters = list(text)
        for place, is_upper in zip(places, upper, strict=True):
            letters[place] = letters[place].upper() if is_upper else letters[place]
        found.append("".join(letters))
    return found


def ascii_lower(text: str) -> str:
    """Return a name as ``lower()`` of a database makes it that knows ASCII only.

    Args:
        text: The name as the table holds it.
    """
    return "".join(one.lower() if one.isascii() else one for one in text)
