"""Sending by SMTP, to a real server."""

from __future__ import annotations

import smtplib
import ssl
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admit.errors import ConfigurationError, MailRefused
from admit.mail import MailSettings, Message
from admit.smtp import SmtpSender, sender_at
from tests.mail_server import PASSWORD, USER, Mailbox, certificate, mail_server, silent_server, trusting
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HELLO = Message("grace@example.com", "Hello", "A link: https://example.com/t/secret\n", "<p>A link</p>", id="one")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of the servers here."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def plain() -> Iterator[Mailbox]:
    """Serve without TLS for all tests here."""
    mailbox = Mailbox()
    with mail_server(mailbox) as mailbox.port:
        yield mailbox


@pytest.fixture
def mailbox(plain: Mailbox) -> Mailbox:
    """Return the mailbox, empty."""
    plain.__init__(port=plain.port)  # type: ignore[misc]  # as new
    return plain


def plain_sender(port: int, **options: Any) -> SmtpSender:
    """Make a sender for a server without TLS."""
    return SmtpSender("127.0.0.1", port, tls="none", **{"sender": "Admit <app@example.org>", "timeout": 5} | options)


def test_what_a_letter_says(mailbox: Mailbox) -> None:
    """A letter has both bodies, its date from the clock, an id of its own, and asks for no automatic answer."""
    plain_sender(mailbox.port, clock=lambda: AT).send(HELLO)
    [letter] = mailbox.letters
    assert mailbox.recipients == [["grace@example.com"]]
    assert letter["From"] == "Admit <app@example.org>"
    assert letter["To"] == "grace@example.com"
    assert letter["Subject"] == "Hello"
    assert letter["Date"].datetime == AT
    assert letter["Message-ID"] == "<one@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    assert letter.get_body(("plain",)).get_content().replace("\r\n", "\n") == HELLO.text
    assert letter.get_body(("html",)).get_content().strip() == HELLO.html
    assert {part.get_content_charset() for part in letter.iter_parts()} == {"utf-8"}


def test_a_letter_without_html_is_text(mailbox: Mailbox) -> None:
    """Without HTML there is one part, dated now, and each letter has another id."""
    sender = plain_sender(mailbox.port, sender="app@example.org")
    sender.send(Message("grace@example.com", "Hello", "text"))
    sender.send(Message("grace@example.com", "Hello", "text"))
    first, second = mailbox.letters
    assert first.get_content_type() == "text/plain"
    assert abs(first["Date"].datetime - datetime.now(UTC)) < timedelta(hours=1)
    assert first["Message-ID"] != second["Message-ID"]


def test_letters_beyond_ascii(mailbox: Mailbox) -> None:
    """Umlauts arrive, on the wire as ASCII; only an address that is none needs SMTPUTF8."""
    text = "Grüße " * 300
    sender = plain_sender(mailbox.port, sender="Büro <app@example.org>")
    sender.send(Message("grace@example.com", "Grüße", text))
    sender.send(Message("grüße@exämple.com", "Grüße", text))
    first, second = mailbox.letters
    assert first["Subject"] == second["Subject"] == "Grüße"
    assert first["From"].addresses[0].display_name == "Büro"
    assert first.get_content().strip() == text.strip()
    assert mailbox.raw[0].isascii()
    assert max(map(len, mailbox.raw[0].splitlines())) <= 998
    assert ["SMTPUTF8" in options for options in mailbox.options] == [False, True]
    assert mailbox.recipients[1] == ["grüße@exämple.com"]
    assert "To: grüße@exämple.com\r\n".encode() in mailbox.raw[1]


def test_a_line_that_looks_like_the_end(mailbox: Mailbox) -> None:
    """A dot, bare line breaks and lines like headers or commands stay in the body."""
    text = "one\n.\nMAIL FROM:<eve@example.com>\r.\rtwo\r\n\r\n.\r\nBcc: eve@example.com\n"
    plain_sender(mailbox.port).send(Message("grace@example.com", "Hello", text))
    [letter] = mailbox.letters
    assert letter.get_content().splitlines() == text.splitlines()
    assert letter["Bcc"] is None
    assert mailbox.recipients == [["grace@example.com"]]


ATEXT = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~."


@settings(max_examples=30)
@given(local=st.text(ATEXT, min_size=1, max_size=64), subject=st.text(st.characters(codec="utf-8"), max_size=200))
def test_102_nothing_is_injected(plain: Mailbox, local: str, subject: str) -> None:
    """Whatever becomes a message at all has the recipient that it names, alone, and the headers that we give it."""
    try:
        message = Message(f"{local}@example.com", subject, "text")
    except ConfigurationError:
        return
    plain.raw.clear()
    plain.recipients.clear()
    plain_sender(plain.port).send(message)
    [letter] = plain.letters
    assert plain.recipients == [[message.to]]
    assert len(letter["To"].addresses) == 1
    ours = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"}
    assert ours <= set(letter) <= ours | {"MIME-Version", "Content-Type", "Content-Transfer-Encoding"}


