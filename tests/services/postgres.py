"""A private PostgreSQL for the tests: on a free port of the loopback interface, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from tests.conftest import program
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 60
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")


class PostgresServer:
    """A ``postgres`` that a test may kill, stop for a while and start again on the same port."""

    def __init__(self, folder: Path, port: int, **settings: object) -> None:
        self.port = port
        self._settings = settings
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make its files: whoever connects from this machine is trusted, and a crash of the machine may lose them."""
        command = [program("initdb", *_PLACES), "-D", str(self._folder / "db"), "-U", "tests"]
        options = ["-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync"]
        subprocess.run([*_as_nobody(), *command, *options], check=True, stdout=subprocess.DEVNULL)  # noqa: S603

    def start(self) -> None:
        """Start it and wait until it serves."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 60,
            "shared_buffers": "16MB",
            **self._settings,
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(  # noqa: S603
            [*_as_nobody(), program("postgres", *_PLACES), "-D", str(self._folder / "db"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def kill(self) -> None:
        """End it at once, with all of its connections; nothing if it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_PATIENCE)
            self._process = None

    def stop(self) -> None:
        """Ask it to end without waiting for its clients, as who administers a machine does, and wait until it has."""
        assert self._process is not None, "the server does not run"
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_PATIENCE)
        self._process = None

    def signal_all(self, number: int) -> None:
        """Send a signal to the server and to those of its processes that serve the connections."""
        assert self._process is not None, "the server does not run"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with suppress(ProcessLookupError):  # the connection that it served was closed meanwhile
                os.kill(pid, number)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Run one statement on a connection of its own."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            assert self._process is not None
            assert self._process.poll() is None, "postgres ended before it served"
            try:
                self.ask("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "postgres does not serve"
                time.sleep(0.05)  # it tells nobody when it serves
            else:
                return


def _as_nobody() -> list[str]:
    # PostgreSQL refuses to run as root.
    until_we_die = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
    if os.geteuid():
        return until_we_die
    return [program("setpriv"), "--pdeathsig", "INT", "--reuid", _user(), "--regid", _user(), "--clear-groups"]


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def private_postgres(**settings: object) -> Iterator[PostgresServer]:
    """Make a server, start it, and end it with the block.

    Args:
        settings: What it is told besides the usual.
    """
    # Not in pytest's own folder, which only this user may enter.
    with tempfile.TemporaryDirectory(prefix="admit-postgres-", ignore_cleanup_errors=True) as folder:
        if not os.geteuid():
            shutil.chown(folder, _user())
        server = PostgresServer(Path(folder), free_port(), **settings)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Return a server that all tests share; each test takes a schema or a prefix of its own."""
    with private_postgres() as server:
        yield server


@pytest.fixture
def postgres_schema(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the name of an empty schema of the test's own."""
    name = f"s{uuid4().hex[:12]}"
    postgres_server.ask(f"CREATE SCHEMA {name}")
    yield name
    postgres_server.ask(f"DROP SCHEMA {name} CASCADE")
