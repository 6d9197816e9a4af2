"""A primary that becomes a replica: whoever was connected to it finds the new one."""

from __future__ import annotations

import socket
import subprocess
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio
from redis import Redis
from redis.exceptions import ClusterDownError, ReadOnlyError
from redis.exceptions import ConnectionError as ConnectionLost
from redis.sentinel import Sentinel

from admit.errors import ConfigurationError, StoreError
from admit.model import Ending, EndReason
from admit.stores import open_store
from admit.stores.redis import RedisStore
from admit.stores.redis_cluster import Cluster
from admit.stores.redis_errors import did_nothing
from admit.stores.redis_nodes import Node
from admit.testing import a_session
from admit.testing.samples import NOW
from tests.conftest import program
from tests.services.redis import RedisServer, free_ports, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REVOKED = Ending(EndReason.REVOKED, NOW, "owner")
PATIENT = {"connect_timeout": 30, "command_timeout": 30}


class Address:
    """An address that leads to one server and later to another, as a proxy or a virtual address does."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept nobody any more."""
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client = self._socket.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(65536):
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            source.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Return a primary and its replica."""
    first, second = (RedisServer(tmp_path, port) for port in free_ports(2))
    first.start()
    second.start()
    follow(second, first)
    yield first, second
    first.kill()
    second.kill()


def follow(replica: RedisServer, primary: RedisServer) -> None:
    """Make a server the replica of another one, and wait until it has its keys."""
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    wait_until(lambda: replica.ask("INFO", "replication").get("master_link_status") == "up")


def swap(first: RedisServer, second: RedisServer) -> None:
    """Make the replica the primary; the old one lives on as its replica, with all of its connections."""
    wait_until(lambda: second.ask("DBSIZE") == first.ask("DBSIZE"))
    second.ask("REPLICAOF", "NO", "ONE")
    follow(first, second)


def changes(store: RedisStore) -> list[Callable[[], Any]]:
    """Return what changes something, each as the first thing after the swap."""
    one, other, *doomed = (a_session() for _ in range(5))
    third = a_session(subject="bob")
    for session in (one, other, third, *doomed):
        store.add_session(session)
    return [
        lambda: store.add_session(a_session()) is None,
        lambda: store.touch_session(other.id, seen_at=other.expires_at, expires_at=other.expires_at),
        lambda: store.delete_session(one.id, ending=REVOKED),
        lambda: store.replace_session(other.id, a_session(), ending=REVOKED),
        lambda: store.delete_sessions("ada", ending=REVOKED) == 5,
        lambda: store._records.end_all([third.id], b"") == 1 or store.get_session(third.id) is None,
    ]


def test_connections_to_what_was_the_primary_are_left(pair: tuple[RedisServer, RedisServer]) -> None:
    """When the old primary lives on as a replica, every change finds the new one by the same address, at once."""
    first, second = pair
    address = Address(first.port)
    store = RedisStore(f"redis://127.0.0.1:{address.port}/0", **PATIENT)
    todo = changes(store)
    for change in todo:
        swap(first, second)
        first, second = second, first
        address.target = first.port
        assert change()
    store.close()
    address.close()


def test_an_address_that_goes_on_leading_to_a_replica_is_an_error(pair: tuple[RedisServer, RedisServer]) -> None:
    """A change at a replica fails, after it was tried on a new connection, and what is there can be read."""
    first, second = pair
    store = RedisStore(first.url, **PATIENT)
    store.add_session(session := a_session())
    swap(first, second)
    with pytest.raises(StoreError):
        store.delete_session(session.id, ending=REVOKED)
    with pytest.raises(StoreError):
        store.delete_sessions("ada", ending=REVOKED)
    assert store.get_session(session.id) == session
    swap(second, first)
    assert store.delete_session(session.id, ending=REVOKED)
    store.close()


@pytest.mark.parametrize("kind", ["client", "URL"])
def test_a_sentinel_leads_to_the_primary(tmp_path: Path, pair: tuple[RedisServer, RedisServer], kind: str) -> None:
    """A client of a Sentinel, or a URL of Sentinels, finds the primary, and the new one after a failover."""
    first, second = pair
    [port] = free_ports(1)
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {first.port} 1\n"
    )
    sentinel = subprocess.Popen(  # noqa: S603
        [program("redis-server"), str(settings), "--sentinel"], stdout=subprocess.DEVNULL
    )
    try:
        with Redis(port=port) as asked:
            wait_until(lambda: len(asked.sentinel_slaves("main")) == 1)
        dead = free_ports(1)[0]
        store: Any = (
            open_store(Sentinel([("127.0.0.1", dead), ("127.0.0.1", port)]).master_for("main"), **PATIENT)
            if kind == "client"
            else open_store(f"redis+sentinel://127.0.0.1:{dead},127.0.0.1:{port}/main/0", **PATIENT)
        )
        store.add_session(session := a_session())
        assert first.ask("DBSIZE") == 2
        wait_until(lambda: second.ask("DBSIZE") == 2)
        with Redis(port=port) as asked:
            wait_until(lambda: bool(asked.execute_command("SENTINEL", "FAILOVER", "main")))
        wait_until(lambda: second.ask("ROLE")[0] == b"master" and first.ask("ROLE")[0] == b"slave")
        with Redis(port=port) as asked:
            wait_until(lambda: asked.sentinel_master("main")["port"] == second.port)
        assert store.delete_sessions("ada", ending=REVOKED) == 1
        assert store.get_session(session.id) is None
        store.close()
    finally:
        sentinel.kill()
        sentinel.wait()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (lambda: Sentinel([("127.0.0.1", 1)]), "is no client that a store can use"),
        (lambda: Sentinel([("127.0.0.1", 1)]).slave_for("main"), "for replicas"),
        (redis.asyncio.Redis, "is no client that a store can use"),
        (lambda: "redis+sentinel://127.0.0.1:1", "no URL of Redis"),
        (lambda: "redis+sentinel://ada:hunter2@127.0.0.1:x/main", "no URL of Redis"),
    ],
    ids=["sentinel", "replicas", "asyncio", "no service", "no port"],
)
def test_what_would_not_work_is_refused_at_the_start(source: Callable[[], Any], sentence: str) -> None:
    """What is no client of a primary is refused with a sentence, and never replaced by a server on this machine."""
    for opened in (RedisStore, open_store):
        with pytest.raises(ConfigurationError, match=sentence) as caught:
            opened(source())
        assert "hunter2" not in str(caught.value)


def test_sentinels_are_given_with_what_the_servers_want() -> None:
    """User, password, database, encryption and options of the URL are for the servers; a service may be quoted."""
    store = RedisStore("rediss+sentinel://ada:hunter2@one,two:7/my%20main/3?client_name=x", connect_timeout=0.1)
    wire: Any = store._nodes.listen()
    assert (wire.username, wire.password, wire.db, wire.client_name) == ("ada", "hunter2", 3, "x")
    pool = wire.connection_pool
    assert pool.service_name == "my main"
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"], one.get("password")) for one in asked] == [
        ("one", 26379, None),
        ("two", 7, None),
    ]
    with pytest.raises(StoreError):
        store.get_session("x")
    store.close()


def test_what_a_driver_makes_of_a_refusal_is_known() -> None:
    """A connection of a Sentinel says that it was lost when it means READONLY; a slot of nobody is no refusal."""
    error = ConnectionLost()
    assert not did_nothing(error)
    error.__context__ = ReadOnlyError()  # as where the one is raised while the other is handled
    assert did_nothing(error)
    assert not did_nothing(ClusterDownError("CLUSTERDOWN Hash slot not served"))
    assert did_nothing(ClusterDownError("CLUSTERDOWN The cluster is down"))


class Wire:
    """A connection whose answers are known before; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Any] = []

    def connect(self) -> None:
        """Be connected."""

    def disconnect(self) -> None:
        """Be closed."""

    def pack_commands(self, commands: Any) -> Any:
        """Leave the commands as they are."""
        return commands

    def send_packed_command(self, commands: Any) -> None:
        """Note what is sent."""
        self.sent.append(commands)

    def read_response(self) -> Any:
        """Give the next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_is_refused_twice_is_the_answer() -> None:
    """A command that a new connection refuses as well has that refusal for its answer."""
    again, node = ReadOnlyError(), Node(lambda: None)  # type: ignore[arg-type,return-value] # it is never connected

    def refuse(_command: Any) -> Any:
        raise again

    node._ask = refuse  # type: ignore[method-assign]
    assert node._ask_again(("DEL", "a")) is again


def test_a_cluster_that_can_not_be_asked_is_no_answer() -> None:
    """What every node of a cluster is asked fails as a store does where one of them is gone."""
    cluster = Cluster.__new__(Cluster)
    lost: Any = SimpleNamespace(ask=lambda _: (_ for _ in ()).throw(ConnectionLost()))
    cluster._with_slots = lambda: [lost]  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        cluster.ask_each("INFO")


def test_what_was_done_by_half_is_not_sent_again() -> None:
    """Of many changes, all are sent again if the first was refused, and none if the connection was lost later."""
    lost = ConnectionLost()
    lost.__context__ = ReadOnlyError()
    commands: list[Any] = [("DEL", "a"), ("DEL", "b")]
    wires: list[Any] = [Wire(lost), Wire(1, 1)]
    assert Node(iter(wires).__next__).ask_all(commands) == [1, 1]
    assert [wire.sent for wire in wires] == [[commands], [commands]]
    wires = [Wire(1, lost), Wire(1, 1)]
    with pytest.raises(ConnectionLost, match="in the middle"):
        Node(iter(wires).__next__).ask_all(commands)
    assert [wire.sent for wire in wires] == [[commands], []]
