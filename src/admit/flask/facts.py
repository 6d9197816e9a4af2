"""What is known of an application without asking anybody: how it is configured, and what it is made of."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from werkzeug.middleware.proxy_fix import ProxyFix

from admit.flask.config import COOKIE_DURATION, COOKIE_HTTPONLY, COOKIE_SAMESITE, COOKIE_SECURE
from admit.flask.development import is_development
from admit.flask.settings import CookieSettings, StoreSettings
from admit.flask.starting import workers
from admit.flask.state import state_of
from admit.flask.stored_login import StoredLogin
from admit.settings import SessionSettings
from admit.throttle import ThrottleSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from flask import Flask

    from admit.feature import Feature
    from admit.flask.settings import AccountSettings
    from admit.mail import Sender
    from admit.store import Stores

__all__ = ["CookieFacts", "Facts", "facts_of"]

_FIRST_WITH_FALLBACKS = (3, 1)


@dataclass(frozen=True, kw_only=True)
class CookieFacts:
    """A cookie as it is set."""

    secure: bool
    httponly: bool
    samesite: str | None
    domain: str | None = None
    lifetime: timedelta | int | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of an application, at whichever step it is."""

    is_development: bool = False
    is_debugging: bool = False
    secret_key: str | bytes | None = field(default=None, repr=False)
    fallbacks: tuple[str | bytes, ...] = field(default=(), repr=False)
    #: Whether Flask itself believes old keys.
    knows_fallbacks: bool = True
    #: Flask's own session.
    session_cookie: CookieFacts
    remember_cookie: CookieFacts
    protection: str | None = None
    #: How many entries of ``X-Forwarded-For`` each middleware in front believes.
    proxies: tuple[int, ...] = ()
    workers: int = 1
    #: What there is from step 2 on.
    stores: Stores | None = None
    cookie: CookieSettings = field(default_factory=CookieSettings)
    sessions: SessionSettings = field(default_factory=SessionSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    #: What there is from step 3 on.
    accounts: AccountSettings | None = None
    features: Mapping[str, Feature] = field(default_factory=dict[str, Any])
    throttle: ThrottleSettings = field(default_factory=ThrottleSettings)
    public_url: str | None = None
    sender: Sender | None = None

    @property
    def is_stored(self) -> bool:
        """Whether logins are in a store, and not in Flask's session."""
        return self.stores is not None

    @property
    def sends_mail(self) -> bool:
        """Whether a feature sends mails."""
        return any(feature.sends_mail for feature in self.features.values())


def facts_of(app: Flask) -> Facts:
    """Return what is known of an application that has a login manager."""
    state = state_of(app)
    keeper, config = state.keeper, cast("Mapping[str, Any]", app.config)
    facts: dict[str, Any] = {}
    if isinstance(keeper, StoredLogin):
        facts = {
            "stores": state.stores,
            "cookie": keeper.cookie,
            "sessions": keeper.gate.settings,
            "store": StoreSettings.from_mapping(config),
        }
        if keeper.accounts is not None:
            facts |= {
                "accounts": keeper.accounts.settings,
                "features": keeper.accounts.features,
                "throttle": ThrottleSettings.from_mapping(config),
                "public_url": keeper.accounts.mailing.stated,
                "sender": keeper.accounts.mailing.sender,
            }
    return Facts(
        is_development=is_development(app),
        is_debugging=app.debug,
        secret_key=app.secret_key,
        fallbacks=tuple(config.get("SECRET_KEY_FALLBACKS") or ()),
        knows_fallbacks=tuple(map(int, version("flask").split(".")[:2])) >= _FIRST_WITH_FALLBACKS,
        session_cookie=_session_cookie(config),
        remember_cookie=_remember_cookie(config),
        protection=config.get("SESSION_PROTECTION", state.login_manager.session_protection),
        proxies=tuple(_proxies(app.wsgi_app)),
        workers=workers(os.environ, sys.argv),
        **facts,
    )


def _session_cookie(config: Mapping[str, Any]) -> CookieFacts:
    return CookieFacts(
        secure=config["SESSION_COOKIE_SECURE"],
        httponly=config["SESSION_COOKIE_HTTPONLY"],
        samesite=config["SESSION_COOKIE_SAMESITE"],
        domain=config["SESSION_COOKIE_DOMAIN"] or None,
    )


def _remember_cookie(config: Mapping[str, Any]) -> CookieFacts:
    return CookieFacts(
        secure=config.get("REMEMBER_COOKIE_SECURE", COOKIE_SECURE),
        httponly=config.get("REMEMBER_COOKIE_HTTPONLY", COOKIE_HTTPONLY),
        samesite=config.get("REMEMBER_COOKIE_SAMESITE", COOKIE_SAMESITE),
        domain=config.get("REMEMBER_COOKIE_DOMAIN"),
        lifetime=config.get("REMEMBER_COOKIE_DURATION", COOKIE_DURATION),
    )


def _proxies(application: Any) -> Iterator[int]:
    """Return what each middleware believes, as far as one names the next."""
    while application is not None:
        if isinstance(application, ProxyFix):
            yield application.x_for
        application = getattr(application, "app", None)
