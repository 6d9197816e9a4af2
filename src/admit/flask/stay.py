"""What one request knows of its client's session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request

    from admit.flask.session_cookie import Carrier
    from admit.model import Ending, Session

__all__ = ["Stay"]


@dataclass(slots=True)
class Stay:
    """What this request knows of the client's session, and what its response owes to the client."""

    request: Request
    carrier: Carrier = "cookie"
    session: Session | None = None
    ending: Ending | None = None
    #: A session of which the client has shown a former secret only.
    outdated: Session | None = None
    token: str | None = None
    clear: bool = False
    clear_site: bool = False
    clear_remember_cookie: bool = False
    settles: bool = False
