"""The page that shows the mails of development.

Each mail has a link that signs somebody in or changes a password. Where only this machine reaches the site, anybody on
this machine may read them. Where others reach it, by a tunnel or a proxy, the address of a client and the Host header
prove nothing: there the page takes a key that is printed on the terminal.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING

from flask import abort

from admit.flask.context import the_request
from admit.flask.headers import address, query

if TYPE_CHECKING:
    from admit.mail import ConsoleSender, Message

__all__ = ["Outbox"]


class Outbox:
    """The mails of development, and who may read them.

    Args:
        sender: Who has kept the mails.
        place: The path of the page.
        is_public: Whether others than this machine reach the site.
    """

    def __init__(self, sender: ConsoleSender, place: str, *, is_public: bool) -> None:
        self._sender = sender
        self._key = secrets.token_urlsafe() if is_public else None
        #: The path of the page, for the pages of the site to link to; ``None`` if it takes a key.
        self.link: str | None = None if is_public else place
        self.path: str = place
        #: The path with the key, for the terminal only.
        self.printed: str = place if self._key is None else f"{place}?key={self._key}"

    def messages(self) -> list[Message]:
        """Return the mails, or answer 404 to whoever may not read them."""
        if not self._is_allowed():
            abort(404)
        return self._sender.messages()

    def _is_allowed(self) -> bool:
        request = the_request()
        if self._key is not None:
            return compare_digest((query(request, "key") or "").encode(errors="replace"), self._key.encode())
        client = address(request)
        return client is not None and ip_address(client).is_loopback
