"""What happens when Redis is down, hangs, comes back, or moves its keys around."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from admit import tokens
from admit.errors import StoreError
from admit.model import Ending, EndReason
from admit.stores.redis import RedisStore
from admit.stores.redis_nodes import _look, settings_of
from admit.testing import a_session
from tests.services.redis import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.model import Session
    from tests.services.redis import ClusterNode, RedisCluster, RedisServer

NOW = datetime.now(UTC)
REVOKED = Ending(EndReason.REVOKED, NOW, "owner")


def open_impatient(url: str) -> RedisStore:
    """Open a store with half of the usual patience: the bound is measured, and this machine may be busy."""
    return RedisStore(url, connect_timeout=0.25, command_timeout=0.25)


def open_patient(url: str) -> RedisStore:
    """Open a store that waits: it is asked what a lost connection costs, and this machine may be busy."""
    return RedisStore(url, connect_timeout=30, command_timeout=30)


def verbs(store: RedisStore, session: Session) -> list[Callable[[], object]]:
    """Return one call of every verb."""
    return [
        lambda: store.add_session(a_session()),
        lambda: store.get_session(session.id),
        lambda: store.touch_session(session.id, seen_at=NOW, expires_at=session.expires_at),
        lambda: store.replace_session(session.id, a_session(), ending=REVOKED),
        lambda: store.replace_secret(session, session),
        lambda: store.list_sessions(session.subject),
        lambda: store.delete_session(session.id, ending=REVOKED),
        lambda: store.delete_sessions(session.subject, ending=REVOKED),
        lambda: store.get_ending(session.id),
        store.count_sessions,
        lambda: store.count_sessions(session.subject),
        lambda: store.purge(before=NOW),
    ]


@contextmanager
def within_a_second() -> Iterator[None]:
    """Promise that the block fails with a StoreError that has a cause, in less than a second."""
    began = time.monotonic()
    with pytest.raises(StoreError) as caught:
        yield
    assert time.monotonic() - began < 1
    assert isinstance(caught.value.__cause__, RedisError | OSError)


def works(store: RedisStore) -> bool:
    """Tell whether a session can be added and found again."""
    try:
        session = a_session()
        store.add_session(session)
        return store.get_session(session.id) == session
    except StoreError:
        return False


def test_a_server_that_is_down_is_said_at_once_and_used_again(redis_server: RedisServer) -> None:
    """While the server is dead every verb fails within a second; when it is back the same store works."""
    store = open_impatient(redis_server.url)
    wait_until(lambda: works(store))
    redis_server.kill()
    for verb in verbs(store, a_session()):
        with within_a_second():
            verb()
    redis_server.start()
    wait_until(lambda: works(store))
    store.close()


def test_a_server_that_hangs_is_said_within_a_second(redis_server: RedisServer) -> None:
    """While the server says nothing every verb fails within a second, on old connections and on new ones."""
    store, fresh = open_impatient(redis_server.url), open_impatient(redis_server.url)
    wait_until(lambda: works(store))
    redis_server.pause()
    for verb in [*verbs(store, a_session()), *verbs(fresh, a_session())]:
        with within_a_second():
            verb()
    redis_server.resume()
    wait_until(lambda: works(store) and works(fresh))
    store.close()
    fresh.close()


def test_an_answer_that_came_too_late_is_nobodys(redis_server: RedisServer) -> None:
    """After a look-up that took too long the next one gets its own answer, not the late one: another's session."""
    store = open_impatient(redis_server.url)
    mine, other = a_session(), a_session()
    store.add_session(mine)
    store.add_session(other)
    for _ in range(5):
        redis_server.pause()
        with pytest.raises(StoreError):
            store.get_session(mine.id)
        redis_server.resume()
        assert store.get_session(other.id) == other
    store.close()


@pytest.mark.parametrize("many", [False, True])
def test_an_interrupted_look_up_leaves_no_answer_behind(redis_server: RedisServer, *, many: bool) -> None:
    """When a request is killed between question and answer, nobody gets that answer later: another's session."""
    store = open_impatient(redis_server.url)
    mine, other = a_session(), a_session()
    store.add_session(mine)
    store.add_session(other)
    nodes = store._nodes
    wire, _ = nodes._node._idle._idle.get()[-1]  # type: ignore[attr-defined]

    def die() -> None:
        raise KeyboardInterrupt

    wire.read_response = die
    with pytest.raises(KeyboardInterrupt):
        nodes.ask_all([("GET", f"admit:s:{mine.id}")]) if many else store.get_session(mine.id)
    del wire.read_response
    assert store.get_session(other.id) == other
    store.close()


