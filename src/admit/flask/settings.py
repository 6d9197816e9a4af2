"""The settings of the Flask side; keys in ``app.config`` are read once, by ``init_app``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import signature
from typing import ClassVar

from werkzeug.http import dump_cookie

from admit.errors import ConfigurationError
from admit.mail import MailSettings
from admit.settings import SessionSettings, Settings, setting
from admit.throttle import ThrottleSettings

__all__ = [
    "ALL_SETTINGS",
    "AccountSettings",
    "CookieSettings",
    "FlaskSettings",
    "MetricsSettings",
    "StoreSettings",
    "knows_partitioned",
]

_HOST = r"https?://[^/?#@\s]+"
# As browsers write it. Any other spelling would never be met: another case, the usual port, a pattern for many hosts.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?")
_USUAL_PORT = re.compile(r"http:.*:80|https:.*:443")
# An application may be mounted below a path. Nothing in it is encoded, and no part is empty or climbs.
_ADDRESS = re.compile(_HOST + r"(?:/(?!\.)[\w.~-]+)*")


@dataclass(frozen=True, kw_only=True)
class FlaskSettings(Settings):
    """What has to do with Flask itself.

    .. versionadded:: 0.1
    """

    problem_json: bool = setting(
        False, "Whether refusals are problem documents (RFC 9457) for clients that prefer JSON."
    )
    lazy_session: bool = setting(
        False, "Whether Flask's own session is opened only when something reads it. Needs a store."
    )


@dataclass(frozen=True, kw_only=True)
class CookieSettings(Settings):
    """The cookie that carries the session token.

    .. versionadded:: 0.1
    """

    section: ClassVar[str] = "cookie"

    name: str = setting("admit", "Its name, without the prefix __Host- or __Secure- that it gets.")
    domain: str | None = setting(None, "The domain that it is for; None for exactly this host, which is safest.")
    samesite: str = setting("Lax", 'Which requests of other sites carry it: "Lax", "Strict" or "None".')
    partitioned: bool = setting(False, "Whether each site that embeds this one gets a cookie of its own.")
    clear_site_data: bool = setting(
        False, "Whether logging out tells the browser to drop all cookies and storage of this site."
    )
    exchange_remember_cookie: bool = setting(
        True, "Whether a remember cookie of Flask-Login is exchanged for a session."
    )

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        if self.samesite not in {"Lax", "Strict", "None"}:
            message = f'{self.key("samesite")} is {self.samesite!r}. Choose "Lax", "Strict" or "None".'
            raise ConfigurationError(message)
        if self.partitioned and not knows_partitioned():
            message = f"{self.key('partitioned')} is on, and this Werkzeug can't set it. Install Werkzeug 3.1 or later."
            raise ConfigurationError(message)


@dataclass(frozen=True, kw_only=True)
class StoreSettings(Settings):
    """How the store is reached, and what of it each process keeps at hand.

    .. versionadded:: 0.1
    """

    section: ClassVar[str] = "store"

    connect_timeout: timedelta = setting(timedelta(seconds=0.5), "How long connecting may take.")
    command_timeout: timedelta = setting(timedelta(seconds=0.5), "How long an answer may take.")
    near_entries: int = setting(10_000, "How many sessions a process keeps at hand; 0 for none.")
    near_max_age: timedelta = setting(
        timedelta(seconds=5), "How long one kept at hand is believed if the store's push gets lost."
    )


@dataclass(frozen=True, kw_only=True)
class AccountSettings(Settings):
    """Where the pages and the JSON API of accounts are, and how they are reached from elsewhere.

    .. versionadded:: 0.2
    """

    prefix: str = setting("/account", "Where the pages are.")
    api_prefix: str = setting("/api/account", "Where the same actions are as JSON.")
    api_docs: bool | None = setting(
        None,
        "Whether everybody may read the OpenAPI description of the JSON API and try it on a page; "
        "None for in debug and tests only.",
    )
    after_login: str | None = setting(None, "The path to go to after a login; None for the account's own page.")
    public_url: str | None = setting(
        None,
        "The address of this site in links of mails, with the path that it is mounted at, "
        'such as "https://app.example"; None to use SERVER_NAME and APPLICATION_ROOT.',
    )
    site_name: str | None = setting(None, "What this site is called, in pages and mails; None for its host.")
    trusted_origins: tuple[str, ...] = setting(
        (),
        'Other origins whose pages may use the JSON API with the cookies of this site, such as "https://app.example"; '
        "they get CORS headers.",
    )
    proxies: int = setting(
        0, "How many proxies of your own are in front: as many entries of X-Forwarded-For and -Proto are believed."
    )

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        for name in ("prefix", "api_prefix"):
            path: str = getattr(self, name)
            if not path.startswith("/") or path.endswith("/") or "<" in path:
                message = f'{self.key(name)} is {path!r}. Begin it with a slash and end it without, as in "/account".'
                raise ConfigurationError(message)
        for origin in self.trusted_origins:
            if not _ORIGIN.fullmatch(origin) or _USUAL_PORT.fullmatch(origin):
                message = (
                    f"{self.key('trusted_origins')} has {origin!r}. Give scheme, host and an unusual port only, "
                    'as browsers write them: "https://app.example" or "http://localhost:5173".'
                )
                raise ConfigurationError(message)
        if self.public_url is not None and not _ADDRESS.fullmatch(self.public_url):
            message = (
                f"{self.key('public_url')} is {self.public_url!r}. Give scheme, host and the path that the "
                'application is mounted at, without a slash at the end, as in "https://app.example".'
            )
            raise ConfigurationError(message)
        if self.proxies < 0:
            message = f"{self.key('proxies')} is {self.proxies}. Give the number of proxies in front, 0 for none."
            raise ConfigurationError(message)


@dataclass(frozen=True, kw_only=True)
class MetricsSettings(Settings):
    """Where the metrics are, once :class:`admit.flask.metrics.Metrics` counts.

    .. versionadded:: 0.2
    """

    section: ClassVar[str] = "metrics"

    # Not shown: whoever knows it reads the metrics.
    token: str | None = field(
        default=None,
        repr=False,
        metadata={"doc": "What Prometheus presents to read the metrics; None to have no route that shows them."},
    )
    path: str = setting("/metrics", "Where they are shown to whoever has the token.")

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        if not self.path.startswith("/") or "<" in self.path:
            message = f'{self.key("path")} is {self.path!r}. Begin it with a slash, as in "/metrics".'
            raise ConfigurationError(message)


ALL_SETTINGS: tuple[type[Settings], ...] = (
    SessionSettings,
    CookieSettings,
    StoreSettings,
    FlaskSettings,
    AccountSettings,
    MailSettings,
    ThrottleSettings,
    MetricsSettings,
)


def knows_partitioned() -> bool:
    """Tell whether this Werkzeug can set ``Partitioned``; 3.1 and later do."""
    return "partitioned" in signature(dump_cookie).parameters
