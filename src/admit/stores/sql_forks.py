"""Engines whose pool belongs to the application: no process uses a connection that another one has opened."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from admit.per_process import abandon

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["keep_apart"]

_OWNER = "admit_owner"


def keep_apart(engine: Engine) -> None:
    """Have the child of a fork open connections of its own, instead of taking its parent's from the pool.

    Those are neither closed nor written to: the parent still talks on them. SQLAlchemy leaves this to the application
    (``engine.dispose(close=False)`` in each child), which has to know of every fork. It is done once for each engine.
    """
    if not event.contains(engine, "connect", _note_owner):
        event.listen(engine, "connect", _note_owner)
        # A connection that is older than this call was opened by the process that makes it.
        event.listen(engine, "checkout", partial(_leave_to_parent, os.getpid()))


def _note_owner(_connection: object, record: Any) -> None:
    record.info[_OWNER] = os.getpid()


def _leave_to_parent(first_owner: int, connection: object, record: Any, proxy: Any) -> None:
    if record.info.get(_OWNER, first_owner) == os.getpid():
        return
    abandon(connection)
    record.dbapi_connection = proxy.dbapi_connection = None
    message = "This connection belongs to another process."
    raise DisconnectionError(message)
