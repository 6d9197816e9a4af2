"""``FlaskLoginClient``: a test client that is logged in from the start."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from admit.flask.current import login_manager_of
from admit.flask.state import state_of
from admit.flask.stored_login import StoredLogin

__all__ = ["FlaskLoginClient"]


class FlaskLoginClient(FlaskClient):
    """A test client whose requests are those of a logged-in user.

    Set it as the application's ``test_client_class`` and say who logs in.

    >>> from flask import Flask
    >>> from admit.flask import LoginManager, UserMixin, current_user, login_required
    >>> class User(UserMixin):
    ...     id = "ada"
    >>> app = Flask("shop")
    >>> app.secret_key = "a long random text, and not this one"
    >>> LoginManager(app).user_loader(lambda user_id: User())  # doctest: +ELLIPSIS
    <function ...>
    >>> app.add_url_rule("/", view_func=login_required(lambda: current_user.id))
    >>> app.test_client_class = FlaskLoginClient
    >>> with app.test_client(user=User()) as client:
    ...     client.get("/").text
    'ada'

    Args:
        user: The application's user object; nobody is logged in without one.
        fresh_login: Whether the login is fresh.

    .. versionadded:: 0.1
    """

    def __init__(self, *args: Any, user: Any = None, fresh_login: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if user is None:
            return
        login_manager = login_manager_of(self.application)
        user_id = getattr(user, login_manager.id_attribute)()
        # With this client's own address and user agent, or session protection would doubt the login.
        with self.application.test_request_context(environ_base=self.environ_base):
            keeper = state_of(self.application).keeper
            if isinstance(keeper, StoredLogin):
                self.set_cookie(*keeper.issue(user_id, fresh=fresh_login))
                return
            identifier = login_manager._session_identifier_generator()  # noqa: SLF001
        with self.session_transaction() as login:
            login["_user_id"] = user_id
            login["_fresh"] = fresh_login
            login["_id"] = identifier
