"""Asking a service whether a password is known from a breach, without telling it the password.

By *k-anonymity*: only the first five hexadecimal digits of the password's SHA-1 leave this machine, and the service
answers with all that begin alike. Which one was meant stays here.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RangeBreachCheck"]

_logger = logging.getLogger("admit.password")

_PREFIX = 5
# Seconds. A sign-up must not wait for a service that hangs.
_TIMEOUT = 2.0
# Bytes; an answer has some 800 lines of about 40.
_LONGEST = 1 << 20


class RangeBreachCheck:
    """Asks a range service, such as that of Have I Been Pwned or a copy of one's own.

    A service that does not answer refuses nobody: the password is let through, and that is logged.

    Args:
        url: Where the ranges are; the five digits are put behind it. An ``https`` address.
        fetch: Returns the range of five digits, instead of asking ``url``.

    .. versionadded:: 0.2
    """

    def __init__(self, url: str = "", *, fetch: Callable[[str], str] | None = None) -> None:
        self._url = url
        self._fetch = fetch or self._ask

    def count(self, password: str) -> int:
        """Return how often the password was seen; zero when it was not, or when nobody can tell right now."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            lines = self._fetch(digest[:_PREFIX]).splitlines()
            found = dict(line.strip().upper().split(":") for line in lines if line.strip())
            return int(found.get(digest[_PREFIX:], 0))
        except (OSError, ValueError) as error:
            _logger.warning("The breach check did not answer (%s); the password was let through.", type(error).__name__)
            return 0

    def _ask(self, prefix: str) -> str:
        # Padded answers are all about as long, so that nobody on the way can tell ranges apart.
        request = Request(f"{self._url}{prefix}", headers={"Add-Padding": "true"})  # noqa: S310 -- the application's own URL
        with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 -- as above
            body: bytes = answer.read(_LONGEST)
            return body.decode()
