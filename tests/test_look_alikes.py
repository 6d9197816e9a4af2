"""Names of another script that look like one in Latin: of two such names one is never given away."""

from __future__ import annotations

import itertools

import pytest

from admit import identifiers
from admit.errors import InvalidInput
from admit.look_alikes import is_look_alike

LATIN = ["capa", "Bepa", "TOM", "ooo", "nova", "anna", "o1", "l7"]
#: Names whose every letter looks like one of Latin; the letters are told by their numbers.
TWINS = [
    "\u0441\u0430\u0440\u0430",  # capa in Cyrillic
    "\u0421\u0430\u0440\u0430",
    "\u0421\u0410\u0420\u0410",
    "\u0441\u0430\u0440\u04301",
    "\u0441\u0430.\u0440\u0430",
    "\u0440\u0430\u0443\u0440\u0430\u04cf",  # paypal, with a palochka
    "\u0412\u0435\u0440\u0430",  # Bepa
    "\u0422\u041e\u041c",  # TOM
    "\u043e\u043e\u043e",
    "\u0451\u0435",  # with a mark
    "\u0391\u039d\u039d\u0391",  # ANNA in Greek
    "\u03bf\u03bf",
    "\u03bd\u03b9\u03bf",
    "\u057d\u0578\u057d",  # Armenian
    "\u05d5\u05e1",  # Hebrew
    "\u0665\u0665",  # digits of Arabic
    "\u0b20\u0b20",  # Oriya
]
#: Greek, Armenian, ... that look like Cyrillic, and not like Latin.
LIKE_CYRILLIC = ["\u03a0\u039f\u03a0", "\u03c0\u03bf\u03c0", "\u0393\u03a1\u0391\u03a6"]
#: Names with at least one letter that looks like none of another script.
OF_THEIR_OWN = [
    *LATIN,
    "\u0410\u043d\u043d\u0430",
    "\u043c\u0430\u0440\u0438\u044f",
    "\u042e\u0440\u0430",
    "\u0432\u0435\u0440\u0430",
    "\u041f\u041e\u041f",
    "\u043f\u043e\u043f",
    "\u039d\u03af\u03ba\u03bf\u03c2",
    "\u039a\u03b1\u03c4\u03b5\u03c1\u03af\u03bd\u03b1",
    "\u0531\u0580\u0561\u0574",
    "\u0639\u0645\u0631",
    "\u674e\u96f7",
    "\u30bf\u30ab",
    "jos\u00e9",
    "stra\u00dfe",
    "\u00f8re",
]


@pytest.mark.parametrize("name", [*TWINS, *LIKE_CYRILLIC])
def test_a_name_that_looks_like_one_of_another_script_is_refused(name: str) -> None:
    """Nobody signs up with a name whose every letter looks like one of Latin, or of Cyrillic."""
    assert is_look_alike(name)
    with pytest.raises(InvalidInput, match=r"."):
        identifiers.username(name)


@pytest.mark.parametrize("name", OF_THEIR_OWN)
def test_a_name_of_its_own_script_is_taken(name: str) -> None:
    """One letter that looks like none of another script is enough."""
    assert not is_look_alike(name)
    assert identifiers.username(name).value == name


def test_no_two_names_of_different_scripts_look_alike() -> None:
    """Of what some letters of three alphabets can spell, no two names that are taken are twins letter by letter."""
    # The same shapes in Latin, Cyrillic and Greek, as far as they have them.
    shapes = ["o\u043e\u03bf", "p\u0440\u03c1", "a\u0430\u03b1", "n\u043f\u03c0"]
    for word in itertools.product(shapes, repeat=3):
        same = ["".join(shape[script] for shape in word) for script in range(3)]
        taken = [name for name in same if not is_look_alike(name)]
        # The last shape is one of Cyrillic and Greek alone.
        of_latin = all(shape is not shapes[3] for shape in word)
        assert taken == ([same[0]] if of_latin else [same[0], same[1]])


def test_nothing_to_look_like() -> None:
    """A name without any letter beyond ASCII looks like itself."""
    assert not is_look_alike("")
    assert not is_look_alike("a.b-c_1")
