"""Answers to what went wrong: a page for people, a problem document below ``/api/``; neither says more than it must."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException

from admit.errors import Text
from admit.flask.answers import harden
from admit.flask.context import application, the_request
from admit.flask.languages import best_language, said
from admit.server.pages import accounts_of, render_page

if TYPE_CHECKING:
    from flask import Flask, Response

__all__ = ["answer_error", "answer_errors"]

#: What of the headers of an error tells the client how to go on.
_KEPT = ("Allow", "Retry-After")

_SENTENCES: dict[int, str] = {
    400: Text("This request can't be understood."),
    404: Text("There is no such page."),
    405: Text("This can't be done here."),
    500: Text("Something went wrong. It is our fault, and it was noted."),
    503: Text("This does not work just now. Please try again in a moment."),
}


def answer_errors(app: Flask, api_prefix: str) -> None:
    """Answer every error of an application in one way."""

    @app.errorhandler(HTTPException)
    def answer(error: HTTPException) -> Response:
        response = answer_error(error.code or HTTPStatus.INTERNAL_SERVER_ERROR, api_prefix)
        for name, value in error.get_headers():
            if name in _KEPT:
                response.headers[name] = value
        return response


def answer_error(status: int, api_prefix: str) -> Response:
    """Return what is said of a status: a problem document to who asked the API, a page to anybody else."""
    make = application().response_class
    if the_request().path.startswith("/" + api_prefix.split("/")[1] + "/"):
        return harden(make(_problem(status), status=status, mimetype="application/problem+json"))
    return harden(make(_page(status), status=status, mimetype="text/html"))


def _sentence(status: int) -> str:
    return _SENTENCES.get(status, f"{HTTPStatus(status).phrase}.")


def _page(status: int) -> str:
    title = said(_sentence(status), best_language(the_request()))
    return render_page("server/error.html", accounts_of(application()), title=title)


def _problem(status: int) -> str:
    title, message = HTTPStatus(status).phrase, _sentence(status)
    code = re.sub(r"\W+", "_", title).lower()
    return json.dumps(
        {"type": "about:blank", "title": title, "status": status, "code": code, "detail": message, "error": message}
    )
