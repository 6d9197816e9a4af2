"""Names of accounts: what may be one, and the one canonical form by which an account is found.

An identifier has two forms. Its *value* is what the person typed, for showing and for sending. Its *key* is what a
store compares: two spellings that people take for the same have one key, so that nobody signs up as somebody's twin,
and no store has to fold letters by rules of its own. Mail goes to the value that is stored, never to what a stranger
typed into a form (Django's CVE-2019-19844).

Sources: Unicode TR 36 and UTS 39 (scripts, mixed numbers, whole-script confusables, the email profile), RFC 5321,
RFC 6531, UTS 46.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from unicodedata import category, decimal, normalize

from admit import look_alikes
from admit.errors import InvalidInput, Text
from admit.model import Identifier, IdentifierKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["canonical", "claim_of", "claims_for", "email", "key_of", "kind_of", "username"]

#: The longest address that RFC 5321 can carry: 64 before the at-sign and 255 behind it.
_LONGEST = 320
#: One is enough: a family name of one character is common in Chinese, and a short name does no harm.
_LONGEST_USERNAME = 64

#: What tells the claim of a user name from that of an address; no key holds a line end.
_OF_A_NAME = "\nusername"

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What shows as nothing although it counts as a letter or a mark: joiners, fillers of Hangul, variation selectors.
_UNSEEN_LETTERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)

#: Letters and digits, each with at most four marks, and single dots, underscores or hyphens between them.
_USERNAME = r"(?:[\p{L}\p{Nd}]\p{M}{0,4})+(?:[._-](?:[\p{L}\p{Nd}]\p{M}{0,4})+)*"
#: What passes for another letter, or for none: i and j without a dot or with a second one, small capitals and clicks of
#: phonetic alphabets, apostrophes that count as letters, and the Arabic stroke that only lengthens a word.
_LOOK_ALIKES = (
    r"[\u0131\u0237\u0251\u0261\u0262\u0269\u026a\u0274\u0280\u028f\u0299\u029c\u029f\u1d00-\u1dbf]"
    r"|[\u01c0-\u01c3\u02b0-\u02ff\u0640]|\p{Soft_Dotted}\p{M}*\u0307"
)
#: The scripts that UTS 39 recommends. Japanese, Chinese and Korean are written in several, and with Latin.
_ALONE = (
    "Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hebr Knda Khmr Laoo Latn Mlym Mymr Orya Sinh Taml Telu Thaa "
    "Thai Tibt"
)
_TOGETHER = ("Latn Hani Hira Kana", "Latn Hani Bopo", "Latn Hani Hang")

#: Names that would speak for the site, or that an address such as ``/me`` may stand for. Dots and hyphens don't count.
_RESERVED_WORDS = """
    abuse account accounts admin administrator anonymous api billing contact everyone guest help hostmaster info login
    logout mail me moderator nobody noreply null official operator owner postmaster register root security self
    settings signin signup staff superuser support sysadmin system undefined webmaster www you
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())


def canonical(text: str) -> str:
    """Return the form in which spellings of one name are alike: NFKC, case folded, without blanks around it.

    .. versionadded:: 0.2
    """
    # Folding may undo the normal form, and the other way round: some letters need another turn.
    before, after = text, _folded(text)
    while after != before:
        before, after = after, _folded(after)
    return after


def key_of(text: str) -> str | None:
    """Return the key under which an identifier would be stored, or ``None`` for what can't be one; never raises.

    The domain of a mail address is compared as IDNA has it, because ``straße.example`` and ``strasse.example`` are
    two owners' although they fold alike.

    Args:
        text: What a client sent to name an account.

    .. versionadded:: 0.2
    """
    if len(text) > _LONGEST or not _is_visible(text):
        return None
    plain = normalize("NFKC", text).strip(" ")
    key = _address_key(plain) if "@" in plain else canonical(plain)
    return key if key and len(key) <= _LONGEST else None


def kind_of(key: str) -> IdentifierKind:
    """Return what kind of name a text is, by its key: what holds an at-sign is an address.

    .. versionadded:: 0.2
    """
    return IdentifierKind.EMAIL if "@" in key else IdentifierKind.USERNAME


def claim_of(identifier: Identifier) -> str:
    """Return what an identifier takes for itself, which no other one may have: its key.

    Of a user name that holds an at-sign, as an imported one may, it is not the address: whoever calls themselves by
    somebody's address keeps nobody from signing up with it, and nobody is found in the owner's place.

    .. versionadded:: 0.2
    """
    is_address = identifier.kind is IdentifierKind.USERNAME and "@" in identifier.key
    return f"{identifier.key}{_OF_A_NAME}" if is_address else identifier.key


