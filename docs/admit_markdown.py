"""Parts of the documentation as Markdown, made of what is declared."""

from __future__ import annotations

import dataclasses
import inspect
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from admit.action import Demand
from admit.errors import AdmitError
from admit.events import Event, SessionEvent
from admit_declarations import actions_of, catalogue, codes_of, mails_of, pages_of, publishers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from admit.feature import Action, Feature
    from admit_declarations import Served

__all__ = [
    "WHAT_TO_DO",
    "markdown_of_actions",
    "markdown_of_errors",
    "markdown_of_events",
    "markdown_of_features",
    "markdown_of_mails",
    "markdown_of_pages",
    "words_of",
]

#: A role of Sphinx in a docstring.
_ROLE = re.compile(r":\w+:`~?([^`]+)`")

#: How the types of fields are called, but for those that have parts.
_KINDS = {
    "BoolType": "true or false",
    "DateTimeType": "time (RFC 3339)",
    "DictType": "object",
    "FloatType": "number",
    "IntType": "whole number",
    "NoneType": "null",
    "StrType": "text",
}

#: What a client does about each error, by its code.
WHAT_TO_DO = {
    "account_locked": "Write to the operator, who can open it again.",
    "body_too_large": "Send less: 16 KiB at most.",
    "cross_site_request": "Send it from a page of the site, or name the page's origin in `ADMIT_TRUSTED_ORIGINS`.",
    "identifier_taken": "Choose another name.",
    "invalid_challenge": "Ask for another link or code.",
    "wrong_code": "Type the code of the latest mail, or ask for another one.",
    "invalid_credentials": "Correct the name or the secret; the answer does not say which is wrong.",
    "invalid_input": "Correct the fields in `fields`, each of which says what is wrong with it.",
    "malformed_body": "Send one JSON object in UTF-8, without duplicate keys, NaN or deep nesting.",
    "not_found": "Read the list again: it is gone, or it was never yours.",
    "overloaded": "Send it again after the seconds in `Retry-After`.",
    "reauthentication_required": "Prove once more who is there, by one of `methods`, and send it again.",
    "registration_closed": "Ask the operator for an invitation.",
    "role_required": "Ask the operator for the role.",
    "session_required": "Sign in, by one of `methods`, and send it again.",
    "step_up_required": "Prove another factor, and send it again.",
    "throttled": "Send it again after the seconds in `Retry-After`. A right password is refused until then, too.",
    "unavailable": "Send it again after the seconds in `Retry-After`; the log of the site says what failed.",
    "unsupported_body": "Send `Content-Type: application/json`.",
    "verification_required": "Open the link in the mail, or ask for another one.",
}


def markdown_of_features() -> str:
    """Return a table of all features."""
    rows = [
        f"| [{name}]({name}.md) | `{type(feature).__name__}` | {_plain(_first(type(feature)))} "
        f"| {'<br>'.join(one.subject for one in mails_of(feature)) or 'none'} |"
        for name, feature in catalogue().items()
    ]
    return "\n".join(["| feature | class | what it does | mails |", "|---|---|---|---|", *rows])


def markdown_of_actions(feature: Feature) -> str:
    """Return what a client can do with a feature: where, with what, and what it is answered."""
    places = actions_of(feature)
    known = [_action(f"{feature.name}.{one.name}", one, places[one.name]) for one in feature.actions()]
    known += [f"`/.well-known/{place}` leads to the page of `{name}`." for place, name in feature.well_known.items()]
    return "\n\n".join(known)


def _action(name: str, action: Action, served: Served) -> str:
    lines = [f"**{action.title}** (`{name}`). {_plain(action.summary)}", ""]
    lines += [f"- Page: {_quoted(served.page)}"] if served.page else []
    lines += [f"- JSON: {_quoted(served.json)}"] if served.json else []
    lines += [f"- Link in a mail: {_quoted(served.link)}"] if served.link else []
    if action.demands is not Demand.NOTHING:
        lines.append(f"- Demands {'a fresh session' if action.demands is Demand.FRESH else 'a session'}.")
    lines += _input(action)
    lines += [_success(action), _refusals(served.json[0])] if served.json else []
    return "\n".join(lines)


def _input(action: Action) -> list[str]:
    if action.input is None:
        return []
    return ["- Takes:", *(f"  - {words_of(one)}" for one in msgspec.structs.fields(action.input))]


def words_of(field: msgspec.structs.FieldInfo) -> str:
    """Return what a field of an input takes, and what is taken for it when it is left out."""
    words = f"`{field.encode_name}`: {_kind(msgspec.inspect.type_info(field.type))}"
    if field.required:
        return f"{words}, required"
    default = msgspec.json.encode(field.default).decode()
    return f"{words}; `{default}` when it is left out"


