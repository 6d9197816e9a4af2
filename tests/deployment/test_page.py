"""What the page on deployment shows works: nginx as it is configured there, units of systemd, and commands."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.deployment.site import HOST, PASSWORD
from tests.mail_server import certificate
from tests.serving import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.site import Site

pytestmark = pytest.mark.deployed

PAGE = (ROOT / "docs/deployment.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the blocks of the page that are in a language."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[int]:
    """Run nginx as the page configures it, on free ports and with a certificate of its own, and yield its port."""
    pem, port = certificate(folder), free_port()
    configuration = blocks("nginx")[0]
    for there, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("listen 80", f"listen 127.0.0.1:{free_port()}"),
        ("/etc/ssl/certs/accounts.example.pem", f"{pem}"),
        ("/etc/ssl/private/accounts.example.key", f"{pem}"),
    ):
        assert there in configuration
        configuration = configuration.replace(there, here)
    places = " ".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    around = f"daemon off; pid {folder}/pid; error_log stderr crit; events {{}} http {{ access_log off; {places} "
    file = folder / "nginx.conf"
    file.write_text(f"{around}\n{configuration}}}\n")
    with running([str(shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")), "-c", str(file)], port, {}):
        yield port


def ask(
    port: int, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Ask by HTTPS, as a browser that has just the address of the site."""
    trusting = ssl._create_unverified_context()  # noqa: S323 -- the certificate is the test's own
    connection = HTTPSConnection("127.0.0.1", port, timeout=60, context=trusting)
    named = {"Host": HOST, "Content-Type": "application/json", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), named)
    answer = connection.getresponse()
    found = answer.status, answer.getheaders(), answer.read()
    connection.close()
    return found


def test_nobody_chooses_their_address(site: Site, tmp_path: Path) -> None:
    """Behind nginx cookies are for HTTPS alone, and an address that a client writes into a header is not believed."""
    body = {"identifier": site.people[-1], "password": PASSWORD}
    with nginx(tmp_path, site.port) as port:
        spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Origin": f"https://{HOST}"}
        status, headers, _ = ask(port, "POST", "/api/account/sign-in", body, **spoofed)
        cookies = [value for name, value in headers if name == "Set-Cookie"]
        (kept,) = [one.partition(";")[0] for one in cookies if one.startswith("__Host-admit=")]
        assert status == 200
        assert all("Secure" in one for one in cookies)
        devices = json.loads(ask(port, "GET", "/api/account/devices", Cookie=kept)[2])["devices"]
        assert [one["address"] for one in devices if one["is_this"]] == ["127.0.0.1"]
        assert ask(port, "GET", "/account/sign-in", Host="evil.example")[0] in {400, 404}
        assert ask(port, "POST", "/api/account/sign-in", "x" * (1 << 20))[0] == 413


def test_units_are_what_systemd_reads() -> None:
    """Each unit has its sections; what they start are programs and commands of this package."""
    started = []
    for unit in blocks("ini"):
        parsed = configparser.ConfigParser(strict=False, interpolation=None)
        parsed.optionxform = str  # type: ignore[assignment,method-assign] -- systemd minds the case
        parsed.read_string(unit.replace("\\\n", " "))
        assert "Unit" in parsed
        started += [parsed["Service"]["ExecStart"]] if "Service" in parsed else []
    assert [Path(shlex.split(one)[0]).name for one in started] == ["gunicorn", "admit"]
    assert "admit.server:create_app()" in shlex.split(started[0])
    assert shlex.split(started[1])[1:] == ["purge"]


def test_the_commands_of_containers_are_there(tmp_path: Path) -> None:
    """The script takes what the page gives it, and the compose file has the services that are named."""
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    make, up = map(shlex.split, "".join(blocks("sh")).splitlines())
    made = subprocess.run([sys.executable, *make[1:], "--folder", tmp_path / "secrets"], cwd=ROOT, check=False)  # noqa: S603
    assert (make[0], made.returncode) == ("python3", 0)
    assert up[:4] == ["docker", "compose", "--file", "deploy/compose.yaml"]
    assert set(re.findall(r"run --rm (\w+)", PAGE)) == {"app"} <= set(services)
