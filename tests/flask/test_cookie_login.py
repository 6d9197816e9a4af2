"""A login in Flask's own session; cookies of Flask-Login are tested in test_takeover."""

from __future__ import annotations

from typing import Any

import flask_login
from flask import Flask, session
from hypothesis import given
from hypothesis import strategies as st

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
