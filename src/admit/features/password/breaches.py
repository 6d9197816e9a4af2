"""Whether a password is known from a leak: opt-in, and without telling anybody the password.

The service gets the first five hexadecimal digits of the SHA-1, which hundreds of passwords share, and returns what
follows them (k-anonymity). SHA-1 keeps nothing secret here: it is how such lists are ordered.
"""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from admit.errors import ConfigurationError
from admit.features.password.hashing import prepared

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

__all__ = ["BreachCheck", "RangeBreachCheck", "fetch_by_url"]

_logger = logging.getLogger("admit.password")

_PREFIX = 5
#: With padding an answer has at most some 1,000 lines of 40 characters.
_LONGEST_ANSWER = 1 << 20


@runtime_checkable
class BreachCheck(Protocol):
    """Knows how often a password was seen in leaks.

    .. versionadded:: 0.2
    """

    def count(self, password: str) -> int:
        """Return how often it was seen; 0 if never, or if nobody knows."""
        ...


class RangeBreachCheck:
    """Asks a service that answers by ranges of SHA-1. Where it fails, every password counts as unseen.

    An outage of somebody else's service must not keep people from choosing a password, so that it is logged only.

    Args:
        fetch: Returns the lines ``SUFFIX:COUNT`` for the five digits of a prefix, such as :func:`fetch_by_url` makes.

    .. versionadded:: 0.2
    """

    def __init__(self, fetch: Callable[[str], str]) -> None:
        self._fetch = fetch

    def count(self, password: str) -> int:
        """Return how often it was seen; 0 if never, or if nobody knows."""
        digest = hashlib.sha1(prepared(password), usedforsecurity=False).hexdigest().upper()
        try:
            return _counted(self._fetch(digest[:_PREFIX]), digest[_PREFIX:])
        except Exception:  # noqa: BLE001 -- whatever the application's own function may raise
            # Without the traceback: it could show the locals of somebody's logger, and the password among them.
            _logger.warning("The list of leaked passwords could not be asked: the password was not checked.")
            return 0


def fetch_by_url(url: str, *, timeout: timedelta) -> Callable[[str], str]:
    """Return what asks a service over HTTP.

    Args:
        url: The address before the five digits, with a slash at its end.
        timeout: How long to wait for the service, at each step.

    Raises:
        ConfigurationError: The address is not one of HTTP.

    .. versionadded:: 0.2
    """
    if not url.startswith(("https://", "http://")) or not url.endswith("/"):
        message = f"{url!r} is no address of ranges. Give one that begins with https:// and ends with a slash."
        raise ConfigurationError(message)
    return partial(_fetched, url, timeout.total_seconds())


def _fetched(url: str, seconds: float, prefix: str) -> str:
    from urllib import request as urls

    opener = urls.OpenerDirector()
    # All but what follows redirects: a service that was taken over could send this machine to what only it can reach.
    kinds = (urls.HTTPHandler, urls.HTTPSHandler, urls.HTTPErrorProcessor, urls.HTTPDefaultErrorHandler)
    for part in (urls.ProxyHandler, *kinds):
        opener.add_handler(part())
    # With padding, the length of the answer does not tell which range was asked for.
    headers = {"Add-Padding": "true", "User-Agent": "admit", "Accept": "text/plain"}
    request = urls.Request(url + prefix, headers=headers)  # noqa: S310 -- fetch_by_url looked at the scheme
    with opener.open(request, timeout=seconds) as answer:
        text: bytes = answer.read(_LONGEST_ANSWER)
    return text.decode("ascii")


def _counted(answer: str, suffix: str) -> int:
    for line in answer.splitlines():
        found, _, count = line.strip().partition(":")
        if found.upper() == suffix:
            return int(count)
    return 0
