"""Make the tables of `src/admit/look_alikes.py` from Unicode's confusables.txt, and print them.

`python tools/look_alikes.py confusables.txt`, with the file of https://www.unicode.org/Public/security/latest/.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unicodedata import category, normalize

import regex

#: The letters and digits that names in Latin are made of, and those of the modern alphabets of Cyrillic.
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789æœøßþðəÆŒØÞÐƏ"
CYRILLIC = "".join(
    map(chr, [*range(0x410, 0x450), 0x401, 0x451, *range(0x402, 0x410), *range(0x452, 0x460), 0x490, 0x491])
)
#: The scripts of user names, but for Chinese, Japanese and Korean, which are written with Latin anyhow.
SCRIPTS = [
    *("Armn", "Geor", "Hebr", "Arab", "Grek", "Beng", "Deva", "Ethi", "Gujr", "Guru", "Knda", "Khmr", "Laoo", "Mlym"),
    *("Mymr", "Orya", "Sinh", "Taml", "Telu", "Thaa", "Thai", "Tibt"),
]
WIDTH = 13


def main(path: str) -> None:
    """Print the letters that look like one of Latin, and like one of Cyrillic."""
    known = prototypes(Path(path).read_text("utf-8-sig"))
    for name, alphabet, scripts in (("LATIN", LATIN, ["Cyrl", *SCRIPTS]), ("CYRILLIC", CYRILLIC, SCRIPTS)):
        looks = {skeleton(one, known) for one in alphabet}
        found = [one for one in letters(scripts) if (look := skeleton(one, known)) in looks and len(look) == 1]
        print(f"_LIKE_{name} = (")
        for start in range(0, len(found), WIDTH):
            print('    "' + "".join(f"\\u{ord(one):04x}" for one in found[start : start + WIDTH]) + '"')
        print(")")


def prototypes(text: str) -> dict[str, str]:
    """Return what each character looks like, by the rows of the file."""
    rows = (line.partition("#")[0].split(";") for line in text.splitlines())
    return {_text(row[0]): _text(row[1]) for row in rows if len(row) > 1}


def skeleton(text: str, known: dict[str, str]) -> str:
    """Return what a text looks like (UTS 39, section 4)."""
    return normalize("NFD", "".join(known.get(one, one) for one in normalize("NFD", text)))


def letters(scripts: list[str]) -> list[str]:
    """Return the letters of some scripts, and all digits but ours, as NFD has them."""
    pattern = regex.compile("[" + "".join(rf"\p{{sc={one}}}" for one in scripts) + "]")
    return [
        one
        for one in map(chr, range(0x80, 0x10000))
        if normalize("NFKD", one) == one and (category(one) == "Nd" or (category(one)[0] == "L" and pattern.match(one)))
    ]


def _text(numbers: str) -> str:
    return "".join(chr(int(one, 16)) for one in numbers.split())


if __name__ == "__main__":
    main(sys.argv[1])
