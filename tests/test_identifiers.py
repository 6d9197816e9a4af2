"""Names of accounts: one key for the spellings of one name, and nothing that is a name only to a machine."""

from __future__ import annotations

import subprocess
import sys
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from admit.errors import InvalidInput, Text
from admit.identifiers import canonical, email, key_of, username
from admit.model import IdentifierKind

#: Any text, lone surrogates included: a JSON body may hold them.
ANY = st.text(st.characters(exclude_categories=()))
#: Pieces of names that are the same to a person, or nearly.
NEAR = st.lists(
    st.sampled_from(
        [*"aAiIoOsSkK1.-_@", "\u212a", "\u017f", "\u0131", "\u0130", "\u00df", "\u1e9e", "\uff41", "\ufb01"]
    ),
    max_size=8,
).map("".join)
#: Texts that show as something else than they are, or as nothing.
UNSEEN = {
    "NUL": "\x00",
    "tab": "\t",
    "line end": "\r\n",
    "delete": "\x7f",
    "C1 control": "\x85",
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "soft hyphen": "\xad",
    "byte order mark": "\ufeff",
    "right-to-left override": "\u202e",
    "right-to-left isolate": "\u2067",
    "line separator": "\u2028",
    "lone surrogate": "\ud800",
    "private use": "\ue000",
    "unassigned": "\U000effff",
    "variation selector": "\ufe0f",
    "grapheme joiner": "\u034f",
    "filler of Hangul": "\u3164",
    "tag": "\U000e0061",
}


def refused(make: object, text: str) -> dict[str, str]:
    """Return what is wrong with each field."""
    assert callable(make)
    with pytest.raises(InvalidInput) as caught:
        make(text)
    assert all(isinstance(reason, Text) for reason in caught.value.fields.values())
    return caught.value.fields


# -- keys -------------------------------------------------------------------------------------------------------------


@given(ANY | NEAR)
@example("\u0345\u03b1")
@example("\u1fb4\u0345 ")
def test_canonical_is_stable(text: str) -> None:
    """The canonical form of a canonical form is itself, and is in the normal form that stores expect."""
    folded = canonical(text)
    assert canonical(folded) == folded
    assert normalize("NFKC", folded) == folded == folded.casefold()


@given(ANY | NEAR)
@example("a@b.com,c@d.com")
@example("@")
@example("a@" + "stra\u00dfe" * 10 + ".example")
def test_any_text_has_a_key_or_none(text: str) -> None:
    """Whatever a client sends, there is no exception, and a key is its own key, short and without unseen characters."""
    key = key_of(text)
    assert key is None or (key_of(key) == key and 0 < len(key) <= 320 and not set(key) & set("".join(UNSEEN.values())))


