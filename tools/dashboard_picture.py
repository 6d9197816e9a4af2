"""Take the picture of the dashboard: run the ready application, let people and attackers use it, and ask Prometheus.

Grafana itself is not needed. The panels and their queries are read from the dashboard's own file, a real Prometheus
scrapes the application and answers the queries, and the answers are drawn as a page of which Chromium takes a picture.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast

import httpx

from admit.operations import create_account, new_account
from admit.server import create_app
from admit.server.pages import accounts_of, close_stores
from dashboard_page import drawn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.serving import free_port, running  # noqa: E402 -- the tests are beside the tools, and no package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.feature import SecretKeeper

__all__ = ["main"]

DASHBOARD = ROOT / "examples" / "grafana" / "admit.json"
PICTURE = ROOT / "docs" / "images" / "monitoring" / "dashboard.png"

#: Seconds between two scrapes, and over how long a rate is taken: four of them, as Grafana has it.
SCRAPE = 5
RATE = 4 * SCRAPE

PHRASE = "a phrase that nobody else has 9"
PEOPLE = 24
#: Of all who sign in, those who get it wrong at first.
MISTYPED = 0.15


@dataclass
class Place:
    """Where what is to be seen runs."""

    app: str
    prometheus: str
    redis: subprocess.Popen[bytes]
    over: Event = field(default_factory=Event)

    def client(self, address: str) -> httpx.Client:
        """Return a client that comes, by way of the one proxy that is believed, from this address."""
        return httpx.Client(base_url=f"{self.app}/api/account", headers={"X-Forwarded-For": address}, timeout=20)


def main() -> None:
    """Take it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=7, help="how long there is traffic (default: %(default)s)")
    options = parser.parse_args()
    missing = [one for one in ("chromium", "prometheus", "redis-server") if shutil.which(one) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} can't be found. Install what is missing and try again.")
    with tempfile.TemporaryDirectory(prefix="admit-dashboard-") as folder, place(Path(folder)) as there:
        use(there, options.minutes * 60)
        dashboard = json.loads(DASHBOARD.read_text())
        end = time.time()
        page = drawn(dashboard, lambda query: ask(there, query, end - options.minutes * 60, end))
        (Path(folder) / "page.html").write_text(page)
        take(Path(folder) / "page.html")
    print(f"Took {PICTURE.relative_to(ROOT)}.")


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Run the ready application, with sessions in Redis and all else in SQLite, and Prometheus beside it."""
    app, prometheus, redis = free_port(), free_port(), free_port()
    token, database = secrets.token_hex(), f"sqlite:///{folder}/admit.db"
    (folder / "prometheus.yml").write_text(configuration(app, token))
    environment = os.environ | {
        "ADMIT_METRICS_TOKEN": token,
        "ADMIT_DB": database,
        "ADMIT_PUBLIC_URL": f"http://127.0.0.1:{app}",
        "ADMIT_PROXIES": "1",
        "ADMIT_SESSIONS": f"redis://127.0.0.1:{redis}",
        # A tenth of an hour is short for an attack.
        "ADMIT_THROTTLE_ADDRESS_BURST": "15",
        "ADMIT_THROTTLE_REQUESTS_PER_HOUR": "100000",
        "ADMIT_THROTTLE_MAILS_PER_HOUR": "100000",
        # Whoever is asked for more than once in a moment would be answered from the near cache.
        "ADMIT_STORE_NEAR_MAX_AGE": "2",
    }
    with ExitStack() as running_all:
        redis_server = ["redis-server", "--bind", "127.0.0.1", "--port", str(redis), "--save", "", "--dir", str(folder)]
        server = subprocess.Popen(redis_server, stdout=subprocess.DEVNULL)
        running_all.callback(server.wait)
        running_all.callback(server.terminate)
        running_all.callback(server.send_signal, signal.SIGCONT)
        make_people(database, environment["ADMIT_SESSIONS"])
        run = [sys.executable, "-m", "admit.server", "run", "--dev", "--port", str(app)]
        running_all.enter_context(running(run, app, environment, folder))
        scrape = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=series", "--log.level=error"]
        listen = f"--web.listen-address=127.0.0.1:{prometheus}"
        running_all.enter_context(running([*scrape, listen], prometheus, dict(os.environ), folder))
        yield Place(f"http://127.0.0.1:{app}", f"http://127.0.0.1:{prometheus}", server)


def make_people(database: str, sessions: str) -> None:
    """Make the accounts of those who will use the application."""
    app = create_app({"ADMIT_DB": database, "ADMIT_SESSIONS": sessions}, serves=False)
    accounts = accounts_of(app)
    with app.test_request_context():
        ctx = accounts.context()
        keeper = cast("SecretKeeper", ctx.secret_keeper())  # it has every feature
        for number in range(PEOPLE):
            account = new_account(at=ctx.now, email=name_of(number), verified=True)
            create_account(ctx.gate, accounts.store, account, keeper.enroll(ctx, account, PHRASE))
    close_stores(app)


def configuration(port: int, token: str) -> str:
    """Return what Prometheus is told; its files are YAML, and so is JSON."""
    job = {
        "job_name": "admit",
        "scrape_interval": f"{SCRAPE}s",
        "authorization": {"credentials": token},
        "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
    }
    return json.dumps({"scrape_configs": [job]})


# -- traffic -----------------------------------------------------------------------------------------------------------


def use(there: Place, seconds: float) -> None:
    """Let people use the application all the time, attackers for a part of it, and Redis hang for a moment."""
    people = [Thread(target=live, args=[there, number]) for number in range(PEOPLE)]
    plan = {0.3: guess, 0.5: spray, 0.8: hang}
    began = time.monotonic()
    for person in people:
        person.start()
    for share, happens in plan.items():
        there.over.wait(max(0.0, began + share * seconds - time.monotonic()))
        happens(there, seconds / 10)
    there.over.wait(max(0.0, began + seconds - time.monotonic()))
    there.over.set()
    for person in people:
        person.join()


def name_of(number: int) -> str:
    """Return what somebody is called."""
    return f"person{number}@example.org"


def live(there: Place, number: int) -> None:
    """Sign in, mistyping now and then, look around, and sign out or let it be, again and again."""
    chance = random.Random(number)  # noqa: S311 -- no secret comes of it
    while not there.over.wait(chance.uniform(0, 20)):
        with there.client(f"192.0.2.{number}") as client:
            if chance.random() < MISTYPED:
                sign_in(client, number, "something else")
            sign_in(client, number, PHRASE)
            for _ in range(chance.randrange(4, 12)):
                if there.over.wait(chance.uniform(0.5, 3)):
                    return
                keep_token(client, client.get(chance.choice(["/", "/devices", "/activity"])))
            match chance.randrange(8):
                case 4:
                    newcomer = f"newcomer{secrets.token_hex(4)}@example.org"
                    client.post("/sign-up", json={"email": newcomer, "password": PHRASE})
                case 5:
                    # A page of somebody else's makes the browser ask for something.
                    client.post("/sign-out", json={}, headers={"Sec-Fetch-Site": "cross-site"})
                case 0:
                    client.delete("/devices")
                case 1:
                    client.post("/password-reset", json={"identifier": name_of(number)})
                case 2 | 3:
                    client.post("/sign-out", json={})


def sign_in(client: httpx.Client, number: int, phrase: str) -> None:
    """Try to sign somebody in, once."""
    carrier = {"Admit-Carrier": "bearer"}  # a cookie would be kept on https only
    keep_token(
        client, client.post("/sign-in", json={"identifier": name_of(number), "password": phrase}, headers=carrier)
    )


def keep_token(client: httpx.Client, answer: httpx.Response) -> None:
    """Send the token that an answer gives from now on."""
    if token := answer.headers.get("Admit-Token"):
        client.headers["Authorization"] = f"Bearer {token}"


def guess(there: Place, seconds: float) -> None:
    """Guess at one account from one address."""
    until = time.monotonic() + seconds
    with there.client("198.51.100.7") as client:
        while time.monotonic() < until and not there.over.wait(0.3):
            sign_in(client, 3, secrets.token_hex(6))


def spray(there: Place, seconds: float) -> None:
    """Try a few passwords at many accounts from one address."""
    until = time.monotonic() + seconds
    with there.client("198.51.100.8") as client:
        while time.monotonic() < until and not there.over.wait(0.2):
            sign_in(client, random.randrange(10_000), "123456789012345")  # noqa: S311 -- no secret comes of it


def hang(there: Place, seconds: float) -> None:
    """Let Redis hang for a moment."""
    there.redis.send_signal(signal.SIGSTOP)
    there.over.wait(seconds / 3)
    there.redis.send_signal(signal.SIGCONT)


# -- asking and taking -------------------------------------------------------------------------------------------------


def ask(there: Place, query: str, start: float, end: float) -> list[dict[str, Any]]:
    """Return what Prometheus answers to a query of the dashboard, over the time of the traffic."""
    plain = query.replace("$__rate_interval", f"{RATE}s").replace("$job", ".*")
    wanted = {"query": plain, "start": str(start), "end": str(end), "step": str(SCRAPE)}
    answer = httpx.post(f"{there.prometheus}/api/v1/query_range", data=wanted, timeout=60)
    found: dict[str, Any] = answer.raise_for_status().json()
    series: list[dict[str, Any]] = found["data"]["result"]
    return series


def take(page: Path) -> None:
    """Take a picture of a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri())
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=PICTURE, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
