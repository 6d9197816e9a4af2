"""`admit doctor`, as an operator types it, on the ready application and on one that runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from click.testing import Result

from admit.flask import store_checks
from tests.serving import free_port, running

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

Admit = Callable[..., Result]
SECRET = "9f2c4e7a1b5d8063" * 4
PASSWORD = "a phrase that nobody else has 9"


def found(result: Result) -> list[dict[str, Any]]:
    """Return what was printed as JSON, without what is as it should be."""
    return [one for one in json.loads(result.stdout) if one["severity"] != "ok"]


def test_a_bad_configuration(admit: Admit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is named, those that keep it from starting one after the other, and the rest beside them."""
    (folder / "admit.toml").write_text('misspelled = 1\n[session]\nidle = "soon"\n')
    settings = {
        "SECRET_KEY": "dev",
        "SECRET_KEY_FALLBACKS": "changeme",
        "PUBLIC_URL": "http://app.example",
        "MAIL_URL": "smtp://127.0.0.1:9",
        "PASSWORD_MIN_LENGTH": "4",
        "PASSWORD_MEMORY_KIB": "8",
        "ACTIVITY_RETENTION": "none",
        "TRUSTED_ORIGINS": "http://other.example",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"ADMIT_{name}", value)
    result = admit("--config", "admit.toml", "doctor", "--json")
    seen = found(result)
    starting = [one["sentence"].partition(": ")[2] for one in seen if one["check"] == "start"]
    assert starting == [
        "There is no setting ADMIT_MISSPELLED.",
        "ADMIT_SESSION_IDLE is 'soon', which it can't be.",
        "ADMIT_SECRET_KEY_FALLBACKS is known from a tutorial, so that anybody can forge what it signs.",
        "ADMIT_SECRET_KEY is known from a tutorial, so that anybody can forge what it signs.",
        "Nobody is named whom the mails come from.",
    ]
    assert {"https", "mail", "trusted_origins", "retention", "password_length", "hash_cost"} <= {
        one["check"] for one in seen
    }
    [cost] = [one for one in seen if one["check"] == "hash_cost"]
    assert "is too weak, or too much" in cost["sentence"]
    assert "changeme" not in result.stdout
    assert result.exit_code == 1


def test_what_nothing_can_be_left_out_of(admit: Admit, folder: Path) -> None:
    """Without its database there is no application to look at, and another one is not looked at instead."""
    [one] = found(admit("--db", "sqlite:////nowhere/admit.db", "doctor", "--json"))
    assert one["check"] == "start"
    assert one["advice"].endswith("What else there is can be seen once this is mended.")
    assert list(folder.iterdir()) == []


def test_a_refusal_that_stays(admit: Admit, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A refusal that stays whatever is left out is told once, and so is one that names no setting."""
    (folder / "admit.toml").write_text("port = 5000\n")
    nowhere = found(admit("--db", "sqlite:////nowhere/admit.db", "--config", "admit.toml", "doctor", "--json"))
    assert [one["check"] for one in nowhere] == ["start"]
    monkeypatch.setenv("ADMIT_DB", "memory:")
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    [many] = found(admit("doctor", "--json"))
    assert "There are 2 workers" in many["sentence"]


def test_a_good_configuration(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ready application with an address, a proxy and a way to send has no error but that nobody sends here."""
    for name in ("_SLOW", "_PATIENCE"):
        monkeypatch.setattr(store_checks, name, 30)  # a busy machine is no slow store
    monkeypatch.setenv("ADMIT_PUBLIC_URL", "https://app.example")
    monkeypatch.setenv("ADMIT_PROXIES", "1")
    monkeypatch.setenv("ADMIT_MAIL_URL", "smtp://127.0.0.1:1?tls=none&from=a@example.org")
    wrong = [one for one in found(admit("doctor", "--json")) if one["severity"] in {"warning", "error"}]
    assert [one["check"] for one in wrong if one["check"] != "hash_cost"] == ["mail"]
    assert "ConnectionRefusedError" in wrong[-1]["sentence"]


def test_development(admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of development nothing is an error, and the exit code says so."""
    monkeypatch.setenv("ADMIT_DEV", "true")
    result = admit("doctor")
    assert result.exit_code == 0, result.output
    assert "This is development" in result.output


def test_a_server_that_runs(admit: Admit, folder: Path) -> None:
    """A real server is looked at from outside; signed in, its cookies are seen, and nothing is left of the session."""
    words = ["user", "create", "--email", "ada@example.org", "--verified", "--password-stdin"]
    assert admit(*words, typed=f"{PASSWORD}\n").exit_code == 0
    port = free_port()
    command = [sys.executable, "-m", "admit.server", "run", "--dev", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, port, dict(os.environ), folder):
        stranger = admit("doctor", "--url", url, "--json")
        member = admit("doctor", "--url", url, "--sign-in", "ada@example.org", typed=f"{PASSWORD}\n")
    assert stranger.exit_code == 0, stranger.output
    checks = {one["check"]: one["severity"] for one in json.loads(stranger.stdout)}
    assert checks == {
        "https": "note",  # on this machine
        "nosniff": "ok",
        "csp": "ok",
        "frames": "ok",
        "referrer": "ok",
        "cache": "ok",
        "api": "ok",
        "cookies": "note",
    }
    assert member.exit_code == 0, member.output
    assert "note     cookies: The cookie admit is not Secure" in member.output
    assert PASSWORD not in member.output
    assert "has no session" in admit("sessions", "list", account_id(admit)).output
    away = admit("doctor", "--url", url)
    assert away.exit_code == 1
    assert "ConnectionRefusedError" in away.output


def account_id(admit: Admit) -> str:
    """Return Ada's id."""
    return str(json.loads(admit("user", "show", "ada@example.org", "--json").stdout)["id"])