def test_an_idle_connection_that_died_is_not_used(redis_server: RedisServer) -> None:
    """A store that was idle while the server was started anew works at its first command."""
    store = open_impatient(redis_server.url)
    wait_until(lambda: works(store))
    redis_server.kill()
    redis_server.start()
    _let_connections_grow_old(store)
    assert works(store)
    store.close()


def _let_connections_grow_old(store: RedisStore) -> None:
    nodes = store._nodes
    idle = nodes._node._idle._idle.get()  # type: ignore[attr-defined]
    for _ in range(len(idle)):
        wire, _ = idle.popleft()
        idle.append((wire, time.monotonic() - 20))


def test_a_connection_that_is_out_of_step_is_not_used(redis_server: RedisServer) -> None:
    """A connection that holds bytes nobody asked for is closed instead of used: they would answer the next look-up."""
    store = open_impatient(redis_server.url)
    session = a_session()
    store.add_session(session)
    nodes = store._nodes
    wire, _ = nodes._node._idle._idle.get()[-1]  # type: ignore[attr-defined]
    wire.send_command("PING")
    wait_until(wire.can_read)
    _let_connections_grow_old(store)
    assert store.get_session(session.id) == session
    store.close()


def test_scripts_that_the_server_forgot_are_sent_again(redis_server: RedisServer) -> None:
    """After the server forgot all scripts, every verb that is one works, alone and many at once."""
    store = open_impatient(redis_server.url)
    session, *others = (a_session() for _ in range(4))
    redis_server.ask("SCRIPT", "FLUSH")
    store.add_session(session)
    redis_server.ask("SCRIPT", "FLUSH")
    assert store.touch_session(session.id, seen_at=NOW, expires_at=session.expires_at)
    for other in others:
        store.add_session(other)
    redis_server.ask("SCRIPT", "FLUSH")
    assert store.delete_sessions(session.subject, ending=REVOKED) == 4
    store.close()


def test_the_server_refuses_and_the_connection_is_kept(redis_server: RedisServer) -> None:
    """A command that the server refuses is a StoreError, and the connection goes on to be used."""
    store = open_impatient(redis_server.url)
    session = a_session()
    store.get_session(session.id)
    opened = redis_server.ask("INFO", "stats")["total_connections_received"]
    redis_server.ask("LPUSH", f"admit:s:{session.id}", "no string")
    with within_a_second():
        store.get_session(session.id)
    redis_server.ask("SADD", "admit:u:{ada}", "no sorted set")
    with within_a_second():
        store.list_sessions("ada")
    redis_server.ask("RENAME", "admit:u:{ada}", "admit:s:2")
    with within_a_second():
        store.count_sessions()
    # Each question of the test's own opens a connection, and nothing else did.
    assert redis_server.ask("INFO", "stats")["total_connections_received"] == opened + 4
    store.close()


# -- cluster ---------------------------------------------------------------------------------------


