"""`admit run` as a real process."""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import admit
from admit.errors import ConfigurationError
from admit.server import ServerSettings, create_app
from admit.server.cli import main
from admit.server.serving import listen, serve
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIT = [sys.executable, "-m", "admit.server"]
PATIENCE = 30


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which the package under test is found, wherever the process runs."""
    return {**os.environ, "PYTHONPATH": str(Path(admit.__file__).parents[1]), "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def started(*words: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """Run `admit run`, and yield the process, its port and what it has printed once it serves."""
    command = [*ADMIT, "run", "--port", "0", *words]
    # Where these tests run in the background, an interrupt is ignored, and would be by what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(  # noqa: S603 -- our own words
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        signal.signal(signal.SIGINT, before)
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            printed = [process.stdout.readline()]
            assert printed[0].startswith("Serving at http://"), process.stderr.read()
            yield process, int(printed[0].rpartition(":")[2]), printed
        finally:
            watch.cancel()
            process.kill()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals) -> None:
    """The process serves, says where, tells its health without a banner, and ends in order."""
    with started("--dev") as (process, port, _):
        assert get(port, "/healthz")[::2] == (200, '{"status":"alive"}\n')
        assert json.loads(get(port, "/readyz")[2]) == {"status": "ready"}
        status, headers, text = get(port, "/")
        assert status == 200
        assert f"127.0.0.1:{port}" not in headers.get("Location", "")
        assert "Server" not in headers
        assert "Via" not in headers
        assert "outbox" in text
        assert get(port, "/", Host="evil.example")[0] == 400
        assert process.stdout.readline() == (
            f"Mails are kept at http://127.0.0.1:{port}/account/outbox, because this is development.\n"
        )
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()


def refused(*words: str, **more: str) -> str:
    """Run `admit run`, which must refuse to start, and return what it says."""
    ran = subprocess.run(  # noqa: S603 -- our own words
        [*ADMIT, "run", *words],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout.replace("Serving", "") == ""
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_it_does_not_develop_in_public() -> None:
    """Development at an address that others reach is refused, by flag and by Flask's own switch."""
    assert "Development is for this machine only" in refused("--dev", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 -- refused
    live = {"ADMIT_PUBLIC_URL": "https://app.example", "ADMIT_MAIL_URL": "smtp://127.0.0.1?from=a%40b.example"}
    said = refused("--host", "0.0.0.0", "--port", "0", FLASK_DEBUG="1", **live)  # noqa: S104 -- refused
    assert "listen at 127.0.0.1" in said


def test_it_does_not_share_a_memory() -> None:
    """A store in memory under several workers is refused."""
    said = refused("--dev", "--port", "0", "--db", "memory:", WEB_CONCURRENCY="4")
    assert "There are 4 workers" in said
    assert "sqlite:///" in said


@pytest.mark.parametrize(("secret", "reason"), [("dev", "known from a tutorial"), ("k9-x2", "shorter than 32 bytes")])
def test_it_does_not_sign_with_a_weak_secret(secret: str, reason: str) -> None:
    """A weak secret is refused, with a command that makes a good one."""
    said = refused("--dev", "--port", "0", ADMIT_SECRET_KEY=secret)
    assert reason in said
    assert "secrets.token_hex()" in said


def test_it_does_not_send_mails_to_nowhere() -> None:
    """Without an address for links, and without somebody who sends, it does not start for real."""
    assert "Set ADMIT_PUBLIC_URL" in refused("--port", "0")
    assert "Set ADMIT_MAIL_URL" in refused("--port", "0", "--public-url", "https://app.example")


def test_it_does_not_open_what_is_no_database(folder: Path) -> None:
    """A file that is something else is refused and left as it is."""
    (folder / "notes.txt").write_text("not a database, but long enough to be looked at as one" * 100)
    said = refused("--dev", "--port", "0", "--db", "sqlite:///notes.txt")
    assert "The database can't be opened" in said
    assert (folder / "notes.txt").read_text().startswith("not a database")


def test_it_does_not_take_the_port_of_another() -> None:
    """A port that is in use is refused before anything else is touched."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refused("--dev", "--port", str(other.getsockname()[1]))
        with pytest.raises(ConfigurationError, match="is in use"):
            listen(ServerSettings(port=other.getsockname()[1]))
    assert "is in use. End what listens there, or choose another by --port." in said
    assert not Path("admit.db").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_ours(host: str) -> None:
    """An address of another machine, or none at all, is refused."""
    with pytest.raises(ConfigurationError, match=r"can't be used: .*Choose others by --host and --port"):
        listen(ServerSettings(host=host, port=0))


def test_the_file_is_read(folder: Path) -> None:
    """The file that is named on the command line counts, and the environment before it."""
    (folder / "admit.toml").write_text('dev = true\nsite_name = "The File"\n')
    with started("--config", "admit.toml") as (_, port, _):
        assert "The File" in get(port, "/")[2]
    with started("--config", "admit.toml", ADMIT_SITE_NAME="The Environment") as (_, port, _):
        assert "The Environment" in get(port, "/")[2]


def test_a_lock_counts_at_the_next_request_of_a_running_process() -> None:
    """Who is logged in to a running process is out once another process has locked the account."""
    create = [*ADMIT, "user", "create", "--email", "ada@example.org", "--verified", "--password-stdin"]
    subprocess.run(create, env=environment(), input="a phrase that nobody else has 9", text=True, check=True)  # noqa: S603 -- our own words
    with started("--dev") as (_, port, _):
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        body = json.dumps({"identifier": "ada@example.org", "password": "a phrase that nobody else has 9"})
        headers = {"Content-Type": "application/json", "Admit-Carrier": "bearer"}
        connection.request("POST", "/api/account/sign-in", body, headers)
        answer = connection.getresponse()
        cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        bearer = answer.getheader("Authorization") or answer.getheader("Admit-Token")
        assert answer.status == 200
        connection.close()
        shown = {"Cookie": "; ".join(cookies)} if cookies else {"Authorization": f"Bearer {bearer}"}
        assert get(port, "/api/account/", **shown)[0] == 200
        subprocess.run([*ADMIT, "user", "lock", "ada@example.org"], env=environment(), check=True, capture_output=True)  # noqa: S603 -- our own words
        assert get(port, "/api/account/", **shown)[0] == 401


def test_serving_ends_with_everything_closed() -> None:
    """What served lets go of its port and its stores, and the signal means again what it meant."""
    server = ServerSettings(dev=True, port=free_port())
    app = create_app({"ADMIT_DEV": True, "ADMIT_PORT": server.port})
    before = signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.start()
    with listen(server) as listening:
        serve(app, server, listening)
    timer.join()
    assert signal.getsignal(signal.SIGTERM) is before
    with listen(server) as again:
        assert again.getsockname()[1] == server.port


@pytest.mark.parametrize("words", [["--dev"], ["--config", "live.toml"]], ids=["development", "live"])
def test_the_command_serves_what_it_says(folder: Path, words: list[str]) -> None:
    """The command prints where it serves, and only in development where the mails are."""
    (folder / "live.toml").write_text(
        'host = "::1"\npublic_url = "https://app.example"\nmail.url = "smtp://127.0.0.1?from=a%40b.example"\n'
    )
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.start()
    result = CliRunner().invoke(main, ["run", "--port", "0", *words])
    timer.join()
    assert result.exit_code == 0, result.output
    is_development = words == ["--dev"]
    assert result.output.startswith("Serving at http://" + ("127.0.0.1:" if is_development else "[::1]:"))
    assert ("outbox" in result.output) is is_development


def test_it_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m admit.server` is the same program, under its name."""
    monkeypatch.setattr(sys, "argv", ["whatever", "--help"])
    # Another test may have imported it, which runpy warns of.
    monkeypatch.delitem(sys.modules, "admit.server.__main__", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("admit.server", run_name="__main__")
    assert ended.value.code == 0
    assert "Usage: admit [" in capsys.readouterr().out
    assert runpy.run_module("admit.server", run_name="elsewhere")["__all__"] == []
