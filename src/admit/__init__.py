"""Login, sessions and accounts for Flask: the kernel, which knows no web framework and no driver."""

from __future__ import annotations

from admit.errors import AdmitError, ConfigurationError, StoreError
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
