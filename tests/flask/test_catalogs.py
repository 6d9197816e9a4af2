"""The catalogs: they hold what people see, all of it, and every language says it."""

from __future__ import annotations

import gettext
import re
from typing import TYPE_CHECKING

import pytest

from admit.errors import AdmitError
from tools import catalogs

if TYPE_CHECKING:
    from pathlib import Path

    from babel.messages.catalog import Message

LANGUAGES = catalogs.languages()


def name_of(path: Path) -> str:
    """Return the language of a catalog."""
    return path.parent.parent.name


def forms(sentence: str | list[str] | tuple[str, ...]) -> list[str]:
    """Return a sentence in each of its forms, of which most have one."""
    return [sentence] if isinstance(sentence, str) else list(sentence)


def sentences(catalog: catalogs.Catalog) -> list[Message]:
    """Return what a catalog holds, without its heading."""
    return [message for message in catalog if message.id]


def placeholders(sentence: str) -> set[str]:
    """Return the names in braces."""
    return set(re.findall(r"{\w*}", sentence))


def test_the_template_is_up_to_date() -> None:
    """Every sentence of templates, actions and errors is in the template of catalogs."""
    assert catalogs.TEMPLATE.read_bytes() == catalogs.written(catalogs.extracted()), "Run make catalogs."


def test_what_errors_say_is_found() -> None:
    """The message of each error can be translated, whatever module declares it."""
    known = {message.id for message in sentences(catalogs.extracted())}
    assert {error.message for error in AdmitError.__subclasses__() if error.__module__.startswith("admit.")} <= known


def test_there_is_a_language_besides_english() -> None:
    """German is there."""
    assert "de" in map(name_of, LANGUAGES)


@pytest.mark.parametrize("path", LANGUAGES, ids=name_of)
def test_a_language_is_up_to_date(path: Path) -> None:
    """A language has exactly the sentences that there are."""
    assert path.read_bytes() == catalogs.written(catalogs.updated(path, catalogs.extracted())), "Run make catalogs."


@pytest.mark.parametrize("path", LANGUAGES, ids=name_of)
def test_a_language_is_complete(path: Path) -> None:
    """Nothing is left to translate or to look over again."""
    lacking = [one.id for one in sentences(catalogs.read(path)) if one.fuzzy or not all(forms(one.string))]
    assert lacking == []


@pytest.mark.parametrize("path", LANGUAGES, ids=name_of)
def test_the_parts_are_the_same(path: Path) -> None:
    """A translation has the placeholders of the sentence, so that it can be filled in and lacks nothing."""
    wrong = [
        one.id
        for one in sentences(catalogs.read(path))
        if any(placeholders(said) != placeholders(forms(one.id)[-1]) for said in forms(one.string))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", LANGUAGES, ids=name_of)
def test_what_programs_read_is_what_people_wrote(path: Path) -> None:
    """The compiled catalog says what the text says."""
    with path.with_suffix(".mo").open("rb") as file:
        found = gettext.GNUTranslations(file)
    for message in sentences(catalogs.read(path)):
        if isinstance(message.id, str):
            assert found.gettext(message.id) == message.string
        else:
            assert (found.ngettext(*message.id, 1), found.ngettext(*message.id, 2)) == tuple(message.string)
