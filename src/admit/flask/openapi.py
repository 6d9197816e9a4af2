"""The description of the JSON API, made of the actions: OpenAPI 3.1."""

from __future__ import annotations

import inspect
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from admit.errors import (
    BodyTooLarge,
    CrossSiteRequest,
    InvalidInput,
    MalformedBody,
    Overloaded,
    ReauthenticationRequired,
    SessionRequired,
    Throttled,
    Unavailable,
    UnsupportedBody,
)
from admit.feature import Demand, Face

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.errors import AdmitError
    from admit.flask.accounts import Accounts, Bound

__all__ = ["describe"]

_PLACE = "#/components/schemas/{name}"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
#: Roles of Sphinx, which mean nothing to a reader of the description.
_ROLE = re.compile(r":\w+:`~?([^`]+)`|``([^`]+)``")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, as RFC 9457 has it: the code is stable, the sentences are for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: str
    fields: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    methods: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


def describe(accounts: Accounts) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application's accounts.

    Args:
        accounts: Its features, and where they are.

    .. versionadded:: 0.2
    """
    bounds = [one for one in accounts.actions() if Face.JSON in one.action.faces]
    kinds: list[Any] = [one.action.input for one in bounds] + [one.action.output for one in bounds]
    structs = [kind for kind in dict.fromkeys(kinds) if kind is not None and kind is not type(None)]
    _, schemas = msgspec.json.schema_components([*structs, Problem], ref_template=_PLACE)
    paths: dict[str, dict[str, Any]] = {}
    for bound in bounds:
        path = accounts.settings.api_prefix + _ARGUMENT.sub(r"{\1}", bound.action.path)
        paths.setdefault(path, {})[bound.action.method.lower()] = _operation(bound)
    return {
        "openapi": "3.1.0",
        "info": {"title": accounts.mailing.site_name, "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _schemes(accounts)},
        "tags": [{"name": one.name, "description": _text(type(one))} for one in accounts.features.values()],
    }


def _operation(bound: Bound) -> dict[str, Any]:
    action = bound.action
    described: dict[str, Any] = {
        "operationId": f"{bound.feature.name}_{action.name}",
        "tags": [bound.feature.name],
        "summary": str(action.title),
        "description": _text(action.function),
        "parameters": [_argument(name) for name in action.arguments],
        "responses": {**_success(bound), **_refusals(_errors(bound))},
    }
    if action.input is not None:
        content = {"application/json": {"schema": _reference(action.input)}}
        described["requestBody"] = {"required": True, "content": content}
    if action.demands is not Demand.NOTHING:
        described["security"] = [{"cookie": []}, {"bearer": []}]
    return described


def _argument(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _success(bound: Bound) -> dict[str, Any]:
    output = bound.action.output
    if output is None or output is type(None):
        return {"204": {"description": "Done."}}
    content = {"application/json": {"schema": _reference(output)}}
    return {str(bound.action.status): {"description": _text(output), "content": content}}


def _errors(bound: Bound) -> list[type[AdmitError]]:
    """Return what an action may answer instead, those first that it names itself."""
    action = bound.action
    found: list[type[AdmitError]] = [*action.errors, CrossSiteRequest, Unavailable]
    if action.demands is not Demand.NOTHING:
        found.append(SessionRequired)
    if action.demands is Demand.FRESH:
        found.append(ReauthenticationRequired)
    if action.method in _UNSAFE:
        found += [MalformedBody, BodyTooLarge, UnsupportedBody, InvalidInput]
    if action.input is not None:
        found += [Throttled, Overloaded]
    return list(dict.fromkeys(found))


def _refusals(errors: Iterable[type[AdmitError]]) -> dict[str, Any]:
    by_status: dict[int, list[type[AdmitError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {str(status): _refusal(status, by_status[status]) for status in sorted(by_status)}


def _refusal(status: int, errors: list[type[AdmitError]]) -> dict[str, Any]:
    said = " ".join(f"`{error.code}`: {error.message}" for error in errors)
    described: dict[str, Any] = {
        "description": said,
        "content": {"application/problem+json": {"schema": _reference(Problem)}},
    }
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        after = {"description": "Seconds until the next try is worth making.", "schema": {"type": "integer"}}
        described["headers"] = {"Retry-After": after}
    return described


def _schemes(accounts: Accounts) -> dict[str, Any]:
    name = f"__Host-{accounts.keeper.cookie.name}"
    return {
        "cookie": {"type": "apiKey", "in": "cookie", "name": name},
        "bearer": {"type": "http", "scheme": "bearer"},
    }


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": _PLACE.format(name=kind.__name__)}


def _text(described: object) -> str:
    """Return a docstring without the marks of Sphinx and without what is for developers."""
    text = (inspect.getdoc(described) or "").partition("\n\n..")[0]
    return _ROLE.sub(lambda found: f"`{found[1] or found[2]}`", text).strip()
