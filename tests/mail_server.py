"""A real SMTP server on a free port of this machine, that answers what a test tells it to."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from tests.conftest import program
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

USER, PASSWORD = "ada", "correct horse"


@dataclass
class Mailbox:
    """What a server has received, and what it answers to the next recipients before it accepts them."""

    answers: deque[str] = field(default_factory=deque)
    recipients: list[list[str]] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    was_authenticated: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd calls it so
        """Refuse with the next answer, or accept."""
        self.tries.append(address)
        if self.answers:
            return self.answers.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd calls it so
        """Keep the letter."""
        self.recipients.append(envelope.rcpt_tos)
        self.options.append(envelope.mail_options)
        self.was_encrypted.append(session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None)
        self.was_authenticated.append(bool(session.authenticated))
        self.raw.append(envelope.content)
        return "250 OK"

    @property
    def letters(self) -> list[EmailMessage]:
        """Return the letters, read."""
        return [message_from_bytes(raw, policy=policy.SMTPUTF8) for raw in self.raw]  # type: ignore[misc]


class _RudeSmtp(SMTP):
    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 -- aiosmtpd calls it so
        await self.push("451 not yet")
        self.transport.close()


class _Server(Controller):
    rude = False

    def factory(self) -> SMTP:
        kind = _RudeSmtp if self.rude else SMTP
        return kind(self.handler, **self.SMTP_kwargs)


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody has signed, and its key, in one file."""
    path = folder / "server.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [program("openssl"), "req", "-x509", *kind, *subject, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)  # noqa: S603 -- our own words
    path.write_bytes(path.read_bytes() + path.with_name("server.pem.crt").read_bytes())
    return path


def trusting(path: Path) -> ssl.SSLContext:
    """Return what a client needs that trusts this certificate."""
    return ssl.create_default_context(cafile=str(path))


def _check_login(server: SMTP, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
    is_right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(  # noqa: PLR0913 -- what a server may be like
    mailbox: Mailbox,
    *,
    tls: str = "none",
    pem: Path | None = None,
    login: bool = False,
    rude: bool = False,
    utf8: bool = True,
) -> Iterator[int]:
    """Serve until the block ends, and yield the port.

    Args:
        mailbox: Where letters go.
        tls: As ``SmtpSender`` takes it; the server insists.
        pem: The certificate and its key.
        login: Whether it knows ``USER`` and ``PASSWORD``.
        rude: Whether it answers a goodbye with an error.
        utf8: Whether it knows SMTPUTF8.
    """
    context = None
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    options: dict[str, Any] = {"enable_SMTPUTF8": utf8, "hostname": "127.0.0.1", "port": mailbox.port or free_port()}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if tls == "implicit":
        options |= {"ssl_context": context}
    if login:
        # Of TLS that was there from the start, this part of the server does not know.
        options |= {"authenticator": _check_login, "auth_require_tls": tls == "starttls"}
    server = _Server(mailbox, **options)
    server.rude = rude
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """Take connections and say nothing until the block ends, and yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]
