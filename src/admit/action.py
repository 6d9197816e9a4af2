"""Actions: what a client can do, declared once and served as a page and as JSON."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from admit.errors import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from admit.errors import AdmitError

__all__ = ["Action", "Demand", "Face", "Reply", "Secret", "Shown", "Token", "action"]

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")

_T = TypeVar("_T")
_Function = TypeVar("_Function", bound="Callable[..., Reply[Any]]")

#: A field whose value nobody is shown again: a password, a code.
Secret = Annotated[str, msgspec.Meta(max_length=4096, extra_json_schema={"format": "password", "writeOnly": True})]

#: A field that holds the token of a link. A page finds it in a cookie, so that it stays out of addresses.
Token = Annotated[str, msgspec.Meta(max_length=200, extra_json_schema={"format": "password", "writeOnly": True})]


class Demand(StrEnum):
    """What an action demands of whoever asks for it."""

    NOTHING = "nothing"
    SESSION = "session"
    FRESH = "fresh"


class Face(StrEnum):
    """How an action is served."""

    PAGE = "page"
    JSON = "json"


class Shown(StrEnum):
    """Who sees an action in the menu of the pages."""

    NOBODY = "nobody"
    GUESTS = "guests"
    MEMBERS = "members"


@dataclass(frozen=True)
class Reply(Generic[_T]):
    """What happened, as data for JSON and as a page for people.

    Args:
        body: A typed value: the body of the JSON answer, and ``reply`` in the template. ``None`` for no body.
        page: The template that shows it, below ``admit/`` and without ``.html``; the action's own when it is missing.
        to: Where a browser goes instead: the full name of an action (``"devices.show"``) or a path.
        file: What the body is called as a file, which browsers keep instead of showing a page.

    .. versionadded:: 0.2
    """

    body: _T
    page: str | None = None
    to: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Action:
    """One thing that a client can do, as declared by :func:`action`."""

    name: str
    method: str
    path: str
    function: Callable[..., Reply[Any]]
    page: str | None
    title: Text
    shown: Shown
    demands: Demand
    faces: frozenset[Face]
    status: int
    errors: tuple[type[AdmitError], ...]
    link: str | None
    link_field: str
    goes_on: bool
    by_mail: bool

    @property
    def summary(self) -> str:
        """What it does, in the first sentence of its docstring."""
        return (inspect.getdoc(self.function) or self.name).splitlines()[0]

    @property
    def input(self) -> type[msgspec.Struct] | None:
        """The type of its input, if it takes any."""
        found: type[msgspec.Struct] | None = get_type_hints(self.function, include_extras=True).get("form")
        return found

    @property
    def output(self) -> Any:
        """The type of the data of its reply."""
        return get_args(get_type_hints(self.function, include_extras=True)["return"])[0]

    @property
    def arguments(self) -> list[str]:
        """The names of the parts of its path that vary."""
        return _ARGUMENT.findall(self.path)


def action(  # noqa: PLR0913 -- what an action is made of
    method: str,
    path: str,
    *,
    title: str,
    page: str | None = None,
    shown: Shown = Shown.NOBODY,
    demands: Demand = Demand.NOTHING,
    faces: Iterable[Face] = (Face.PAGE, Face.JSON),
    status: int = 200,
    errors: Iterable[type[AdmitError]] = (),
    link: str | None = None,
    link_field: str = "token",
    goes_on: bool = False,
    by_mail: bool = False,
) -> Callable[[_Function], _Function]:
    """Declare a method of a feature to be an action.

    It is called with a :class:`admit.context.Context`, with ``form`` (its typed input, a ``msgspec.Struct``, when
    it is annotated to take one) and with the parts of its path, and returns a :class:`Reply`.

    Args:
        method: The HTTP method. Pages send ``POST`` for whatever is not ``GET``.
        path: The path below the prefix, as Flask writes it: ``"/devices/<session_id>"``.
        title: What it is called, in menus and titles.
        page: The template that shows it, below ``admit/`` and without ``.html``. For an action with input it is its
            form: it is shown for ``GET`` at the same path, and again with what was wrong.
        shown: Who sees it in the menu.
        demands: What it demands of whoever asks for it.
        faces: Whether it is served as a page, as JSON, or both.
        status: The status of the JSON answer when all went well.
        errors: What it raises besides what its demands and its input bring, for the description of the API.
        link: The path of the link, with ``<token>`` in it, that leads to the page of this action from a mail. The
            token waits in a cookie, so that the address of the page does not hold it.
        link_field: The field of the input that takes the token.
        goes_on: Whether it begins something that another request goes on with, or goes on with it: a client without
            cookies gets a token in a header, and sends it.
        by_mail: Whether people come to its page by an email, with a link or a code. It goes on to the page that this
            browser wanted to go to when it asked for the email. Say in ``Context.about`` which account the email is
            for, since somebody else may be signed in.

    .. versionadded:: 0.2
    """

    def declare(function: _Function) -> _Function:
        declared = Action(
            name=function.__name__,
            method=method,
            path=path,
            function=function,
            page=page,
            title=Text(title),
            shown=shown,
            demands=demands,
            faces=frozenset(faces),
            status=status,
            errors=tuple(errors),
            link=link,
            link_field=link_field,
            goes_on=goes_on,
            by_mail=by_mail,
        )
        function.__action__ = declared  # type: ignore[attr-defined]
        return function

    return declare
