"""What an operator sees of the ready-made application, if they ask for it: metrics and spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.errors import ConfigurationError
from admit.flask.settings import MetricsSettings

if TYPE_CHECKING:
    from flask import Flask

    from admit.server.settings import ServerSettings

__all__ = ["observe_as_told"]


def observe_as_told(app: Flask, server: ServerSettings) -> None:
    """Begin to count and to trace, as far as the settings say.

    Raises:
        ConfigurationError: What it takes is not installed.
    """
    try:
        if MetricsSettings.from_mapping(app.config).token is not None:
            from admit.flask.metrics import Metrics

            Metrics(app)
        if server.traces:
            from admit.flask.traces import Traces

            Traces(app)
    except ModuleNotFoundError as error:
        extra, settings = (
            ("metrics", "ADMIT_METRICS_…") if error.name == "prometheus_client" else ("traces", "ADMIT_TRACES")
        )
        message = f"{settings} is set, and {error.name} is not installed. Install admit[{extra}], or leave it out."
        raise ConfigurationError(message) from error
