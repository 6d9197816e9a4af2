"""Serving by waitress: a bounded number of threads, and an end that lets go of everything."""

from __future__ import annotations

import errno
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from admit.errors import ConfigurationError
from admit.server.pages import accounts_of, close_stores

if TYPE_CHECKING:
    from types import FrameType

    from flask import Flask

    from admit.server.settings import ServerSettings

__all__ = ["listen", "serve"]

#: How many connections may be open, and how many may wait to be accepted.
_BACKLOG = 1024
#: More than any action takes, so that the refusal is the application's; a body that is larger ends the connection.
_LARGEST_BODY = 1024 * 1024


def listen(server: ServerSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigurationError: The port is in use, or the address is not this machine's.
    """
    where = f"Port {server.port} of {server.host}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            # At once, so that no other can take the port while the database is opened.
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"{where} is in use. End what listens there, or choose another by --port."
        else:
            message = f"{where} can't be used: {error.strerror}. Choose others by --host and --port."
        raise ConfigurationError(message) from error
    return listening


def serve(app: Flask, server: ServerSettings, listening: socket.socket) -> None:
    """Serve until a signal says that it is enough; requests that are being answered get their answer."""
    from waitress.server import create_server  # type: ignore[import-untyped] # it has no types

    accounts = accounts_of(app)
    waitress: Any = create_server(
        app,
        sockets=[listening],
        threads=server.threads,
        # Beyond it nobody is heard until others have left: waitress' 100 are a class that comes at the same moment.
        connection_limit=_BACKLOG,
        asyncore_use_poll=True,  # select() takes no file whose number is higher than that
        ident=None,  # nobody needs to know what serves, and in which version
        url_scheme=urlsplit(accounts.mailing.base).scheme,
        # What proxies of one's own have written is read by the application, which knows how many there are.
        clear_untrusted_proxy_headers=not accounts.settings.proxies,
        max_request_body_size=_LARGEST_BODY,
    )
    # That some wait is what a queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        waitress.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        waitress.close()
        close_stores(app)


def _end(_number: int, _frame: FrameType | None) -> None:
    # waitress takes this for the wish to end, as it does an interrupt from the keyboard.
    raise SystemExit(0)
