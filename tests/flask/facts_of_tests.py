"""Facts of an application that is as it should be, for the tests of single rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from admit.flask.facts import CookieFacts, Facts
from admit.flask.settings import AccountSettings
from admit.store import Stores
from admit.stores.memory import MemoryStore
from admit.stores.near import NearStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.findings import Finding

SECRET = "9f2c4e7a1b5d8063" * 4
COOKIE = CookieFacts(secure=True, httponly=True, samesite="Lax")


def cookie_login(**changes: Any) -> Facts:
    """Return what is known of an application of step 1."""
    good = Facts(
        secret_key=SECRET,
        session_cookie=COOKIE,
        remember_cookie=replace(COOKIE, lifetime=3600),
        protection="basic",
        proxies=(1,),
    )
    return replace(good, **changes)


def stored(**changes: Any) -> Facts:
    """Return what is known of an application of step 2, whose store is none in memory as far as types tell."""
    return cookie_login(**{"stores": Stores(sessions=NearStore(MemoryStore()))} | changes)


def accounts(**changes: Any) -> Facts:
    """Return what is known of an application of step 3."""
    good = {"accounts": AccountSettings(proxies=1), "public_url": "https://app.example", "sender": object()}
    return stored(**good | changes)


def said(found: Iterable[Finding]) -> dict[str, str]:
    """Return how bad each finding is, by what was looked at; the worst of several."""
    return {one.check: str(one.severity) for one in sorted(found, key=lambda one: one.severity)}


def wrong(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Return what is not as it should be, and how bad it is."""
    return [(one.check, str(one.severity)) for one in found if one.advice]
