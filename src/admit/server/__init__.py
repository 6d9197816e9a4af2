"""The ready-made application behind ``admit run``: all features, on SQLite, from the command line."""

from __future__ import annotations

from admit.server.app import create_app
from admit.server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app"]
