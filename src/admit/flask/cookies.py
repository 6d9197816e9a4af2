"""The cookies besides the session's: what a browser keeps between two steps, and the marks of known devices.

They have the session cookie's name with an ending, its prefix, and its attributes. What is in them is worth nothing
without the store: each is a token that is looked up there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import after_this_request

from admit.flask import session_cookie
from admit.flask.context import the_request

if TYPE_CHECKING:
    from flask import Response

    from admit.flask.settings import CookieSettings

__all__ = ["DEVICES", "PENDING", "KeptCookie", "vary_by_cookie"]

_MINUTE = 60
_DAY = 24 * 60 * _MINUTE


@dataclass(frozen=True)
class KeptCookie:
    """A cookie of one kind.

    Args:
        ending: What its name has after the session cookie's.
        lifetime: How long a browser keeps it, in seconds.
    """

    ending: str
    lifetime: int = _DAY

    def read(self, settings: CookieSettings) -> str | None:
        """Return what this request brings."""
        request = the_request()
        return session_cookie.cookie_value(request, session_cookie.cookie_name(self._named(settings), request))

    def put(self, response: Response, settings: CookieSettings, value: str) -> None:
        """Give it to the browser."""
        session_cookie.set_cookie(response, value, self._named(settings), the_request(), max_age=self.lifetime)

    def clear(self, response: Response, settings: CookieSettings) -> None:
        """Take it back."""
        session_cookie.set_cookie(response, "", self._named(settings), the_request(), max_age=0)

    def put_later(self, settings: CookieSettings, value: str) -> None:
        """Give it to the browser with the response to this request, whatever makes that."""

        @after_this_request
        def put(response: Response) -> Response:
            self.put(response, settings, value)
            return response

    def _named(self, settings: CookieSettings) -> CookieSettings:
        return _with_ending(settings, self.ending)


@lru_cache(maxsize=64)
def _with_ending(settings: CookieSettings, ending: str) -> CookieSettings:
    return replace(settings, name=f"{settings.name}-{ending}")


#: A login that lacks a factor.
PENDING = KeptCookie("pending", 10 * _MINUTE)
#: The marks by which a device is known: those of the last accounts that were used on it, parted by "~".
DEVICES = KeptCookie("devices", 400 * _DAY)


def vary_by_cookie(response: Response) -> Response:
    """Say that the response depends on the request's cookies."""
    # As `response.vary.add()` does, which takes longer than finding out who asks.
    if response.headers.getlist("Vary"):
        response.vary.add("Cookie")
    else:
        response.headers.add("Vary", "Cookie")
    return response
