"""The container file and the compose file, as far as they can be run where no container can."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
import yaml
from redis import Redis

from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.deployed

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MAIL = "smtp://127.0.0.1:1?tls=none"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file, each with what follows it."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def only(name: str) -> str:
    """Return what follows the only instruction of this name."""
    (found,) = [rest for instruction, rest in instructions() if instruction == name]
    return found


def copied() -> list[str]:
    """Return the paths that are copied from the context."""
    lines = [shlex.split(rest) for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [word for words in lines for word in words[:-1]]


def make_secrets(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script that makes the secrets."""
    return subprocess.run(  # noqa: S603 -- our own words
        [sys.executable, "deploy/make_secrets.py", "--folder", str(folder), "--mail-url", MAIL, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Return a folder with secrets that were just made."""
    folder = tmp_path / "secrets"
    assert make_secrets(folder, "--public-url", "https://accounts.example").returncode == 0
    return folder


def test_secrets_are_for_their_owner_and_made_once(secrets: Path) -> None:
    """Nobody else can enter their folder, and a second run changes nothing and says what to do."""
    assert secrets.stat().st_mode & 0o777 == 0o700
    before = {file.name: file.read_text() for file in secrets.iterdir()}
    again = make_secrets(secrets, "--public-url", "https://accounts.example")
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert {file.name: file.read_text() for file in secrets.iterdir()} == before
    named = {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    assert set(before) == named


def test_settings_hold_what_they_were_given(tmp_path: Path) -> None:
    """Quotes, umlauts and backslashes of a sender come through, and no two runs make the same secret."""
    make = runpy.run_path(str(DEPLOY / "make_secrets.py"))["make"]
    sender = 'Kontø "der" \\ Hafen <konto@hafen.example>'
    for name in ("one", "two"):
        make(tmp_path / name, "https://hafen.example", MAIL, sender, 2)
    one, two = (tomllib.loads((tmp_path / name / "admit.toml").read_text()) for name in ("one", "two"))
    assert one["mail"] == {"url": MAIL, "sender": sender}
    assert (one["public_url"], one["proxies"]) == ("https://hafen.example", 2)
    assert not {one["db"], one["sessions"], one["secret_key"]} & {two["db"], two["sessions"], two["secret_key"]}


def test_no_layer_holds_more_than_the_application() -> None:
    """What is sent to the builder is named one by one: what is copied, and neither secrets nor history."""
    ignored, *rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert ignored == "*"
    assert sorted(let_in) == sorted(copied())
    for path in ("deploy/secrets/admit.toml", ".git/config", "admit.db", ".env"):
        assert not any(fnmatch(path, f"{rule}*") for rule in let_in)


def test_only_this_machine_reaches_it() -> None:
    """The one port that is published is for a proxy on this machine; the stores have a network of their own."""
    services = COMPOSE["services"]
    assert {name: one["ports"] for name, one in services.items() if "ports" in one} == {"app": ["127.0.0.1:8000:8000"]}
    assert services["postgres"]["networks"] == services["redis"]["networks"] == ["stores"]
    assert COMPOSE["networks"]["stores"] == {"internal": True}
    assert only("USER") == "10001:10001"


@contextmanager
def kept_redis(secrets: Path, folder: Path) -> Iterator[int]:
    """Run Redis with the configuration that was made, and yield its port."""
    port = free_port()
    configuration = shutil.copy(secrets / "redis.conf", folder)
    Path(configuration).write_text(Path(configuration).read_text().replace("/data", str(folder)))
    with running(["redis-server", configuration, "--port", str(port), "--bind", "127.0.0.1"], port, dict(os.environ)):
        yield port


def test_redis_keeps_what_it_was_told(secrets: Path, tmp_path: Path) -> None:
    """With the configuration that was made it wants the password, keeps everything, and throws nothing away."""
    url = tomllib.loads((secrets / "admit.toml").read_text())["sessions"]
    with kept_redis(secrets, tmp_path) as port:
        with Redis.from_url(url.replace("@redis/", f"@127.0.0.1:{port}/")) as client:
            found = {name: client.config_get(name)[name] for name in ("appendfsync", "maxmemory-policy", "save")}
            assert client.config_get("appendonly")["appendonly"] == "yes"
        assert found == {"appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
        check = COMPOSE["services"]["redis"]["healthcheck"]["test"][1]
        asked = check.replace("redis-cli", f"redis-cli -p {port}")
        assert subprocess.run(["sh", "-c", asked], check=False).returncode == 0  # noqa: S603, S607 -- as it is there
    assert subprocess.run(["sh", "-c", asked], check=False, capture_output=True).returncode == 1  # noqa: S603, S607


def quicker(command: str, python: Path) -> str:
    """Return a command of pip as one of uv, which does the same in a tenth of the time."""
    uv, python_of = Path(sys.executable).with_name("uv"), f"--quiet --python {python}"
    for pattern, words in (
        (" --no-cache-dir", ""),
        ("^python -m venv ", f"{uv} venv --quiet --python {sys.executable} "),
        (
            "^pip wheel --no-deps --no-build-isolation --wheel-dir",
            f"{uv} build {python_of} --no-build-isolation --wheel -o",
        ),
        ("^pip install", f"{uv} pip install {python_of}"),
        (r"^(\S+)/pip install", rf"{uv} pip install --quiet --python \1/python"),
    ):
        command = re.sub(pattern, words, command)
    return command


def build(place: Path) -> Path:
    """Do what the container file does, below a folder, and return where the programs are."""
    context, wheel_python = place / "src", place / "wheel/bin/python"
    for path in copied():
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, context / path)
    steps = [quicker(rest, wheel_python) for name, rest in instructions() if name == "RUN"]
    for step in [quicker(f"python -m venv {place}/wheel", wheel_python), *steps]:
        here = step.replace("/opt/admit", f"{place}/opt").replace(" /wheels", f" {place}/wheels")
        subprocess.run(["sh", "-ec", here], cwd=context, check=True, capture_output=True)  # noqa: S603, S607
    return place / "opt/bin"


def test_what_the_container_file_installs_serves(
    tmp_path: Path, secrets: Path, postgres_server: PostgresServer
) -> None:
    """The lock is all that the wheel needs; tables are made, gunicorn serves, and the health check tells."""
    programs = build(tmp_path)
    healthy = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    with kept_redis(secrets, tmp_path) as redis_port:
        settings = (secrets / "admit.toml").read_text().replace("@redis/", f"@127.0.0.1:{redis_port}/")
        settings = re.sub('db = ".*"', f'db = "{postgres_server.url}"', settings)
        (tmp_path / "admit.toml").write_text(settings)
        port = free_port()
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "ADMIT_CONFIG": str(tmp_path / "admit.toml"),
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",
        }
        upgrade = COMPOSE["services"]["migrate"]["command"]
        subprocess.run([programs / upgrade[0], *upgrade[1:]], env=environment, cwd=tmp_path, check=True)  # noqa: S603
        command = [word.replace("/etc/admit", str(DEPLOY)) for word in json.loads(only("CMD"))]
        check = [word.replace(":8000", f":{port}") for word in healthy]
        with running([str(programs / command[0]), *command[1:]], port, environment, tmp_path):
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
                assert json.load(answer) == {"status": "ready"}
            assert subprocess.run(check, env=environment, check=False).returncode == 0  # noqa: S603
        assert subprocess.run(check, env=environment, check=False, capture_output=True).returncode != 0  # noqa: S603
