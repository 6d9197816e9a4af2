"""Users whose rows are deleted, and keys that a database gives to the next user: the old sessions end.

SQLite gives the key of a deleted user to the next one, unless the table says AUTOINCREMENT. Somebody who still holds a
session of the deleted user would be signed in as the new person.

A loader that returns ``None`` does not mean that the user is deleted: a filter by tenant or an error of the database
looks the same. So ``None`` refuses the request and ends nothing. Deletions are heard from SQLAlchemy: when a row is
deleted by a session of the ORM, the user's sessions end with the commit. When a row is inserted, sessions that are
there for its key already are somebody else's, however the row before it was deleted, and they end.

What no session of the ORM has done is not heard. ``sessions.revoke_all(user)`` is for that.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from flask import current_app, has_app_context

from admit.adopting import SharingKeys
from admit.erasure import end_former_user
from admit.errors import StoreError
from admit.flask.state import state_now
from admit.flask.stored_login import StoredLogin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.store import Stores

__all__ = ["end_sessions_of_gone_users"]

_logger = logging.getLogger("admit.flask")


def end_sessions_of_gone_users() -> None:
    """Listen to SQLAlchemy, once in a process, if it is imported."""
    if "sqlalchemy.orm" in sys.modules:
        from admit.stores.sql_users import watch_users

        watch_users(_application)


class _Application(NamedTuple):
    """The application that a row is deleted or added in."""

    keeper: StoredLogin
    stores: Stores
    id_attribute: str

    def is_user(self, kind: type) -> bool:
        """Tell whether this is the class of the application's users."""
        if isinstance(self.stores.accounts, SharingKeys):
            return self.stores.accounts.keeps(kind)
        known = [one for one in self.keeper.user_classes if hasattr(one, "__mapper__")]
        if known:
            return any(issubclass(kind, one) or issubclass(one, kind) for one in known)
        # Nobody has been loaded in this process yet.
        return hasattr(kind, self.id_attribute) and hasattr(kind, "is_authenticated")

    def subject_of(self, user: object) -> str | None:
        """Return what the sessions of a user are about."""
        # A class of another kind of users, which can't say who it is, must not break what the application does.
        with suppress(Exception):
            found = getattr(user, self.id_attribute)()
            return None if found is None else str(found)
        return None

    def session_ids(self, subject: str) -> Sequence[str] | None:
        """Return the sessions that there are; ``None`` if the store does not answer."""
        try:
            return [one.id for one in self.keeper.gate.sessions_of(subject)]
        except StoreError:
            return None

    def end(self, subject: str, session_ids: Sequence[str] | None) -> None:
        """End these sessions of a user who is gone, or all. What the application has done stands in any case."""
        try:
            end_former_user(self.keeper.gate, self.stores, subject, session_ids=session_ids)
        except StoreError:
            _logger.exception(
                "The user %s was deleted, or has the key of a deleted user, and the sessions of the former user could "
                "not be ended. Call login_manager.sessions.revoke_all(%r).",
                subject,
                subject,
            )


def _application() -> _Application | None:
    """Return the application of this request or command, if its logins are in a store."""
    if not has_app_context() or "admit" not in current_app.extensions:
        return None
    state = state_now()
    if state.stores is None or not isinstance(state.keeper, StoredLogin):
        return None
    return _Application(state.keeper, state.stores, state.login_manager.id_attribute)
