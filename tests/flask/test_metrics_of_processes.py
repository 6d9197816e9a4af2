"""Metrics of several processes, as gunicorn serves them: any of them tells what all have counted."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.flask.observed_site import ADA, WORD
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "6f1ed002ab5595859014ebf0951522d9"

SITE = """
import os
from tests.flask.observed_site import make_site
from admit.flask.metrics import Metrics

app = make_site(os.environ["SITE_STORE"], ADMIT_METRICS_TOKEN=os.environ["SITE_TOKEN"])
metrics = Metrics(app)


@app.after_request
def tell_process(response):
    response.headers["Process"] = os.getpid()
    return response
"""

CONFIGURATION = """
from admit.stores import open_store
import os

def on_starting(server):
    store = open_store(os.environ["SITE_STORE"])
    store.create()
    store.close()
"""


def logins_of(answer: httpx.Response) -> dict[str, float]:
    """Return how many logins an answer tells of, by outcome, and how many sessions."""
    assert answer.status_code == 200
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    found = {one.labels["outcome"]: one.value for one in samples if one.name == "admit_logins_total"}
    return found | {"live": next(one.value for one in samples if one.name == "admit_sessions_live")}


def test_whichever_process_answers_tells_of_all(tmp_path: Path) -> None:
    """With two processes, logins of both are in each answer once."""
    (tmp_path / "observed.py").write_text(SITE)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATION)
    folder = tmp_path / "metrics"
    folder.mkdir()
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)]),
        "SITE_STORE": f"sqlite:///{tmp_path}/site.db",
        "SITE_TOKEN": TOKEN,
    }
    port = free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with running([*gunicorn, "--workers", "2", "observed:app"], port, environment, tmp_path):
        # No connection is kept, so that either process may take the next.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=20) as client:
            processes: list[str] = []
            while len(set(processes)) < 2:
                assert len(processes) < 500
                client.cookies.clear()
                answer = client.post("/api/account/word", json={"identifier": ADA, "word": WORD})
                assert answer.status_code == 200
                processes.append(answer.headers["Process"])
            expected = {"success": len(processes), "failure": 0, "pending": 0, "live": len(processes)}
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert all(logins_of(client.get("/metrics", headers=headers)) == expected for _ in range(6))