@given(st.text(max_size=200))
def test_a_key_is_no_wider_than_the_canonical_form(text: str) -> None:
    """A look-up finds no account but the one whose name has this canonical form (attack 70, CVE-2019-19844)."""
    key = key_of(text)
    if key is not None and "@" not in key:
        assert key == canonical(text)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("mike@example.org\u0131", "mike@example.orgi"),
        ("m\u0131ke@example.org", "mike@example.org"),
        ("mike@ex\u0430mple.org", "mike@example.org"),
        ("mike@g\u0131thub.com", "mike@github.com"),
        ("mike@stra\u00dfe.example", "mike@strasse.example"),
        (f"mike@{'a' * 57}\u00df\u00df.org", f"mike@{'a' * 57}ssss.org"),
        ("mike@example.org,eve@example.org", "mike@example.org"),
        ("mike@example.org\neve@example.org", "mike@example.org"),
        ("eve@example.org\x00", "eve@example.org"),
        ("m\u0131ke", "mike"),
        ("\u043c\u0456\u043a\u0435", "mike"),
        ("mi.ke@example.org", "mike@example.org"),
        ("mike+x@example.org", "mike@example.org"),
    ],
)
def test_a_look_alike_finds_nobody_else(typed: str, stored: str) -> None:
    """What looks like somebody's name, but does not fold to it, does not find them (attack 70)."""
    assert key_of(stored) is not None
    assert key_of(typed) != key_of(stored)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mike@Example.ORG", "mike@example.org"),
        (" mike@example.org\u00a0", "mike@example.org"),
        ("\uff4d\uff49\uff4b\uff45@example.org", "mike@example.org"),
        ("mike@example\uff0eorg", "mike@example.org"),
        ("mike@B\u00dcCHER.example", "mike@xn--bcher-kva.example"),
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
        ("stra\u00dfe", "STRASSE"),
        ("\u212aelvin", "kelvin"),
        ("\u017fam", "sam"),
        ("Root@LocalHost", "root@localhost"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    """Case, width, blanks around, composition and the two forms of a domain make no difference (attack 69)."""
    assert key_of(one) == key_of(other) is not None


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("shape", ["{}", "{}ada", "a{}da", "ada{}", "ada@exam{}ple.org"])
def test_unseen_characters_are_in_no_name(unseen: str, shape: str) -> None:
    """Controls, zero widths, bidi marks, surrogates and the like make it no identifier (attack 69)."""
    text = shape.format(UNSEEN[unseen])
    assert key_of(text) is None
    assert set(refused(email, text)) == {"email"}
    assert set(refused(username, text)) == {"username"}


@pytest.mark.parametrize(
    "text", ["", " ", "\u00a0\u3000", "a" * 321, "\ufdfa" * 40, "a" * 100_000, "a@exa\u00dfmple_.org"]
)
def test_what_is_too_much_or_nothing_has_no_key(text: str) -> None:
    """Nothing, more than 320 characters before or after folding, and a domain that can't be one find nobody."""
    assert key_of(text) is None


# -- mail addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value", "key"),
    [
        ("Ada.Lovelace+news@Example.ORG", "Ada.Lovelace+news@Example.ORG", "ada.lovelace+news@example.org"),
        ("  ada@example.org ", "ada@example.org", "ada@example.org"),
        ("o'neil@example.org", "o'neil@example.org", "o'neil@example.org"),
        ("ada@b\u00fccher.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("\u7528\u6237@example.org", "\u7528\u6237@example.org", "\u7528\u6237@example.org"),
        ("J\u00f6rg@example.org", "J\u00f6rg@example.org", "j\u00f6rg@example.org"),
    ],
)
def test_an_address_is_kept_as_typed(typed: str, value: str, key: str) -> None:
    """Mail goes to the address as it was typed, and the account is found by its canonical form."""
    made = email(typed)
    assert (made.kind, made.value, made.key, made.verified_at) == (IdentifierKind.EMAIL, value, key, None)
    assert key_of(typed) == key_of(value) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example",
        "ada@@example.org",
        "a\uff20b.com",
        "a\ufe6bb.com",
        "a\ufe6bb@c.com",
        "a@b.com,c@d.com",
        "a@b.com;c@d.com",
        "a@b.com c@d.com",
        "a@b.com\r\nBcc: c@d.com",
        "a@b.com%0d%0aBcc: c@d.com",
        '"a@b.com"@c.com',
        '"a b"@c.com',
        "Ada <a@b.com>",
        "<a@b.com>",
        "<script>@b.com",
        "a(comment)@b.com",
        "a@b.com(comment)",
        "mailto:a@b.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        ".a@b.com",
        "a..b@c.com",
        "a@-b.com",
        "a@b\uff0ecom",
        "a@b\u3002com",
        "\uff41@b.com",
        "\u24d0@b.com",
        "a@\u24d4xample.com",
        "a\u037eb@c.com",
        "a\uff0cb@c.com",
        f"{'a' * 250}@b.com",
        "a" * 100_000 + "@b.com",
        "a'||DBMS_PIPE.RECEIVE_MESSAGE(chr(98),15)||'@b.com",
    ],
)
def test_what_is_not_one_address_is_refused(text: str) -> None:
    """Anything but exactly one plain address is refused, normalized or not (GHSA-7rqj, GHSA-5jpx, CVE-2022-35924)."""
    assert "mail address" in refused(email, text)["email"]


@given(st.one_of(st.emails(), NEAR.map(lambda text: f"{text}@example.org"), ANY))
def test_an_accepted_address_is_found_again(text: str) -> None:
    """Whatever is accepted as an address is found by what was typed, by its value and by its key, and is one of one."""
    try:
        made = email(text)
    except InvalidInput:
        return
    assert key_of(text) == key_of(made.value) == key_of(made.key) == made.key
    assert made.key.count("@") == made.value.count("@") == 1
    assert email(made.key).key == made.key


# -- user names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("ada", "Ada", "a", "x1", "42", "ada.lovelace", "ada_l-42", "z" * 64, "O", "jos\u00e9", "Nguy\u1ec5n"),
        *("Stra\u00dfe", "\u0430\u0434\u0430", "\u03b1\u03b4\u03b1", "\u05d3\u05e0\u05d9", "\u0645\u062d\u0645\u062f"),
        *("\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e44\u0e17\u0e22", "\u0661\u0662\u0663", "\u738b", "\u91d1kim"),
        *("\u7530\u4e2d\u3055\u3093", "\u30b3\u30fc\u30d2\u30fctaro", "\u7530\u4e2dtaro", "\uae40\ucca0\uc218-kim"),
    ],
)
def test_names_in_one_script_are_accepted(text: str) -> None:
    """Names of any recommended script are fine, and Japanese, Chinese and Korean ones may have Latin letters."""
    made = username(text)
    assert (made.kind, made.value, made.key) == (IdentifierKind.USERNAME, text, canonical(text))


