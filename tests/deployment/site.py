"""The ready application under gunicorn over private servers, whose parts can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from admit.features.password.hashing import Hasher
from tests.deployment.letters import Letters
from tests.mail_server import mail_server
from tests.services.postgres import private_postgres
from tests.services.redis import RedisServer, wait_until
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.postgres import PostgresServer

__all__ = ["HOST", "PASSWORD", "Outage", "Site", "deployed", "kept_redis"]

#: The name of the site, and the password of everybody.
HOST = "accounts.example"
PASSWORD = "a phrase that nobody else has 9"
ADMIT = [sys.executable, "-m", "admit.server"]


class Outage(NamedTuple):
    """What was broken, when, and when it worked again; seconds of ``time.monotonic()``."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Site:
    """What runs, and ways to break it."""

    #: Where gunicorn listens.
    port: int
    #: The process that starts the workers.
    master: int
    #: What all processes of the application have said.
    log: Path
    #: What keeps accounts.
    postgres: PostgresServer
    #: What keeps sessions.
    redis: RedisServer
    #: Where mails go.
    letters: Letters
    #: The addresses of those who have an account; all have the same password.
    people: list[str]

    def workers(self) -> list[int]:
        """Return the processes that answer requests."""
        text = Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return sorted(map(int, text.split()))

    def kill_worker(self) -> Outage:
        """Kill a worker, as the system does when memory is short, and wait until another one has its place."""
        before = self.workers()
        began = time.monotonic()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(self.workers()) - set(before)) == 1)
        # What was under way at that moment is lost, and nothing that came later.
        return Outage("a killed worker", began, began)

    def reload(self) -> Outage:
        """Let gunicorn replace its workers one after the other, as after an upgrade."""
        before = self.workers()
        began = time.monotonic()
        os.kill(self.master, signal.SIGHUP)
        wait_until(lambda: not set(self.workers()) & set(before))
        return Outage("a rolling restart", began, time.monotonic())

    def restart_redis(self, *, kill: bool = False) -> Outage:
        """End Redis, by its own wish or not, and start it again on what it has kept."""
        began = time.monotonic()
        (self.redis.kill if kill else self.redis.stop)()
        self.redis.start()
        return Outage("Redis killed and started" if kill else "Redis restarted", began, time.monotonic())

    def restart_postgres(self, *, kill: bool = False) -> Outage:
        """End PostgreSQL with all its connections, and start it again."""
        began = time.monotonic()
        (self.postgres.kill if kill else self.postgres.stop)()
        self.postgres.start()
        return Outage("PostgreSQL killed and started" if kill else "PostgreSQL restarted", began, time.monotonic())


@contextmanager
def deployed(people: int) -> Iterator[Site]:
    """Start everything, with so many accounts, and end it with the block."""
    letters = Letters()
    with (
        tempfile.TemporaryDirectory(prefix="admit-deployed-") as place,
        private_postgres() as postgres,
        kept_redis() as redis,
        mail_server(letters) as mail_port,
    ):
        port, folder = free_port(), Path(place)
        environment = _environment(postgres, redis, mail_port)
        _admit(folder, environment, "db", "upgrade")
        addresses = _import(folder, environment, people)
        log = folder / "log"
        with running(_gunicorn(port), port, environment, folder, log) as master:
            yield Site(port, master.pid, log, postgres, redis, letters, addresses)


@contextmanager
def kept_redis() -> Iterator[RedisServer]:
    """Start a Redis that has what it has answered in its file, and end it with the block."""
    # In memory, where there is such a place: it is processes that are killed here, not machines, and a disk that is
    # busy with other things keeps Redis from answering for longer than anybody waits.
    memory = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it
    with tempfile.TemporaryDirectory(prefix="admit-redis-", dir=memory if memory.is_dir() else None) as folder:
        # What it has answered is in its file: otherwise sessions that were ended could come back with it.
        server = RedisServer(Path(folder), free_port(), "--appendonly", "yes", "--appendfsync", "always")
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _environment(postgres: PostgresServer, redis: RedisServer, mail_port: int) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("ADMIT_", "FLASK_", "GUNICORN_"))},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "ADMIT_DB": postgres.url,
        "ADMIT_SESSIONS": redis.url,
        "ADMIT_PUBLIC_URL": f"https://{HOST}",
        "ADMIT_PROXIES": "1",
        "ADMIT_SECRET_KEY": "0123456789abcdef" * 4,
        "ADMIT_MAIL_URL": f"smtp://127.0.0.1:{mail_port}?tls=none&from=accounts%40{HOST}",
    }


def _gunicorn(port: int) -> list[str]:
    options = ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "critical"]
    bind = ["--bind", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "gunicorn", *options, *bind, "admit.server:create_app()"]


def _import(folder: Path, environment: dict[str, str], people: int) -> list[str]:
    # One hash for all: it is what each login verifies, and takes as long as any.
    hashed = Hasher().hash(PASSWORD)
    addresses = [f"person{number}@example.org" for number in range(people)]
    with (folder / "people.jsonl").open("w") as file:
        for address in addresses:
            row = {"email": address, "verified": True, "password_hash": hashed, "adopted": False}
            file.write(json.dumps(row) + "\n")
    _admit(folder, environment, "user", "import", "people.jsonl", "--json")
    return addresses


def _admit(folder: Path, environment: dict[str, str], *words: str) -> None:
    ran = subprocess.run(  # noqa: S603 -- our own words
        [*ADMIT, *words], env=environment, cwd=folder, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
