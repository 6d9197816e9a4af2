"""A site that is served by https is served by nothing else.

An attacker on the way reads what goes over plain http, and answers in the site's place. A browser that has been told so
never comes by http again; one that has not is sent on with nothing done, and a program is told at once that it has said
its secret where others could hear it, instead of being led to say it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from admit.flask.context import application, the_request
from admit.flask.headers import asked
from admit.server.errors import answer_error
from admit.server.hosts import asked_by_address

if TYPE_CHECKING:
    from flask import Flask, Response

    from admit.flask.settings import AccountSettings
    from admit.server.settings import ServerSettings

__all__ = ["demand_https"]

_YEAR = 31_536_000
_LOOKS = {"GET", "HEAD"}


def demand_https(app: Flask, server: ServerSettings, accounts: AccountSettings) -> None:
    """Tell browsers to come by https only; where the proxies in front say how somebody came, refuse plain http."""
    words = [f"max-age={_YEAR}", "includeSubDomains" * server.hsts_subdomains, "preload" * server.hsts_preload]
    header = "; ".join(filter(None, words))
    origin = str(accounts.public_url).removesuffix(urlsplit(accounts.public_url or "").path)

    @app.after_request
    def say_so(response: Response) -> Response:
        response.headers["Strict-Transport-Security"] = header
        return response

    if accounts.proxies:
        # Without a proxy that says it, nobody knows: each request would seem to be plain, and be sent on for ever.
        _refuse_plain_http(app, origin, accounts.api_prefix)


def _refuse_plain_http(app: Flask, origin: str, api_prefix: str) -> None:
    by_address = asked_by_address(app)

    @app.before_request
    def refuse_plain_http() -> Response | None:
        request = the_request()
        if request.is_secure or request.path in by_address:
            return None
        is_api = request.path.startswith("/" + api_prefix.split("/")[1] + "/")
        if is_api or request.method not in _LOOKS:
            return answer_error(403, api_prefix)
        url = asked(request)
        if url is None:
            return answer_error(400, api_prefix)
        # Whatever follows the host that was asked for, after the one that is configured.
        place = f"{origin}/{url.split('/', 3)[3]}"
        return application().response_class(status=308, headers={"Location": place})
