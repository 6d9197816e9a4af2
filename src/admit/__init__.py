"""Login, sessions and accounts for Flask: the kernel, which knows no web framework and no driver."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from admit.errors import AdmitError, ConfigurationError, StoreError

if TYPE_CHECKING:
    from admit.gate import Gate
    from admit.model import Admitted, Authentication, Client, Ending, EndReason, Factor, Resumed, Session
    from admit.settings import SessionSettings, Settings
    from admit.store import SessionStore

__all__ = [
    "AdmitError",
    "Admitted",
    "Authentication",
    "Client",
    "ConfigurationError",
    "EndReason",
    "Ending",
    "Factor",
    "Gate",
    "Resumed",
    "Session",
    "SessionSettings",
    "SessionStore",
    "Settings",
    "StoreError",
    "__version__",
]

__version__ = "0.1.0"

_PLACES = {
    "gate": {"Gate"},
    "model": {"Admitted", "Authentication", "Client", "EndReason", "Ending", "Factor", "Resumed", "Session"},
    "settings": {"SessionSettings", "Settings"},
    "store": {"SessionStore"},
}


def __getattr__(name: str) -> Any:
    # With the first who asks: logins in cookies need little of the kernel, and every start would wait for all of it.
    module = next((module for module, names in _PLACES.items() if name in names), None)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"admit.{module}"), name)