@pytest.mark.parametrize("text", ["\uff41\uff44\uff41", " ada\u00a0", "\U0001d400\U0001d41d\U0001d41a", "\u24d0da"])
def test_a_twin_in_other_clothes_is_the_same_name(text: str) -> None:
    """Wide, bold and circled letters are the plain ones, as value and as key (attack 69)."""
    assert username(text).key == "ada"
    assert username(text).value in {"ada", "Ada"}


MALFORMED = [
    *("", " ", ".", "..", "...", "-", ".ada", "ada.", "-ada", "ada_", "a..b", "a.-b", "a b", "a/b", "a\\b", "../ada"),
    *("ada@example.org", "ada@", "\uff20da", "<script>", "<b>ada</b>", "ada&amp", "ada'--", '"ada"', "{{7*7}}", "%s"),
    *(
        "${jndi:ldap://x}",
        "ada*)(uid=*",
        "ada;",
        "ada\u00b7l",
        "\u0301ada",
        "a" + "\u0338" * 5,
        "\U0001f600",
    ),
    *("a\u2010b", "a\u1680b", "ad\u2044a", "\ufdfa", "\u2160\u2161!"),
]
MIXED = [
    *("\u0430da", "ad\u0430", "p\u0430ypal", "\u0391da", "\u0261\u043e\u043egle", "\u4e2d\u0430", "\u30a2\uac00"),
    *("1\u0662", "\u0661\u06f2", "\u13aadmin", "\u16a0", "\U00010400", "\u2c80"),
]
LOOK_ALIKE = [
    *("al\u0131ce", "\u0130stanbul", "i\u0307da", "j\u0307", "i\u0323\u0307", "\u0237ohn", "p\u0251ul", "\u1d00da"),
    *("\u01c3da", "\u02bbda", "\u0645\u0640\u062d", "\u0261oo"),
]
RESERVED = [
    *("admin", "Admin", "ADMIN", "ad-min", "a.d.m.i.n", "\uff41dmin", "administrator", "root", "me", "ME", "api"),
    *("no-reply", "noreply", "post.master", "postma\u017fter", "www", "null", "support", "login", "you", "owner"),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, "Letters and digits, please") for text in MALFORMED),
        *((text, "one script") for text in MIXED),
        *((text, "looks too much like") for text in LOOK_ALIKE),
        *((text, "reserved") for text in RESERVED),
        *((text, "At most 64") for text in ["z" * 65, "\u0149" * 40, "\u00df" * 33, "a" * 321, "a" * 100_000]),
    ],
)
def test_a_name_is_refused_with_the_reason(text: str, words: str) -> None:
    """Signs, mixed scripts and digits, look-alikes, reserved and long names are refused, each with its sentence."""
    assert words in refused(username, text)["username"]


@given(NEAR | st.text(max_size=12) | ANY)
def test_an_accepted_name_is_found_again(text: str) -> None:
    """Whatever is accepted as a name is found by what was typed, by its value and by its key, and is no address."""
    try:
        made = username(text)
    except InvalidInput:
        return
    assert key_of(text) == key_of(made.value) == key_of(made.key) == made.key == canonical(text)
    assert "@" not in made.value + made.key
    assert len(made.value) <= 64 >= len(made.key)
    # A browser, a URL and a path leave it as it is.
    assert not set(made.value) & set(" /\\?#%&<>\"'")


def test_the_field_of_the_form_is_named() -> None:
    """A form whose field has another name hears of that one."""
    with pytest.raises(InvalidInput) as caught:
        username("..", field="nick")
    assert set(caught.value.fields) == {"nick"}
    with pytest.raises(InvalidInput) as caught:
        email("..", field="mail")
    assert set(caught.value.fields) == {"mail"}


def test_a_name_is_looked_up_without_heavy_packages() -> None:
    """The rules of addresses and scripts are loaded when one is checked, not when somebody's name is looked up."""
    code = (
        "import sys, admit.identifiers as i; i.key_of('ada'); print(sys.modules.keys() & {'email_validator', 'regex'})"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 -- our own words
    assert ran.stdout.strip() == "set()"
