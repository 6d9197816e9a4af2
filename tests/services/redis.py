"""Private Redis servers for the tests: on free ports of the loopback interface, gone with the tests."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.conftest import program
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE = 30
_SLOTS = 16384


class RedisServer:
    """A ``redis-server`` that a test may kill, stop for a while and start again on the same port."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        self.port = port
        self._command = [
            *_until_we_die(),
            program("redis-server"),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", *settings),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    def start(self) -> None:
        """Start it, empty unless it was told to keep what it has, and wait until it serves."""
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_until(self._serves)

    def kill(self) -> None:
        """Kill it, as a crash would; nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None

    def stop(self) -> None:
        """Ask it to end, as who administers a machine does, and wait until it has."""
        self._running().terminate()
        self._running().wait(_PATIENCE)
        self._process = None

    def pause(self) -> None:
        """Let it keep its connections and say nothing, like a machine that hangs."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def ask(self, *command: str | bytes | int) -> Any:
        """Send one command by the driver's own client."""
        with Redis(host="127.0.0.1", port=self.port, socket_timeout=5) as client:
            return client.execute_command(*command)

    def _serves(self) -> bool:
        assert self._running().poll() is None, "redis-server ended before it served"
        return bool(self.ask("PING"))

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server does not run"
        return self._process


class ClusterNode(RedisServer):
    """A node of a cluster; alone until it is introduced to another one."""

    def __init__(self, folder: Path, port: int, bus_port: int, patience: int) -> None:
        self.bus_port = bus_port
        super().__init__(
            folder,
            port,
            *("--cluster-enabled", "yes", "--cluster-port", str(bus_port)),
            *("--cluster-node-timeout", str(patience), "--cluster-config-file", str(folder / f"{port}.conf")),
        )

    def knows(self, count: int) -> bool:
        """Tell whether it knows so many nodes, itself included."""
        return f"cluster_known_nodes:{count}\r" in self._cluster_info()

    def is_ready(self) -> bool:
        """Tell whether it thinks that the cluster is in order, and has its primary's keys if it is a replica."""
        replication: dict[str, object] = self.ask("INFO", "replication")
        link = replication.get("master_link_status", "up")
        return "cluster_state:ok" in self._cluster_info() and link == "up"

    def _cluster_info(self) -> str:
        return self.ask("CLUSTER", "INFO").decode()


class RedisCluster:
    """Three primaries with a replica each.

    Args:
        folder: Where the nodes keep their notes of each other.
        patience: After how many milliseconds of silence a node counts as down.
    """

    def __init__(self, folder: Path, patience: int) -> None:
        ports = free_ports(12)
        self.nodes = [ClusterNode(folder, *pair, patience) for pair in zip(ports[:6], ports[6:], strict=True)]
        self.primaries, self.replicas = self.nodes[:3], self.nodes[3:]

    @property
    def url(self) -> str:
        """Where it serves."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start the nodes, make them one cluster, and wait until each of them says that it is."""
        for node in self.nodes:
            node.start()
        for number, primary in enumerate(self.primaries):
            primary.ask("CLUSTER", "ADDSLOTSRANGE", _SLOTS * number // 3, _SLOTS * (number + 1) // 3 - 1)
            primary.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)
        wait_until(lambda: all(node.knows(len(self.nodes)) for node in self.nodes))
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            replica.ask("CLUSTER", "REPLICATE", primary.ask("CLUSTER", "MYID"))
        self.wait()

    def wait(self) -> None:
        """Wait until every node that runs says that the cluster is in order."""
        wait_until(lambda: all(node.is_ready() for node in self.nodes if node.runs))

    def kill(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()


def free_ports(count: int) -> list[int]:
    """Return different ports of the loopback interface that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does, which sends no event when it is done."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except RedisError:
            pass  # not yet
        time.sleep(0.02)  # servers tell nobody when they agree
    message = f"it did not come true in {_PATIENCE} seconds"
    raise TimeoutError(message)


def _until_we_die() -> list[str]:
    # Where the system can: a test run that is killed takes its servers with it.
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server that all tests share; each test takes a prefix of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server.url
    server.kill()


@pytest.fixture(scope="session")
def redis_cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a cluster that all tests share; each test takes a prefix of its own."""
    # A machine that is busy is no reason for a failover.
    cluster = RedisCluster(tmp_path_factory.mktemp("redis-cluster"), patience=30_000)
    cluster.start()
    yield cluster.url
    cluster.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server of the test's own, to kill, to stop and to start again."""
    server = RedisServer(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    """Return a cluster of the test's own, to kill nodes of."""
    cluster = RedisCluster(tmp_path, patience=1_000)
    cluster.start()
    yield cluster
    cluster.kill()
