"""What an operator sees of the ready-made application: nothing unless asked for, and then all of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from admit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

TOKEN = "6f1ed002ab5595859014ebf0951522d9"
ADA = {"email": "ada@example.org", "password": "a phrase that nobody else has 9"}


def test_there_are_no_metrics_unless_asked_for(make: Callable[..., Flask]) -> None:
    """Without a token nothing is counted and nothing is shown."""
    assert make().test_client().get("/metrics").status_code == 404


def test_an_operator_reads_the_metrics(make: Callable[..., Flask]) -> None:
    """With a token Prometheus reads them, by whatever name or address it reaches the application; nobody else does."""
    client = make(metrics_token=TOKEN).test_client()
    client.post("/api/account/sign-up", json=ADA)
    there = {"Host": "10.0.0.7:5000"}
    assert client.get("/metrics", headers=there).status_code == 401
    answer = client.get("/metrics", headers={**there, "Authorization": f"Bearer {TOKEN}"})
    assert 'admit_logins_total{method="password",outcome="success"}' in answer.text
    assert 'admit_events_total{event="sign_up_waits"}' in answer.text
    assert "ada" not in answer.text.replace("python_info", "")
    assert client.get("/account/login", headers=there).status_code == 400


def test_an_operator_gets_spans(make: Callable[..., Flask]) -> None:
    """With `traces`, actions are traced; where the spans go is for the SDK to say, and without one they go nowhere."""
    app = make(traces=True)
    assert app.test_client().post("/api/account/sign-up", json=ADA).status_code == 202
    assert hasattr(app.view_functions["admit.password_login_json"], "__wrapped__")


@pytest.mark.parametrize(
    ("package", "settings", "extra"),
    [
        ("prometheus_client", {"metrics_token": TOKEN}, r"ADMIT_METRICS_.+admit\[metrics\]"),
        ("opentelemetry", {"traces": True}, r"ADMIT_TRACES.+admit\[traces\]"),
    ],
)
def test_what_is_missing_is_said(
    make: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, package: str, settings: dict[str, object], extra: str
) -> None:
    """Where the package of an extra is not installed, the application says what to install and does not start."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("metrics", "instruments", "traces"):
        monkeypatch.delitem(sys.modules, f"admit.flask.{name}", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Missing(package), *sys.meta_path])
    with pytest.raises(ConfigurationError, match=extra):
        make(**settings)


class _Missing:
    """Finds nothing for a package, as if it were not installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raise what Python raises."""
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(name=self.package)
