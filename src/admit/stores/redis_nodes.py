"""Connections to Redis: one node that answers or fails in time, and the single server made of it.

The driver's clients retry, wait and ask around when a node is silent, for seconds. A login must know within one second
that the store is down, so this module uses the driver's connections only: a command is sent once, within the timeouts.
What changes something is never sent twice, because a command whose answer was lost may have been carried out; what only
reads is sent once more on a new connection if the old one has died, as all do when a server is started anew.

A server that refuses a command without carrying it out (:data:`admit.stores.redis_errors.REFUSALS`), such as a primary
that has become a replica, is left: its connections are closed, and the command is sent once more on a new one. The
name, the proxy or the Sentinel behind the address leads to the new primary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

from admit.idle import Idle
from admit.stores.redis_errors import FAILURES, did_nothing, succeeded, unreachable
from admit.stores.redis_scripts import in_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from redis import Redis

__all__ = ["Command", "Node", "Nodes", "OneNode", "Wire", "scan", "settings_of"]

Command: TypeAlias = tuple[str | bytes | int, ...]

_T = TypeVar("_T")

# What only reads. It may be asked again, so that nearly no request has to look whether its connection lives.
_READING = frozenset({"GET", "GETRANGE", "ZRANGE", "ZSCORE", "SCAN", "EXISTS", "CLUSTER"})
# A connection that was idle for so many seconds may have died in the meantime: look before use.
_LOOK_AFTER = 1.0


class Wire(Protocol):
    """What is used of the driver's connection."""

    def connect(self) -> None:
        """Open the socket if it is not open. A connection of Sentinel asks here, and only here, who is the primary."""
        ...

    def send_command(self, *command: str | bytes | int) -> None:
        """Connect if need be and send one command."""
        ...

    def send_packed_command(self, command: Sequence[bytes]) -> None:
        """Connect if need be and send what :meth:`pack_commands` made."""
        ...

    def pack_commands(self, commands: Sequence[Command]) -> Sequence[bytes]:
        """Make the bytes of many commands."""
        ...

    def read_response(self) -> Any:
        """Wait for one answer; an error of the server is raised."""
        ...

    def can_read(self, timeout: float = 0) -> bool:
        """Tell whether bytes are waiting; raises when the other side is gone."""
        ...

    def disconnect(self) -> None:
        """Close the socket; the next command opens another one."""
        ...


class Node:
    """One server, and the connections to it that nobody uses at the moment.

    Args:
        connect: Makes a connection, which opens its socket at its first command.
    """

    def __init__(self, connect: Callable[[], Wire]) -> None:
        self.connect = connect
        self._idle: Idle[Wire] = Idle(lambda wire: wire.disconnect())

    def ask(self, command: Command) -> Any:
        """Send one command and return the answer; a script that is unknown there is sent in full."""
        try:
            return self._ask(command)
        except NoScriptError:
            return self._ask(in_full(command))

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send many commands at once; the server's errors are among the answers."""
        if not commands:
            return []

        def talk(wire: Wire) -> list[Any]:
            wire.send_packed_command(wire.pack_commands(commands))
            return _answers(wire, len(commands))

        answers = self._converse(talk, only_reads=all(command[0] in _READING for command in commands))
        return [
            self._ask_again(command) if isinstance(answer, NoScriptError) or did_nothing(answer) else answer
            for command, answer in zip(commands, answers, strict=True)
        ]

    def close(self) -> None:
        """Close the connections that are idle."""
        self._idle.close()

    def _ask(self, command: Command) -> Any:
        def talk(wire: Wire) -> Any:
            wire.send_command(*command)
            return wire.read_response()

        return self._converse(talk, only_reads=command[0] in _READING)

    def _ask_again(self, command: Command) -> Any:
        try:
            return self._ask(in_full(command))
        except ResponseError as error:
            return error

    def _converse(self, talk: Callable[[Wire], _T], *, only_reads: bool) -> _T:
        wire, was_idle = self._take(looks=not only_reads)
        try:
            return self._on(wire, talk)
        except FAILURES as error:
            is_safe = did_nothing(error)
            if not (is_safe or isinstance(error, ConnectionLost)):
                raise
            # The others are from the same time.
            self.close()
            if not (is_safe or (only_reads and was_idle)):
                raise
        return self._on(self.connect(), talk)

    def _on(self, wire: Wire, talk: Callable[[Wire], _T]) -> _T:
        try:
            wire.connect()
            answer = talk(wire)
        except BaseException as error:
            if isinstance(error, ResponseError) and not did_nothing(error):
                self._idle.put(wire)
                raise
            # The next one to use this connection would read the answer that is still under way: another's session.
            wire.disconnect()
            raise
        self._idle.put(wire)
        return answer

    def _take(self, *, looks: bool) -> tuple[Wire, bool]:
        found = self._idle.take()
        if found is None:
            return self.connect(), False
        wire, unused = found
        if looks or unused > _LOOK_AFTER:
            _look(wire)
        return wire, True


