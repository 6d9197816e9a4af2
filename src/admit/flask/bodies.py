"""Reading what a client sends: strictly, in bounds, and with the name of the field in every refusal.

An attacker sends what two readers understand differently (a key twice, another type, another encoding), or what
costs more to read than to send (depth, length, numbers of thousands of digits). None of it gets further than here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Never

import msgspec
from werkzeug.wsgi import get_input_stream

from admit.errors import BodyTooLarge, InvalidInput, MalformedBody, Text, UnsupportedBody
from admit.flask.headers import charset, header, media_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flask import Request

__all__ = ["LARGEST_BODY", "posted", "read_form", "read_json", "refuse_fields", "typed"]

#: Bytes of the largest body that is read.
LARGEST_BODY = 16 * 1024

_DEEPEST = 32
#: Far more than any action takes.
_MOST_FIELDS = 64
_POSTED = "_admit_posted"
_FORM_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data"}
# A text, so that brackets within it don't count; an unfinished one runs to the end.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
# What msgspec says of one that is not there.
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)


def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body; an empty body is an empty object.

    Raises:
        BodyTooLarge: It is longer than :data:`LARGEST_BODY`.
        MalformedBody: It is no JSON object in UTF-8, has a key twice, or is nested too deeply.
        UnsupportedBody: It is not ``application/json``, or is compressed.
    """
    body = _body(request)
    if not body and header(request, "Content-Type") is None:
        return {}
    if media_type(request) != "application/json" or charset(request) not in {"utf-8", "utf8"}:
        raise UnsupportedBody
    text = _text(body)
    _refuse_depth(text)
    try:
        found = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedBody from error
    if not isinstance(found, dict):
        raise MalformedBody({"": Text("Send a JSON object.")})
    return found  # pyright: ignore[reportUnknownVariableType] -- the next step finds out what is in it


def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form in a request's body.

    Raises:
        BodyTooLarge: It is longer than :data:`LARGEST_BODY`.
        MalformedBody: It has a field twice, or a file, or a part that is no UTF-8.
        UnsupportedBody: It is no form.
    """
    _refuse_length(request)
    if media_type(request) not in _FORM_TYPES:
        if request.content_length:
            raise UnsupportedBody
        return {}
    # In place of request.max_content_length, which can't be set before Flask 3.1.
    vars(request)["stream"] = get_input_stream(request.environ, max_content_length=LARGEST_BODY)
    request.max_form_memory_size = LARGEST_BODY
    request.max_form_parts = _MOST_FIELDS
    fields = request.form.to_dict(flat=False)
    _refuse_number(len(fields))
    for name, values in fields.items():
        if len(values) > 1:
            raise MalformedBody({name: Text("It is there more than once.")})
        # Werkzeug puts this in the place of bytes that are no UTF-8.
        if "\ufffd" in values[0]:
            raise MalformedBody({name: Text("It is not in UTF-8.")})
    for name in request.files:
        raise MalformedBody({name: Text("It is a file, which this does not take.")})
    found = {name: values[0] for name, values in fields.items()}
    vars(request)[_POSTED] = dict(found)  # the caller takes out what is no field of an action
    return found


def posted(request: Request, name: str) -> str | None:
    """Return a field of the form that :func:`read_form` has read; nobody reads a form that it has refused."""
    found: dict[str, str] = vars(request).get(_POSTED, {})
    return found.get(name)


def typed(kind: type[msgspec.Struct], found: Mapping[str, Any], *, strict: bool) -> Any:
    """Return what was read as the type that an action takes.

    Args:
        kind: That type.
        found: What was read.
        strict: Whether a number has to be a number; a form holds nothing but texts.

    Raises:
        InvalidInput: A field is missing, unknown, or of another type.
    """
    refuse_fields(found, [field.encode_name for field in msgspec.structs.fields(kind)])
    try:
        return msgspec.convert(dict(found), kind, strict=strict)
    except msgspec.ValidationError as error:
        raise InvalidInput(_complaint(str(error))) from None


def refuse_fields(found: Mapping[str, Any], known: Collection[str] = ()) -> None:
    """Refuse fields that nobody reads: whoever sent them believed that they count.

    Raises:
        InvalidInput: There are some.
    """
    unknown = {name: Text("There is no such field.") for name in found if name not in known}
    if unknown:
        raise InvalidInput(unknown)


def _body(request: Request) -> bytes:
    _refuse_length(request)
    if header(request, "Content-Encoding") not in {None, "identity"}:
        raise UnsupportedBody
    # One more than allowed, in case the length was not said or was a lie.
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise BodyTooLarge
    return body


def _refuse_length(request: Request) -> None:
    if (request.content_length or 0) > LARGEST_BODY:
        raise BodyTooLarge


def _refuse_number(count: int) -> None:
    if count > _MOST_FIELDS:
        raise MalformedBody({"": Text("There are more than {count} fields.", count=_MOST_FIELDS)})


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody({"": Text("It is not in UTF-8.")}) from error
    return text


def _refuse_depth(text: str) -> None:
    depth = 0
    for sign in _STRING.sub("", text):
        depth += (sign in "[{") - (sign in "]}")
        if depth > _DEEPEST:
            raise MalformedBody({"": Text("It is nested too deeply.")})


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_number(len(pairs))
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedBody({name: Text("It is there more than once.")})
        found[name] = _encodable(name, value)
    return found


def _encodable(name: str, value: Any) -> Any:
    # Half of a surrogate pair is no text: it can be neither hashed nor stored nor sent back.
    if not _is_text(name) or (isinstance(value, str) and not _is_text(value)):
        raise MalformedBody({name.encode(errors="replace").decode(): Text("It holds half of a character.")})
    return value


def _is_text(value: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def _refuse_constant(name: str) -> Never:
    raise MalformedBody({"": Text("{name} is not JSON.", name=name)})


def _complaint(message: str) -> dict[str, str]:
    """Return what msgspec complains of, by field, without its quotation marks."""
    what, _, place = message.partition(" - at `$")
    where = place.strip("`.")
    missing = _MISSING.fullmatch(what)
    if missing:
        return {".".join(filter(None, [where, missing["name"]])): Text("It is missing.")}
    return {where: Text("{what}.", what=what.replace("`", ""))}