# -- TLS and passwords ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_and_a_login(tls: Any, pem: Path) -> None:
    """A letter goes over TLS that is verified, after a login."""
    mailbox = Mailbox()
    with mail_server(mailbox, tls=tls, pem=pem, login=True) as port:
        options = {"tls": tls, "sender": "a@example.org", "context": trusting(pem), "timeout": 5}
        SmtpSender("127.0.0.1", port, username=USER, password=PASSWORD, **options).send(HELLO)
        with pytest.raises(MailRefused, match="535") as caught:
            SmtpSender("127.0.0.1", port, username=USER, password="wrong", **options).send(HELLO)
    assert caught.value.code == 535
    assert mailbox.was_encrypted == mailbox.was_authenticated == [True]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_greeting(tls: Any, pem: Path) -> None:
    """A server is greeted by TLS and a login, is told of nobody, and one that does not let in is an error."""
    mailbox = Mailbox()
    with mail_server(mailbox, tls=tls, pem=pem, login=True, rude=True) as port:
        options = {"tls": tls, "sender": "a@example.org", "context": trusting(pem), "timeout": 5}
        SmtpSender("127.0.0.1", port, username=USER, password=PASSWORD, **options).greet()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            SmtpSender("127.0.0.1", port, username=USER, password="wrong", **options).greet()
        with pytest.raises(ssl.SSLCertVerificationError):
            SmtpSender("127.0.0.1", port, tls=tls, sender="a@example.org", timeout=5).greet()
    assert mailbox.tries == mailbox.raw == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for(tls: Any, pem: Path) -> None:
    """A server with a certificate of its own making gets no password and no letter."""
    mailbox = Mailbox()
    with mail_server(mailbox, tls=tls, pem=pem) as port:
        sender = SmtpSender("127.0.0.1", port, tls=tls, username=USER, password=PASSWORD, sender="a@example.org")
        with pytest.raises(ssl.SSLCertVerificationError):
            sender.send(HELLO)
    assert mailbox.tries == []


def test_a_server_without_starttls_gets_nothing(mailbox: Mailbox) -> None:
    """Whoever takes STARTTLS out of the server's offers on the way does not get to see the letter."""
    sender = SmtpSender("127.0.0.1", mailbox.port, sender="a@example.org", timeout=5)
    with pytest.raises(smtplib.SMTPNotSupportedError):
        sender.send(HELLO)
    assert mailbox.tries == []


# -- servers that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "kind"), [("451 later", OSError), ("421 busy", OSError), ("550 no", MailRefused)])
def test_what_a_server_refuses(mailbox: Mailbox, answer: str, kind: type[Exception]) -> None:
    """A refusal for now is an OSError, one for good is a MailRefused that knows the code."""
    mailbox.answers = deque([answer])
    with pytest.raises(kind) as caught:
        plain_sender(mailbox.port).send(HELLO)
    assert getattr(caught.value, "code", 550) == 550
    assert HELLO.to not in str(caught.value) or kind is OSError
    plain_sender(mailbox.port).send(HELLO)
    assert len(mailbox.raw) == 1


def test_a_server_that_lacks_smtputf8() -> None:
    """An address that a server can't be told is refused for good."""
    mailbox = Mailbox()
    with mail_server(mailbox, utf8=False) as port, pytest.raises(MailRefused, match="lacks SMTPUTF8"):
        plain_sender(port).send(Message("grüße@example.com", "Hello", "text"))
    assert mailbox.raw == []


def test_a_goodbye_that_fails() -> None:
    """Once the server has taken a letter, it is sent, whatever comes after: else there would be two."""
    mailbox = Mailbox()
    with mail_server(mailbox, rude=True) as port:
        plain_sender(port).send(HELLO)
    assert len(mailbox.raw) == 1


def test_a_server_that_is_down_or_says_nothing() -> None:
    """A connection that is refused and a silence that lasts too long are both OSErrors."""
    with pytest.raises(ConnectionRefusedError):
        plain_sender(free_port()).send(HELLO)
    with silent_server() as port, pytest.raises(OSError, match="timed out"):
        plain_sender(port, timeout=0.2).send(HELLO)


# -- what can't be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_plain_connections_on_this_machine(host: str) -> None:
    """Without TLS, a server on this machine is fine."""
    assert host in repr(SmtpSender(host, 25, tls="none", sender="a@example.org"))


