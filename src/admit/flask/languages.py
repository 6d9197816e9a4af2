"""The languages of pages, mails and errors, from catalogs: the application's own, and those beside our pages.

A catalog is ``<language>/LC_MESSAGES/admit.mo`` in the folder ``translations`` of the application. What it does not
say is said by ours.
"""

from __future__ import annotations

import gettext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app, has_app_context

from admit.errors import Text
from admit.flask import headers

if TYPE_CHECKING:
    from flask import Request

__all__ = ["best_language", "catalog", "languages", "said"]

_OURS = Path(__file__).parent.parent / "pages" / "translations"
_FIRST = "en"
#: How many parts of a language tag are looked at: language, script, region and variants.
_MOST_PARTS = 8


def languages() -> list[str]:
    """Return the languages that there are, English first."""
    return _languages(_folders())


def best_language(request: Request) -> str:
    """Return the language that the client likes best, of those that there are (RFC 4647, section 3.4).

    Whoever wants Austria's German gets German before a language that they like less.
    """
    there = {name.replace("_", "-").lower(): name for name in languages()}
    for tag in headers.accepted_languages(request):
        parts = tag.split("-", _MOST_PARTS)[:_MOST_PARTS]
        for count in range(len(parts), 0, -1):
            wanted = "-".join(parts[:count])
            if wanted in there:
                return there[wanted]
    return _FIRST


def said(text: str, language: str) -> str:
    """Return a sentence in a language."""
    find = catalog(language).gettext
    if isinstance(text, Text):
        return text.translated(find)
    # The empty sentence is the key of the catalog's own heading.
    return find(text) if text else text


def catalog(language: str) -> gettext.NullTranslations:
    """Return the sentences of a language; those of the application come first."""
    return _catalog(_folders(), language)


def _folders() -> tuple[Path, ...]:
    return _beside(current_app.root_path) if has_app_context() else (_OURS,)


@lru_cache(maxsize=64)
def _beside(root: str) -> tuple[Path, ...]:
    # Kept, because every sentence of a page asks for it.
    return Path(root) / "translations", _OURS


@lru_cache(maxsize=16)
def _languages(folders: tuple[Path, ...]) -> list[str]:
    found = {path.parent.parent.name for folder in folders for path in folder.glob("*/LC_MESSAGES/admit.mo")}
    return [_FIRST, *sorted(found - {_FIRST})]


@lru_cache(maxsize=64)
def _catalog(folders: tuple[Path, ...], language: str) -> gettext.NullTranslations:
    first, *others = [gettext.translation("admit", folder, [language], fallback=True) for folder in folders]
    for other in others:
        first.add_fallback(other)
    return first
