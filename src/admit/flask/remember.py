"""The remember cookie: ``id|digest``, as Flask-Login makes and reads it."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.errors import ConfigurationError
from admit.flask.config import (
    COOKIE_DURATION,
    COOKIE_HTTPONLY,
    COOKIE_NAME,
    COOKIE_SAMESITE,
    COOKIE_SECURE,
)
from admit.flask.context import configured, the_request
from admit.flask.headers import plain_cookie

if TYPE_CHECKING:
    from flask import Response

__all__ = ["decode_cookie", "encode_cookie"]


def encode_cookie(payload: str, key: str | bytes | None = None, *, purpose: str | None = None) -> str:
    """Return ``payload`` with its digest behind it, so that nobody else can make it.

    Args:
        payload: The text to sign, an id as a rule.
        key: What to sign with; the application's ``SECRET_KEY`` when it is missing.
        purpose: What the text is for. Each purpose has a key of its own, derived from ``key``, so that what is signed
            for one is worth nothing for another. Without one it is a remember cookie, as Flask-Login makes it.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       ``purpose``.
    """
    return f"{payload}|{_cookie_digest(payload, key=key, purpose=purpose)}"


def decode_cookie(cookie: str, key: str | bytes | None = None, *, purpose: str | None = None) -> str | None:
    """Return the payload of a cookie made by :func:`encode_cookie`, or ``None`` if it isn't one.

    Without a ``key`` the cookie may be signed with ``SECRET_KEY`` or with any of the retired keys in
    ``SECRET_KEY_FALLBACKS``, which only verify.

    Args:
        cookie: What a client sent.
        key: What it has to be signed with.
        purpose: What it has to be for.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
       ``purpose``.
    """
    payload, separator, digest = cookie.rpartition("|")
    if not separator:
        return None
    keys = [key] if key is not None else _all_keys()
    try:
        # Bytes: compare_digest refuses text that is not ASCII, and a forged digest would be a 500.
        presented = digest.encode("utf-8", "surrogateescape")
        # Every key is tried, so that the time does not tell which one matched.
        made = [_cookie_digest(payload, key=each, purpose=purpose).encode() for each in keys]
        found = [hmac.compare_digest(one, presented) for one in made]
    except UnicodeEncodeError:
        return None  # a lone surrogate: no text that anybody can have signed
    return payload if any(found) else None


def _all_keys() -> list[str | bytes]:
    fallbacks: list[str | bytes] = configured("SECRET_KEY_FALLBACKS") or []
    # Without any key nothing verifies, whatever a client sends.
    return [key for key in (configured("SECRET_KEY"), *fallbacks) if key]


def _cookie_digest(payload: str, key: str | bytes | None = None, purpose: str | None = None) -> str:
    secret = _secret_key(key)
    if purpose is not None:
        # By another function than what signs, or the digest of a cookie for a text that a client has chosen, such as a
        # user's id, could be a purpose's key.
        secret = hmac.digest(secret, f"admit:{purpose}".encode(), "sha256")
    return hmac.digest(secret, payload.encode("utf-8", "surrogateescape"), sha512).hex()


def _secret_key(key: str | bytes | None = None) -> bytes:
    """Return the key as bytes: text in Latin-1, as Flask-Login does, and in UTF-8 where that can't be."""
    key = configured("SECRET_KEY") if key is None else key
    if not key:
        message = "SECRET_KEY is empty, so there is nothing to sign cookies with. Set a random SECRET_KEY."
        raise ConfigurationError(message)
    if isinstance(key, bytes):
        return key
    try:
        return key.encode("latin1")
    except UnicodeEncodeError:
        return key.encode()


class RememberCookie(NamedTuple):
    """Where and how the remember cookie is set; it is cleared in the same place, or not at all."""

    name: str
    domain: str | None
    path: str
    secure: bool
    httponly: bool
    samesite: str | None

    @classmethod
    def configured(cls) -> RememberCookie:
        """Read the cookie's place from the application's configuration."""
        return cls(
            name=configured("REMEMBER_COOKIE_NAME", COOKIE_NAME),
            domain=configured("REMEMBER_COOKIE_DOMAIN"),
            path=configured("REMEMBER_COOKIE_PATH", "/"),
            secure=configured("REMEMBER_COOKIE_SECURE", COOKIE_SECURE),
            httponly=configured("REMEMBER_COOKIE_HTTPONLY", COOKIE_HTTPONLY),
            samesite=configured("REMEMBER_COOKIE_SAMESITE", COOKIE_SAMESITE),
        )

    def put(self, response: Response, value: str, duration: timedelta) -> None:
        """Set the cookie on ``response``, to last for ``duration`` from now."""
        response.set_cookie(
            self.name,
            value,
            expires=_deadline(duration),
            domain=self.domain,
            path=self.path,
            secure=self.secure,
            httponly=self.httponly,
            samesite=self.samesite,
        )

    def clear(self, response: Response) -> None:
        """Delete the cookie; with the attributes it was set with, or a browser may keep it."""
        response.delete_cookie(
            self.name,
            domain=self.domain,
            path=self.path,
            secure=self.secure,
            httponly=self.httponly,
            samesite=self.samesite,
        )


def presented_cookie() -> str | None:
    """Return the remember cookie that came with this request."""
    return plain_cookie(the_request(), configured("REMEMBER_COOKIE_NAME", COOKIE_NAME))


def presented_id() -> str | None:
    """Return the id in the remember cookie that came with this request, if the cookie is valid."""
    cookie = presented_cookie()
    return None if cookie is None else decode_cookie(cookie)


def configured_duration() -> timedelta:
    """Return ``REMEMBER_COOKIE_DURATION``, a timedelta or whole seconds.

    Raises:
        ConfigurationError: It is something else.
    """
    duration: Any = configured("REMEMBER_COOKIE_DURATION", COOKIE_DURATION)
    if isinstance(duration, int):
        return timedelta(seconds=duration)
    return checked_duration(duration, "REMEMBER_COOKIE_DURATION")


def checked_duration(duration: Any, name: str) -> timedelta:
    """Return ``duration`` if it is a timedelta.

    Raises:
        ConfigurationError: It is something else; ``name`` is what the message calls it.
    """
    if isinstance(duration, timedelta):
        return duration
    message = f"{name} must be a datetime.timedelta, instead got: {duration}. Write timedelta(days=30), say."
    raise ConfigurationError(message)


def _deadline(duration: timedelta) -> datetime:
    # A cookie's time is the browser's business and decides nothing here, hence the clock.
    try:
        return datetime.now(UTC) + duration
    except OverflowError:
        message = f"The remember duration {duration} reaches past the year 9999. Use a shorter timedelta."
        raise ConfigurationError(message) from None
