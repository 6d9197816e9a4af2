"""Answers to what went wrong: a page for people, a problem document below ``/api/``; neither says more than it must."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import render_template
from werkzeug.exceptions import HTTPException

from admit.flask.answers import harden
from admit.flask.context import the_request
from admit.flask.languages import best_language

if TYPE_CHECKING:
    from flask import Flask, Response

__all__ = ["answer_errors"]

#: What of the headers of an error tells the client how to go on.
_KEPT = ("Allow", "Retry-After")

_SENTENCES = {
    400: "This request can't be understood.",
    404: "There is no such page.",
    405: "This can't be done here.",
    500: "Something went wrong. It is our fault, and it was noted.",
    503: "This does not work just now. Please try again in a moment.",
}


def answer_errors(app: Flask, api_prefix: str) -> None:
    """Answer every error of an application in one way."""
    api = "/" + api_prefix.split("/")[1] + "/"

    @app.errorhandler(HTTPException)
    def answer(error: HTTPException) -> Response:
        if error.response is not None:  # whoever raised it has the answer
            return app.make_response(error.response)
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        is_api = the_request().path.startswith(api)
        response = app.make_response(_problem(status) if is_api else _page(status))
        response.status_code = status
        if is_api:
            response.mimetype = "application/problem+json"
        for name, value in error.get_headers():
            if name in _KEPT:
                response.headers[name] = value
        return harden(response)


def _sentence(status: int) -> str:
    return _SENTENCES.get(status, f"{HTTPStatus(status).phrase}.")


def _page(status: int) -> str:
    language = best_language(the_request())
    return render_template("server/error.html", message=_sentence(status), status=status, language=language)


def _problem(status: int) -> str:
    title, message = HTTPStatus(status).phrase, _sentence(status)
    code = re.sub(r"\W+", "_", title).lower()
    return json.dumps(
        {"type": "about:blank", "title": title, "status": status, "code": code, "detail": message, "error": message}
    )
