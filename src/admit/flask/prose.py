"""What docstrings say to those who only call an API."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

__all__ = ["Prose", "prose"]

#: Marks of Sphinx, which mean nothing to a reader of the description.
_ROLE = re.compile(r":\w+:`~?\.?([^`]+)`|``([^`]+)``")
# What is for developers begins with a directive, or with the name of a section.
_FOR_DEVELOPERS = re.compile(r"(?:^|\n)(?:\.\. |(?:Args|Raises|Returns|Yields):\n)")
_SENTENCE = re.compile(r"(.+?[.?!])(?:\s+|$)(.*)", re.DOTALL)


class Prose(NamedTuple):
    """What a docstring says to somebody who only calls: its first sentence, and the rest."""

    summary: str
    rest: str

    @property
    def text(self) -> str:
        """All of it."""
        return "\n\n".join(filter(None, self))


def prose(described: object) -> Prose:
    """Return what a docstring says, without the marks of Sphinx and without what is for developers."""
    text = described if isinstance(described, str) else inspect.getdoc(described) or ""
    text = _FOR_DEVELOPERS.split(inspect.cleandoc(text))[0].strip()
    text = _ROLE.sub(lambda found: f"`{(found[1] or found[2]).rpartition('.')[2]}`", text)
    # A paragraph is one line, since some readers keep line breaks.
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    found = _SENTENCE.match(text)
    return Prose(found[1], found[2].strip()) if found else Prose(text, "")