class Nodes(Protocol):
    """The servers that hold the keys: one, or a cluster. What the driver raises leaves as ``StoreError``."""

    def ask(self, *command: str | bytes | int) -> Any:
        """Send a command to the node that has its key."""
        ...

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send each command to the node that has its key; the answers are in the same order."""
        ...

    def scan(self, pattern: bytes, count: int) -> Iterator[list[bytes]]:
        """Go through the keys that match, about ``count`` of all at a time."""
        ...

    def ask_each(self, *command: str | bytes | int) -> list[Any]:
        """Send a command to every node that has keys."""
        ...

    def listen(self) -> Wire:
        """Return a new connection to a node that is believed to be up."""
        ...

    def close(self) -> None:
        """Close the connections that are idle."""
        ...


class OneNode:
    """A server that holds all keys."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def ask(self, *command: str | bytes | int) -> Any:
        """Send a command."""
        try:
            return self._node.ask(command)
        except FAILURES as error:
            raise unreachable() from error

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send many commands."""
        try:
            return [succeeded(answer) for answer in self._node.ask_all(commands)]
        except FAILURES as error:
            raise unreachable() from error

    def scan(self, pattern: bytes, count: int) -> Iterator[list[bytes]]:
        """Go through the keys."""
        return scan(self._node, pattern, count)

    def ask_each(self, *command: str | bytes | int) -> list[Any]:
        """Send a command to the only node."""
        return [self.ask(*command)]

    def listen(self) -> Wire:
        """Return a new connection."""
        return self._node.connect()

    def close(self) -> None:
        """Close the connections that are idle."""
        self._node.close()


def scan(node: Node, pattern: bytes, count: int) -> Iterator[list[bytes]]:
    """Go through the keys of one node that match, in bounded steps that block nobody."""
    cursor: bytes | int = 0
    while True:
        try:
            cursor, keys = node.ask(("SCAN", cursor, "MATCH", pattern, "COUNT", count))
        except FAILURES as error:
            raise unreachable() from error
        yield keys
        if not int(cursor):
            return


def settings_of(client: Redis, *, connect_timeout: float, command_timeout: float) -> Callable[[], Wire]:
    """Return what makes connections like a client's, but with our time limits and without retries."""
    pool = client.connection_pool
    settings = {
        **cast("Mapping[str, Any]", pool.connection_kwargs),
        "socket_connect_timeout": connect_timeout,
        "socket_timeout": command_timeout,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "decode_responses": False,
        "protocol": 2,
    }
    # Through the pool, which has to stay: a connection of Sentinel only has a weak reference to it.
    return lambda: cast("Callable[..., Wire]", pool.connection_class)(**settings)


def _answers(wire: Wire, count: int) -> list[Any]:
    # If the first command was refused, so were those behind it; if a later one fails, nobody knows about the others.
    answers = [_answer(wire)]
    try:
        answers += [_answer(wire) for _ in range(count - 1)]
    except FAILURES as error:
        message = "The connection was lost in the middle of an answer."
        raise ConnectionLost(message) from error
    return answers


def _answer(wire: Wire) -> Any:
    try:
        return wire.read_response()
    except ResponseError as error:
        return error


def _look(wire: Wire) -> None:
    """Make a dead connection open a new socket; one with unread bytes is out of step, and no better."""
    try:
        if wire.can_read():
            wire.disconnect()
    except FAILURES:
        wire.disconnect()
