"""The settings of the ready-made application, besides those of the library and its features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from admit.errors import ConfigurationError
from admit.features import everything
from admit.flask.settings import ALL_SETTINGS
from admit.mail import MailSettings
from admit.settings import Settings, setting

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ServerSettings", "known_settings"]

_HIGHEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Settings):
    """Where the ready-made application serves, and where it keeps what it knows.

    .. versionadded:: 0.2
    """

    db: str = setting(
        "sqlite:///admit.db", "Where accounts are kept, and sessions too unless they have a place of their own."
    )
    sessions: str | None = setting(
        None, 'Where sessions are kept, such as "redis://127.0.0.1"; None for where accounts are.'
    )
    host: str = setting("127.0.0.1", "The address to listen at.")
    port: int = setting(5000, "The port to listen at; 0 for one that is free.")
    threads: int = setting(32, "How many requests are answered at once.")
    dev: bool = setting(False, "Whether mails are printed and shown on a page instead of sent. Only for this machine.")
    trusted_hosts: tuple[str, ...] = setting(
        (), "Names that this site is asked for by, besides that of its public address; requests for others are refused."
    )
    traces: bool = setting(
        False, "Whether there are spans for OpenTelemetry, for opentelemetry-instrument to send where it is told."
    )
    hsts_subdomains: bool = setting(
        True, "Whether browsers are told to come by https to all names below that of the site as well."
    )
    hsts_preload: bool = setting(
        False, "Whether browsers may be shipped with the name of the site in them, https only."
    )
    # Not shown: whoever knows it can forge what it signs.
    secret_key: str | None = field(
        default=None,
        repr=False,
        metadata={"doc": "What signs Flask's own session; None for one that is made and kept beside the database."},
    )
    secret_key_fallbacks: tuple[str, ...] = field(
        default=(),
        repr=False,
        metadata={"doc": "Secret keys of before, the latest first: what they have signed is still believed."},
    )

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        for name, least, most in (("port", 0, _HIGHEST_PORT), ("threads", 1, 1024)):
            if not least <= getattr(self, name) <= most:
                message = f"{self.key(name)} is {getattr(self, name)}. Set it to a number from {least} to {most}."
                raise ConfigurationError(message)
        if self.hsts_preload and not self.hsts_subdomains:
            message = (
                f"{self.key('hsts_preload')} needs {self.key('hsts_subdomains')}: browsers take no name without "
                "those below it. Switch both on, or neither."
            )
            raise ConfigurationError(message)


def known_settings() -> list[type[Settings]]:
    """Return what the ready-made application can be told: its own settings, the library's and the features'."""
    return _once([ServerSettings, *ALL_SETTINGS, MailSettings, *(type(one) for one in everything())])


def _once(kinds: Iterable[type[Settings]]) -> list[type[Settings]]:
    return list(dict.fromkeys(kinds))
