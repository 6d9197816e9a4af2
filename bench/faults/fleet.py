"""Four processes that serve the application: started one by one, or forked by a server that has loaded it before."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.faults import application
from tests.services.redis import wait_until
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Iterator

__all__ = ["GUNICORN", "KINDS", "PLAIN", "UWSGI", "WORKERS", "Fleet", "has_uwsgi", "serving"]

WORKERS, THREADS = 4, 6
#: How long a process may take to begin and to end, in seconds: the machine may be busy with faults.
_PATIENCE = 120
PLAIN, GUNICORN, UWSGI = "processes with threads", "gunicorn --preload", "uWSGI"
KINDS = (PLAIN, GUNICORN, UWSGI)


class Master(NamedTuple):
    """A process that was started, where it listens, and what ends it."""

    process: subprocess.Popen[bytes]
    port: int
    stack: ExitStack


class Fleet:
    """Workers of one kind.

    Args:
        kind: Which.
        folder: Where they say what they have to say, and where their clocks are.
        stores: The addresses of the stores.
    """

    def __init__(self, kind: str, folder: Path, stores: str) -> None:
        self.kind = kind
        self._folder = folder
        self._environment = {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("ADMIT_", "FLASK_", "GUNICORN_"))
            },
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
            application.STORES: stores,
            application.FOLDER: str(folder),
        }
        self._masters: list[Master] = []

    @property
    def ports(self) -> list[int]:
        """Where the workers listen."""
        return [one.port for one in self._masters]

    @property
    def workers(self) -> list[int]:
        """The processes that answer requests."""
        return sorted(pid for one in self._masters for pid in _children(one.process.pid) or [one.process.pid])

    def start(self) -> None:
        """Start all and wait until they serve."""
        ports = [free_port() for _ in range(WORKERS if self.kind == PLAIN else 1)]
        for port in ports:
            self._masters.append(self._started(port))  # one by one: what has started is stopped if another does not
        wait_until(lambda: len(self.workers) == WORKERS)

    def stop(self) -> None:
        """End all."""
        for one in self._masters:
            one.stack.close()
        self._masters = []

    def mend(self) -> None:
        """Put another one in the place of each that was killed, and wait until there are as many as before."""
        for place, one in enumerate(self._masters):
            if one.process.poll() is not None:
                one.stack.close()
                self._masters[place] = self._started(one.port)
        wait_until(lambda: len(self.workers) == WORKERS)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a worker, if it is there."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def set_clock(self, pid: int, ahead: float) -> None:
        """Let the clock of a worker be ahead by so many seconds, or right again."""
        application.set_clock(self._folder, pid, ahead)

    def _started(self, port: int) -> Master:
        stack = ExitStack()
        command = [*_until_we_die(), sys.executable, *_COMMANDS[self.kind](port)]
        environment = self._environment | {"PORT": str(port)}
        log = self._folder / "log"
        try:
            process = stack.enter_context(running(command, port, environment, ROOT, log, _PATIENCE))
        except AssertionError as error:
            error.add_note(log.read_text()[-2000:])
            raise
        return Master(process, port, stack)


@contextmanager
def serving(kind: str, folder: Path, stores: str) -> Iterator[Fleet]:
    """Start workers of a kind, and end them with the block."""
    fleet = Fleet(kind, folder, stores)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


def has_uwsgi() -> bool:
    """Tell whether uWSGI is installed."""
    return find_spec("pyuwsgi") is not None


def _plain(_port: int) -> list[str]:
    return ["-m", "bench.faults.application"]


def _gunicorn(port: int) -> list[str]:
    options = ["--preload", "--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)]
    manner = ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "5", "--log-level", "critical"]
    return ["-m", "gunicorn", *options, *manner, "bench.faults.application:create_app()"]


def _uwsgi(port: int) -> list[str]:
    # As it is without being told otherwise: the application is loaded once, and then forked in C.
    program = ["-c", "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])"]
    options = ["--master", "--processes", str(WORKERS), "--threads", str(THREADS), "--http-socket", f"127.0.0.1:{port}"]
    manner = [
        "--die-on-term",
        "--no-orphans",
        "--worker-reload-mercy",
        "5",
        "--disable-logging",
        "--buffer-size",
        "16384",
    ]
    return [*program, *options, *manner, "--need-app", "--module", "bench.faults.application:create_app()"]


_COMMANDS = {PLAIN: _plain, GUNICORN: _gunicorn, UWSGI: _uwsgi}


def _children(pid: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def _until_we_die() -> list[str]:
    # Where the system can: a run that is killed takes its workers with it.
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
