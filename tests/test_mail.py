"""Messages, and those who send them."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.background import BackgroundSender
from admit.errors import AdmitError, ConfigurationError
from admit.mail import ConsoleSender, MailSettings, Message, Sender, is_address, sender_of

HELLO = Message("grace@example.com", "Hello", "A link: https://example.com/t/secret", "<p>secret</p>")

#: What was made of one address to reach another (GHSA-5jpx-9hw9-2fx4, CVE-2022-35924, CVE-2026-73420).
HOSTILE = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "ada@example.com,eve@example.org",
    "ada@example.com;eve@example.org",
    "ada@example.com eve@example.org",
    "ada@example.com\r\nBcc: eve@example.org",
    "ada@example.com\n",
    "ada@example.com\0",
    "ada@example.com\x7f",
    "ada\x1b[2J@example.com",
    "Ada <ada@example.com>",
    "<ada@example.com>",
    "<ada@example.com>eve@example.org",
    "eve@example.org(ada@example.com)",
    '"ada@example.com"@example.org',
    '"ada"@example.com',
    "group:ada@example.com;",
    "ada@eve.example.org@example.com",
    "ada@[127.0.0.1]",
    "ada\\@example.com",
    "ada@example.com\u2028eve@example.org",
    "ada@example.com\u200b",
    "\u202eada@example.com",
    "ada\uff20example.com",
    "ada@example.com\uff0ceve@example.org",
    "ada@example.com\uff1beve@example.org",
    "ada@example.com\ud800",
    "a" * 65 + "@example.com",
    "a@" + "b" * 253,
]


@pytest.mark.parametrize("address", HOSTILE, ids=ascii)
def test_102_one_recipient_or_none(address: str) -> None:
    """What could be read as more or other than one address becomes no message, and is in no error."""
    assert not is_address(address)
    with pytest.raises(ConfigurationError, match=r"not exactly one address\. Check it") as caught:
        Message(address, "Hello", "text")
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: eve@example.org", "a\nb", "a\rb", "a\0", "a\x85b", "a\u2028b", "\ud800"]
)
def test_102_a_subject_is_one_line(subject: str) -> None:
    """A subject with a line break or a control character in it becomes no message."""
    with pytest.raises(ConfigurationError, match=r"not one line of text\. Take line breaks out"):
        Message("ada@example.com", subject, "text")


@pytest.mark.parametrize("bodies", [("\0", None), ("\ud800", None), ("text", "<p>\0</p>"), ("text", "\udfff")])
def test_texts_that_nobody_can_send(bodies: tuple[str, str | None]) -> None:
    """A text that no server takes is refused at once, not by the thread that sends it later."""
    with pytest.raises(ConfigurationError, match="holds NUL or half a character"):
        Message("ada@example.com", "Hello", *bodies)


def test_the_error_is_not_for_people() -> None:
    """A bad message is a mistake in the code: no client sees it, and nothing that reads input swallows it."""
    assert not issubclass(ConfigurationError, AdmitError | ValueError)


@pytest.mark.parametrize(
    "address", ["ada@example.com", "o'hara+tag@example.com", "grüße@exämple.com", "用户@例子.中国"]
)
def test_addresses(address: str) -> None:
    """Usual addresses, also in other scripts, are fine, and so are subjects."""
    assert is_address(address)
    assert Message(address, "Grüße, नमस्\u200dते 👋🏽", "text\r\nmore").to == address


@given(st.text())
def test_nothing_is_two_addresses(text: str) -> None:
    """Appending anything to an address after what may separate addresses gives no address."""
    assert not any(is_address(f"ada@example.com{mark}{text}") for mark in ",; \r\n<>\t\0(:")


def test_a_message_in_a_log() -> None:
    """What is said about a message does not hold its text, where tokens are."""
    assert "secret" not in repr(HELLO)
    assert "grace@example.com" in repr(HELLO)


def test_each_message_has_an_id() -> None:
    """Two messages have two ids, and one keeps its own; what they say decides whether they are equal."""
    again = replace(HELLO, id="other")
    assert again == HELLO
    assert Message("a@b.c", "", "").id != Message("a@b.c", "", "").id


# -- the console ------------------------------------------------------------------------------------------------------


def test_the_console_shows_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A message is printed on the standard error stream with its link, and can be looked at."""
    console = ConsoleSender()
    console.send(HELLO)
    shown = capsys.readouterr().err
    for part in ("To: grace@example.com", "Subject: Hello", HELLO.text):
        assert f"| {part}\n" in shown
    assert console.messages() == [HELLO]


def test_the_console_keeps_the_last_ones() -> None:
    """The newest comes first, and the oldest are forgotten."""
    console = ConsoleSender(io.StringIO(), keep=2)
    sent = [replace(HELLO, subject=str(number)) for number in range(3)]
    for message in sent:
        console.send(message)
    assert console.messages() == [sent[2], sent[1]]


