"""What an application tells the login manager."""

from __future__ import annotations

from typing import Any

import flask_login
import pytest
from flask import Flask

import admit.flask
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


@pytest.mark.parametrize("library", [flask_login, admit.flask])
@pytest.mark.parametrize("options", [{}, {"store": "memory:"}])
def test_u20_login_disabled_is_as_in_flask_login(library: Any, options: dict[str, Any]) -> None:
    """``_login_disabled`` is LOGIN_DISABLED of the application of now, and warns; outside of one it is false."""
    app = Flask("site")
    app.secret_key = "key"
    login_manager = library.LoginManager(app, **(options if library is admit.flask else {}))
    login_manager.user_loader(lambda _: None)
    app.add_url_rule("/", view_func=library.login_required(lambda: "private"))
    with pytest.warns(DeprecationWarning, match="LOGIN_DISABLED"):
        assert login_manager._login_disabled is False
    with pytest.warns(DeprecationWarning, match="LOGIN_DISABLED"), pytest.raises(RuntimeError):
        login_manager._login_disabled = True
    for disabled, status in ((True, 200), (False, 401)):
        with app.app_context(), pytest.warns(DeprecationWarning, match="LOGIN_DISABLED"):
            login_manager._login_disabled = disabled
        with app.app_context(), pytest.warns(DeprecationWarning, match="LOGIN_DISABLED"):
            assert login_manager._login_disabled is disabled
        assert app.config["LOGIN_DISABLED"] is disabled
        assert app.test_client().get("/").status_code == status


def test_an_unknown_attribute_can_be_set() -> None:
    """Applications keep things of their own on the login manager."""
    login_manager: LoginManager = LoginManager()
    login_manager.of_redash = 1  # type: ignore[attr-defined]
    assert login_manager.of_redash == 1  # type: ignore[attr-defined]