def _owner(cluster: RedisCluster, key: str) -> ClusterNode:
    slot = key_slot(key.encode())
    return next(node for place, node in enumerate(cluster.primaries) if slot <= 16384 * (place + 1) // 3 - 1)


def _session_at(cluster: RedisCluster, node: ClusterNode) -> Session:
    """Return a session whose own key is on this node, and its subject's list too."""
    while True:
        session = a_session(subject=tokens.new_id())
        keys = f"admit:s:{session.id}", f"admit:u:{{{session.subject}}}"
        if {_owner(cluster, key) for key in keys} == {node}:
            return session


def _kept(store: RedisStore, session: Session) -> bool:
    try:
        store.add_session(session)
    except StoreError:
        return False
    return True


def test_a_cluster_without_one_node_serves_the_others_and_fails_over(redis_cluster: RedisCluster) -> None:
    """When a primary dies its keys fail within a second and the others work; its replica takes over by itself."""
    store = open_impatient(redis_cluster.url)
    dead, alive, _ = redis_cluster.primaries
    lost, served = _session_at(redis_cluster, dead), _session_at(redis_cluster, alive)
    wait_until(lambda: _kept(store, lost) and _kept(store, served))
    _wait_for_replicas(redis_cluster)
    dead.kill()
    with within_a_second():
        store.get_session(lost.id)
    assert store.get_session(served.id) == served
    with within_a_second():
        store.get_session(lost.id)

    def has_failed_over() -> bool:
        try:
            return store.get_session(lost.id) == lost and store.delete_session(lost.id, ending=REVOKED)
        except StoreError:
            return False

    wait_until(has_failed_over)
    assert store.get_ending(lost.id) == REVOKED
    assert store.count_sessions() == 1
    store.close()


def test_a_list_whose_sessions_are_out_of_reach_is_no_empty_list(redis_cluster: RedisCluster) -> None:
    """When the list answers and a session's node does not, listing and ending all fail; nothing is left out."""
    store = open_impatient(redis_cluster.url)
    dead, alive, _ = redis_cluster.primaries
    while True:
        session = a_session(subject=tokens.new_id())
        places = _owner(redis_cluster, f"admit:u:{{{session.subject}}}"), _owner(redis_cluster, f"admit:s:{session.id}")
        if places == (alive, dead):
            break
    wait_until(lambda: _kept(store, session))
    dead.pause()
    with within_a_second():
        store.list_sessions(session.subject)
    with within_a_second():
        store.delete_sessions(session.subject, ending=REVOKED)
    dead.resume()
    store.close()


def test_a_cluster_that_is_dead_is_said_at_once(redis_cluster: RedisCluster) -> None:
    """When no node of a cluster accepts connections every verb fails at once, on a new store as on an old one."""
    store, fresh = open_impatient(redis_cluster.url), open_impatient(redis_cluster.url)
    wait_until(lambda: works(store))
    redis_cluster.kill()
    for verb in [*verbs(store, a_session()), *verbs(fresh, a_session())]:
        with within_a_second():
            verb()
    store.close()
    fresh.close()


def test_slots_that_nobody_has_are_an_error(redis_cluster: RedisCluster) -> None:
    """In a cluster that serves what it can, a key in a slot without an owner is an error and others are served."""
    lost, served = a_session(), a_session()
    slot = key_slot(f"admit:s:{lost.id}".encode())
    for node in redis_cluster.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        node.ask("CLUSTER", "DELSLOTS", slot)
    store = open_impatient(redis_cluster.url)
    wait_until(lambda: _kept(store, served))
    with within_a_second():
        store.get_session(lost.id)
    assert store.count_sessions() == 1
    store.close()


def test_nodes_that_disagree_are_not_asked_for_ever(redis_cluster: RedisCluster) -> None:
    """When two nodes each say that the other has a slot, the look-up fails instead of going back and forth."""
    store = open_impatient(redis_cluster.url)
    wait_until(lambda: works(store))
    session = a_session()
    slot = key_slot(f"admit:s:{session.id}".encode())
    first = _owner(redis_cluster, f"admit:s:{session.id}")
    for key in first.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
        first.ask("DEL", key)  # a node gives away an empty slot only
    second = next(node for node in redis_cluster.primaries if node is not first)
    names = [node.ask("CLUSTER", "MYID") for node in (first, second)]
    for node in redis_cluster.nodes:
        if node not in {first, second}:
            node.pause()  # they would mend it
    second.ask("CLUSTER", "SETSLOT", slot, "NODE", names[0])
    first.ask("CLUSTER", "SETSLOT", slot, "NODE", names[1])
    with within_a_second():
        store.get_session(session.id)
    for node in redis_cluster.nodes:
        node.resume()
    store.close()


def _wait_for_replicas(cluster: RedisCluster) -> None:
    for primary in cluster.primaries:
        primary.ask("WAIT", 1, 5_000)


def test_a_cluster_that_hangs_is_said_within_a_second(redis_cluster: RedisCluster) -> None:
    """While all nodes say nothing every verb fails within a second, however often; later the store works again."""
    store, fresh = open_impatient(redis_cluster.url), open_impatient(redis_cluster.url)
    wait_until(lambda: works(store))
    for node in redis_cluster.nodes:
        node.pause()
    for verb in [*verbs(store, a_session()), *verbs(fresh, a_session())]:
        with within_a_second():
            verb()
    for node in redis_cluster.nodes:
        node.resume()
    wait_until(lambda: works(store) and works(fresh))
    store.close()
    fresh.close()


def test_keys_that_move_are_found(redis_cluster: RedisCluster) -> None:
    """While a slot moves from node to node, and afterwards, every session in it is found, changed and listed."""
    store = open_impatient(redis_cluster.url)
    source, target, _ = redis_cluster.primaries
    moved, unmoved = _session_at(redis_cluster, source), a_session()
    wait_until(lambda: _kept(store, moved) and _kept(store, unmoved))
    slots = {key_slot(key.encode()) for key in (f"admit:s:{moved.id}", f"admit:u:{{{moved.subject}}}")}
    for slot in slots:
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))
        for key in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5_000)
    target.ask("SCRIPT", "FLUSH")
    assert store.get_session(moved.id) == moved
    later = NOW + timedelta(minutes=1)
    assert store.touch_session(moved.id, seen_at=later, expires_at=moved.expires_at)
    assert len(store.list_sessions(moved.subject)) == 1
    for slot in slots:
        for node in redis_cluster.primaries:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.ask("CLUSTER", "MYID"))
    assert len(store.list_sessions(moved.subject)) == 1
    assert store.count_sessions() == 2
    assert store.delete_sessions(moved.subject, ending=REVOKED) == 1
    assert store.get_ending(moved.id) == REVOKED
    store.close()