def test_a_terminal_is_not_told_what_to_do() -> None:
    """Nothing in a message moves the cursor, sets the title, turns text around or looks like another mail's head."""
    stream = io.StringIO()
    ConsoleSender(stream).send(replace(HELLO, text="\x1b]0;owned\x07\rTo: eve\x9b2J\n\u202eevil\u2028To: eve\b"))
    shown = stream.getvalue()
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert r"\x1b]0;owned\x07" in shown
    assert "\nTo: eve" not in shown


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_whatever_is_printed(text: str) -> None:
    """Every line of what is printed is printable and marked as a part of a mail."""
    stream = io.StringIO()
    ConsoleSender(stream).send(replace(HELLO, text=text))
    lines = stream.getvalue().split("\n")
    assert all(line.startswith("|") and line.isprintable() for line in lines[:-1])
    assert not lines[-1]


def test_a_terminal_that_knows_ascii_only() -> None:
    """What the stream can't show is escaped, instead of failing the request."""
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    ConsoleSender(stream).send(replace(HELLO, subject="Grüße"))
    stream.seek(0)
    assert r"Subject: Gr\xfc\xdfe" in stream.read()


def test_many_threads_at_one_console() -> None:
    """Messages of several threads are all kept, and do not mix."""
    stream = io.StringIO()
    console = ConsoleSender(stream)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: console.send(replace(HELLO, subject=f"n{number}")), range(80)))
    assert {message.subject for message in console.messages()} == {f"n{number}" for number in range(80)}
    lone = io.StringIO()
    ConsoleSender(lone).send(replace(HELLO, subject="n1"))
    assert lone.getvalue() in stream.getvalue()


# -- what a sender is made of -----------------------------------------------------------------------------------------


def test_senders_and_functions() -> None:
    """A sender stays what it is; a function is called with each message."""
    console = ConsoleSender()
    assert sender_of(console) is console
    sent: list[Message] = []
    sender = sender_of(sent.append)
    sender.send(HELLO)
    assert sent == [HELLO]
    assert isinstance(sender, Sender)


def test_urls() -> None:
    """A URL names the console, or a server that is spoken to in the background."""
    assert isinstance(sender_of("console:"), ConsoleSender)
    settings = MailSettings(sender="a@example.org", attempts=2)
    for url in ("smtp://mail.example.org", "SMTPS://mail.example.org"):
        sender = sender_of(url, settings)
        assert isinstance(sender, BackgroundSender)
        assert sender._attempts == 2


@pytest.mark.parametrize("source", ["", "mail.example.org", "http://ada:hunter2@host", "ada:hunter2", "smtp"])
def test_urls_that_name_nothing(source: str) -> None:
    """A URL that is of no use is refused with the forms there are, and is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        sender_of(source, MailSettings(sender="a@example.org"))
    assert "hunter2" not in str(caught.value)
    assert ". " in str(caught.value)


@pytest.mark.parametrize(("source", "name"), [(ConsoleSender, "ConsoleSender"), (None, "NoneType"), (5, "int")])
def test_what_sends_nothing(source: Any, name: str) -> None:
    """A class or a value that can't send is refused by the name of its type."""
    with pytest.raises(ConfigurationError, match=rf"{name} sends no mails\. Give a URL \(console:"):
        sender_of(source)


def test_the_kernel_does_not_load_what_sends() -> None:
    """An application that sends no mail by SMTP does not wait for the library that does."""
    import subprocess

    code = "import sys, admit.mail; print([name for name in ('smtplib', 'ssl', 'email') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 -- our own words
    assert ran.stdout.strip() == "[]"


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings() -> None:
    """The settings of mail are read from a mapping, and the URL is in nothing that is said about them."""
    read = MailSettings.from_mapping({"ADMIT_MAIL_URL": "smtp://ada:hunter2@host", "ADMIT_MAIL_TIMEOUT": 3})
    assert read.url == "smtp://ada:hunter2@host"
    assert read.timeout == timedelta(seconds=3)
    assert "hunter2" not in repr(read)
    assert MailSettings.keys() == [f"ADMIT_MAIL_{name}" for name in ("URL", "SENDER", "TIMEOUT", "ATTEMPTS")]
    assert all(row.doc for row in MailSettings.describe())


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"timeout": 0}, "ADMIT_MAIL_TIMEOUT must be more than zero. Correct"),
        ({"attempts": 0}, "ADMIT_MAIL_ATTEMPTS must be more than zero. Correct"),
        ({"url": b"smtp://ada:hunter2@host"}, "ADMIT_MAIL_URL is no text. Set it to a URL"),
    ],
)
def test_settings_that_can_not_be(changes: dict[str, Any], hint: str) -> None:
    """A value that makes no sense is refused by its key, and the URL is not shown even then."""
    with pytest.raises(ConfigurationError, match=hint) as caught:
        MailSettings(**changes)
    assert "hunter2" not in str(caught.value)
