"""A mail server that keeps the links of the letters, so that visitors can open them."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from threading import Condition
from typing import TYPE_CHECKING, Any

from tests.mail_server import Mailbox

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP

__all__ = ["Letters"]

_LINK = re.compile(r"https://[^/\s]+/account/(?P<feature>[\w-]+)/(?P<token>\S+)")


@dataclass
class Letters(Mailbox):
    """The links that each address was sent, by the feature that they lead to."""

    count: int = 0
    _links: defaultdict[tuple[str, str], deque[str]] = field(default_factory=lambda: defaultdict(deque))
    _arrived: Condition = field(default_factory=Condition)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd calls it so
        """Keep the links of a letter, and nothing else: there are many letters."""
        letter: Any = message_from_bytes(envelope.content, policy=policy.SMTPUTF8)
        text = letter.get_body(("plain",)).get_content()
        with self._arrived:
            self.count += 1
            for found in _LINK.finditer(text):
                self._links[envelope.rcpt_tos[0], found["feature"]].append(found["token"])
            self._arrived.notify_all()
        return "250 OK"

    def next_link(self, address: str, feature: str, patience: float) -> str | None:
        """Return the token of the next link of this kind that comes to an address; ``None`` if none comes in time."""
        links = self._links[address, feature]
        with self._arrived:
            self._arrived.wait_for(lambda: links, patience)
            return links.popleft() if links else None

    def throw_away(self, address: str, feature: str) -> None:
        """Forget what has come to an address so far."""
        with self._arrived:
            self._links[address, feature].clear()
