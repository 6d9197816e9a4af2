"""Refusing to serve an application that is not ready for it, while its commands run.

``flask routes``, ``flask db migrate`` and ``flask admit doctor`` need no public URL and no mail server. So the refusal
is for servers. It comes when the application is loaded, or at the first request if a command serves it after all.
"""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from werkzeug.wrappers import Response

from admit.errors import ConfigurationError
from admit.flask.development import is_development

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flask import Flask

__all__ = ["NotReady", "is_command", "refuse_to_serve"]

_logger = logging.getLogger("admit.flask")

#: The command to develop with, and the one that says what is missing: of an application, and of the ready-made one.
_OWN = ("flask --debug", "flask admit doctor")
_READY_MADE = ("admit run --dev", "admit doctor")
#: Programs that print a traceback of 40 lines for every exception of the application that they load.
_SERVERS = frozenset({"gunicorn", "uwsgi", "waitress", "waitress-serve"})
#: gunicorn starts another worker in place of one that ended, unless this says that the application can't be loaded.
_CANT_BE_LOADED = 4


class NotReady(ConfigurationError, click.ClickException):
    """The application must not be served like this; ``flask run`` and ``admit run`` print the sentence and end."""

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)


def is_command() -> bool:
    """Tell whether the application is loaded by a command that does not serve it."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name != "run"


def refuse_to_serve(app: Flask, reasons: Sequence[str]) -> None:
    """Refuse to serve an application outside development; a command that does not serve goes on.

    Args:
        app: The application.
        reasons: What is missing: for each, what is wrong and what to do. Nothing happens if there are none.

    Raises:
        NotReady: A server is about to serve the application, or a program that is not known as one or the other.
    """
    if not reasons or is_development(app):
        return
    developing, examining = _READY_MADE if app.name == "admit.server" else _OWN
    message = f'{reasons[0].removesuffix(".")}, or run "{developing}" during development.'
    if reasons[1:]:
        message += f' "{examining}" lists what else is missing.'
    if is_command():
        app.wsgi_app = _Refusing(app.wsgi_app, message)  # type: ignore[method-assign] # as middleware is added to Flask
    elif click.get_current_context(silent=True) is None and _program(sys.argv) in _SERVERS:
        _end(message)
    else:
        raise NotReady(message)


def _program(arguments: Sequence[str]) -> str:
    """Return the name of the program that runs, also if Python was told to run it as a module."""
    path = Path(arguments[0]) if arguments else Path()
    return path.parent.name if path.stem == "__main__" else path.stem


def _end(message: str) -> NoReturn:
    sys.stderr.write(f"Error: {message}\n")
    sys.stderr.flush()
    raise SystemExit(_CANT_BE_LOADED)


class _Refusing:
    """Middleware that lets nobody in; ``app`` is what it stands before, as others have it."""

    def __init__(self, app: Any, message: str) -> None:
        self.app = app
        self._message = message
        self._is_told = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self._is_told:
            self._is_told = True
            _logger.error(self._message)
        headers = {"Cache-Control": "no-store"}
        body = "This site can't be served yet. Its log says why.\n"
        return Response(body, HTTPStatus.SERVICE_UNAVAILABLE, headers, "text/plain")(environ, start_response)
