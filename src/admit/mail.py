"""Mails: what is sent, and by whom. A message goes to one person and says what it says as text, and as HTML too.

Whoever chooses a line of a mail's header chooses where the mail goes. So what could be read as more than one
line, or as more than one recipient, never becomes a message at all, whichever sender it is meant for.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TextIO, TypeAlias, runtime_checkable
from unicodedata import category, normalize

from admit.errors import ConfigurationError
from admit.per_process import Mutex
from admit.settings import Settings, setting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConsoleSender", "Greeting", "MailSettings", "Message", "Sender", "Source", "is_address", "sender_of"]

_FORMS = "console:, smtp://user:password@host:587 or smtps://user:password@host:465"

# What separates addresses, quotes, comments or groups them is in no address of ours: RFC 5322 would read more
# into it than one recipient. No label of a domain is empty: a dot at its end is no part of an address (RFC 5321).
_ADDRESS = re.compile(r"""[^\s@,;:<>()\[\]"\\]{1,64}@[^\s@,;:<>()\[\]"\\.]+(?:\.[^\s@,;:<>()\[\]"\\.]+)*""")
# The longest path of RFC 5321, 4.5.3.1.3, without its angle brackets (octets).
_LONGEST_ADDRESS = 254
# Control characters, format characters (they turn the direction around, or can't be seen), half characters, and
# the line and paragraph separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# A name in another script may need format characters in a subject; it never needs a line break.
_NOT_IN_A_LINE = _UNSEEN - {"Cf"}
_NOT_IN_A_TEXT = re.compile("[\0\ud800-\udfff]")


def is_address(text: str) -> bool:
    """Tell whether ``text`` is the address of exactly one mailbox, and nothing besides.

    A display name, a list, a comment and a quoted local part are refused, also when they only become one by
    Unicode's compatibility forms, as the full-width comma does. Whether the mailbox exists is not known.

    .. versionadded:: 0.2
    """
    forms = {text, normalize("NFKC", text)}
    return all(_ADDRESS.fullmatch(form) and not _UNSEEN & set(map(category, form)) for form in forms) and (
        len(text.encode()) <= _LONGEST_ADDRESS
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A mail to one person.

    Args:
        to: The address, without a name.
        subject: One line.
        text: What it says.
        html: The same as HTML, if there is any; whoever makes it escapes what people have typed.
        id: Names the message, so that a server which gets it twice, because its answer was lost, can tell.

    Raises:
        ConfigurationError: The recipient is not exactly one address, or the subject not one line. An address is
            checked where somebody types it, so here it is the code that let it through, or the template, that is
            to be mended. It is no ValueError: code that reads input would take it for a mistake in the input.

    .. versionadded:: 0.2
    """

    to: str
    subject: str
    # They hold links with tokens in them, which are nobody's business who reads a log.
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(16), kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could be read as something else than it looks like."""
        # None of the values is in the messages: this may be logged.
        if not is_address(self.to):
            message = "The recipient of a mail is not exactly one address. Check it where it is typed in."
            raise ConfigurationError(message)
        if _NOT_IN_A_LINE & set(map(category, self.subject)):
            message = "The subject of a mail is not one line of text. Take line breaks out of its template's values."
            raise ConfigurationError(message)
        if any(_NOT_IN_A_TEXT.search(body) for body in (self.text, self.html or "")):
            message = "The text of a mail holds NUL or half a character. Check where its template's values come from."
            raise ConfigurationError(message)


@runtime_checkable
class Sender(Protocol):
    """Sends messages.

    .. versionadded:: 0.2
    """

    def send(self, message: Message) -> None:
        """Send a message, or see to it that it is sent.

        Raises:
            OSError: It could not be sent now; later it may.
            MailRefused: It was refused for good.
        """
        ...


@runtime_checkable
class Greeting(Protocol):
    """A sender that can tell whether it could send, without sending.

    .. versionadded:: 0.2
    """

    def greet(self) -> None:
        """Do all that comes before a message.

        Raises:
            OSError: It could not send now.
        """
        ...


#: What can be made a sender of: a URL, a sender, or a function that takes a message.
Source: TypeAlias = "str | Sender | Callable[[Message], object]"


@dataclass(frozen=True, kw_only=True)
class MailSettings(Settings):
    """How mails are sent.

    .. versionadded:: 0.2
    """

    section: ClassVar[str] = "mail"

    # Not shown: it may hold a password.
    url: str | None = field(
        default=None,
        repr=False,
        metadata={
            "doc": 'Where mails go: "console:", "smtp://user:password@host:587" or "smtps://…"; None for nowhere.'
        },
    )
    sender: str | None = setting(None, 'Whom mails come from: "Name <address>" or an address.')
    timeout: timedelta = setting(timedelta(seconds=10), "How long a mail server may be silent.")
    attempts: int = setting(5, "How often a mail is tried before it is given up.")

    def __post_init__(self) -> None:
        """Check every value, and keep the URL out of what is said about it."""
        if not isinstance(vars(self)["url"], str | None):
            message = f"{self.key('url')} is no text. Set it to a URL of one of these forms: {_FORMS}."
            raise ConfigurationError(message)
        super().__post_init__()
        for name, least in (("timeout", timedelta(milliseconds=1)), ("attempts", 1)):
            if getattr(self, name) < least:
                message = f"{self.key(name)} must be more than zero. Correct it, or leave it out for the default."
                raise ConfigurationError(message)


class ConsoleSender:
    """Prints messages instead of sending them, and keeps the last ones to be looked at: for development.

    Args:
        stream: Where they are printed; the standard error stream of the moment by default.
        keep: How many are kept.

    .. versionadded:: 0.2
    """

    def __init__(self, stream: TextIO | None = None, *, keep: int = 100) -> None:
        self._stream = stream
        self._kept: deque[Message] = deque(maxlen=keep)
        self._lock = Mutex()

    def send(self, message: Message) -> None:
        """Keep the message and print it, its text only."""
        stream = self._stream or sys.stderr
        lines = ["", f"To: {message.to}", f"Subject: {message.subject}", "", *message.text.splitlines(), ""]
        page = "\n".join(f"| {_legible(line)}".rstrip() for line in lines)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with self._lock:
            self._kept.append(message)
            # In one piece, so that those of two threads do not mix.
            stream.write(page.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()

    def messages(self) -> list[Message]:
        """Return the messages that are kept, the newest first."""
        with self._lock:
            return list(reversed(self._kept))


@dataclass(frozen=True, slots=True)
class _Calling:
    function: Callable[[Message], object]

    def send(self, message: Message) -> None:
        self.function(message)


def sender_of(source: Source, settings: MailSettings | None = None) -> Sender:
    """Return the sender that ``source`` names.

    One that speaks SMTP works in the background, so that no request waits for a server: see
    :class:`admit.background.BackgroundSender`.

    Args:
        source: A URL (``console:``, ``smtp://…``, ``smtps://…``), a sender, which is returned as it is, or a
            function that takes a :class:`Message`.
        settings: Who the mails come from, if the URL does not say, and how patient a sender is.

    Raises:
        ConfigurationError: It names none; the message never holds the URL, which may hold a password.

    .. versionadded:: 0.2
    """
    if isinstance(source, str):
        return _named(source, settings or MailSettings())
    # A class has the method too, and can be called, and is not what anybody means.
    if not isinstance(source, type):
        if isinstance(source, Sender):
            return source
        if callable(source):
            return _Calling(source)
    raise ConfigurationError(_no_sender(source))


def _named(url: str, settings: MailSettings) -> Sender:
    scheme = url.partition(":")[0].lower()
    if url.lower() in {"console:", "console://"}:
        return ConsoleSender()
    if scheme not in {"smtp", "smtps"}:
        message = f"This URL names no way to send mails. Give one of these forms: {_FORMS}."
        raise ConfigurationError(message)
    # Whoever sends no mail waits for no library that does.
    from admit.background import BackgroundSender
    from admit.smtp import sender_at

    return BackgroundSender(sender_at(url, settings), attempts=settings.attempts)


def _no_sender(source: Any) -> str:
    name = source.__name__ if isinstance(source, type) else type(source).__name__
    return f"{name} sends no mails. Give a URL ({_FORMS}), a function that takes a Message, or a Sender."


def _legible(line: str) -> str:
    # What a terminal would act on instead of showing it: it may come from a stranger.
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
