"""Refusing what another site made a browser send.

An attacker's page makes the victim's browser send a form, a fetch or an image load here, with the victim's cookies.
``Sec-Fetch-Site`` is set by the browser itself, and no page can change it. A browser without it sends ``Origin``
with what changes something, or at least ``Referer``. A request without any of them is no browser's (OWASP, Cross-Site
Request Forgery Prevention).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from admit.errors import CrossSiteRequest
from admit.flask.headers import header
from admit.flask.headers import origin as own_origin

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Request

__all__ = ["refuse_cross_site"]

_SAFE = {"GET", "HEAD", "OPTIONS"}
_OURS = {"same-origin", "none"}


def refuse_cross_site(request: Request, trusted: Collection[str] = ()) -> None:
    """Let a request pass if it comes from this very origin, or only follows a link to here.

    Args:
        request: The request.
        trusted: Other origins that may send what changes something, such as ``https://app.example``.

    Raises:
        CrossSiteRequest: It comes from elsewhere, a sibling host of this site included.
    """
    site, origin = header(request, "Sec-Fetch-Site"), header(request, "Origin")
    if origin is not None and origin in trusted:
        return
    if request.method in _SAFE and site is not None:
        allowed = site in _OURS or _follows_link(request)
    elif request.method in _SAFE:
        # Only a script sends an origin with this, and of this very site it sends none.
        allowed = origin is None or origin == own_origin(request)
    elif site is not None:
        allowed = site in _OURS
    elif origin is not None:
        allowed = origin == own_origin(request)
    else:
        allowed = _refers_to(header(request, "Referer"), [*trusted, own_origin(request)])
    if not allowed:
        raise CrossSiteRequest(reason=f"sec-fetch-site {site}, origin {origin}")


def _refers_to(referer: str | None, origins: Collection[str]) -> bool:
    return not referer or any(f"{referer}/".startswith(f"{origin}/") for origin in origins)


def _follows_link(request: Request) -> bool:
    # A frame, an image or a fetch of another site would tell it by size or time what is in the answer.
    mode, target = header(request, "Sec-Fetch-Mode"), header(request, "Sec-Fetch-Dest")
    return mode == "navigate" and target in {None, "document"}
