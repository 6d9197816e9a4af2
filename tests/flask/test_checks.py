"""What the doctor tells from facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from admit.feature import Feature
from admit.findings import warning
from admit.flask.checks import findings_of
from admit.flask.settings import AccountSettings, CookieSettings, StoreSettings
from admit.mail import ConsoleSender
from admit.settings import SessionSettings
from admit.store import Stores
from admit.stores.memory import MemoryStore
from admit.throttle import ThrottleSettings
from tests.flask.facts_of_tests import COOKIE, SECRET, accounts, cookie_login, said, stored, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.findings import Finding

DAY = timedelta(days=1)
MEMORY = {"stores": Stores(sessions=MemoryStore())}


class Mailing(Feature):
    """Sends mails, and has something to say."""

    name = "mailing"
    sends_mail = True

    def examine(self, features: Mapping[str, Feature]) -> list[Finding]:
        """Say it."""
        return [warning("mailing", f"There are {len(features)} features.", "Add one.")]


@pytest.mark.parametrize("make", [cookie_login, stored, accounts])
def test_nothing_is_wrong(make: Any) -> None:
    """Of an application that is as it should be there is nothing to do, at each step."""
    assert wrong(findings_of(make())) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"is_debugging": True, "is_development": True}, ("debug", "error")),
        ({"is_development": True}, ("development", "note")),
        ({"secret_key": None}, ("secret_key", "error")),
        ({"secret_key": "dev"}, ("secret_key", "error")),
        ({"secret_key": b"short"}, ("secret_key", "error")),
        ({"secret_key": "ab" * 30}, ("secret_key", "error")),
        ({"fallbacks": ("changeme",)}, ("secret_key_fallbacks", "error")),
        ({"fallbacks": ("",)}, ("secret_key_fallbacks", "error")),
        ({"fallbacks": (SECRET,)}, ("secret_key_fallbacks", "warning")),
        ({"fallbacks": tuple(f"{SECRET}{n}" for n in range(3))}, ("secret_key_fallbacks", "note")),
        ({"fallbacks": (f"{SECRET}1",), "knows_fallbacks": False}, ("secret_key_fallbacks", "warning")),
        ({"session_cookie": replace(COOKIE, secure=False)}, ("session_cookie", "error")),
        ({"session_cookie": replace(COOKIE, httponly=False)}, ("session_cookie", "error")),
        ({"session_cookie": replace(COOKIE, samesite=None)}, ("session_cookie", "warning")),
        ({"session_cookie": replace(COOKIE, samesite="None")}, ("session_cookie", "warning")),
        ({"session_cookie": replace(COOKIE, domain="example.org")}, ("session_cookie", "warning")),
        ({"remember_cookie": replace(COOKIE, secure=False, lifetime=1)}, ("remember_cookie", "error")),
        ({"remember_cookie": replace(COOKIE, lifetime=365 * DAY)}, ("remember_lifetime", "note")),
        ({"protection": None}, ("session_protection", "warning")),
        ({"proxies": ()}, ("proxies", "note")),
    ],
)
def test_what_is_wrong_with_a_login_in_a_cookie(changes: dict[str, Any], found: tuple[str, str]) -> None:
    """Each fault of an application of step 1 is told, and nothing else is."""
    assert wrong(findings_of(cookie_login(**changes))) == [found]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"session_cookie": replace(COOKIE, secure=False)}, ("session_cookie", "warning")),
        ({"cookie": CookieSettings(domain="example.org")}, ("cookie", "warning")),
        ({"cookie": CookieSettings(samesite="None")}, ("cookie", "warning")),
        ({"sessions": SessionSettings(idle=31 * DAY, absolute=None)}, ("session_lifetime", "warning")),
        ({"sessions": SessionSettings(absolute=31 * DAY)}, ("session_lifetime", "warning")),
        ({"sessions": SessionSettings(remembered_absolute=None)}, ("session_lifetime", "warning")),
        ({"sessions": SessionSettings(fresh_within=DAY)}, ("fresh_within", "warning")),
        ({"sessions": SessionSettings(rotate_every=None)}, ("rotation", "warning")),
        ({"store": StoreSettings(near_max_age=DAY)}, ("near_max_age", "warning")),
        (MEMORY, ("store_kind", "warning")),
        (MEMORY | {"workers": 2}, ("store_kind", "error")),
    ],
)
def test_what_is_wrong_with_a_login_in_a_store(changes: dict[str, Any], found: tuple[str, str]) -> None:
    """Each fault of an application of step 2 is told."""
    assert set(wrong(findings_of(stored(**changes)))) == {found}


def test_a_store_needs_no_secret() -> None:
    """Where logins are in a store a secret key is not needed, and neither is Flask's own cookie looked at."""
    found = said(findings_of(stored(secret_key=None, session_cookie=replace(COOKIE, secure=False))))
    assert found["secret_key"] == "ok"
    assert "session_cookie" not in found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"public_url": "http://app.example"}, ("https", "error")),
        ({"public_url": "http://127.0.0.1:5000"}, ("public_url", "error")),
        ({"public_url": "http://app.localhost"}, ("public_url", "error")),
        ({"public_url": None}, ("https", "error")),
        ({"accounts": AccountSettings(trusted_origins=("http://b.example",))}, ("trusted_origins", "error")),
        ({"accounts": AccountSettings(proxies=1), "proxies": (1, 1)}, ("proxies", "error")),
        ({"throttle": ThrottleSettings(pair_burst=101)}, ("throttle", "warning")),
        ({"throttle": ThrottleSettings(address_interval=timedelta(seconds=0.1))}, ("throttle", "warning")),
    ],
)
def test_what_is_wrong_with_accounts(changes: dict[str, Any], found: tuple[str, str]) -> None:
    """Each fault of an application of step 3 is told."""
    assert wrong(findings_of(accounts(**changes))) == [found]


def test_origins_on_this_machine() -> None:
    """Another site on this very machine may do without https."""
    here = AccountSettings(trusted_origins=("http://localhost:8080", "https://b.example"))
    assert wrong(findings_of(accounts(accounts=here))) == []


def test_features_say_what_they_find() -> None:
    """Mails that are printed are told where a feature sends some, and a feature has its say."""
    changes = {"features": {"mailing": Mailing()}, "sender": ConsoleSender()}
    assert wrong(findings_of(accounts(**changes))) == [("mail", "error"), ("mailing", "warning")]
    assert wrong(findings_of(accounts(sender=ConsoleSender()))) == []


def test_development_may_do_with_less() -> None:
    """In development, what is usual there is a note."""
    usual = {
        "features": {"mailing": Mailing()},
        "sender": ConsoleSender(),
        "public_url": "http://127.0.0.1:5000",
        "session_cookie": replace(COOKIE, secure=False),
        "proxies": (),
    }
    found = said(findings_of(accounts(is_development=True, **usual, **MEMORY)))
    assert found.pop("mailing") == "warning"
    assert set(found.values()) == {"ok", "note"}
    found = said(findings_of(cookie_login(is_development=True, session_cookie=replace(COOKIE, secure=False))))
    assert found["session_cookie"] == "note"


def test_secrets_are_never_shown() -> None:
    """No finding and no fact shows a secret."""
    facts = cookie_login(secret_key="hunter2secretkey", fallbacks=("hunter2", SECRET))
    shown = [repr(facts), *(f"{one.sentence} {one.advice}" for one in findings_of(facts))]
    assert all("hunter2" not in text and SECRET not in text for text in shown)
