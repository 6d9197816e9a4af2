"""What an application tells the login manager."""

from __future__ import annotations

import pytest
from flask import Flask

from admit.errors import ConfigurationError
from admit.flask import LoginManager
from admit.flask.callbacks import checked_protection


@pytest.mark.parametrize("mode", [None, "basic", "strong"])
def test_protection_modes(mode: str | None) -> None:
    """The three modes can be set."""
    login_manager: LoginManager = LoginManager()
    login_manager.session_protection = mode
    assert login_manager.session_protection == mode


@pytest.mark.parametrize("mode", ["Strong", "off", "", True])
def test_a_misspelled_mode(mode: str) -> None:
    """Any other mode is an error at the line that sets it, with the choices."""
    login_manager: LoginManager = LoginManager()
    with pytest.raises(ConfigurationError, match='Choose "basic", "strong" or None'):
        login_manager.session_protection = mode
    with pytest.raises(ConfigurationError):
        checked_protection(mode)
    app = Flask("site")
    app.config["SESSION_PROTECTION"] = mode
    with pytest.raises(ConfigurationError):
        LoginManager(app)


def test_decorators_return_the_function() -> None:
    """Every decorator keeps the function and gives it back."""

    def function(*_: object) -> None: ...

    login_manager: LoginManager = LoginManager()
    assert login_manager.user_loader(function) is function is login_manager.user_callback
    assert login_manager.request_loader(function) is function is login_manager.request_callback
    assert login_manager.unauthorized_handler(function) is function is login_manager.unauthorized_callback
    assert login_manager.needs_refresh_handler(function) is function is login_manager.needs_refresh_callback


def test_old_names_warn() -> None:
    """header_loader and setup_app still work, and name what to use instead."""
    login_manager: LoginManager = LoginManager()
    with pytest.warns(DeprecationWarning, match="Use LoginManager.request_loader"):
        login_manager.header_loader(lambda _: None)
    app = Flask("site")
    with pytest.warns(DeprecationWarning, match="Use LoginManager.init_app"):
        login_manager.setup_app(app)
    assert app.login_manager is login_manager  # type: ignore[attr-defined]


def test_an_unknown_attribute_can_be_set() -> None:
    """Applications keep things of their own on the login manager."""
    login_manager: LoginManager = LoginManager()
    login_manager.of_redash = 1  # type: ignore[attr-defined]
    assert login_manager.of_redash == 1  # type: ignore[attr-defined]
