"""Letting the pages of other origins that are trusted use the JSON API (Fetch, CORS protocol).

Which origins may read an answer of ours is said here and nowhere else. An extension such as Flask-Cors that is set up
for the whole application would let other origins read what is in an account, and a header that is there twice is one
that browsers refuse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from werkzeug.datastructures import HeaderSet

from admit.errors import CrossSiteRequest
from admit.flask.context import application, the_request
from admit.flask.headers import header

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Flask, Response

__all__ = ["answer_preflight", "answer_trusted_origins"]

#: What a script is shown of the head of an answer, besides what every script is.
_EXPOSED = ("Admit-Token", "Admit-Pending", "Content-Disposition", "Retry-After", "WWW-Authenticate")

#: All headers by which an answer lets another origin in.
_LETTING_IN = tuple(
    f"Access-Control-{name}"
    for name in (
        "Allow-Origin",
        "Allow-Credentials",
        "Allow-Headers",
        "Allow-Methods",
        "Allow-Private-Network",
        "Expose-Headers",
        "Max-Age",
    )
)

#: For how many seconds a browser need not ask again. What it sends meanwhile is checked all the same.
_MAX_AGE = "600"

_NAME = r"[\w!#$%&'*+.^`|~-]+"
_NAMES = re.compile(rf"{_NAME}(?:[ \t]*,[ \t]*{_NAME})*", re.ASCII)


def answer_trusted_origins(app: Flask, blueprint: str, trusted: Collection[str]) -> None:
    """Have the JSON API answer trusted origins, with credentials, and no other ones.

    Args:
        app: The application.
        blueprint: The name of the blueprint with the JSON API and its pages.
        trusted: The origins.
    """

    def answer(response: Response) -> Response:
        request = the_request()
        if request.blueprint != blueprint:
            return response
        origin = header(request, "Origin")
        if origin is None or origin not in trusted:
            for name in _LETTING_IN:
                response.headers.pop(name, None)
        elif str(request.endpoint).endswith("_json"):
            _let_in(response, origin)
        return response

    # The first is called last, after those of other extensions, whenever they are set up.
    app.after_request_funcs.setdefault(None, []).insert(0, answer)


def answer_preflight(trusted: Collection[str]) -> Response:
    """Tell a browser what it may send for a page of another origin.

    Raises:
        CrossSiteRequest: The origin is not trusted.
    """
    if header(the_request(), "Origin") not in trusted:
        raise CrossSiteRequest(reason="a preflight of an origin that is not trusted")
    return application().make_default_options_response()


def _let_in(response: Response, origin: str) -> None:
    request, headers = the_request(), response.headers
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    exposed = response.access_control_expose_headers or HeaderSet()
    exposed.update(_EXPOSED)
    response.access_control_expose_headers = exposed
    if request.method != "OPTIONS":
        return
    response.vary.update(["Access-Control-Request-Headers", "Access-Control-Request-Method"])
    headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
    headers["Access-Control-Max-Age"] = _MAX_AGE
    asked = header(request, "Access-Control-Request-Headers")
    # Whatever an origin that is trusted wants to send: its tools add some of their own, and we read none of those.
    if asked is not None and _NAMES.fullmatch(asked):
        headers["Access-Control-Allow-Headers"] = asked
