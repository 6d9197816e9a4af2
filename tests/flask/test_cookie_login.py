"""A login in Flask's own session; cookies of Flask-Login are tested in test_takeover."""

from __future__ import annotations

from typing import Any

import flask_login
import pytest
from flask import Flask, session
from hypothesis import given
from hypothesis import strategies as st

import admit.flask
from admit.flask import utils
from admit.flask.cookie_login import binding

HEADERS = st.none() | st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=200)

real = Flask("site")
flask_login.LoginManager(real)


@given(address=st.none() | st.ip_addresses().map(str), user_agent=HEADERS)
def test_identifier_is_flask_logins(address: str | None, user_agent: str | None) -> None:
    """For any address and user agent the identifier is the one that Flask-Login 0.6.3 computes."""
    environ: dict[str, Any] = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": user_agent}
    environ = {name: value for name, value in environ.items() if value is not None}
    with real.test_request_context(environ_overrides=environ):
        assert utils._create_identifier() == flask_login.utils._create_identifier()
        assert utils._get_remote_addr() == flask_login.utils._get_remote_addr()


@given(noted=st.text() | st.none() | st.integers())
def test_whatever_a_session_notes_is_bound_or_not(noted: object) -> None:
    """A session is bound by the right identifier only; anything that is no text never bound it."""
    app = Flask("site")
    app.secret_key = "key"
    with app.test_request_context():
        session["_id"] = noted
        assert (
            binding(session, lambda: "place") == ("elsewhere" if isinstance(noted, str) else "unbound")
            or noted == "place"
        )
        session["_id"] = "place"
        assert binding(session, lambda: "place") == "bound"


@pytest.mark.parametrize("library", [flask_login, admit.flask])
@pytest.mark.parametrize("found", ["ada", None])
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_u16_the_session_names_the_remembered_user_before_the_loader_is_called(library: Any, found: str | None) -> None:
    """A loader that looks at the session finds the remember cookie's login there, as in Flask-Login."""
    user_class = type("User", (library.UserMixin,), {"id": "ada"})
    app, seen = Flask("site"), list[Any]()
    app.secret_key = "key"
    manager = library.LoginManager(app)
    manager.user_loader(lambda _: user_class())
    app.add_url_rule("/in", "in", lambda: str(library.login_user(user_class(), remember=True)))
    app.add_url_rule("/", "index", lambda: str(library.current_user.get_id()))
    client = app.test_client()
    client.get("/in")

    @manager.user_loader
    def load(_user_id: str) -> Any:
        seen.append((session.get("_user_id"), session.get("_fresh")))
        return None if session.get("_fresh") or found is None else user_class()

    assert client.get("/").text == str(found)
    assert seen == [("ada", True), ("ada", False)]


def test_u16_a_remembered_user_who_is_gone_leaves_the_session_as_it_was() -> None:
    """A session is not written for a remember cookie that names nobody, unless the loader writes into it."""
    user_class = type("User", (admit.flask.UserMixin,), {"id": "ada"})
    app = Flask("site")
    app.secret_key = "key"
    manager = admit.flask.LoginManager(app)
    app.add_url_rule("/in", "in", lambda: str(admit.flask.login_user(user_class(), remember=True)))
    app.add_url_rule("/", "index", lambda: str(admit.flask.current_user.get_id()))
    client = app.test_client()
    manager.user_loader(lambda _: None)
    client.get("/in")
    client.delete_cookie("session")
    assert "Set-Cookie" not in client.get("/").headers
    manager.user_loader(lambda _: session.update(noted=1))
    client.get("/")
    with client.session_transaction() as held:
        assert dict(held) == {"noted": 1}
    manager.user_loader(lambda _: session.clear())
    client.get("/")
    with client.session_transaction() as held:
        assert dict(held) == {}
