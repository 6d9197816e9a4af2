"""Keep the catalogs of translations: find every sentence that people see, and bring each language up to date.

    python tools/catalogs.py

A new language: copy ``admit.pot`` to ``<language>/LC_MESSAGES/admit.po`` beside it, and run this.
"""

from __future__ import annotations

import ast
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compiled", "extracted", "main", "read", "updated", "written"]

SOURCE = Path(__file__).resolve().parent.parent / "src" / "admit"
FOLDER = SOURCE / "pages" / "translations"
TEMPLATE = FOLDER / "admit.pot"

#: The calls whose first argument is a sentence. Of `action` it is the title.
SAYING = {"Text", "said", "_"}
#: What the heading of a catalog says and nobody asks for.
_IDLE = (b'"Generated-By', b'"Language-Team', b'"Report-Msgid-Bugs-To')
#: There is a date in it as well, which would make each run another file.
_NEVER = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Write the template, and each language anew: as text, and as what programs read."""
    template = extracted()
    TEMPLATE.write_bytes(written(template))
    for path in languages():
        catalog = updated(path, template)
        path.write_bytes(written(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        lacking = [message.id for message in catalog if message.id and not message.string]
        print(f"{path.parent.parent.name}: {len(catalog)} sentences, {len(lacking)} to translate")
        print("".join(f"  {sentence}\n" for sentence in lacking), end="")


def languages() -> list[Path]:
    """Return the catalogs of the languages that there are."""
    return sorted(FOLDER.glob("*/LC_MESSAGES/admit.po"))


def extracted() -> Catalog:
    """Return a catalog of all sentences, without translations."""
    catalog = _catalog(None)
    for path in sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("templates/**/*.*")]):
        find = _in_module if path.suffix == ".py" else _in_template
        for sentence in find(path):
            catalog.add(sentence, locations=[(path.relative_to(SOURCE).as_posix(), 0)])
    return catalog


def read(path: Path) -> Catalog:
    """Return the catalog of a language."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def updated(path: Path, template: Catalog) -> Catalog:
    """Return the catalog of a language with exactly the sentences of the template."""
    known, catalog = read(path), _catalog(Locale.parse(path.parent.parent.name))
    for message in template:
        if message.id:
            old = known.get(message.id)
            catalog.add(message.id, old.string if old else None, message.locations)
    return catalog


def written(catalog: Catalog) -> bytes:
    """Return a catalog as text, alike for alike sentences."""
    file = io.BytesIO()
    write_po(file, catalog, width=120, sort_output=True, include_lineno=False)
    return b"".join(line for line in file.getvalue().splitlines(keepends=True) if not line.startswith(_IDLE))


def compiled(catalog: Catalog) -> bytes:
    """Return a catalog as programs read it."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def _catalog(locale: Locale | None) -> Catalog:
    return Catalog(
        locale,
        project="Admit",
        version="0",
        copyright_holder="The Admit authors",
        header_comment="# What pages, mails and errors say. `make catalogs` keeps the sentences up to date.",
        last_translator="The Admit authors",
        creation_date=_NEVER,
        revision_date=_NEVER,
        fuzzy=False,
    )


def _in_module(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(sentence)), *_]) if name in SAYING:
                yield sentence
            case ast.Call(func=ast.Name(id="action"), keywords=keywords):
                yield from _titles(keywords)
            case ast.ClassDef(body=body):
                yield from _messages(body)
            case _:
                pass


def _titles(keywords: list[ast.keyword]) -> Iterator[str]:
    for keyword in keywords:
        if keyword.arg == "title" and isinstance(keyword.value, ast.Constant):
            yield str(keyword.value.value)


def _messages(body: list[ast.stmt]) -> Iterator[str]:
    """Find what errors say: the attribute `message` of their classes."""
    for statement in body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id="message"), value=ast.Constant(value=str(sentence)))
                | ast.Assign(targets=[ast.Name(id="message")], value=ast.Constant(value=str(sentence)))
            ):
                yield sentence
            case _:
                pass


def _in_template(path: Path) -> Iterator[str | tuple[str, ...]]:
    with path.open("rb") as file:
        for _, function, found, _ in babel_extract(file, ["_", "ngettext"], [], {"encoding": "utf-8"}):
            sentences = tuple(one for one in (found if isinstance(found, tuple) else (found,)) if isinstance(one, str))
            if sentences:
                yield sentences[:2] if function == "ngettext" else sentences[0]


if __name__ == "__main__":
    main()
