"""Sessions to test with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from admit import tokens
from admit.model import Ending, EndReason, Session

__all__ = ["NOW", "REVOKED", "a_session"]

#: Whole microseconds in the present, as a clock gives them.
NOW = datetime.now(UTC)

#: An ending to compare with.
REVOKED = Ending(EndReason.REVOKED, NOW, "somebody")


def a_session(**changes: Any) -> Session:
    """Return a session with an id and a secret of its own, changed as a test needs it.

    Args:
        changes: What it does not have in common with the session of a subject ``ada`` who logged in just now.

    .. versionadded:: 0.1
    """
    session = Session(
        id=tokens.new_id(),
        subject="ada",
        secret_hash=tokens.hash_secret(tokens.new_id()),
        seed=tokens.new_seed(),
        created_at=NOW,
        seen_at=NOW,
        idle=timedelta(days=1),
        ends_at=NOW + timedelta(days=7),
        rotated_at=NOW,
        confirmed_at=NOW,
    )
    return replace(session, **changes)