def test_a_connection_that_was_idle_is_looked_at(redis_url: str) -> None:
    """A healthy connection stays as it is; one with an answer that nobody has read is closed."""
    with Redis.from_url(redis_url) as client:
        wire = settings_of(client, connect_timeout=30, command_timeout=30)()
    wire.connect()
    before = wire._sock
    _look(wire)
    assert wire._sock is before
    wire.send_command("PING")
    # Not a sleep: the wait ends as soon as the answer is there.
    assert wire.can_read(timeout=30)
    _look(wire)
    assert wire._sock is None


# -- started anew ----------------------------------------------------------------------------------


def test_a_server_that_was_started_anew_costs_nothing(redis_server: RedisServer) -> None:
    """Connections that were used a moment ago and have died with the server are replaced, whatever is asked first."""
    store = open_patient(redis_server.url)
    node = store._nodes._node  # type: ignore[attr-defined]
    for number in range(len(verbs(store, a_session()))):
        session = a_session()
        store.add_session(session)
        wires = [node.connect() for _ in range(3)]
        for wire in wires:
            wire.connect()
            node._idle.put(wire)
        redis_server.kill()
        redis_server.start()
        verbs(store, session)[number]()
    store.close()


class Thief:
    """A proxy in front of a server that can let an answer vanish, and the connection with it.

    Args:
        port: Where the server is.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.steals = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listening.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._behind))
                for one, other, of_server in ((near, far, False), (far, near, True)):
                    passing = partial(self._pass_on, one, other, of_server=of_server)
                    threading.Thread(target=passing, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, *, of_server: bool) -> None:
        with suppress(OSError), one, other:
            while (said := one.recv(65536)) and not (of_server and self.steals.is_set()):
                other.sendall(said)
            if of_server:
                self.steals.clear()
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def thief(redis_server: RedisServer) -> Iterator[Thief]:
    """Return a proxy in front of a server of the test's own."""
    thief = Thief(redis_server.port)
    yield thief
    thief.close()


def test_what_changes_something_is_never_sent_twice(thief: Thief) -> None:
    """A try whose answer was lost is counted once: sent again, it would cost an owner two of theirs."""
    store = open_patient(f"redis://127.0.0.1:{thief.port}")
    minute = timedelta(minutes=1)

    def spend() -> timedelta:
        return store.spend("a", now=NOW, interval=minute, burst=3)

    assert spend() == timedelta()
    thief.steals.set()
    with within_a_second():
        spend()
    assert spend() == timedelta()
    assert spend() > timedelta()
    store.close()


@pytest.mark.parametrize("many", [False, True])
def test_what_only_reads_is_asked_again(thief: Thief, *, many: bool) -> None:
    """A look-up whose answer was lost with its connection is made once more, on another connection."""
    store = open_patient(f"redis://127.0.0.1:{thief.port}")
    session = a_session()
    store.add_session(session)
    thief.steals.set()
    if many:
        assert len(store._nodes.ask_all([("GET", f"admit:s:{session.id}")] * 2)) == 2
    else:
        assert store.get_session(session.id) == session
    assert not thief.steals.is_set()
    store.close()