def _kind(kind: msgspec.inspect.Type) -> str:
    match kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind:
        case msgspec.inspect.StrType(max_length=int(most)):
            return f"text of at most {most:,} characters"
        case msgspec.inspect.EnumType(cls=choices):
            return " or ".join(f"`{one.value}`" for one in choices)
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(map(_kind, types))
        case msgspec.inspect.ListType(item_type=item):
            return f"list of {_kind(item)}"
        case msgspec.inspect.StructType(fields=parts):
            return f"objects with {', '.join(f'`{part.encode_name}`' for part in parts)}"
        case plain:
            return _KINDS[type(plain).__name__]


def _quoted(places: Iterable[str]) -> str:
    return ", ".join(f"`{place}`" for place in places)


def _success(action: Action) -> str:
    if action.output in {None, type(None)}:
        return f"- Answers {HTTPStatus.NO_CONTENT.value}, without a body."
    known = msgspec.structs.fields(action.output)
    parts = ", ".join(f"`{one.encode_name}` ({_kind(msgspec.inspect.type_info(one.type))})" for one in known)
    return f"- Answers {action.status} with {parts}."


def _refusals(place: str) -> str:
    said = (f"{status} {', '.join(map(_to_error, _listed(codes)))}" for status, codes in codes_of(place).items())
    return f"- Refuses with {'; '.join(said)}."


def _listed(codes: Iterable[str]) -> list[str]:
    # Why a session ended is told at the error itself.
    return [code for code in codes if code == "session_required" or not code.startswith("session_")]


def _to_error(code: str) -> str:
    return f"{{ref}}`{code} <error-{code}>`"


def markdown_of_mails(feature: Feature) -> str:
    """Return a table of the mails of a feature."""
    rows = [f"| {one.subject} | `admit/{one.name}.txt`, `admit/{one.name}.html` |" for one in mails_of(feature)]
    return "\n".join(["| subject | templates |", "|---|---|", *rows]) if rows else "It has no mails of its own."


def markdown_of_pages(feature: Feature) -> str:
    """Return the names of the templates of a feature's pages."""
    return _quoted(pages_of(feature)) or "It has no pages of its own."


def markdown_of_events(events: Iterable[type[Event]], *, label: Callable[[type[Event]], str] | None = None) -> str:
    """Return a paragraph and the fields of each event.

    Args:
        events: Which.
        label: Makes the target of links to an event; without it, the names are links to the page of events.
    """
    return "\n\n".join(_event(one, label) for one in events) or "It publishes nothing."


def _event(event: type[Event], label: Callable[[type[Event]], str] | None) -> str:
    known = ", ".join(f"`{one.name}` ({str(one.type).replace(' | ', ' or ')})" for one in dataclasses.fields(event))
    if label is None:
        return f"- {_to_event(event)}: {_plain(_first(event))}"
    parents = [base for base in event.__bases__ if base not in {Event, SessionEvent}]
    kinds = f" A kind of {_to_event(parents[0])}." if parents else ""
    makers = ", ".join(f"`{name}`" for name in publishers_of(event))
    said = f"Published by {makers}." if makers else "Nothing of Admit's own publishes it yet."
    return "\n".join(
        [
            f"({label(event)})=",
            f"**{event.__name__}**, in `{event.__module__}`. {_plain(_first(event))}{kinds}",
            "",
            f"- Fields: {known}",
            f"- {said}",
        ]
    )


def _to_event(event: type[Event]) -> str:
    return f"{{ref}}`{event.__name__} <event-{event.__name__}>`"


def markdown_of_errors(errors: Iterable[type[AdmitError]], what_to_do: Mapping[str, str]) -> str:
    """Return each error with its code, its status, what it says, and what a client does about it."""
    by_code: dict[str, list[type[AdmitError]]] = {}
    for error in errors:
        by_code.setdefault(error.code, []).append(error)
    return "\n\n".join(_error(kinds, what_to_do[code]) for code, kinds in by_code.items())


def _error(kinds_of_code: list[type[AdmitError]], advice: str) -> str:
    error, *others = sorted(kinds_of_code, key=lambda one: len(one.__mro__))
    statuses = " or ".join(str(one.status) for one in (error, *others))
    elsewhere = "".join(f" {one.status}: {_plain(_first(one))}" for one in others)
    parents = [base for base in error.__bases__ if issubclass(base, AdmitError) and base is not AdmitError]
    kinds = f" A kind of {_to_error(parents[0].code)}." if parents else ""
    return "\n".join(
        [
            f"(error-{error.code})=",
            f"**`{error.code}`** {statuses}, `{_imported(error)}`. {_plain(_first(error))}{elsewhere}{kinds}",
            "",
            f"- Says: “{error.message}”",
            f"- What to do: {advice}",
        ]
    )


def _imported(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _first(kind: type) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def _plain(text: str) -> str:
    """Return a docstring's text without the marks of Sphinx."""
    return _ROLE.sub(lambda found: f"`{found[1]}`", text).replace("``", "`")
