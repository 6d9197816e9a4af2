"""Mails of features: made of templates, with links to the address that the site itself has said it has."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, cast

from admit.errors import ConfigurationError
from admit.flask.development import address_served
from admit.flask.phrases import hello, phrases, templates_of
from admit.mail import Message, is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask

    from admit.flask.settings import AccountSettings
    from admit.mail import Sender

__all__ = ["DEVELOPMENT", "NO_ADDRESS", "NO_SENDER", "Mailing", "Unsent", "public_url"]

_logger = logging.getLogger("admit.mail")

_NOBODY = "nobody@example.org"
_UNREACHABLE = (
    "The mail %s of account %s was not sent: its address is not one that mail can go to. Correct the address; "
    "'admit doctor' names the users of an adopted table who have such."
)

#: Where Flask's own server listens during development, unless a request says otherwise.
DEVELOPMENT = "http://127.0.0.1:5000"
NO_ADDRESS = (
    "Mails would have links to nowhere, because nobody has said what the address of this site is. "
    'Set ADMIT_PUBLIC_URL, as in "https://app.example".'
)
NO_SENDER = (
    "There are features that send mails, and nobody who sends them. "
    'Set ADMIT_MAIL_URL, as in "smtp://user:password@mail.example:587".'
)


class Unsent:
    """The sender of an application that has none: a command may load it, and no mail of it is lost silently."""

    def send(self, message: Message) -> None:
        """Refuse."""
        del message  # it may hold a token, which no log shows
        raise ConfigurationError(NO_SENDER)


class Mailing:
    """Sends the mails of an application's features.

    An attacker asks for a reset with a Host header of their own, so that the owner gets a link that brings the token
    to them. So no address in a mail comes from a request, but one of this very machine during development.

    Args:
        app: The application, for its templates.
        sender: Who sends.
        base: The address of the site, if it is known.
        site_name: What it is called.
        follows: Whether links lead to the server that answers the request, because this is development.
    """

    #: Makes a path of an action's full name and the parts of its path; the pages set it, which come later.
    path: Callable[..., str]

    def __init__(self, app: Flask, sender: Sender, *, base: str | None, site_name: str, follows: bool = False) -> None:
        self._app = app
        self.sender = sender
        self.stated = base
        self.site_name = site_name
        self.follows = follows

    @property
    def base(self) -> str:
        """The address of the site, without a slash at the end.

        Raises:
            ConfigurationError: Nobody has said what it is.
        """
        served = address_served() if self.follows else None
        if served is None and self.stated is None:
            raise ConfigurationError(NO_ADDRESS)
        return served or str(self.stated)

    def url(self, name: str, **arguments: str) -> str:
        """Return the full address of an action's page, or of its link when a token is given."""
        return self.base + self.path(name, **arguments)

    def post(self, language: str, to: str | None, mail: str, values: Mapping[str, object]) -> None:
        """Send the mail that the templates ``admit/<mail>.txt`` and ``admit/<mail>.html`` describe.

        The first line of the text is the subject. A sender that fails is logged: whoever asked for the mail can't do
        anything about it, and an error would tell them that there was one to send. So is an address that no mail can
        go to, as an adopted table may hold one: the mail is made all the same, and sent to nobody.
        """
        ours = {"site_name": self.site_name, "site_url": self.base, "language": language, **phrases(language)}
        ours["hello"] = partial(hello, language)
        environment = self._app.jinja_env
        text = environment.select_template(templates_of(mail, "txt")).render(values, **ours)
        html = environment.select_template(templates_of(mail, "html")).render(values, **ours)
        subject, _, body = text.partition("\n")
        # What is sent to nobody takes as long as what is sent to somebody.
        recipient = to if is_address(to or _NOBODY) and to is not None else _NOBODY
        is_sent = recipient == to
        message = Message(to=recipient, subject=subject.strip(), text=body.strip() + "\n", html=html)
        if not is_sent:
            if to is not None:
                _logger.error(_UNREACHABLE, mail, getattr(values.get("account"), "id", None))
            return
        try:
            self.sender.send(message)
        except Exception:
            _logger.exception("A mail could not be sent.")


def public_url(app: Flask, settings: AccountSettings) -> str | None:
    """Return the address of the site, without a slash at the end, or None if nobody has said what it is."""
    if settings.public_url:
        return settings.public_url
    config = cast("dict[str, str | None]", app.config)
    server_name, root = config.get("SERVER_NAME"), config["APPLICATION_ROOT"] or ""
    return f"{config['PREFERRED_URL_SCHEME']}://{server_name}{root.rstrip('/')}" if server_name else None
