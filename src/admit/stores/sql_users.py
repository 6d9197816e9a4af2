"""Hearing from SQLAlchemy which users an application deletes and adds by its own sessions.

What is heard is told when it is committed. A database of one writer, such as SQLite, would not let us write before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from sqlalchemy import event, select
from sqlalchemy.orm import Mapper, Session, object_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import ORMExecuteState, SessionTransaction

__all__ = ["UserWatcher", "watch_users"]

#: Where a session notes the users that it has deleted or added.
_NOTED = "admit_users"


class UserWatcher(Protocol):
    """Who wants to know which users an application has deleted and added."""

    def is_user(self, kind: type) -> bool:
        """Tell whether this is the class of the application's users."""
        ...

    def subject_of(self, user: object) -> str | None:
        """Return what the sessions of a user are about; ``None`` if nobody can say."""
        ...

    def session_ids(self, subject: str) -> Sequence[str] | None:
        """Return the sessions that there are; ``None`` if they are not known."""
        ...

    def end(self, subject: str, session_ids: Sequence[str] | None) -> None:
        """End these sessions of a user who is gone, or all."""
        ...


class _Change(NamedTuple):
    """A user that was deleted or added, and the sessions that were somebody else's; ``None`` for all."""

    watcher: UserWatcher
    subject: str
    session_ids: Sequence[str] | None
    transaction: SessionTransaction | None


_finders: list[Callable[[], UserWatcher | None]] = []


def watch_users(find: Callable[[], UserWatcher | None]) -> None:
    """Listen to all mappers and sessions of SQLAlchemy, once in a process.

    Args:
        find: Returns who wants to know of a change that is made now, if anybody does.
    """
    if find in _finders:
        return
    _finders.append(find)
    if len(_finders) == 1:
        event.listen(Mapper, "after_insert", _note_insert)
        event.listen(Mapper, "after_delete", _note_delete)
        event.listen(Session, "do_orm_execute", _note_statement)
        event.listen(Session, "after_soft_rollback", _drop_undone)
        event.listen(Session, "after_commit", _tell)


def _watchers(kind: type) -> list[UserWatcher]:
    found = (find() for find in _finders)
    return [one for one in found if one is not None and one.is_user(kind)]


def _note_insert(_mapper: Mapper[Any], _connection: Connection, user: object) -> None:
    for watcher in _watchers(type(user)):
        # Those that are there now: one that the application begins before its commit is the new user's.
        _note(watcher, user, watcher.session_ids)


def _note_delete(_mapper: Mapper[Any], _connection: Connection, user: object) -> None:
    for watcher in _watchers(type(user)):
        _note(watcher, user, _all)


def _note_statement(state: ORMExecuteState) -> None:
    """Note the users whom ``session.execute(delete(User))`` or ``User.query.delete()`` is about to delete."""
    mapper = state.bind_mapper
    watchers = _watchers(mapper.class_) if state.is_delete and mapper is not None else []
    if not watchers or mapper is None:
        return
    statement: Any = state.statement
    doomed = select(mapper.class_)
    if statement.whereclause is not None:
        doomed = doomed.where(statement.whereclause)
    for user in state.session.execute(doomed, state.parameters).scalars():
        for watcher in watchers:
            _note(watcher, user, _all)


def _all(_subject: str) -> None:
    """Name no session: all of them end."""


def _note(watcher: UserWatcher, user: object, former: Callable[[str], Sequence[str] | None]) -> None:
    subject, session = watcher.subject_of(user), cast("Session", object_session(user))
    if subject is not None:
        within = session.get_nested_transaction() or session.get_transaction()
        session.info.setdefault(_NOTED, []).append(_Change(watcher, subject, former(subject), within))


def _drop_undone(session: Session, undone: SessionTransaction) -> None:
    noted: list[_Change] = session.info.get(_NOTED, [])
    noted[:] = [one for one in noted if undone not in _enclosing(one.transaction)]


def _enclosing(transaction: SessionTransaction | None) -> Iterable[SessionTransaction]:
    while transaction is not None:
        yield transaction
        transaction = transaction.parent


def _tell(session: Session) -> None:
    if _NOTED in session.info and not session.in_nested_transaction():
        noted: list[_Change] = session.info.pop(_NOTED)
        for change in noted:
            change.watcher.end(change.subject, change.session_ids)
