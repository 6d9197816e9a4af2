"""Sending mails by SMTP, over TLS that is verified."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args
from urllib.parse import unquote, urlsplit

from admit.errors import ConfigurationError, MailRefused
from admit.mail import is_address
from admit.per_process import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from urllib.parse import SplitResult

    from admit.mail import MailSettings, Message

__all__ = ["SmtpSender", "Tls", "sender_at"]

#: How a connection is protected: encrypted before a word of ours is said, from the start, or (on this machine) not.
Tls: TypeAlias = Literal["starttls", "implicit", "none"]

_PORTS = {"smtp": 587, "smtps": 465}
_PARAMETERS = {"smtp": {"from", "tls"}, "smtps": {"from"}}
# Not every server takes lines with more than ASCII in them, so they are encoded.
_POLICY = SMTP_POLICY.clone(cte_type="7bit")
_AUTHOR = re.compile(r'\s*"?(?P<name>[^<>"]*?)"?\s*<(?P<address>[^<>]*)>\s*|(?P<bare>[^<>]*)')
_FIRST_PERMANENT = 500


def _now() -> datetime:
    return datetime.now(UTC)


class SmtpSender:
    """Hands each message to an SMTP server (RFC 5321, RFC 6409), on a connection of its own.

    A host that is written in other letters than ASCII is left as it is, and the server must speak SMTPUTF8 (RFC
    6531) for it: Python's own IDNA is the old one, which maps some names to those of other people.

    Args:
        host: The server.
        port: Its port.
        tls: ``"starttls"`` refuses to go on without encryption, ``"implicit"`` begins with it, and ``"none"`` is
            for servers on this machine only.
        username: For servers that ask who sends; with ``password``.
        password: What belongs to it.
        sender: Whom the mails come from: ``"Name <address>"`` or an address, in ASCII but for the name.
        timeout: How many seconds the server may be silent.
        context: What decides whether its certificate is good; by default the authorities that this machine trusts.
        clock: What a message's date comes from.

    Raises:
        ConfigurationError: One of these can't be.

    .. versionadded:: 0.2
    """

    def __init__(  # noqa: PLR0913 -- each is a fact about the server, and has to be said by name
        self,
        host: str,
        port: int,
        *,
        sender: str,
        tls: Tls = "starttls",
        username: str | None = None,
        password: str | None = None,
        timeout: float = 10.0,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        _check(host, tls, (username, password))
        self._host, self._port, self._tls = host, port, tls
        self._login = (username, password) if username is not None and password is not None else None
        self._author = _author_of(sender)
        self._timeout = timeout
        self._given_context = context
        # Made when the first mail is sent: by then gevent has replaced what it is made of.
        self._own_context = PerProcess(ssl.create_default_context)
        self._clock = clock

    def __repr__(self) -> str:
        return f"SmtpSender({self._host!r}, {self._port}, tls={self._tls!r})"

    def send(self, message: Message) -> None:
        """Send a message, and wait until the server has taken it.

        Raises:
            OSError: The server could not be reached, is not who it should be, or asks to try again later.
            MailRefused: It will never take this message.
        """
        try:
            self._hand_over(message)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            code = _code_of(error)
            if code < _FIRST_PERMANENT:
                raise
            raise MailRefused(code) from error

    def _hand_over(self, message: Message) -> None:
        email = self._written(message)
        with self._greeted() as server:
            try:
                server.send_message(email, self._author.addr_spec, [message.to])
            except smtplib.SMTPNotSupportedError as error:
                raise MailRefused(None) from error
            # From here on the message is the server's. Were a failed goodbye an error, it would be sent again.
            _leave(server)

    def greet(self) -> None:
        """Do all that comes before a message, encryption and login included, and send none.

        Raises:
            OSError: The server could not be reached, is not who it should be, or does not let this sender in.
        """
        with self._greeted() as server:
            server.ehlo_or_helo_if_needed()
            _leave(server)

    @contextmanager
    def _greeted(self) -> Generator[smtplib.SMTP]:
        with closing(self._connected()) as server:
            if self._tls == "starttls":
                server.starttls(context=self._context())
            if self._login:
                server.login(*self._login)
            yield server

    def _context(self) -> ssl.SSLContext:
        return self._given_context or self._own_context.get()

    def _connected(self) -> smtplib.SMTP:
        # By default the name of this machine would be asked for, which may take long, and be told to everybody.
        name = self._author.domain
        if self._tls == "implicit":
            return smtplib.SMTP_SSL(self._host, self._port, name, timeout=self._timeout, context=self._context())
        return smtplib.SMTP(self._host, self._port, name, timeout=self._timeout)

    def _written(self, message: Message) -> EmailMessage:
        local, _, domain = message.to.partition("@")
        email = EmailMessage(_POLICY)
        email["From"] = self._author
        email["To"] = Address(username=local, domain=domain)
        email["Subject"] = message.subject
        email["Date"] = self._clock()
        email["Message-ID"] = f"<{message.id}@{self._author.domain}>"
        email["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note is to answer
        email.set_content(message.text)
        if message.html is not None:
            email.add_alternative(message.html, subtype="html")
        return email


def _leave(server: smtplib.SMTP) -> None:
    with suppress(smtplib.SMTPException):
        server.quit()


def sender_at(url: str, settings: MailSettings) -> SmtpSender:
    """Return the sender that a URL describes: ``smtp://user:password@host:587?from=Name%20<a@b.c>``.

    Args:
        url: ``smtp`` is for STARTTLS, or nothing with ``?tls=none``; ``smtps`` is for TLS from the start. User,
            password and ``from`` are percent-encoded.
        settings: Whom the mails come from, if the URL does not say, and how long a server may be silent.

    Raises:
        ConfigurationError: It can't be read; the message never holds any part of it that may be secret.

    .. versionadded:: 0.2
    """
    parts, host, port = _split(url)
    parameters = _parameters(parts)
    sender = parameters.get("from", settings.sender)
    if sender is None:
        message = "Nobody is named whom the mails come from. Set ADMIT_MAIL_SENDER, or add ?from= to ADMIT_MAIL_URL."
        raise ConfigurationError(message)
    tls = "implicit" if parts.scheme == "smtps" else parameters.get("tls", "starttls")
    return SmtpSender(
        host,
        port,
        sender=sender,
        tls=tls,  # type: ignore[arg-type]  # checked there
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        timeout=settings.timeout.total_seconds(),
    )


def _split(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    # A password with a slash in it ends the host, as far as a URL goes.
    if parts.scheme not in _PORTS or not parts.hostname or not port or parts.path not in {"", "/"} or parts.fragment:
        # Outside of the except: Python's own error, which quotes the URL, is not to be shown along with this one.
        message = "The URL of the mail server can't be read. Percent-encode what is special in user and password."
        raise ConfigurationError(message)
    return parts, parts.hostname, port


def _parameters(parts: SplitResult) -> dict[str, str]:
    # By hand, since for a form a plus is a space, and addresses have them.
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    known = _PARAMETERS[parts.scheme]
    if any(name not in known for name, _, _ in pairs):
        names = " and ".join(sorted(known))
        message = f"The URL of the mail server has a parameter that means nothing. Known with {parts.scheme}: {names}."
        raise ConfigurationError(message)
    return {name: unquote(value) for name, _, value in pairs}


def _check(host: str, tls: str, login: tuple[str | None, str | None]) -> None:
    if tls not in get_args(Tls):
        # Without the value: in a URL it may be the rest of a password with a question mark in it.
        message = "The connection to the mail server can't be protected like that. Choose starttls, implicit or none."
        raise ConfigurationError(message)
    if tls == "none" and not _is_loopback(host):
        message = "Mails would cross the network unencrypted. Leave out tls=none, which is for servers on this machine."
        raise ConfigurationError(message)
    if (login[0] is None) != (login[1] is None):
        message = "A mail server wants user and password, or neither. Give both."
        raise ConfigurationError(message)
    if not all((part or "").isascii() for part in login):
        # smtplib can't send it, and its error would hold the password.
        message = "User and password of the mail server must be ASCII. Choose others there."
        raise ConfigurationError(message)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # RFC 6761, 6.3: it is always this machine


def _author_of(sender: str) -> Address:
    found = _AUTHOR.fullmatch(sender)
    address = found and (found["address"] if found["bare"] is None else found["bare"])
    if not found or not address or not (address.isascii() and is_address(address) and sender.isprintable()):
        message = "The sender of mails is no address. Give one like Name <address@host>, or only the address, in ASCII."
        raise ConfigurationError(message)
    local, _, domain = address.partition("@")
    return Address(found["name"] or "", local, domain)


def _code_of(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> int:
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code
    # There was one recipient, so there is one answer.
    return min(code for code, _ in error.recipients.values())
