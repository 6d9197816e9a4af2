"""Session tokens: make, parse, match, and the arithmetic of rotation.

A token is ``id.secret``. The id (128 random bits) finds the session. The secret is a *core* of 256
bits followed by a *mark* of 80 bits, and only its SHA-256 is kept, so that a leaked table opens no
session. What is hashed is the secret's text: one session, one spelling.

Rotation gives a session a new secret. The new core is ``HMAC(old core, nonce)`` with a nonce of 128
random bits that stays on the server, which buys three things without keeping any secret:

* whoever still holds the predecessor can be sent the same successor again (a lost response);
* the predecessor is recognized: its successor's hash is the one that is kept;
* the mark, ``HMAC(seed, core)``, tells every secret that this session ever had from a guess, however
  old it is. So a stolen old secret is caught, and nobody ends a session by guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Token",
    "bears_mark",
    "first_secret",
    "hash_secret",
    "matches",
    "new_account_id",
    "new_id",
    "new_secret",
    "new_seed",
    "parse",
    "parse_challenge",
    "short_hash",
    "successor",
]

_CORE_BYTES = 32
_MARK_BYTES = 10
_SEED_BYTES = 16
_ID_BYTES = 16

# Bounded and anchored: garbage is refused before any store is asked, in linear time.
_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{56})", re.ASCII)
_CHALLENGE = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)


class Token(NamedTuple):
    """What a client presented, split into its halves."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"

    def __repr__(self) -> str:
        # A token in a log or a traceback would be a session for whoever reads it.
        return f"Token(id={self.id!r}, secret=...)"


def parse(text: str) -> Token | None:
    """Split a token into id and secret; ``None`` for whatever can't be a token of ours."""
    found = _TOKEN.fullmatch(text)
    return Token(found[1], found[2]) if found else None


def parse_challenge(text: str) -> Token | None:
    """Split the token of a challenge or of a known device; ``None`` for whatever can't be one."""
    found = _CHALLENGE.fullmatch(text)
    return Token(found[1], found[2]) if found else None


def new_id() -> str:
    """Make a session id: 128 random bits."""
    return secrets.token_urlsafe(_ID_BYTES)


def new_account_id(now: datetime) -> str:
    """Make an account's id: a UUID of version 7, which begins with the time (RFC 9562, section 5.7).

    74 random bits: no id is ever made twice, and none tells how many accounts there are.
    """
    milliseconds = int(now.timestamp() * 1000)
    fields = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=fields))


def new_secret() -> str:
    """Make a secret that never changes, for what is used once or only recognized: 256 random bits."""
    return secrets.token_urlsafe(_CORE_BYTES)


def new_seed() -> bytes:
    """Make a seed or a nonce: 128 random bits."""
    return secrets.token_bytes(_SEED_BYTES)


def first_secret(seed: bytes) -> str:
    """Make the secret of a new session: 256 random bits and their mark."""
    return _marked(secrets.token_bytes(_CORE_BYTES), seed)


def successor(secret: str, seed: bytes, nonce: bytes) -> str:
    """Return the secret that follows ``secret`` under ``nonce``; the same one every time."""
    return _marked(hmac.digest(_core(secret), nonce, "sha256"), seed)


def hash_secret(secret: str) -> bytes:
    """Return what a store keeps of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def short_hash(text: str) -> str:
    """Return what records and logs hold instead of an id: enough to tell one from another, and no way back."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def matches(secret: str, secret_hash: bytes) -> bool:
    """Tell in constant time whether ``secret`` is the one whose hash is kept."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)


def bears_mark(secret: str, seed: bytes) -> bool:
    """Tell in constant time whether ``secret`` was ever issued for the session with this seed."""
    return hmac.compare_digest(_marked(_core(secret), seed), secret)


def _core(secret: str) -> bytes:
    return urlsafe_b64decode(secret)[:_CORE_BYTES]


def _marked(core: bytes, seed: bytes) -> str:
    mark = hmac.digest(seed, core, "sha256")[:_MARK_BYTES]
    return urlsafe_b64encode(core + mark).decode()
