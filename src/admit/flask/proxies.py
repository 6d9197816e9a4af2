"""Believing the proxies in front of an application, as many as it says that there are.

Each proxy adds an entry at the end of ``X-Forwarded-For``. What stands before those entries is the client's to choose:
it may be as long as the server takes, and it may open a quotation that hides the entries behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.middleware.proxy_fix import ProxyFix

from admit.throttle import read_address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Proxies"]

#: More than the entries of all proxies that anybody has in a row.
_LONGEST = 1024

#: What a header has in it if it is more than a list of names and addresses of IPv4.
_UNUSUAL = frozenset('":[')

_READ = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")


class Proxies(ProxyFix):
    """Werkzeug's ``ProxyFix``, which reads no more of the headers than the proxies have written.

    Args:
        app: What serves behind the proxies.
        count: The number of proxies.
    """

    def __init__(self, app: Any, count: int) -> None:
        super().__init__(app, x_for=count, x_proto=count)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        for key in _READ:
            value = environ.get(key)
            if value is not None and (len(value) > _LONGEST or not _UNUSUAL.isdisjoint(value)):
                environ[key] = _written_by_proxies(value, self.x_for)
        return super().__call__(environ, start_response)


def _written_by_proxies(value: str, count: int) -> str:
    """Return the last entries of a header, addresses without ports; no proxy puts an address in quotes."""
    entries = value[-_LONGEST:].replace('"', "").rsplit(",", count)[-count:]
    return ",".join(read_address(entry.strip(" \t")) or entry for entry in entries)
