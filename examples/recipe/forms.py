"""Reading what clients send: whatever it is, it is a good value or an answer that names the field."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import request
from flask_restful import abort

LONGEST_NAME = 64
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
FIELDS = {"username": str, "password": str, "remember": bool}


def refuse(status: int, message: str, field: str | None = None) -> NoReturn:
    """Answer with an error; ``field`` says where it is."""
    abort(status, error=message, **({"field": field} if field else {}))
    raise AssertionError  # abort() does not return, but does not say so


def refuse_other_sites() -> None:
    """Refuse a request that another site made the browser send."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site in {"cross-site", "same-site"}:
        refuse(403, "This request came from another site.")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        refuse(403, "This request came from another site.")


def credentials() -> dict[str, Any]:
    """Return the username, the password, and whether to remember, from the JSON of this request."""
    sent = _json_object()
    unknown = sorted(set(sent) - set(FIELDS))
    if unknown:
        refuse(422, f"{_shown(unknown[0])} is not a field of this form.", _shown(unknown[0]))
    for field, kind in FIELDS.items():
        if field not in sent and field != "remember":
            refuse(422, f"{field} is missing.", field)
        if field in sent and not isinstance(sent[field], kind):
            refuse(422, f"{field} must be {'true or false' if kind is bool else 'a text'}.", field)
        if kind is str:
            _refuse_unreadable(field, sent[field])
    return {"remember": False, **sent}


def new_credentials() -> dict[str, Any]:
    """Return the credentials of a sign-up, which have to be good ones."""
    sent = credentials()
    name, password = sent["username"], sent["password"]
    if not name or name != name.strip() or len(name) > LONGEST_NAME:
        refuse(422, f"username must have 1 to {LONGEST_NAME} characters and no space at its ends.", "username")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        refuse(422, f"password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", "password")
    return sent


def _json_object() -> dict[str, Any]:
    if request.mimetype != "application/json":
        refuse(415, "The body must be JSON, with the content type application/json.")
    try:
        sent = json.loads(request.get_data().decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_number)
    # A RecursionError is a body of brackets; a ValueError is anything else that is no JSON.
    except (ValueError, RecursionError):
        refuse(400, "The body is not JSON.")
    if not isinstance(sent, dict):
        refuse(422, "The body must be a JSON object with the fields username and password.", "username")
    return sent


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_number(_name: str) -> NoReturn:
    raise ValueError


def _refuse_unreadable(field: str, text: str) -> None:
    # Controls, zero-width characters and halves of characters: what looks alike must be alike.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} for character in text):
        refuse(422, f"{field} has a character that can't be seen or typed.", field)


def _shown(field: str) -> str:
    return field.encode("ascii", "replace").decode()[:LONGEST_NAME]
