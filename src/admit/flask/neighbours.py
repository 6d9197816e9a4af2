"""Living with an application's own routes and with other extensions, in whatever order they are set up.

Extensions are recognized by what they leave in the application, and never imported. All of them are there at the first
request, because Flask takes nothing more from then on.
"""

from __future__ import annotations

import re
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.errors import ConfigurationError
from admit.flask.context import the_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Flask, Response
    from werkzeug.routing import Rule

__all__ = ["Ours", "mind_neighbours"]

# A part of a path that varies is the same whatever it is called. One that may hold slashes leaves us what we have.
_VARYING = re.compile(r"<(?!path:)[^>]*>")


class Ours(NamedTuple):
    """What is ours in an application.

    Args:
        blueprints: The names of our blueprints.
        remedies: What to do if an application has the address of one of our endpoints, by endpoint.
        headers: The headers of our pages that no extension may change.
    """

    blueprints: frozenset[str]
    remedies: Mapping[str, str]
    headers: Iterable[str]


def mind_neighbours(app: Flask, ours: Ours) -> None:
    """Refuse routes that have two views, and have other extensions leave ours alone.

    Args:
        app: The application, which has our routes.
        ours: What is ours.

    Raises:
        ConfigurationError: The application has a view at an address of ours.
    """
    _refuse_clashes(app, ours.remedies)
    is_done = False

    def look_around() -> None:
        nonlocal is_done
        if not is_done:
            _refuse_clashes(app, ours.remedies)
            _exempt_from_csrf(app, ours)
            _keep_headers(app, ours)
            # Last, so that a second request that comes meanwhile does it too.
            is_done = True

    # Before the first extension looks at the first request.
    app.before_request_funcs.setdefault(None, []).insert(0, look_around)


def _refuse_clashes(app: Flask, remedies: Mapping[str, str]) -> None:
    """Refuse two views at one address: which of them answers would depend on what was set up first.

    Raises:
        ConfigurationError: There are two.
    """
    rules = [rule for rule in app.url_map.iter_rules() if not rule.build_only]
    theirs: dict[Any, list[Rule]] = {}
    for rule in rules:
        if rule.endpoint not in remedies:
            theirs.setdefault(_address(rule), []).append(rule)
    for rule in rules:
        for other in theirs.get(_address(rule), ()) if rule.endpoint in remedies else ():
            if _methods(rule) & (_methods(other) or _methods(rule)):
                message = (
                    f"{rule.rule} has two views, {other.endpoint!r} of the application and {rule.endpoint!r} of Admit. "
                    f"{remedies[rule.endpoint]}"
                )
                raise ConfigurationError(message)


def _address(rule: Rule) -> tuple[str | None, str | None, str]:
    return rule.host, rule.subdomain, _VARYING.sub("<>", rule.rule)


def _methods(rule: Rule) -> set[str]:
    return set(rule.methods or ()) - {"OPTIONS"}


def _exempt_from_csrf(app: Flask, ours: Ours) -> None:
    """Take our views out of what asks for tokens that our forms don't have.

    An attacker gains nothing: each view that changes something refuses what another site made a browser send.
    """
    csrf: Any = app.extensions.get("csrf")
    if _is_a(csrf, "flask_wtf.csrf", "CSRFProtect"):
        for name in ours.blueprints & set(app.blueprints):
            csrf.exempt(app.blueprints[name])
    for check in app.before_request_funcs[None]:
        seasurf: Any = getattr(check, "__self__", None)
        if _is_a(seasurf, "flask_seasurf", "SeaSurf"):
            for endpoint in ours.remedies:
                seasurf.exempt(app.view_functions[endpoint])


def _keep_headers(app: Flask, ours: Ours) -> None:
    """Have Flask-Talisman set the headers of its policy on all pages but ours, which have stricter ones.

    What an application sets itself by ``after_request`` counts on our pages too.
    """
    functions: list[Any] = app.after_request_funcs.get(None, [])
    for place, function in enumerate(functions):
        if _is_a(getattr(function, "__self__", None), "flask_talisman", "Talisman"):
            functions[place] = _keeping(function, ours)


def _keeping(function: Callable[[Response], Response], ours: Ours) -> Callable[[Response], Response]:
    @wraps(function)
    def change(response: Response) -> Response:
        if the_request().blueprint not in ours.blueprints:
            return function(response)
        kept = {name: response.headers[name] for name in ours.headers if name in response.headers}
        changed = function(response)
        changed.headers.update(kept)
        return changed

    return change


def _is_a(extension: object, module: str, name: str) -> bool:
    """Tell whether this is an extension of a class whose module somebody has imported."""
    kind: type[object] | None = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(extension, kind)
