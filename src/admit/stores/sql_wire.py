"""One connection to PostgreSQL, with a bound on every wait: the server may be there and say nothing.

The server's own timeout does not help when the server hangs, and neither do those of TCP: the kernel of its
machine goes on acknowledging. So nothing here waits for the driver; the socket is awaited, for so long and no
longer.

Looking a session up is most of what a store does, and the driver's cursor takes longer over it than the server.
So :meth:`Wire.read` goes below it, to what it is made of: statements that are prepared once, their values and
their answers in binary.
"""

from __future__ import annotations

import select
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.conninfo import make_conninfo
from psycopg.generators import connect
from psycopg.pq import ExecStatus, Format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg.pq.abc import PGresult

    from admit.stores.sql_rows import Row

__all__ = ["Wire", "open_connection"]

_GOOD = {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}


def _new_poll() -> Any:
    # Looked up now, not when this module is imported: gevent may have replaced it in between.
    return select.poll()


# Where there is none, select() will do.
_poll: Callable[[], Any] | None = _new_poll if hasattr(select, "poll") else None
_IN, _OUT = getattr(select, "POLLIN", 0), getattr(select, "POLLOUT", 0)
_MASKS = {EVENT_READ: _IN, EVENT_WRITE: _OUT, EVENT_READ | EVENT_WRITE: _IN | _OUT}
_EVENTS = {mask: events for events, mask in _MASKS.items()}


class Wire:
    """A connection of psycopg, and what was prepared on it.

    Args:
        connection: Who speaks to the server.
        limit: How long a question may take, in seconds.
    """

    def __init__(self, connection: psycopg.Connection[Any], limit: float) -> None:
        connection.autocommit = True
        self.connection = connection
        self._pgconn = connection.pgconn
        self._limit = limit
        # It turns values into what is sent, and back, as the connection's encoding has it.
        self._transformer = Transformer(connection)
        self._prepared: dict[str, bytes] = {}

    @property
    def closed(self) -> bool:
        """Whether nothing can be said any more."""
        return self.connection.closed

    def is_quiet(self) -> bool:
        """Return whether the server has said nothing since the last answer; when it goes, it says so."""
        return not self.closed and not _ready(self._pgconn.socket, EVENT_READ, 0)

    def close(self) -> None:
        """Say nothing more."""
        self.connection.close()

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement that may change something, and return its rows."""
        text = cast("LiteralString", statement)  # type: ignore[redundant-cast]
        cursor = self.connection.execute(text, values or None, prepare=bool(values), binary=True)
        if statement.startswith("ROLLBACK"):
            # After one of these the driver drops all prepared statements, ours included.
            self._prepared.clear()
        return cursor.fetchall() if cursor.description else []

    def read(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Return the rows that a question brings, in the shortest way."""
        transformer = self._transformer
        arguments = transformer.dump_sequence(values, [PyFormat.BINARY] * len(values))
        name = self._prepared.get(statement) or self._prepare(statement)
        self._pgconn.send_query_prepared(name, arguments, transformer.formats, Format.BINARY)
        result = self._answer()
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def await_news(self, seconds: float) -> bool:
        """Wait so long for the server to say something; tell whether it did."""
        return bool(_ready(self._pgconn.socket, EVENT_READ, seconds))

    def _prepare(self, statement: str) -> bytes:
        name = b"admit_%d" % len(self._prepared)
        self._pgconn.send_prepare(name, _numbered(statement), self._transformer.types)
        self._answer()
        self._prepared[statement] = name
        return name

    def _answer(self) -> PGresult:
        """Send what is to be sent, and return the answer; what follows it is awaited, or the next one would get it."""
        deadline = monotonic() + self._limit
        while self._pgconn.flush():  # more than the kernel takes at once
            self._await(EVENT_READ | EVENT_WRITE, deadline)
        result = rest = self._next_result(deadline)
        while rest is not None:
            rest = self._next_result(deadline)
        if result is None or result.status not in _GOOD:
            raise psycopg.OperationalError(self._pgconn.error_message.decode(errors="replace"))
        return result

    def _next_result(self, deadline: float) -> PGresult | None:
        while self._pgconn.is_busy():
            self._await(EVENT_READ, deadline)
        return self._pgconn.get_result()

    def _await(self, events: int, deadline: float) -> None:
        if _await(self._pgconn.socket, events, deadline) & EVENT_READ:
            self._pgconn.consume_input()


class _Bounded(psycopg.Connection[Any]):
    """A connection that gives a command up after ``limit`` seconds."""

    limit: float

    # Without the names of types: those in psycopg are private, and the arguments differ between its versions.
    def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        return _converse(gen, self.limit, lambda wanted: (self.pgconn.socket, wanted))


def open_connection(
    conninfo: str, options: dict[str, Any], *, connect_timeout: float, timeout: float
) -> psycopg.Connection[Any]:
    """Connect, and let the server know as well how long a command may take.

    Args:
        conninfo: Where to, in the driver's words.
        options: What goes with it.
        connect_timeout: How long connecting may take, in seconds.
        timeout: How long one command may take, in seconds.
    """
    # A statement has to see what was committed while it waited, whatever the database's own default is.
    ours = f"-c statement_timeout={int(timeout * 1000)} -c default_transaction_isolation=read\\ committed"
    settings = f"{options.get('options', '')} {ours}".strip()
    opening = connect(make_conninfo(conninfo, **{**options, "options": settings}))
    pgconn = _converse(opening, connect_timeout, tuple)
    pgconn.nonblocking = 1
    connection = _Bounded(pgconn)
    connection.limit = timeout
    return connection


def _converse(steps: Any, limit: float, what_to_await: Callable[[Any], tuple[int, int]]) -> Any:
    """Go through the steps of a conversation with the server, for ``limit`` seconds at most, and return its result."""
    deadline = monotonic() + limit
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(_await(*what_to_await(wanted), deadline))
    except StopIteration as finished:
        return finished.value


def _await(socket: int, events: int, deadline: float) -> int:
    """Return which of the events came in time."""
    ready = _ready(socket, events, deadline - monotonic())
    if not ready:
        message = "the server did not answer in time"
        raise psycopg.OperationalError(message)
    return ready


def _ready(socket: int, events: int, seconds: float) -> int:
    """Return which of the events come within so many seconds, in psycopg's numbers: those of ``selectors``."""
    seconds = max(seconds, 0)
    if _poll is None:
        found = select.select([socket] * (events & EVENT_READ), [socket] * (events // EVENT_WRITE), [], seconds)
        return EVENT_READ * len(found[0]) + EVENT_WRITE * len(found[1])
    poll = _poll()
    poll.register(socket, _MASKS[events])
    came = poll.poll(seconds * 1000)
    # A socket that failed is ready for everything: whoever uses it finds out why.
    return _EVENTS.get(came[0][1], events) if came else 0


def _numbered(statement: str) -> bytes:
    """Write the places of values as the protocol has them."""
    first, *others = statement.split("%s")
    return (first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))).encode()
