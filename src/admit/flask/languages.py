"""The languages of pages, mails and errors, from the catalogs beside the pages."""

from __future__ import annotations

import gettext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from admit.errors import Text

if TYPE_CHECKING:
    from flask import Request

__all__ = ["best_language", "languages", "said"]

_CATALOGS = Path(__file__).parent.parent / "pages" / "translations"
_OURS = "en"


@lru_cache(maxsize=1)
def languages() -> list[str]:
    """Return the languages that there are, English first."""
    found = sorted(path.parent.parent.name for path in _CATALOGS.glob("*/LC_MESSAGES/admit.mo"))
    return [_OURS, *(name for name in found if name != _OURS)]


def best_language(request: Request) -> str:
    """Return the language that the client likes best, of those that there are."""
    return request.accept_languages.best_match(languages()) or _OURS


def said(text: str, language: str) -> str:
    """Return a sentence in a language."""
    if isinstance(text, Text):
        return text.translated(_catalog(language).gettext)
    return _catalog(language).gettext(text) if text else text


@lru_cache(maxsize=16)
def _catalog(language: str) -> gettext.NullTranslations:
    return gettext.translation("admit", _CATALOGS, [language], fallback=True)
