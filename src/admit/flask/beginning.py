"""When a request began: noted before anything else runs, because what it presents is judged by that time.

A view may ask who the user is after it has read a slow upload, or after its process was stopped for half a minute. By
then another request may have rotated the session's secret. Noting the time is all that runs at every request, and it
costs about 0.5 µs: neither the token is read nor the store asked. So where the time is the store's, only how long ago
the request began is noted.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import has_request_context

from admit.flask.context import the_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flask import Flask, Request

__all__ = ["beginning_of", "is_served", "note_beginnings"]

# No client can set it: what comes from a header is called HTTP_... there.
_KEY = "admit.began"


def note_beginnings(
    app: Flask, clock: Callable[[], datetime] | None, *, at_first: Callable[[], object] | None = None
) -> None:
    """Have every request to ``app`` note when it began.

    Args:
        app: The application.
        clock: Returns the present time, aware and UTC, and asks nobody for it; ``None`` if the store tells the time.
        at_first: Called before the first request, when the application has been set up.
    """
    app.wsgi_app = _Noting(app.wsgi_app, clock or time.monotonic, at_first)  # type: ignore[method-assign] # as WSGI middleware is added to Flask


class _Noting:
    """Middleware, which has what it stands before as ``app``, as others have: who looks for one finds it."""

    def __init__(
        self, app: Any, clock: Callable[[], datetime | float], at_first: Callable[[], object] | None = None
    ) -> None:
        self.app = app
        self._clock = clock
        self._at_first = at_first

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[_KEY] = self._clock()
        # Threads that come at the same moment may call it twice.
        at_first, self._at_first = self._at_first, None
        if at_first is not None:
            at_first()
        return self.app(environ, start_response)


def is_served() -> bool:
    """Tell whether a server answers a request now: then this process does not fork any more.

    An application may send itself requests while it is loaded. In the master of uWSGI they do not count, because its
    workers are forked in C: if a thread of Python's waits for its turn at that moment, they hang for ever.
    """
    if not has_request_context() or _KEY not in the_request().environ:
        return False
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is None or uwsgi.worker_id() > 0


def beginning_of(request: Request, clock: Callable[[], datetime]) -> datetime | None:
    """Return when the request began; ``None`` outside of a server, where nobody has noted it.

    Args:
        request: The request.
        clock: Returns the present time, aware and UTC.
    """
    began: Any = request.environ.get(_KEY)
    if isinstance(began, float):
        return clock() - timedelta(seconds=time.monotonic() - began)
    noted: datetime | None = began
    return noted