@pytest.mark.parametrize("host", ["mail.example.org", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_plain_connections_to_elsewhere(host: str) -> None:
    """Without TLS, no letter and no password leaves this machine."""
    with pytest.raises(ConfigurationError, match=r"unencrypted\. Leave out tls=none"):
        SmtpSender(host, 25, tls="none", sender="a@example.org")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"tls": "maybe"}, "Choose starttls, implicit or none"),
        ({"username": "ada"}, "Give both"),
        ({"password": "hunter2"}, "Give both"),
        ({"username": "ada", "password": "hünter2"}, "must be ASCII"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], hint: str) -> None:
    """A mistake is named when the sender is made, and no password with it."""
    with pytest.raises(ConfigurationError, match=hint) as caught:
        SmtpSender("mail.example.org", 25, sender="a@example.org", **options)
    assert "nter2" not in str(caught.value)


@pytest.mark.parametrize(
    "sender",
    ["", "nobody", "A <a@b.c>, B <b@b.c>", "a@b.c, b@b.c", "A <a@b.c> B", "A\r\nBcc: x@y.z <a@b.c>", "A <ä@b.c>", "<>"],
)
def test_senders_that_are_no_address(sender: str) -> None:
    """Whom mails come from is one address, with a name or without, in one line."""
    with pytest.raises(ConfigurationError, match=r"The sender of mails is no address\. Give one"):
        SmtpSender("mail.example.org", 25, sender=sender)


@pytest.mark.parametrize("name", ["Admit", '"Admit, Inc."', "", "Ädmit"])
def test_names_of_senders(name: str, mailbox: Mailbox) -> None:
    """The name may be quoted, have commas or be missing; the address is what is in brackets."""
    plain_sender(mailbox.port, sender=f"{name} <app@example.org>").send(HELLO)
    [author] = mailbox.letters[0]["From"].addresses
    assert (author.display_name, author.addr_spec) == (name.strip('"'), "app@example.org")


# -- URLs -------------------------------------------------------------------------------------------------------------


def test_urls(mailbox: Mailbox) -> None:
    """A URL says it all: host, port, protection, login and sender."""
    nobody = MailSettings()
    assert repr(sender_at("smtp://h.example?from=a@b.c", nobody)) == "SmtpSender('h.example', 587, tls='starttls')"
    assert repr(sender_at("smtps://h.example?from=a@b.c", nobody)) == "SmtpSender('h.example', 465, tls='implicit')"
    assert repr(sender_at("smtp://[::1]:25/?tls=none&from=a@b.c", nobody)) == "SmtpSender('::1', 25, tls='none')"
    full = sender_at("smtp://us%40er:p%2Fw%3A@h.example:1?from=My%20App%20<a+b@b.c>", MailSettings(sender="x@y.z"))
    assert full._login == ("us@er", "p/w:")
    assert str(full._author) == "My App <a+b@b.c>"
    sender_at(f"smtp://127.0.0.1:{mailbox.port}?tls=none", MailSettings(sender="set@example.org")).send(HELLO)
    assert mailbox.letters[0]["From"] == "set@example.org"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "smtp",
        "smtp:",
        "smtp://",
        "http://ada:hunter2@host:25",
        "smtp://ada:hunter2@:25",
        "smtp://ada:hunter2@host:port",
        "smtp://ada:hunter2/x@host",
        "smtp://ada:1/hunter2@host",
        "smtp://ada:1#hunter2@host",
        "smtp://ada:hunter2?x@host",
        "smtp://ada:1?hunter2@host",
        "smtp://ada:1?tls=hunter2@host",
        "smtp://ada:hunter2@[host",
        "smtp://ada:hunter2\u2100@host",
        "smtp://ada:hunter2%FF@host",
        "smtp://ada:hunter2@host:99999",
        "smtp://ada:hunter2@host?tls=none",
        "smtp://ada:hunter2@host?from=nobody",
        "smtp://ada:hunter2@host?from=a@b.c%0d%0aBcc:x@y.z",
        "smtps://ada:hunter2@host?tls=none",
        "smtp://ada@host",
    ],
)
def test_urls_that_can_not_be_read(url: str) -> None:
    """A URL with a mistake in it is refused with two sentences, and its password is nowhere in the error."""
    with pytest.raises(ConfigurationError, match=r"^[A-Z].*\. [A-Z].*\.$") as caught:
        sender_at(url, MailSettings(sender="a@example.org"))
    error: BaseException | None = caught.value
    while error:
        assert "hunter2" not in str(error)
        error = error.__context__


def test_a_url_without_a_sender() -> None:
    """Mails have to come from somebody: from the URL or from the settings."""
    with pytest.raises(ConfigurationError, match="Set ADMIT_MAIL_SENDER"):
        sender_at("smtp://mail.example.org", MailSettings())


def test_the_time_that_a_url_gives_a_server() -> None:
    """The settings say how long a server may be silent."""
    patience = MailSettings(timeout=timedelta(seconds=0.2))
    with silent_server() as port, pytest.raises(OSError, match="timed out"):
        sender_at(f"smtp://127.0.0.1:{port}?tls=none&from=a@b.c", patience).send(HELLO)
