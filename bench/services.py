"""Private servers for the benchmarks: those that the tests start, on free ports of the loopback interface."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Generator

_POSTGRES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin")


@contextmanager
def redis() -> Generator[str | None]:
    """Start a Redis and yield its address; ``None``, said aloud, where there is none."""
    if shutil.which("redis-server") is None:
        print("Redis is not on this machine: its cases are left out.")
        yield None
        return
    from tests.services.redis import RedisServer

    with tempfile.TemporaryDirectory(prefix="admit-redis-") as folder:
        server = RedisServer(Path(folder), free_port())
        server.start()
        try:
            yield server.url
        finally:
            server.kill()


@contextmanager
def redis_cluster() -> Generator[str | None]:
    """Start a cluster of six and yield its address; ``None`` where there is no Redis."""
    if shutil.which("redis-server") is None:
        yield None
        return
    from tests.services.redis import RedisCluster

    with tempfile.TemporaryDirectory(prefix="admit-redis-") as folder:
        cluster = RedisCluster(Path(folder), patience=30_000)
        cluster.start()
        try:
            yield cluster.url
        finally:
            cluster.kill()


@contextmanager
def postgres(**settings: object) -> Generator[str | None]:
    """Start a PostgreSQL and yield its address; ``None``, said aloud, where there is none.

    Args:
        settings: What it is told besides, such as ``shared_buffers``.
    """
    if not any(list(Path("/").glob(f"{place.lstrip('/')}/initdb")) for place in _POSTGRES):
        print("PostgreSQL is not on this machine: its cases are left out.")
        yield None
        return
    from tests.services.postgres import private_postgres

    with private_postgres(**settings) as server:
        yield server.url
