"""The page that a browser goes on to after signing in: in the query, in a form, or kept while an email is on its way.

An attacker sends somebody a link with a target of their own, or lets a sibling host set the cookie: to lead them to
another site, or somewhere they did not want to go. So the target is checked on every use, wherever it comes from; it is
kept by the browser that asked for the email, and is never in the link of the email; only the pages that people come to
by that email use it; and the next request for an email, a sign-in and a sign-out remove it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode

from admit.flask.bodies import posted
from admit.flask.context import the_request
from admit.flask.headers import query
from admit.flask.redirects import safe_next

if TYPE_CHECKING:
    from admit.feature import Action, Context

__all__ = ["KEPT", "keep_next", "next_page", "with_next"]

#: The name under which a browser keeps it.
KEPT = "next"

#: Browsers drop a cookie of more than 4096 bytes, with its name and attributes.
_LONGEST = 3000


def next_page(action: Action, ctx: Context) -> str | None:
    """Return the page of this site that the client wants to go on to.

    Args:
        action: What is answered. If people come to it by an email, what this browser has kept counts as well.
        ctx: The request.
    """
    return _asked() or (_kept(ctx) if action.by_mail else None)


def keep_next(action: Action, ctx: Context) -> None:
    """Keep the next page of a form that was accepted, for the pages that people come to by an email."""
    if the_request().method != "POST" or action.by_mail:
        return
    kept = quote(_asked() or "", safe="")
    if len(kept) > _LONGEST or (not kept and action.goes_on):
        return
    if kept or ctx.kept.get(KEPT):
        ctx.keeps[KEPT] = kept


def with_next(path: str, target: str | None) -> str:
    """Return a path with the page to go on to in its query."""
    return path if target is None else f"{path}?{urlencode({'next': target})}"


def _asked() -> str | None:
    request = the_request()
    return safe_next(query(request, "next") or posted(request, "next"))


def _kept(ctx: Context) -> str | None:
    return safe_next(unquote(ctx.kept.get(KEPT, "")))
