"""The description of the JSON API, made of the actions: OpenAPI 3.1.

Nothing is described by hand, so that the description can't drift from what is served; a test sends what it allows and
forbids, and holds each answer to it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from importlib import metadata
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec

from admit.errors import (
    BodyTooLarge,
    CrossSiteRequest,
    InvalidCredentials,
    InvalidInput,
    InvalidProof,
    LockedAccount,
    MalformedBody,
    Overloaded,
    ReauthenticationRequired,
    SessionRequired,
    Throttled,
    Unavailable,
    UnsupportedBody,
)
from admit.feature import Demand, Face, Signed
from admit.flask.accounts import PENDING_HEADER
from admit.flask.blueprint import CARRIER
from admit.flask.prose import prose
from admit.flask.session_cookie import TOKEN_HEADER, secure_name
from admit.model import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from admit.errors import AdmitError
    from admit.feature import Action
    from admit.flask.accounts import Accounts, Bound

__all__ = ["Problem", "ProblemMethod", "codes_of", "describe"]

_PLACE = "#/components/schemas/{name}"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_PART = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}

#: What any request may get that sends something.
_OF_BODIES: tuple[type[AdmitError], ...] = (MalformedBody, BodyTooLarge, UnsupportedBody, InvalidInput)

_ABOUT = """Accounts: signing up, signing in, and what belongs to it.

A browser is given its session in a cookie. A client without cookies sends `Admit-Carrier: bearer` when it signs in,
finds its token in the header `Admit-Token` of the answer, and sends it as a bearer token from then on; whenever an
answer has that header again, the token in it takes the place of the one before. What is begun in one request and gone
on with in another, such as a sign-up whose address is yet to be confirmed, has a token of its own in the header
`Admit-Pending` of the answer; such a client sends it in the same header with what goes on.

What was refused is said in a problem document (RFC 9457), whose `code` is stable."""


class ProblemMethod(msgspec.Struct, frozen=True, kw_only=True):
    """One way to get what was missing: a feature, and where its action is."""

    name: str
    method: str
    path: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was refused (RFC 9457). The code is stable; the sentences are for people, in their language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
    fields: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    methods: list[ProblemMethod] | msgspec.UnsetType = msgspec.UNSET


def describe(accounts: Accounts, *, cookie: str | None = None, server: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application's accounts.

    Args:
        accounts: Its features, and where they are.
        cookie: The name of the session's cookie; the one that it has over https when it is missing.
        server: The address that the paths are below; the public address of the site when it is missing.

    .. versionadded:: 0.2
    """
    bounds = [one for one in accounts.offered_actions() if Face.JSON in one.action.faces]
    schemas = _Schemas([one.action for one in bounds])
    paths: dict[str, dict[str, Any]] = {}
    for bound in bounds:
        path = accounts.settings.api_prefix + _ARGUMENT.sub(r"{\1}", bound.action.path)
        paths.setdefault(path, {})[bound.action.method.lower()] = _operation(bound, schemas)
    tagged = dict.fromkeys(bound.feature.name for bound in bounds)
    return {
        "openapi": "3.1.0",
        "info": {"title": accounts.mailing.site_name, "version": metadata.version("admit"), "description": _ABOUT},
        "servers": [{"url": accounts.mailing.base if server is None else server}],
        "tags": [{"name": name, "description": prose(type(accounts.features[name])).text} for name in tagged],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie or secure_name(accounts.keeper.cookie)},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def codes_of(error: type[AdmitError]) -> list[str]:
    """Return the codes that problem documents of this error may have."""
    reasons = EndReason if issubclass(error, SessionRequired) else ()
    return [error.code, *(f"session_{reason.value}" for reason in reasons)]


class _Schemas:
    """The schemas of all that goes in and out, by the type that they are made of.

    Two features may name a type alike. Then msgspec gives both their full names.
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        inputs = [action.input for action in actions if action.input is not None]
        outputs = [action.output for action in actions if action.output is not NoneType]
        kinds = list(dict.fromkeys([*inputs, *outputs, Problem]))
        found, self.components = msgspec.json.schema_components(kinds, ref_template=_PLACE)
        self._found: dict[Any, dict[str, Any]] = dict(zip(kinds, found, strict=True))
        for schema in self.components.values():
            schema["description"] = prose(schema.get("description", "")).text
        sent = _reachable([self._found[kind] for kind in inputs], self.components)
        for name, schema in self.components.items():
            _put_defaults_into_words(schema, is_sent=name in sent)

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type: a reference, if it has a name."""
        return self._found[kind]


def _reachable(schemas: Iterable[dict[str, Any]], components: Mapping[str, dict[str, Any]]) -> set[str]:
    """Return the names of the components that these schemas refer to, at whatever depth."""
    found: set[str] = set()
    waiting = list(schemas)
    while waiting:
        text = msgspec.json.encode(waiting.pop()).decode()
        names = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text)) - found
        found |= names
        waiting += [components[name] for name in names]
    return found


