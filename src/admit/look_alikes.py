"""Names of another script that look like one in Latin: UTS 39's whole-script confusables, decided once and for all.

Whoever signs up as "capa" in Cyrillic letters has another name than "capa" in Latin ones, and nobody sees it. Of two
such names one is never given away, so that nobody has to be asked what other names there are, and two who come at the
same moment can't have both: the one in Latin is free, and the one whose every letter looks like a letter of Latin is
not. Between Cyrillic and the other alphabets it is Cyrillic that is free. One letter that looks like none is enough.

The tables are made by ``tools/look_alikes.py``.
"""

from __future__ import annotations

from unicodedata import category, normalize

__all__ = ["is_look_alike"]

# Derived from confusables.txt of Unicode 17.0.0, under this licence (SPDX: Unicode-3.0):
#
# Copyright © 1991-2025 Unicode, Inc.
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of data files and any associated
# documentation (the "Data Files") or software and any associated documentation (the "Software") to deal in the Data
# Files or Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
# distribute, and/or sell copies of the Data Files or Software, and to permit persons to whom the Data Files or Software
# are furnished to do so, provided that either (a) this copyright and permission notice appear with all copies of the
# Data Files or Software, or (b) this copyright and permission notice appear in associated Documentation.
#
# THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
# LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF THIRD PARTY
# RIGHTS. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE BE LIABLE FOR ANY CLAIM, OR ANY
# SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES, OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
# WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
# PERFORMANCE OF THE DATA FILES OR SOFTWARE.
#
# Except as contained in this notice, the name of a copyright holder shall not be used in advertising or otherwise to
# promote the sale, use or other dealings in these Data Files or Software without prior written authorization of the
# copyright holder.

_LIKE_LATIN = (
    "\u037f\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4"
    "\u03a5\u03a7\u03b1\u03b2\u03b3\u03b9\u03bd\u03bf\u03c1\u03c3\u03c5\u03dc\u03f3"
    "\u03f7\u03f8\u03fa\u0405\u0406\u0408\u0410\u0412\u0415\u0417\u041a\u041c\u041d"
    "\u041e\u0420\u0421\u0422\u0423\u0425\u042c\u0430\u0431\u0433\u0435\u043e\u0440"
    "\u0441\u0443\u0445\u0448\u0455\u0456\u0458\u0461\u0474\u0475\u04ae\u04af\u04bb"
    "\u04bd\u04c0\u04cf\u04d8\u04d9\u04e0\u0501\u050c\u051b\u051c\u051d\u054d\u054f"
    "\u0555\u0561\u0563\u0566\u0570\u0578\u057c\u057d\u0581\u0582\u0584\u0585\u05d5"
    "\u05d8\u05df\u05e1\u0627\u0647\u0661\u0665\u0667\u06be\u06c1\u06d5\u06f1\u06f5"
    "\u06f7\u07c0\u0966\u0969\u09e6\u09ea\u09ed\u0a66\u0a67\u0a6a\u0ae6\u0ae9\u0b20"
    "\u0b66\u0b68\u0be6\u0c66\u0ce6\u0d1f\u0d20\u0d66\u0d6d\u0e50\u0ed0\u1004\u101d"
    "\u1040\u105a\u10e7\u10ff\u1200\u12d0\u17e0\u1d26\ua644\ua647"
)
_LIKE_CYRILLIC = (
    "\u0376\u0377\u037f\u0391\u0392\u0393\u0395\u0397\u0399\u039a\u039b\u039c\u039f"
    "\u03a0\u03a1\u03a4\u03a5\u03a6\u03a7\u03b1\u03b3\u03b5\u03b9\u03ba\u03bf\u03c0"
    "\u03c1\u03c3\u03c4\u03c6\u03f3\u03f8\u03fa\u054f\u0553\u0555\u0561\u0582\u0585"
    "\u05d5\u05df\u05e1\u0627\u0647\u0661\u0665\u0668\u06be\u06c1\u06d5\u06f1\u06f5"
    "\u06f8\u07c0\u0966\u0969\u09e6\u0a66\u0aaa\u0ae6\u0ae9\u0aeb\u0b20\u0b66\u0be6"
    "\u0c66\u0ce6\u0d1f\u0d20\u0d66\u0e50\u0ed0\u1004\u101d\u1040\u105a\u10e7\u10ff"
    "\u1240\u12d0\u17e0\u1d26\u1d28"
)


def is_look_alike(name: str) -> bool:
    """Tell whether a name of one script looks, letter by letter, like one in Latin or Cyrillic.

    Args:
        name: The name as it is shown.

    .. versionadded:: 0.2
    """
    letters = {one for one in normalize("NFD", name) if category(one)[0] in "LN" and not one.isascii()}
    return bool(letters) and any(letters <= look for look in _LOOKS)


_LOOKS = (frozenset(_LIKE_LATIN), frozenset(_LIKE_CYRILLIC))