def claims_for(key: str) -> tuple[str, str]:
    """Return the claims of those whom a text may name, by its key: the second only counts where nobody has the first.

    .. versionadded:: 0.2
    """
    return key, f"{key}{_OF_A_NAME}"


def email(text: str, *, field: str = "email") -> Identifier:
    """Return a mail address that somebody signs up with.

    Whether mail arrives there is for a mail to find out. Compatibility characters are refused, as UTS 39 asks for:
    a program that normalizes such an address later would send to another mailbox.

    Args:
        text: Exactly one address, without a name, comment or quotes.
        field: The field of the input that is named in a refusal.

    Raises:
        InvalidInput: It is no such address.

    .. versionadded:: 0.2
    """
    value, key = text.strip(" "), key_of(text)
    if key is None or not _is_address(value) or not _is_address(key):
        raise InvalidInput({field: Text("Please enter one mail address, such as name@example.com.")})
    return Identifier(IdentifierKind.EMAIL, value, key)


def username(text: str, *, field: str = "username") -> Identifier:
    """Return a user name that somebody signs up with, in NFKC.

    Args:
        text: 1 to 64 code points: letters and digits of one script, and single ``.``, ``_``, ``-`` between them.
        field: The field of the input that is named in a refusal.

    Raises:
        InvalidInput: It is no such name, is reserved, or looks too much like others.

    .. versionadded:: 0.2
    """
    # Before anything that takes time in proportion to it.
    if len(text) > _LONGEST:
        raise InvalidInput({field: _too_long()})
    value, key = normalize("NFKC", text).strip(" "), key_of(text) or ""
    for is_wrong, reason in _OBJECTIONS:
        if is_wrong(value, key):
            raise InvalidInput({field: reason()})
    return Identifier(IdentifierKind.USERNAME, value, key)


def _folded(text: str) -> str:
    return normalize("NFKC", normalize("NFKC", text).casefold()).strip(" ")


def _is_visible(text: str) -> bool:
    # Unassigned characters are refused too: a later Unicode may fold them, and the key would change.
    return not _UNSEEN_LETTERS.search(text) and not any(category(one) in _UNSEEN for one in text)


def _address_key(plain: str) -> str | None:
    local, _, domain = plain.rpartition("@")
    found = _domain(domain)
    # Such as root@localhost, in a table that the application had before. Folding what is not ASCII could make a name
    # of somebody else out of it.
    if found is None and domain.isascii():
        found = domain.lower()
    return f"{canonical(local)}@{found}" if found else None


def _domain(domain: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(f"x@{domain}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


def _is_address(text: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    plain = normalize("NFC", text)
    domain = plain.rpartition("@")[2].lower()
    return plain == normalize("NFKC", text) and domain in {found.domain, found.ascii_domain}


def _too_long() -> Text:
    return Text("At most {count} characters, please.", count=_LONGEST_USERNAME)


def _is_long(value: str, key: str) -> bool:
    return max(len(value), len(key)) > _LONGEST_USERNAME


def _is_malformed(value: str, key: str) -> bool:
    import regex

    return not regex.fullmatch(_USERNAME, value) or not regex.fullmatch(_USERNAME, key)


def _is_mixed(value: str, key: str) -> bool:
    zeros = {ord(one) - decimal(one) for one in value if category(one) == "Nd"}
    return len(zeros) > 1 or not any(matches(value) and matches(key) for matches in _scripts())


@cache
def _scripts() -> tuple[Callable[[str], object], ...]:
    import regex

    # What is common to all scripts, such as digits, or takes on that of the letter before it, such as accents.
    shared = ("Zyyy", "Zinh")
    classes = [
        "".join(rf"\p{{scx={one}}}" for one in (*group.split(), *shared)) for group in (*_ALONE.split(), *_TOGETHER)
    ]
    return tuple(regex.compile(f"[{letters}]+").fullmatch for letters in classes)


def _is_look_alike(value: str, key: str) -> bool:
    import regex

    if regex.search(_LOOK_ALIKES, normalize("NFD", value)) or regex.search(_LOOK_ALIKES, key):
        return True
    return look_alikes.is_look_alike(value)


def _is_reserved(_value: str, key: str) -> bool:
    return re.sub("[._-]", "", key) in _RESERVED


#: What a user name may not be, and the sentence that says so; the first that is true is told.
_OBJECTIONS: tuple[tuple[Callable[[str, str], bool], Callable[[], Text]], ...] = (
    (_is_long, _too_long),
    (
        _is_malformed,
        lambda: Text("Letters and digits, please, with single dots, hyphens or underscores between them."),
    ),
    (_is_mixed, lambda: Text("Letters and digits of one script only, please: others look too much alike.")),
    (_is_look_alike, lambda: Text("This name looks too much like another one could. Please choose another.")),
    (_is_reserved, lambda: Text("This name is reserved. Please choose another.")),
)
