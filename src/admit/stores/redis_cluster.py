"""The nodes of a Redis Cluster: who has a key, and what to do when that changes or nobody answers.

A command goes to the node that had the key's slot when it was last heard. When another node has it now the
server says so (``MOVED``), and the map of all slots is asked for anew from the node that just answered: never
from one that may be silent. A node that failed is left alone for a moment; in that time its slots are asked
for elsewhere, where either the old owner is named, and the command fails at once, or the new one.
"""

from __future__ import annotations

import re
import secrets
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.crc import key_slot
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import MovedError, ResponseError

from admit.stores.redis_errors import FAILURES, did_nothing, succeeded, unreachable
from admit.stores.redis_nodes import Node, scan
from admit.stores.redis_scripts import in_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from admit.stores.redis_nodes import Command, Wire

__all__ = ["Address", "Cluster"]

# How long a node that failed is left alone (seconds).
_REST = 0.5
# How long to look for a first node that answers (seconds); each look has its own timeouts.
_SEARCH = 0.25
# How often one command is sent on to another node.
_HOPS = 4
_SLOTS = 16384

_FAILED = "No node of the cluster that could answer has answered lately."

_REDIRECT = re.compile(r"(?:(MOVED|ASK) )?\d+ (\S*):(\d+)", re.ASCII)


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def beside(self, other: Address) -> Address:
        """Return this address; a server that does not know its own host leaves it out."""
        return self if self.host not in {"", "?"} else Address(other.host, self.port)


class Redirect(NamedTuple):
    """Who has a slot: from now on, or for this one command while the slot is under way."""

    address: Address
    for_good: bool


class Member(Node):
    """A node that knows its address."""

    def __init__(self, address: Address, connect: Callable[[], Wire]) -> None:
        super().__init__(connect)
        self.address = address
        self.down_until: float = 0.0

    @property
    def rests(self) -> bool:
        """Whether it failed a moment ago."""
        return self.down_until > monotonic()

    def ask(self, command: Command) -> Any:
        """Send one command, and rest if there is no answer."""
        try:
            return super().ask(command)
        except FAILURES as error:
            self._rest_after(error)
            raise

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send many commands, and rest if there are no answers."""
        try:
            return super().ask_all(commands)
        except FAILURES as error:
            self._rest_after(error)
            raise

    def _rest_after(self, error: Exception) -> None:
        if did_nothing(error) or not isinstance(error, ResponseError):
            self.down_until = monotonic() + _REST


class Cluster:
    """The nodes that hold the keys, each a part of the slots.

    Args:
        seeds: Where to ask for the map first; one that answers is enough.
        connect_to: Gives what makes connections to an address.
    """

    def __init__(self, seeds: Sequence[Address], connect_to: Callable[[Address], Callable[[], Wire]]) -> None:
        self._connect_to = connect_to
        self._seeds = seeds
        self._members: dict[Address, Member] = {}
        self._owners: list[Member | None] = []
        for seed in seeds:
            self._member(seed)

    def ask(self, *command: str | bytes | int) -> Any:
        """Send a command to the node that has its key."""
        try:
            return self._ask(command)
        except FAILURES as error:
            raise unreachable() from error

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send each command to the node that has its key, those of one node at once."""
        answers: list[Any] = [None] * len(commands)
        try:
            for member, places in self._by_member(commands).items():
                part = member.ask_all([commands[place] for place in places])
                for place, answer in zip(places, part, strict=True):
                    is_elsewhere = _redirect(answer) is not None or did_nothing(answer)
                    answers[place] = self._ask(commands[place]) if is_elsewhere else succeeded(answer)
        except FAILURES as error:
            raise unreachable() from error
        return answers

    def scan(self, pattern: bytes, count: int) -> Iterator[list[bytes]]:
        """Go through the keys of every node that has slots."""
        for member in self._with_slots():
            yield from scan(member, pattern, count)

    def ask_each(self, *command: str | bytes | int) -> list[Any]:
        """Send a command to every node that has slots."""
        try:
            return [member.ask(command) for member in self._with_slots()]
        except FAILURES as error:
            raise unreachable() from error

    def listen(self) -> Wire:
        """Return a new connection to any node: each one hears what is published to the others."""
        members = list(self._members.values())
        return secrets.choice([one for one in members if not one.rests] or members).connect()

    def close(self) -> None:
        """Close the connections that are idle."""
        for member in self._members.values():
            member.close()

    def _with_slots(self) -> list[Member]:
        self.ask("EXISTS", "any")  # whatever the answer, there is a map now
        return [member for member in dict.fromkeys(self._owners) if member is not None]

    def _ask(self, command: Command) -> Any:
        try:
            return self._ask_owner(command)
        except FAILURES as error:
            if not did_nothing(error):
                raise
        # A node that has lost the others refuses; it rests now, and those who have not know who has the slot.
        return self._ask_owner(command)

    def _ask_owner(self, command: Command) -> Any:
        member = self._believed_owner(command)
        for _ in range(_HOPS):
            try:
                return member.ask(command)
            except ResponseError as refusal:
                redirect = _redirect(refusal)
                if redirect is None:
                    raise
            target = self._member(redirect.address.beside(member.address))
            if not redirect.for_good:
                return succeeded(target.ask_all([("ASKING",), in_full(command)])[1])
            self._learn(member)
            member = target
            if member.rests:
                break
        raise NoConnection(_FAILED)

    def _believed_owner(self, command: Command) -> Member:
        if not self._owners:
            self._search()
        owner = self._owners[_slot(command)]
        if owner is not None and not owner.rests:
            return owner
        for witness in list(self._members.values()):
            if not witness.rests:
                return witness
        raise NoConnection(_FAILED)

    def _by_member(self, commands: Sequence[Command]) -> dict[Member, list[int]]:
        places: dict[Member, list[int]] = {}
        for place, command in enumerate(commands):
            places.setdefault(self._believed_owner(command), []).append(place)
        return places

    def _search(self) -> None:
        """Ask for a first map: those first that did not fail lately, and not for long."""
        deadline = monotonic() + _SEARCH
        for member in sorted(self._members.values(), key=lambda one: one.down_until):
            try:
                self._learn(member)
            except FAILURES:
                if monotonic() > deadline:
                    raise
            else:
                return
        raise NoConnection(_FAILED)

    def _learn(self, member: Member) -> None:
        """Ask a node who has which slots."""
        owners: list[Member | None] = [None] * _SLOTS
        members = {seed: self._member(seed) for seed in self._seeds}
        for first, last, *nodes in member.ask(("CLUSTER", "SLOTS")):
            found = [self._member(_address(node).beside(member.address)) for node in nodes]
            owners[first : last + 1] = found[:1] * (last + 1 - first)
            members.update((one.address, one) for one in found)
        self._members, self._owners = members, owners

    def _member(self, address: Address) -> Member:
        member = self._members.get(address)
        if member is None:
            member = self._members[address] = Member(address, self._connect_to(address))
        return member


def _slot(command: Command) -> int:
    key = command[3] if command[0] in {"EVALSHA", "EVAL"} else command[1]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _redirect(answer: Any) -> Redirect | None:
    """Read a redirection; older drivers leave the server's word in the text, newer ones make a class of it."""
    found = _REDIRECT.fullmatch(str(answer)) if isinstance(answer, ResponseError) else None
    if found is None:
        return None
    for_good = found[1] == "MOVED" or isinstance(answer, MovedError)
    return Redirect(Address(found[2], int(found[3])), for_good)


def _address(node: Sequence[Any]) -> Address:
    return Address((node[0] or b"").decode(), int(node[1]))