def _put_defaults_into_words(schema: dict[str, Any], *, is_sent: bool) -> None:
    """Say what is taken for a field that is left out; generators take a default for something that has to be sent.

    In an answer a default is nobody's business: the field is always there.
    """
    for name, part in schema.get("properties", {}).items():
        if "default" not in part:
            continue
        default = part.pop("default")
        if not is_sent:
            schema["required"].append(name)
        elif default is not None:
            part["description"] = f"`{msgspec.json.encode(default).decode()}` when it is left out."


def _operation(bound: Bound, schemas: _Schemas) -> dict[str, Any]:
    action = bound.action
    summary, description = prose(action.function)
    described: dict[str, Any] = {
        "operationId": f"{bound.feature.name}_{action.name}",
        "tags": [bound.feature.name],
        "summary": summary or str(action.title),
        "responses": _success(action, schemas) | _refusals(_errors(action), schemas),
    }
    if description:
        described["description"] = description
    if parameters := _parameters(action):
        described["parameters"] = parameters
    if action.input is not None:
        content = {"application/json": {"schema": schemas.of(action.input)}}
        described["requestBody"] = {"required": True, "content": content}
    if action.demands is not Demand.NOTHING:
        described["security"] = [{"cookie": []}, {"bearer": []}]
    return described


def _parameters(action: Action) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PART} for name in action.arguments
    ]
    if _logs_in(action) or action.goes_on:
        named = " and ".join([TOKEN_HEADER] * _logs_in(action) + [PENDING_HEADER] * action.goes_on)
        words = f"`bearer` asks for tokens in headers ({named}), and not in cookies; another value asks for nothing."
        parameters.append({"name": CARRIER, "in": "header", **_header(words)})
    if action.goes_on:
        words = f"What an earlier answer had in its header {PENDING_HEADER}, from a client without cookies."
        parameters.append({"name": PENDING_HEADER, "in": "header", **_header(words)})
    return parameters


def _logs_in(action: Action) -> bool:
    return action.output is Signed and action.demands is Demand.NOTHING


def _success(action: Action, schemas: _Schemas) -> dict[str, Any]:
    output = action.output
    if output is NoneType:
        return {str(HTTPStatus.NO_CONTENT.value): {"description": "Done."}}
    described: dict[str, Any] = {
        "description": prose(output).text or "Done.",
        "content": {"application/json": {"schema": schemas.of(output)}},
    }
    headers: dict[str, str] = {}
    if _logs_in(action) or action.demands is not Demand.NOTHING:
        headers[TOKEN_HEADER] = "The session token from now on, for a client that carries it in a bearer header."
    if action.goes_on:
        headers[PENDING_HEADER] = "With what to go on, for a client without cookies: if something is begun, or anew."
    if headers:
        described["headers"] = {name: _header(words) for name, words in headers.items()}
    return {str(action.status): described}


def _errors(action: Action) -> list[type[AdmitError]]:
    """Return what an action may answer instead, those first that it names itself."""
    found: list[type[AdmitError]] = [*action.errors, CrossSiteRequest, Unavailable]
    if action.demands is not Demand.NOTHING:
        found = [InvalidProof if one is InvalidCredentials else one for one in found]
    if _logs_in(action):
        found.append(LockedAccount)
    if action.demands is not Demand.NOTHING:
        found.append(SessionRequired)
    if action.demands is Demand.FRESH:
        found.append(ReauthenticationRequired)
    if action.method != "GET":
        found += _OF_BODIES
    if action.input is not None:
        found += [Throttled, Overloaded]
    return list(dict.fromkeys(found))


def _refusals(errors: Iterable[type[AdmitError]], schemas: _Schemas) -> dict[str, Any]:
    by_status: dict[int, list[type[AdmitError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
        if error is ReauthenticationRequired:  # to a client with a bearer token
            by_status.setdefault(HTTPStatus.UNAUTHORIZED.value, []).append(error)
    return {str(status): _refusal(status, by_status[status], schemas) for status in sorted(by_status)}


def _refusal(status: int, errors: Iterable[type[AdmitError]], schemas: _Schemas) -> dict[str, Any]:
    coded = [(code, error) for error in errors for code in codes_of(error)]
    examples = {code: {"value": _example(error, code, status)} for code, error in coded}
    described: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {error.message}" for code, error in coded),
        "content": {"application/problem+json": {"schema": schemas.of(Problem), "examples": examples}},
    }
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        words, whole = "Seconds until the next try is worth making.", {"type": "integer", "minimum": 0}
        described["headers"] = {"Retry-After": {"description": words, "required": True, "schema": whole}}
    elif status == HTTPStatus.UNAUTHORIZED:
        words = "`Bearer` with what is wrong with the token, or `Cookie`, which makes no browser open a dialogue."
        described["headers"] = {"WWW-Authenticate": _header(words)}
    return described


def _header(words: str) -> dict[str, Any]:
    return {"description": words, "schema": {"type": "string"}}


def _example(error: type[AdmitError], code: str, status: int) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": code,
        "error": error.message,
    }
