"""The recipe as it is deployed: several processes of gunicorn over each store."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECIPE = ROOT / "examples/recipe"
ADA = {"username": "ada", "password": "correct horse"}
WORKERS = {
    "sync": ["--workers", "2"],
    "gthread": ["--workers", "2", "--worker-class", "gthread", "--threads", "4"],
    "gevent": ["--workers", "2", "--worker-class", "gevent"],
}


@pytest.fixture(params=["sqlite", "redis", "redis+cluster", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    """Return the address of a real store of each kind; of SQLite, the recipe's own."""
    match request.param:
        case "redis":
            return str(request.getfixturevalue("redis_url"))
        case "redis+cluster":
            return str(request.getfixturevalue("redis_cluster_url"))
        case "postgresql":
            return str(request.getfixturevalue("postgres_server").url)
        case _:
            return ""


@contextmanager
def deployed(instance: Path, store: str, workers: str) -> Iterator[str]:
    """Make the tables by the command line, start gunicorn, and yield its address."""
    environment = os.environ | {"RECIPE_INSTANCE": str(instance), "RECIPE_STORE": store}
    upgrade = [sys.executable, "-m", "flask", "--app", "app", "admit", "db", "upgrade"]
    subprocess.run(upgrade, cwd=RECIPE, env=environment, check=True)  # noqa: S603
    port = free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with running([*gunicorn, *WORKERS[workers], "app:app"], port, environment, RECIPE):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("workers", WORKERS)
def test_logins_are_the_same_in_every_process(tmp_path: Path, store: str, workers: str) -> None:
    """Whichever process answers: a login is known, and one that was ended elsewhere is out."""
    with (
        deployed(tmp_path, store, workers) as url,
        httpx.Client(base_url=url, timeout=20) as here,
        httpx.Client(base_url=url, timeout=20) as there,
    ):
        assert here.post("/signup", json=ADA).status_code == 201
        assert there.post("/login", json=ADA).status_code == 201
        for client in (here, there):
            assert statuses(url, client) == {200}
        other = next(one for one in here.get("/sessions").json() if not one["current"])
        assert here.delete(f"/sessions/{other['id']}").status_code == 200
        wait_until_out(url, dict(there.cookies))
        assert statuses(url, here) == {200}


def statuses(url: str, client: httpx.Client) -> set[int]:
    """Return what the client is answered on twelve connections of their own, so that both processes get some."""
    return {httpx.get(f"{url}/me", cookies=dict(client.cookies), timeout=20).status_code for _ in range(12)}


def wait_until_out(url: str, cookies: dict[str, str]) -> None:
    """Ask until every process has heard of the end, which is within the documented second."""
    deadline = httpx.get(f"{url}/me", timeout=20).elapsed.total_seconds() + 5
    asked, refused = 0.0, 0
    while refused < 12:
        response = httpx.get(f"{url}/me", cookies=cookies, timeout=20)
        asked += response.elapsed.total_seconds()
        refused = refused + 1 if response.status_code == 401 else 0
        assert asked < deadline, "the session that was ended is still in"
