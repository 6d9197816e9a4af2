"""The stand-in installed in this very process; what it stands in for is tested in fresh ones (test_alias)."""

from __future__ import annotations

import sys

import flask_login
import pytest

import admit.flask
from admit.errors import ConfigurationError
from admit.flask import alias


def test_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing has imported flask_login yet, the name and those below it mean Admit."""
    for name in [name for name in sys.modules if name.split(".")[0] == "flask_login"]:
        monkeypatch.delitem(sys.modules, name)
    alias.install()
    alias.install()
    assert sys.modules.pop("flask_login") is admit.flask
    found = {name for name in sys.modules if name.startswith("flask_login.")}
    assert {"flask_login.utils", "flask_login.mixins", "flask_login.login_manager"} <= found
    assert {sys.modules.pop(name).__name__.split(".")[1] for name in found} == {"flask"}


def test_too_late() -> None:
    """Where the real package was imported before, the error says what to do."""
    assert sys.modules["flask_login"] is flask_login
    with pytest.raises(ConfigurationError, match=r"Call alias\.install\(\) before"):
        alias.install()
    assert sys.modules["flask_login"] is flask_login
