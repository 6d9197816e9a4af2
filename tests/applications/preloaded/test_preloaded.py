"""gunicorn with ``--preload``: the master loads the application, and gevent replaces what it uses after the fork."""

from __future__ import annotations

import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from admit.stores.sql import SqlStore
from tests.mail_server import Mailbox, certificate, mail_server
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.services.postgres import PostgresServer

PASSWORD = "seven green umbrellas in the attic"
PATIENCE = 30.0
WORKERS = {"gevent": ["-k", "gevent"], "gthread": ["-k", "gthread", "--threads", "8"]}
PEOPLE = 4


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process does it, and tells nobody when


def join(url: str, email: str, mailbox: Mailbox) -> int:
    """Sign up, confirm the address by the mail's link, sign in, and look; return the last status."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        person = {"email": email, "password": PASSWORD}
        assert client.post("/api/account/sign-up", json=person).status_code == 202
        until(lambda: any(email in to for to in mailbox.recipients))
        letter = next(one for one in mailbox.letters if one["To"] == email)
        found = re.search(r"/account/verify/([\w.-]+)", letter.get_body(("plain",)).get_content())
        assert found is not None
        assert client.post("/api/account/verify", json={"token": found[1]}).is_success
        signed_in = client.post("/api/account/sign-in", json={"identifier": email, "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        assert client.get("/me").text == email
        return client.get("/ping").status_code


@pytest.mark.parametrize("workers", WORKERS)
def test_u03_people_join_at_a_preloaded_application(
    workers: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """With one worker over PostgreSQL, four people at once get their mails by TLS, sign in, and are answered."""
    store = SqlStore(postgres_server.url)
    store.create()
    store.close()
    mailbox, pem, port, log = Mailbox(), certificate(tmp_path), free_port(), tmp_path / "log"
    with mail_server(mailbox, tls="starttls", pem=pem) as mail_port:
        environment = os.environ | {
            "STORE": postgres_server.url,
            "MAIL": f"smtp://127.0.0.1:{mail_port}",
            "SSL_CERT_FILE": str(pem),
        }
        gunicorn = [sys.executable, "-m", "gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", *WORKERS[workers]]
        command = [*gunicorn, "--graceful-timeout", "2", "tests.applications.preloaded.shop:app"]
        with running(command, port, environment, ROOT, log), ThreadPoolExecutor(PEOPLE) as threads:
            emails = [f"{workers}{number}@example.org" for number in range(PEOPLE)]
            joined = threads.map(lambda email: join(f"http://127.0.0.1:{port}", email, mailbox), emails)
            assert list(joined) == [200] * PEOPLE, log.read_text()
    assert "Traceback" not in log.read_text()
    assert all(mailbox.was_encrypted)
