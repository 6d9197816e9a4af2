"""What features, events and errors there are, and what belongs to each: read off their declarations."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from flask import Flask

import admit
from admit import features
from admit.events import Event, SessionEvent
from admit.flask import LoginManager

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.errors import AdmitError
    from admit.feature import Feature

__all__ = [
    "Mail",
    "Served",
    "actions_of",
    "catalogue",
    "codes_of",
    "errors_below",
    "events_below",
    "events_of",
    "mails_of",
    "pages_of",
    "publishers_of",
]

_T = TypeVar("_T")

_SOURCE = Path(admit.__file__).parent
_CODE = re.compile(r"`(\w+)`:")
_SUBJECT = re.compile(r'_\("([^"]+)"')

#: What a feature asks of the kernel, as it is written, and what is published for it.
_ASKED = {
    "close_account(": ("AccountClosed", "SessionEnded"),
    "ctx.admit(": ("AccountReopened", "LoggedIn", "LoginPending", "SessionEnded"),
    "changes.write(": ("PasswordChanged",),
    "ctx.evict(": ("SessionEnded",),
    "ctx.confirm(": ("Reauthenticated", "SessionEnded"),
    "ctx.gate.revoke": ("SessionEnded",),
    "ctx.leaves = True": ("SessionEnded",),
    "ctx.throttle.attempt(": ("Throttling",),
    "ctx.throttle.request(": ("Throttling",),
    "keeper.replace(": ("PasswordChanged", "SessionEnded"),
    "one.hold(": ("SignUpWaits",),
    "one.turn_away(": ("AddressInUse",),
    "sign_ups.complete(": ("AccountCreated",),
    "sign_ups.make(": ("AccountCreated",),
}


class Mail(NamedTuple):
    """A mail of a feature: the name of its templates, and its subject in English."""

    name: str
    subject: str


class Served(NamedTuple):
    """Where an action is: the methods and paths of its page, of its JSON, and of the link that leads to it."""

    page: list[str]
    json: list[str]
    link: list[str]


# -- what there is -----------------------------------------------------------------------------------------------------


@cache
def catalogue() -> dict[str, Feature]:
    """Return every shipped feature with its default settings, by name."""
    return {feature.name: feature for feature in features.everything()}


def errors_below(root: type[AdmitError]) -> list[type[AdmitError]]:
    """Return all kinds of an error, those of kinds included, by status and code."""
    return sorted(set(_below(root)), key=lambda error: (error.status, error.code))


def events_below(root: type[Event]) -> list[type[Event]]:
    """Return all kinds of an event that stand for something that happened, by name; bases of others are left out."""
    return sorted(set(_below(root)) - {SessionEvent}, key=lambda one: one.__name__)


def _below(root: type[_T]) -> Iterable[type[_T]]:
    for kind in root.__subclasses__():
        # A dataclass with slots is made anew, and for a while the class that it was made of is there, too.
        if vars(sys.modules[kind.__module__]).get(kind.__name__) is kind:
            yield kind
            yield from _below(kind)


def publishers_of(event: type[Event]) -> list[str]:
    """Return the names of the modules whose code makes events of this kind."""
    return [name for name, path in _modules().items() if event.__name__ in _names_read(path)]


@cache
def _modules() -> dict[str, Path]:
    found = sorted(path for path in _SOURCE.rglob("*.py") if path.name != "events.py")
    return {_dotted(path): path for path in found}


def _dotted(path: Path) -> str:
    parts = path.relative_to(_SOURCE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def _names_read(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _only_names(node)]
    # Who asks what an event is called, or listens to it, makes none.
    only_named = {id(argument) for call in calls for argument in call.args}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return {node.id for node in names if id(node) not in only_named}


def _only_names(call: ast.Call) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] in {"name_of", "subscribe"}


def events_of(feature: Feature) -> list[type[Event]]:
    """Return what is published because of a feature: by itself, and by what it asks of the kernel."""
    module = type(feature).__module__
    source = inspect.getsource(inspect.getmodule(type(feature)) or type(feature))
    asked = {name for words, names in _ASKED.items() if words in source for name in names}
    known = [one for one in events_below(Event) if one.__module__.startswith("admit.")]
    return [one for one in known if one.__name__ in asked or module in publishers_of(one)]


def mails_of(feature: Feature) -> list[Mail]:
    """Return the mails of a feature, by name."""
    folder = _templates(feature)
    found = sorted(folder.rglob("*.txt"))
    return [Mail(str(path.relative_to(folder).with_suffix("")), _subject(path)) for path in found]


def _subject(path: Path) -> str:
    first = path.read_text().partition("\n")[0]
    found = _SUBJECT.search(first)
    return found[1] if found else first


def _templates(feature: Feature) -> Path:
    return Path(inspect.getfile(type(feature))).parent / "templates"


def pages_of(feature: Feature) -> list[str]:
    """Return the names of the templates of a feature's pages."""
    folder, mails = _templates(feature), {one.name for one in mails_of(feature)}
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    return [f"admit/{name}" for name in names if name.removesuffix(".html") not in mails]


# -- as it is served ---------------------------------------------------------------------------------------------------


@cache
def _application() -> Flask:
    app = Flask("documented", static_folder=None)
    app.testing = True
    LoginManager(app, store="memory:", features=catalogue().values())
    return app


@cache
def _description() -> dict[str, Any]:
    """Return the description of the JSON API as a client gets it."""
    return cast("dict[str, Any]", _application().test_client().get("/api/openapi.json").json)


def actions_of(feature: Feature) -> dict[str, Served]:
    """Return where the actions of a feature are, by name."""
    return {one.name: _served(f"{feature.name}_{one.name}") for one in feature.actions()}


def _served(wanted: str) -> Served:
    found: dict[str, list[str]] = {"page": [], "json": [], "link": []}
    for rule in _application().url_map.iter_rules():
        name, _, face = rule.endpoint.removeprefix("admit.").rpartition("_")
        if name == wanted:
            [method] = set(rule.methods or ()) - {"HEAD", "OPTIONS"}
            found["page" if face == "form" else face].append(f"{method} {rule.rule}")
    return Served(**{face: sorted(places) for face, places in found.items()})


def codes_of(place: str) -> dict[str, list[str]]:
    """Return the codes of errors that the description of the API has for an action, by status.

    Args:
        place: Its method and path, as :func:`actions_of` has them.
    """
    method, path = place.split(" ")
    operation = _description()["paths"][re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)][method.lower()]
    found = {status: _CODE.findall(answer["description"]) for status, answer in operation["responses"].items()}
    return {status: codes for status, codes in found.items() if codes}
